//! From a model to a graph of integers: exactly where its weights are integers, else in fixed point.

use crate::diagnose;
use crate::front::{self, LayerDiagnostic, Model, ModelInput};
use crate::passes::{
    self, Calibration, Context, DEFAULT_BITS, Fit, FixedPoint, FoundRanges, InputContext, MAX_BITS, MIN_BITS,
};
use miette::Diagnostic;
use ndarray::{ArrayD, ArrayViewD};
use std::collections::BTreeMap;
use zknn_ir::{Fact, Graph, Number, Op, Weights};

/// The input range of a model that declares none: that of a signed byte.
pub const DEFAULT_INPUT_RANGE: (i64, i64) = (-128, 127);

/// How a model is to become integers.
#[derive(Debug, Clone, Default)]
pub struct Lowering {
    /// The least and the greatest number of the inputs, where the model's own ranges are not to be used.
    pub input_range: Option<(i64, i64)>,
    /// Shape and numbers of inputs, by position, where they are those of another model's output. Goes before the range.
    pub inputs: BTreeMap<usize, Fact>,
    /// The bits of numbers in fixed point, up to five more for weights, from [`MIN_BITS`] to [`MAX_BITS`].
    pub bits: Option<u32>,
    /// The bits of layers of the model that are to have others, likewise.
    pub layer_bits: BTreeMap<usize, u32>,
    /// A batch of each input, in their order, to see how large numbers get; or none at all.
    pub calibration: Vec<ArrayD<f64>>,
    /// What was found on calibration inputs before; goes before these.
    pub ranges: Option<FoundRanges>,
    /// What the range of numbers between layers is fitted to, with either.
    pub fit: Fit,
}

/// A model in integers, and what it was made from.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// The integer program.
    pub program: Graph,
    /// The network in real numbers, as it is before it is rounded: channels have the factors that they have in the program, and what
    /// could be folded is.
    pub reals: Graph,
    /// What was found on calibration inputs, if any were given: with this in their place the program is the same.
    pub ranges: Option<FoundRanges>,
}

/// Why a model did not become a graph of integers.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LoweringError {
    /// A layer is to blame.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Layer(Box<LayerDiagnostic>),
    /// The bits are.
    #[error("numbers of {got} bits are not supported")]
    #[diagnostic(code(zknn::fixed::bits), help("choose from {MIN_BITS} to {MAX_BITS} bits"))]
    Bits {
        /// The bits asked for.
        got: u32,
    },
    /// Bits for a layer that there is not.
    #[error("layer {layer} is to have bits of its own, and the model has {layers} layers")]
    #[diagnostic(code(zknn::fixed::no_such_layer), help("layers are counted from 0"))]
    NoSuchLayer {
        /// The layer asked for.
        layer: usize,
        /// How many there are.
        layers: usize,
    },
    /// The input is to be what no input of the model is.
    #[error("the input is to have shape {got:?}, and the model takes {expected:?}")]
    #[diagnostic(
        code(zknn::fixed::input_shape),
        help(
            "the output of the other model must have the shape of this one's input; a `flatten` layer may bring it there"
        )
    )]
    InputShape {
        /// The shape that the model takes.
        expected: Vec<usize>,
        /// The shape asked for.
        got: Vec<usize>,
    },
    /// An input that the model does not have is to have certain numbers.
    #[error("input {position} is to be another model's output, and the model has {inputs}")]
    #[diagnostic(code(zknn::fixed::no_such_input), help("inputs are counted from 0"))]
    NoSuchInput {
        /// The position asked for.
        position: usize,
        /// How many inputs there are.
        inputs: usize,
    },
    /// Calibration inputs for fewer inputs than there are, or more.
    #[error("there are {got} tensors of calibration inputs, and the model has {expected} inputs")]
    #[diagnostic(code(zknn::fixed::calibration_inputs), help("give `--calibrate` once for each input, in their order"))]
    CalibrationInputs {
        /// How many inputs the model has.
        expected: usize,
        /// How many tensors there are.
        got: usize,
    },
    /// Calibration inputs of which there are more for one input than for another.
    #[error("there are {got} calibration inputs for input {position}, and {expected} for the first")]
    #[diagnostic(
        code(zknn::fixed::calibration_count),
        help("the nth of each belong together, so there must be as many")
    )]
    CalibrationCount {
        /// The input that has another number.
        position: usize,
        /// How many there are for the first input.
        expected: usize,
        /// How many there are for this one.
        got: usize,
    },
    /// Calibration inputs of the wrong shape.
    #[error("the calibration inputs have shape {got:?}, which is no batch of {expected:?}")]
    #[diagnostic(
        code(zknn::fixed::calibration_shape),
        help("give one tensor whose first axis counts the inputs, and whose others are those of the model's input")
    )]
    CalibrationShape {
        /// The shape of one input.
        expected: Vec<usize>,
        /// The shape of the tensor.
        got: Vec<usize>,
    },
    /// A calibration input that could never be proved.
    #[error("calibration input {input} has a number outside the input range {lo}..{hi}")]
    #[diagnostic(
        code(zknn::fixed::calibration_range),
        help("calibrate with inputs such as will be proved, or declare a wider range: `--input-range`")
    )]
    CalibrationRange {
        /// Which of the inputs.
        input: usize,
        /// The least number allowed.
        lo: i64,
        /// The greatest number allowed.
        hi: i64,
    },
    /// A calibration input with fractions, of a network that is not rounded.
    #[error("calibration input {input} has a fraction, and the network computes with integers exactly")]
    #[diagnostic(
        code(zknn::fixed::calibration_fraction),
        help("give `--bits 10` to round network and inputs to fixed point, or leave out `--calibrate`")
    )]
    CalibrationFraction {
        /// Which of the inputs.
        input: usize,
    },
}

