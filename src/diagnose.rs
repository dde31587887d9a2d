//! What went wrong between model and circuit, told in terms of the model's file.
//!
//! Lowering and passes know nodes and layers; here their errors get a code, the place in the file, and what to do.

use zknn_ir::InferError;

use crate::front::{LayerDiagnostic, LayerPlace, LowerError, Model};
use crate::passes::{DEFAULT_BITS, MIN_BITS, PassError};

/// A layer that the IR does not have.
pub(crate) fn lowering(model: &Model, error: &LowerError) -> Box<LayerDiagnostic> {
    unfit(model, Some(error.layer), &error.error)
}

/// Why a pass gave up.
pub(crate) fn pass(model: &Model, error: &PassError) -> Box<LayerDiagnostic> {
    match *error {
        PassError::FractionalWeight { layer, tensor, index, .. } => Box::new(model.layer_diagnostic(
            place(layer).field(field(tensor)).element(index),
            "zknn::exact::fractional_weight",
            format!("{}: element {index} of `{}` is not an integer", named(layer), field(tensor)),
            "a network is proved exactly, in integers; scale the weights up and round them before export, and \
             scale by the same factor the biases of this layer and of those behind it",
            "not an integer",
        )),
        PassError::LargeWeight { layer, tensor, index, bits, .. } => Box::new(model.layer_diagnostic(
            place(layer).field(field(tensor)).element(index),
            "zknn::exact::large_weight",
            format!("{}: element {index} of `{}` is beyond ±2^{bits}", named(layer), field(tensor)),
            "use smaller weights; few circuits have room for sums of such numbers",
            format!("beyond ±2^{bits}"),
        )),
        PassError::Overflow { layer, channel, bits, ref input_ranges, .. } => {
            overflow(model, layer, channel, bits, input_ranges)
        }
        PassError::TooNarrow { layer, bits, needed, room, .. } => too_narrow(model, layer, bits, needed, room),
        PassError::Calibration(ref error) => Box::new(model.layer_diagnostic(
            place(None),
            "zknn::fixed::calibration",
            format!("the calibration inputs can't be evaluated: {error}"),
            "calibrate with inputs of the model's shape",
            "",
        )),
        PassError::ForeignRanges => Box::new(model.layer_diagnostic(
            place(None),
            "zknn::fixed::foreign_ranges",
            error.to_string(),
            "give the ranges that `compile --calibrate` wrote for this model, or calibrate anew",
            "",
        )),
        PassError::Infer { layer, ref error } => unfit(model, layer, error),
        PassError::Invalid { .. } | PassError::Inputs { .. } => Box::new(model.layer_diagnostic(
            LayerPlace::of(usize::MAX),
            "zknn::internal::invalid_graph",
            error.to_string(),
            "this is a fault in zknn, not in the model; please report it with the model",
            "",
        )),
    }
}

fn overflow(
    model: &Model,
    layer: Option<usize>,
    channel: Option<usize>,
    bits: u32,
    input_ranges: &[(i64, i64)],
) -> Box<LayerDiagnostic> {
    let ranges: Vec<String> = input_ranges.iter().map(|(lo, hi)| format!("{lo} to {hi}")).collect();
    let inputs = ranges.join(", and from ");
    let of_channel = channel.map_or(String::new(), |channel| format!(" of output channel {channel}"));
    Box::new(model.layer_diagnostic(
        place(layer),
        "zknn::range::overflow",
        format!("{}: the sums{of_channel} need {bits} bits and a sign, there is room for {LIMIT_BITS}", named(layer)),
        format!(
            "for inputs from {inputs} the sums may reach 2^{bits}, and must stay within \
             ±2^{LIMIT_BITS}; declare a smaller input range, or use smaller weights in this layer or \
             those before it, by a factor of {} in all; or let numbers be rounded between layers, with \
             `--bits {DEFAULT_BITS}`",
            factor(bits - LIMIT_BITS.min(bits)),
        ),
        format!("may reach 2^{bits}"),
    ))
}

fn too_narrow(model: &Model, layer: Option<usize>, bits: u32, needed: u32, room: u32) -> Box<LayerDiagnostic> {
    // Weights, numbers and what tells them apart all have a bit less for each bit less.
    let fewer = bits.saturating_sub(needed.saturating_sub(room).div_ceil(2));
    let advice = match fewer >= MIN_BITS {
        true => format!("try `--bits {fewer}`"),
        false => "sum fewer numbers in this layer".to_string(),
    };
    Box::new(model.layer_diagnostic(
        place(layer),
        "zknn::fixed::too_narrow",
        format!(
            "{}: at {bits} bits its sums, brought to scale, need {needed} bits; there is room for {room}",
            named(layer)
        ),
        format!("{advice}, declare a smaller input range, or give typical inputs with `--calibrate`"),
        format!("needs {needed} bits"),
    ))
}

/// The sums that the field has room for, as a power of two.
const LIMIT_BITS: u32 = zknn_ir::MAX_MAGNITUDE.ilog2();

