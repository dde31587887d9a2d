//! Networks that were quantized before: QuantizeLinear, DequantizeLinear, and operators with integers for operands.

use super::super::constant::{self, Constant, Element, Quantized};
use super::super::importer::Importer;
use super::super::node::{Imported, Node, refused};
use super::super::stream::{Stream, Value};
use super::elementwise::{affine, join};
use super::linear::convolution;
use super::products::products_of_integers;
use super::reduction::global_pool_of;
use super::selection::concat_of;
use crate::front::Attribute;

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
    let levels = importer.compose(name, "quantize", fields.collect(), &[x])?.with_layer_order(x.is_last);
    let [_, _, least, greatest] = number;
    Ok(levels.quantized_to(Some(number)).of(Element::of_ends(least, greatest)))
}

/// DequantizeLinear: of a constant, whose integers are kept, or of what was quantized to the same scale.
pub(super) fn dequantize(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    match importer.required(node, 0)?.clone() {
        Value::Stream(stream) => {
            let stream = of_scale(importer, node, &stream, 1)?;
            Ok(Value::Stream(stream.quantized_to(None).of(Element::Float)))
        }
        Value::Constant(constant) => {
            let axis = node.int("axis", 1);
            let counted = if axis < 0 { axis + constant.data.ndim() as i64 } else { axis };
            // An axis that there is not has one index.
            let axis = usize::try_from(counted).unwrap_or(usize::MAX);
            Ok(Value::Constant(of_integers(importer, node, 0, axis)?))
        }
    }
}

/// QLinearConv: a convolution of integers, and a quantize of its sums.
pub(super) fn q_linear_conv(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let x = of_scale(importer, node, &x, 1)?;
    let kernel = of_integers(importer, node, 3, 0)?;
    let bias = bias(importer, node, 8, &x, &kernel)?;
    let sums = convolution(importer, node, &x, kernel, bias)?;
    results(importer, node, &sums, 6)
}

/// QLinearMatMul, and QGemm of onnxruntime: products of vectors and a constant matrix, all of integers.
pub(super) fn q_products(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let x = of_scale(importer, node, &x, 1)?;
    node.only("transA", 0)?;
    if node.float("alpha").is_some_and(|alpha| alpha != 1.0) {
        return refused("`alpha` is not one", "fold it into the scales");
    }
    let is_turned = node.int("transB", 0) != 0;
    let weights = of_integers(importer, node, 3, if is_turned { 0 } else { 1 })?;
    let has_bias = node.proto.op_type == "QGemm";
    let bias = if has_bias { bias(importer, node, 6, &x, &weights)? } else { None };
    let sums = products_of_integers(importer, node, &x, weights, is_turned, bias)?;
    results(importer, node, &sums, if has_bias { 7 } else { 6 })
}

/// QLinearAdd of onnxruntime.
pub(super) fn q_linear_add(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mut operands = [importer.stream(node, 0)?, importer.stream(node, 3)?];
    for (at, operand) in operands.iter_mut().enumerate() {
        *operand = of_scale(importer, node, operand, 3 * at + 1)?;
    }
    let sums = join(importer, &format!("{}, in reals", node.name()), "add", &operands)?;
    results(importer, node, &sums, 6)
}

/// QLinearGlobalAveragePool of onnxruntime.
pub(super) fn q_linear_mean(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    node.only("channels_last", 0)?;
    let x = importer.sample(node, 0)?;
    let x = of_scale(importer, node, &x, 1)?;
    let means = global_pool_of(importer, node, &x, "reduce_mean")?;
    results(importer, node, &means, 3)
}

/// QLinearConcat of onnxruntime, whose own scale and zero point come first.
pub(super) fn q_linear_concat(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mut streams = Vec::new();
    for at in (2..node.proto.input.len()).step_by(3) {
        let stream = importer.stream(node, at)?;
        streams.push(of_scale(importer, node, &stream, at + 1)?);
    }
    let tensors = concat_of(importer, node, streams)?;
    results(importer, node, &tensors, 0)
}

/// A stream of integers with the scale and zero point that stand at a place among the operands: those that it was quantized to, or,
/// where it is an input of the network, what its integers mean.
fn of_scale(importer: &mut Importer, node: &Node<'_>, stream: &Stream, at: usize) -> Imported<Stream> {
    let number = number(importer, node, at, at + 1)?;
    let [scale, zero, ..] = number;
    match stream.quantized {
        Some([of_stream, zero_of_stream, ..]) if [of_stream, zero_of_stream] == [scale, zero] => Ok(stream.clone()),
        None if stream.element.ends().is_some() => {
            let name = format!("{}, reals of an operand", node.name());
            let reals =
                affine(importer, &name, stream, Some(constant::number(scale)), Some(constant::number(-zero * scale)))?;
            let numbers = format!("{}, integers of an operand", node.name());
            quantized(importer, &numbers, &reals, number)
        }
        _ => refused("its operand was not quantized to its scale and zero point", HELP),
    }
}

/// What was computed in reals, quantized to the scale and zero point at a place among the operands.
fn results(importer: &mut Importer, node: &Node<'_>, reals: &Stream, at: usize) -> Imported<Stream> {
    let number = number(importer, node, at, at + 1)?;
    quantized(importer, &format!("{}, quantized", node.name()), reals, number)
}

/// A constant at a place among the operands, with its scales and zero points behind it: one, or one for each index of an axis.
fn of_integers(importer: &Importer, node: &Node<'_>, at: usize, axis: usize) -> Imported<Constant> {
    let constant = importer.constant(node, at)?;
    let (scales, zeros) = (importer.constant(node, at + 1)?, importer.optional_constant(node, at + 2)?);
    let scales: Vec<f64> = scales.data.iter().copied().collect();
    let zero_points = zeros.map_or(vec![0.0; scales.len()], |zeros| zeros.data.iter().copied().collect());
    let indices = constant.data.shape().get(axis).copied().unwrap_or(1);
    if scales.len() != zero_points.len() || ![1, indices].contains(&scales.len()) || constant.quantized.is_some() {
        let (scales, zero_points) = (scales.len(), zero_points.len());
        return refused(format!("it has {scales} scales and {zero_points} zero points for {indices} indices"), HELP);
    }
    Ok(Constant { quantized: Some(Quantized { scales, zero_points, axis }), ..constant })
}

/// A bias of integers, whose scales are the products of those of operand and weights.
fn bias(importer: &Importer, node: &Node<'_>, at: usize, x: &Stream, weights: &Constant) -> Imported<Option<Constant>> {
    let (Some(bias), Some([scale, ..]), Some(of_weights)) =
        (importer.optional_constant(node, at)?, x.quantized, &weights.quantized)
    else {
        return Ok(None);
    };
    let scales: Vec<f64> = of_weights.scales.iter().map(|of| f64::from(scale as f32 * *of as f32)).collect();
    let zero_points = vec![0.0; scales.len()];
    let data = bias.data.flatten().into_owned().into_dyn().into_shared();
    Ok(Some(Constant { data, quantized: Some(Quantized { scales, zero_points, axis: 0 }), ..bias }))
}