/// The model as a graph of integers.
///
/// It is lowered exactly if it has weights, all of them are integers, and no bits are given. Else it is rounded to fixed
/// point, and so are its inputs, as [`input::rounds`](crate::input::rounds) tells. A model without weights says nothing of its
/// numbers, so it takes fractions, unless they leave no bits for integers of its range. The observer sees the graph as lowered and after each pass, with the names that [`passes::names`] lists.
///
/// # Errors
/// A diagnostic that points at the layer to blame, or says what is wrong with the settings.
pub fn lower(
    model: &Model,
    lowering: &Lowering,
    observer: &mut dyn FnMut(&str, &Graph),
) -> Result<Graph, LoweringError> {
    Ok(lower_in_context(model, lowering, observer)?.0)
}

/// As [`lower`], with what the program was made from.
///
/// # Errors
/// As [`lower`].
pub fn lower_with_reals(
    model: &Model,
    lowering: &Lowering,
    observer: &mut dyn FnMut(&str, &Graph),
) -> Result<Lowered, LoweringError> {
    let mut reals = None;
    let (program, context) = lower_in_context(model, lowering, &mut |pass, graph| {
        if pass == passes::LAST_OF_REALS {
            reals = Some(graph.clone());
        }
        observer(pass, graph);
    })?;
    // The pass is in the list.
    let reals = reals.expect("all passes have run");
    let ranges = context.fixed.as_ref().and_then(FixedPoint::found).cloned();
    Ok(Lowered { program, reals, ranges })
}

/// The program, and what is known when it is done.
fn lower_in_context(
    model: &Model,
    lowering: &Lowering,
    observer: &mut dyn FnMut(&str, &Graph),
) -> Result<(Graph, Context), LoweringError> {
    let lowered = front::lower(model);
    let mut graph = lowered.map_err(|error| LoweringError::Layer(diagnose::lowering(model, &error)))?;
    let mut context = context(model, &graph, lowering)?;
    let done = passes::run(&mut graph, &mut context, observer);
    done.map_err(|error| LoweringError::Layer(diagnose::pass(model, &error)))?;
    Ok((graph, context))
}

fn context(model: &Model, graph: &Graph, lowering: &Lowering) -> Result<Context, LoweringError> {
    let inputs = inputs(model, lowering)?;
    check_calibration(model, &lowering.calibration, &inputs)?;
    let bits = lowering.bits.unwrap_or(DEFAULT_BITS);
    let mut all_bits = lowering.layer_bits.values().copied().chain([bits]);
    if let Some(got) = all_bits.find(|bits| !(MIN_BITS..=MAX_BITS).contains(bits)) {
        return Err(LoweringError::Bits { got });
    }
    let layers = model.layers().len();
    if let Some(&layer) = lowering.layer_bits.keys().find(|&&layer| layer >= layers) {
        return Err(LoweringError::NoSuchLayer { layer, layers });
    }
    let is_quantized = graph.topological().into_iter().any(|id| matches!(graph.node(id).op, Op::Quantize(_)));
    let mut scales = inputs.iter().filter_map(|input| input.number.as_ref()?.scale()).peekable();
    let is_exact = !is_quantized
        && if scales.peek().is_some() {
            scales.all(|scale| scale == 1.0) && has_integers_only(graph)
        } else if has_weights(graph) {
            has_integers_only(graph)
        } else {
            let is_wide = |input: &InputContext| input.range.0.abs_diff(input.range.1) >> bits > 0;
            lowering.calibration.is_empty() && lowering.ranges.is_none() && inputs.iter().any(is_wide)
        };
    if is_exact && lowering.bits.is_none() && lowering.layer_bits.is_empty() {
        let has_fraction = |input: ArrayViewD<f64>| input.iter().any(|x| x.fract() != 0.0);
        let fraction = |batch: &ArrayD<f64>| batch.outer_iter().position(has_fraction);
        return match lowering.calibration.iter().find_map(fraction) {
            Some(input) => Err(LoweringError::CalibrationFraction { input }),
            None => Ok(Context { inputs, fixed: None }),
        };
    }
    let calibration = match &lowering.ranges {
        Some(ranges) => Calibration::Found(ranges.clone()),
        None => lowering.calibration.clone().into(),
    };
    let mut fixed = FixedPoint::new(bits, calibration);
    fixed.layer_bits = lowering.layer_bits.clone();
    fixed.fit = lowering.fit;
    Ok(Context { inputs, fixed: Some(fixed) })
}