fn factor(bits: u32) -> String {
    match bits {
        0..=20 => (1_u32 << bits).to_string(),
        _ => format!("2^{bits}"),
    }
}

/// An operation that does not fit its operand, for a reason that the model's own checks leave open.
fn unfit(model: &Model, layer: Option<usize>, error: &InferError) -> Box<LayerDiagnostic> {
    let (code, help) = match error.root() {
        InferError::NormalizeLength { .. } => (
            "zknn::model::normalize_length",
            "normalize fewer numbers, or leave the layer out: it does not change which output is greatest",
        ),
        InferError::Rank { op: "normalize", .. } => {
            ("zknn::model::normalize_rank", "normalize takes a vector; put a `flatten` layer before it")
        }
        InferError::TooManyElements { .. } => {
            ("zknn::model::too_large", "no circuit has room for so many numbers; use smaller shapes")
        }
        InferError::EmptyInterval { .. } => {
            ("zknn::range::empty", "the first number of an input range must not be above the second")
        }
        InferError::NotFinite { .. } => ("zknn::model::not_finite", "make every weight finite before export"),
        _ => ("zknn::model::unfit", "the layer does not fit its input; check its shapes"),
    };
    Box::new(model.layer_diagnostic(place(layer), code, format!("{}: {error}", named(layer)), help, "here"))
}

/// The input belongs to the first layer, which declares its shape.
fn place(layer: Option<usize>) -> LayerPlace<'static> {
    layer.map_or(LayerPlace::of(0).field("input_shape"), LayerPlace::of)
}

fn named(layer: Option<usize>) -> String {
    layer.map_or("the input".to_string(), |layer| format!("layer {layer}"))
}

/// The model's name for a tensor of an operation.
fn field(tensor: &'static str) -> &'static str {
    match tensor {
        "bias" => "biases",
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme};

    use super::*;
    use crate::lower_exact;

    /// As the command line prints it, without colours.
    fn rendered(layers: &str) -> String {
        let model = Model::parse("model.json", format!("{{\"layers\": [{layers}]}}")).unwrap();
        let diagnostic = lower_exact(&model, (-128, 127), &mut |_, _| {}).unwrap_err();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
        let mut rendered = String::new();
        handler.render_report(&mut rendered, &*diagnostic).unwrap();
        rendered
    }

    fn dense(weights: &str, biases: &str) -> String {
        format!(
            r#"{{"layer_type": "relu", "input_shape": [2]}}, {{"layer_type": "fully_connected", "input_shape": [2],
 "weights": {{"v": 1, "dim": [2, 2], "data": [{weights}]}}, "biases": {{"v": 1, "dim": [2], "data": [{biases}]}}}}"#
        )
    }

    #[test]
    fn fractional_weight() {
        insta::assert_snapshot!(rendered(&dense("1, 2, 2.5, 0.5", "0, 0")));
    }

    #[test]
    fn fractional_bias() {
        insta::assert_snapshot!(rendered(&dense("1, 2, 3, 4", "0, 1e-9")));
    }

    #[test]
    fn large_weight() {
        insta::assert_snapshot!(rendered(&dense("1, 1e300, 3, 4", "0, 0")));
    }

    #[test]
    fn overflow() {
        insta::assert_snapshot!(rendered(&[dense("1, 1e14, 3, 4", "0, 0"), dense("1, 1, 1, 5e3", "0, 0")].join(", ")));
    }

    #[test]
    fn too_narrow() {
        use crate::front::{Layer, LayerKind};
        let layer = |shape: [usize; 2], weight: f64| {
            // Weights of one magnitude would take one bit.
            let mut weights = ndarray::ArrayD::from_elem(shape.as_slice(), weight);
            weights[[0, 0]] *= 1.5;
            Layer::new(LayerKind::FullyConnected { weights, biases: None }, [shape[1]])
        };
        // Of a score, which no layer reads, multipliers are any.
        let model = Model::new(vec![layer([1, 60_000], 0.5)], None).unwrap();
        let lowering = |bits| crate::Lowering { bits: Some(bits), ..crate::Lowering::default() };
        assert!(crate::lower(&model, &lowering(8), &mut |_, _| {}).is_ok());
        let lowering = crate::Lowering { input_range: Some((-(1 << 31), 1 << 31)), ..lowering(16) };
        let diagnostic = crate::lower(&model, &lowering, &mut |_, _| {}).unwrap_err();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
        let mut rendered = String::new();
        handler.render_report(&mut rendered, &diagnostic).unwrap();
        insta::assert_snapshot!(rendered);
    }

    #[test]
    fn normalize_of_an_image() {
        insta::assert_snapshot!(rendered(r#"{"layer_type": "normalize", "input_shape": [2, 2, 1]}"#));
    }

    #[test]
    fn normalize_of_too_much() {
        insta::assert_snapshot!(rendered(r#"{"layer_type": "normalize", "input_shape": [5000]}"#));
    }
}
