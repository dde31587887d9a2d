//! Networks that were quantized before: QuantizeLinear, DequantizeLinear, and operators with integers for operands.

use super::super::Attribute;
use super::constant::{Constant, Quantized};
use super::importer::{Importer, Stream, Value};
use super::linear::convolution;
use super::node::{Imported, Node, refused};

const HELP: &str = "scales and zero points are constants, one for a tensor, or one for each output channel of weights";

/// QuantizeLinear of what depends on the input, to one scale.
pub(super) fn quantize(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let number = number(importer, node, 1, 2)?;
    quantized(importer, node.name(), &x, number)
}

/// The scale, the zero point, and the ends of the type of a tensor.
fn number(importer: &Importer, node: &Node<'_>, scale: usize, zero: usize) -> Imported<[f64; 4]> {
    let (scale, zero) = (importer.constant(node, scale)?, importer.optional_constant(node, zero)?);
    let ends = match &zero {
        Some(zero) => zero.element.ends(),
        None => Some((0.0, 255.0)),
    };
    match (scale.data.len(), ends) {
        (1, Some((least, greatest))) => {
            Ok([scale.data.sum(), zero.map_or(0.0, |zero| zero.data.sum()), least, greatest])
        }
        (1, None) => refused("its type is none of 8 or 16 bits", HELP),
        (count, _) => refused(format!("it has {count} scales"), HELP),
    }
}

fn quantized(importer: &mut Importer, name: &str, x: &Stream, number: [f64; 4]) -> Imported<Stream> {
    let fields = ["scale", "zero_point", "least", "greatest"].into_iter().zip(number.map(Attribute::Number));
    let levels = importer.compose(name, "quantize", fields.collect(), &[x])?.with_layer_order(x.is_last());
    Ok(levels.quantized_to(Some(number)))
}

/// DequantizeLinear: of a constant, whose integers are kept, or of what was quantized to the same scale.
pub(super) fn dequantize(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let Some(value) = node.proto.input.first().and_then(|name| importer.value(name)).cloned() else {
        return refused("operand 0 is missing", "see the operator's definition");
    };
    match value {
        Value::Stream(stream) => {
            // A bias has no zero point of 8 bits, so the type is that of the stream.
            let [scale, zero, ..] = number(importer, node, 1, 2)?;
            match stream.quantized {
                Some([of_stream, zero_of_stream, ..]) if [of_stream, zero_of_stream] == [scale, zero] => {
                    Ok(Value::Stream(stream.quantized_to(None)))
                }
                _ => refused("its operand was not quantized to its scale and zero point", HELP),
            }
        }
        Value::Constant(constant) => {
            let (scales, zeros) = (importer.constant(node, 1)?, importer.optional_constant(node, 2)?);
            let axes = constant.data.ndim();
            let axis = node.int("axis", 1);
            let axis = if axis < 0 { axis + axes as i64 } else { axis };
            let axis = if scales.data.len() == 1 { 0 } else { usize::try_from(axis).unwrap_or(axes) };
            let length = constant.data.shape().get(axis).copied().unwrap_or(1);
            let count = scales.data.len();
            if ![1, length].contains(&count) || constant.quantized.is_some() {
                return refused(format!("it has {count} scales for {length} indices"), HELP);
            }
            let zero_points = match zeros {
                Some(zeros) if zeros.data.len() == count => zeros.data.into_iter().collect(),
                Some(zeros) => {
                    return refused(format!("it has {count} scales and {} zero points", zeros.data.len()), HELP);
                }
                None => vec![0.0; count],
            };
            let scales = scales.data.into_iter().collect();
            Ok(Value::Constant(Constant { quantized: Some(Quantized { scales, zero_points, axis }), ..constant }))
        }
    }
}

/// QLinearConv: a convolution of integers, and a quantize of its sums.
pub(super) fn q_linear_conv(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let of_x = number(importer, node, 1, 2)?;
    if x.quantized.map(|[scale, zero, ..]| [scale, zero]) != Some([of_x[0], of_x[1]]) {
        return refused("its operand was not quantized to its scale and zero point", HELP);
    }
    let (weights, scales, zeros) =
        (importer.constant(node, 3)?, importer.constant(node, 4)?, importer.constant(node, 5)?);
    let channels = weights.data.shape().first().copied().unwrap_or(1);
    if scales.data.len() != zeros.data.len() || ![1, channels].contains(&scales.data.len()) {
        return refused(
            format!("it has {} scales and {} zero points of weights", scales.data.len(), zeros.data.len()),
            HELP,
        );
    }
    let scales: Vec<f64> = scales.data.into_iter().collect();
    let products: Vec<f64> = scales.iter().map(|scale| f64::from(of_x[0] as f32 * *scale as f32)).collect();
    let number = number(importer, node, 6, 7)?;
    let of_weights = Quantized { scales, zero_points: zeros.data.into_iter().collect(), axis: 0 };
    let bias = importer.optional_constant(node, 8)?.map(|bias| {
        let zero_points = vec![0.0; products.len()];
        Constant { quantized: Some(Quantized { scales: products, zero_points, axis: 0 }), ..bias }
    });
    let kernel = Constant { quantized: Some(of_weights), ..weights };
    let sums = convolution(importer, node, &x, kernel, bias)?;
    quantized(importer, &format!("{}, quantized", node.name()), &sums, number)
}