/// What is known of each input.
fn inputs(model: &Model, lowering: &Lowering) -> Result<Vec<InputContext>, LoweringError> {
    let count = model.inputs().len();
    if let Some(&position) = lowering.inputs.keys().find(|&&position| position >= count) {
        return Err(LoweringError::NoSuchInput { position, inputs: count });
    }
    let input = |(position, input): (usize, &ModelInput)| {
        let given = lowering.inputs.get(&position);
        if let Some(got) = given.map(|fact| &fact.shape).filter(|&shape| *shape != input.shape) {
            return Err(LoweringError::InputShape { expected: input.shape.clone(), got: got.clone() });
        }
        let number = given.map(|fact| fact.number.clone());
        let given = number.as_ref().and_then(real_range);
        let declared = given.or(lowering.input_range).or(input.range).or(model.input_range());
        let range = declared.unwrap_or(DEFAULT_INPUT_RANGE);
        Ok(InputContext { range, is_declared: declared.is_some(), number })
    };
    model.inputs().iter().enumerate().map(input).collect()
}

/// The integers around the real numbers that a tensor may hold.
fn real_range(number: &Number) -> Option<(i64, i64)> {
    let ((lo, hi), scale) = (number.interval()?, number.scale()?);
    // At a scale of 1, exactly the interval; casts saturate.
    if scale == 1.0 {
        return Some((lo, hi));
    }
    Some(((lo as f64 * scale).floor() as i64, (hi as f64 * scale).ceil() as i64))
}

/// All weights of a graph.
fn weights(graph: &Graph) -> impl Iterator<Item = &Weights> {
    let nodes = graph.topological().into_iter();
    nodes
        .filter_map(|id| graph.node(id).op.factors())
        .flat_map(|factors| [Some(factors.weights), factors.bias])
        .flatten()
}

/// The ends of all clips of a graph.
fn ends(graph: &Graph) -> impl Iterator<Item = f64> {
    let ends = |id| match &graph.node(id).op {
        Op::Clip(clip) => clip.given(),
        _ => [None, None],
    };
    graph.topological().into_iter().flat_map(ends).flatten()
}

fn has_weights(graph: &Graph) -> bool {
    weights(graph).next().is_some() || ends(graph).next().is_some()
}

fn has_integers_only(graph: &Graph) -> bool {
    let is_integral = |weights: &Weights| match weights {
        Weights::Real(data) => data.iter().all(|weight| weight.fract() == 0.0),
        Weights::Fixed { .. } => true,
        // A network with these is one that was quantized before.
        Weights::Scaled { .. } => false,
    };
    weights(graph).all(is_integral) && ends(graph).all(|end| end.fract() == 0.0)
}

fn check_calibration(model: &Model, calibration: &[ArrayD<f64>], inputs: &[InputContext]) -> Result<(), LoweringError> {
    let (expected, got) = (inputs.len(), calibration.len());
    if got > 0 && got != expected {
        return Err(LoweringError::CalibrationInputs { expected, got });
    }
    for (position, ((batch, input), of_model)) in calibration.iter().zip(inputs).zip(model.inputs()).enumerate() {
        if !matches!(batch.shape(), [_, shape @ ..] if shape == of_model.shape) {
            let (expected, got) = (of_model.shape.clone(), batch.shape().to_vec());
            return Err(LoweringError::CalibrationShape { expected, got });
        }
        let (expected, got) = (calibration[0].shape()[0], batch.shape()[0]);
        if expected != got {
            return Err(LoweringError::CalibrationCount { position, expected, got });
        }
        let (lo, hi) = input.range;
        let is_outside = |input: ArrayViewD<f64>| input.iter().any(|&x| !(lo as f64..=hi as f64).contains(&x));
        if let Some(input) = batch.outer_iter().position(is_outside).filter(|_| input.is_declared) {
            return Err(LoweringError::CalibrationRange { input, lo, hi });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
