//! Operators that take tensors element by element.

use ndarray::{ArrayD, Axis, IxDyn};

use super::super::constant::{Constant, Element, number};
use super::super::importer::{Importer, list};
use super::super::node::{Imported, Node, refused};
use super::super::stream::{Stream, Value, axis_of, broadcast};
use super::logic::is_not_zero;
use crate::front::{Attribute, LayerKind};

/// The greatest exponent of Pow: the number of products that it stands for.
const MAX_EXPONENT: usize = 16;

/// Relu.
pub(in crate::front::onnx) fn relu(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    relu_of(importer, node.name(), &x)
}

fn relu_of(importer: &mut Importer, name: &str, x: &Stream) -> Imported<Stream> {
    Ok(importer.push(name, LayerKind::Relu, &[x])?.with_layer_order(x.is_last))
}

/// A layer of the table with numbers for fields, of one operand.
pub(in crate::front::onnx) fn of_one(
    importer: &mut Importer,
    name: &str,
    x: &Stream,
    layer_type: &str,
    numbers: &[(&'static str, f64)],
) -> Imported<Stream> {
    let fields = numbers.iter().map(|(field, number)| (*field, Attribute::Number(*number))).collect();
    Ok(importer.compose(name, layer_type, fields, &[x])?.with_layer_order(x.is_last))
}

/// Abs and Neg.
pub(in crate::front::onnx) fn simple(
    importer: &mut Importer,
    node: &Node<'_>,
    layer_type: &'static str,
) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    of_one(importer, node.name(), &x, layer_type, &[])
}

/// LeakyRelu.
pub(in crate::front::onnx) fn leaky_relu(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    of_one(importer, node.name(), &x, "leaky_relu", &[("slope", node.float("alpha").unwrap_or(0.01))])
}

/// PRelu, whose slopes are constant: `relu(x) - slope * relu(-x)`.
pub(in crate::front::onnx) fn p_relu(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let mut slopes = importer.constant(node, 1)?.reals();
    if node.version < 7 && slopes.len() > 1 {
        // One for each channel.
        let behind = x.full_shape().len().saturating_sub(2);
        slopes = slopes.flatten().into_owned().into_dyn();
        (0..behind).for_each(|_| slopes.insert_axis_inplace(Axis(slopes.ndim())));
    }
    let part = |what: &str| format!("{}, {what}", node.name());
    let above = relu_of(importer, &part("positive part"), &x)?;
    let turned = of_one(importer, &part("turned"), &x, "negate", &[])?;
    let below = relu_of(importer, &part("negative part"), &turned)?;
    let scaled = affine(importer, &part("scaled"), &below, Some(-slopes), None)?;
    join(importer, node.name(), "add", &[above, scaled])
}

/// Clip, whose ends are attributes in old versions and operands in new ones.
pub(in crate::front::onnx) fn clip(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let (least, greatest) = (importer.number(node, "min", 1)?, importer.number(node, "max", 2)?);
    // Where the least is above, ONNX gives the greatest.
    clipped(importer, node.name(), &x, least.map(|least| least.min(greatest.unwrap_or(least))), greatest)
}

fn clipped(
    importer: &mut Importer,
    name: &str,
    x: &Stream,
    least: Option<f64>,
    greatest: Option<f64>,
) -> Imported<Stream> {
    // As far as floats of 32 bits go there is no end.
    let is_end = |end: &f64| end.abs() < f64::from(f32::MAX);
    let ends = [("least", least.filter(is_end)), ("greatest", greatest.filter(is_end))];
    let ends: Vec<_> = ends.into_iter().filter_map(|(name, end)| Some((name, end?))).collect();
    if ends.is_empty() { Ok(x.clone()) } else { of_one(importer, name, x, "clip", &ends) }
}

/// HardSigmoid: a line between zero and one.
pub(in crate::front::onnx) fn hard_sigmoid(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let (slope, shift) = (node.float("alpha").unwrap_or(0.2), node.float("beta").unwrap_or(0.5));
    line_to_one(importer, node.name(), &x, slope, shift)
}

/// HardSwish.
pub(in crate::front::onnx) fn hard_swish(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let gate = line_to_one(importer, &format!("{}, gate", node.name()), &x, 1.0 / 6.0, 0.5)?;
    join(importer, node.name(), "multiply", &[x, gate])
}

fn line_to_one(importer: &mut Importer, name: &str, x: &Stream, slope: f64, shift: f64) -> Imported<Stream> {
    let line = affine(importer, &format!("{name}, line"), x, Some(number(slope)), Some(number(shift)))?;
    clipped(importer, name, &line, Some(0.0), Some(1.0))
}

/// Pow, whose exponents are small constant integers.
pub(in crate::front::onnx) fn power(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let [_, Value::Constant(exponents)] = &operands_of(importer, node)?[..] else {
        return refused("its exponents depend on the input", "constant exponents are supported");
    };
    let exponents = exponents.reals();
    let is_small = |exponent: &f64| exponent.fract() == 0.0 && (0.0..=MAX_EXPONENT as f64).contains(exponent);
    if !exponents.iter().all(is_small) {
        return refused("its exponents are not small", "whole numbers from 0 to 16 are supported");
    }
    let x = importer.expanded_for(node.name(), &x, exponents.shape())?;
    let mut distinct: Vec<usize> = exponents.iter().map(|exponent| *exponent as usize).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if let [only] = distinct[..] {
        return product_of_equals(importer, node.name(), &x, only);
    }
    // Each power where it is asked for, and zero elsewhere.
    let mut terms = Vec::new();
    for exponent in distinct {
        let name = format!("{}, by {exponent}", node.name());
        let power = product_of_equals(importer, &name, &x, exponent)?;
        let mask = exponents.mapv(|other| f64::from(u8::from(other == exponent as f64)));
        terms.push(affine(importer, &format!("{name}, where it is"), &power, Some(mask), None)?);
    }
    join(importer, node.name(), "add", &terms)
}

fn product_of_equals(importer: &mut Importer, name: &str, x: &Stream, count: usize) -> Imported<Stream> {
    match count {
        0 => affine(importer, name, x, Some(number(0.0)), Some(number(1.0))),
        1 => Ok(x.clone()),
        count => join(importer, name, "multiply", &vec![x.clone(); count]),
    }
}

/// Round, halves to the even integer.
pub(in crate::front::onnx) fn round(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let end = zknn_ir::op::MAX_LEVEL as f64;
    let numbers = [("scale", 1.0), ("zero_point", 0.0), ("least", -end), ("greatest", end)];
    of_one(importer, node.name(), &x, "quantize", &numbers)
}

/// Add, Sum, Mean, Mul, Max and Min of any tensors of which one at least depends on the inputs; Sub; Div by a constant.
pub(in crate::front::onnx) fn arithmetic(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let operands = operands_of(importer, node)?;
    let name = node.name();
    match (&node.proto.op_type[..], &operands[..]) {
        (_, []) => refused("it has no operands", "see the operator's definition"),
        ("Sub", [first, second]) => difference(importer, name, first, second),
        ("Div", [_, Value::Stream(_)]) => {
            refused("it divides by what depends on the input", "only quotients by constants are supported")
        }
        ("Div", [Value::Stream(x), Value::Constant(divisor)]) => {
            if !x.element.is_float() || !divisor.element.is_float() {
                return refused("it divides integers", "quotients of floating point numbers are supported");
            }
            let factors = divisor.reals().mapv(f64::recip);
            match factors.iter().all(|factor| factor.is_finite()) {
                true => affine(importer, name, x, Some(factors), None),
                false => refused("it divides by zero", "check the constant"),
            }
        }
        ("Sub" | "Div", _) => refused(format!("it has {} operands", operands.len()), "it must have two"),
        ("Mean", _) => {
            let sum = combined(importer, &format!("{name}, sum"), "add", &operands)?;
            let share = number(1.0 / operands.len() as f64);
            affine(importer, name, &sum, Some(share), None)
        }
        ("Mul", _) => combined(importer, name, "multiply", &operands),
        ("Max", _) => combined(importer, name, "maximum", &operands),
        ("Min", _) => combined(importer, name, "minimum", &operands),
        _ => combined(importer, name, "add", &operands),
    }
}

/// The operands of a node, such that they broadcast by numpy's rule. Before version 7 the second of two had an axis to begin at.
pub(in crate::front::onnx) fn operands_of(importer: &mut Importer, node: &Node<'_>) -> Imported<Vec<Value>> {
    let mut operands = importer.operands(node)?;
    if let ([first, second], Some(axis), 1..7) = (&mut operands[..], node.optional_int("axis"), node.version) {
        let (axes, own) = (first.full_shape().len(), second.full_shape());
        let behind = axes.saturating_sub(axis_of(axis, axes)? + own.len());
        let full = [own, vec![1; behind]].concat();
        *second = match second {
            Value::Stream(stream) => {
                Value::Stream(importer.reshaped_to(&format!("{}, axes", node.name()), stream, &full)?)
            }
            Value::Constant(constant) => {
                Value::Constant(Constant::of_floats(constant.reals().into_shape_with_order(full).unwrap_or_default()))
            }
        };
    }
    Ok(operands)
}

/// The sum, product, greatest or least of tensors, by the name of the layer type.
pub(in crate::front::onnx) fn combined(
    importer: &mut Importer,
    name: &str,
    layer_type: &'static str,
    operands: &[Value],
) -> Imported<Stream> {
    let (mut streams, mut constants) = (Vec::new(), Vec::new());
    for operand in operands {
        match operand {
            Value::Stream(stream) => streams.push(stream.clone()),
            Value::Constant(constant) => constants.push(constant.reals()),
        }
    }
    let mut result = match &streams[..] {
        [] => return refused("it depends on no input", "this operator is supported on what depends on the input"),
        [only] => only.clone(),
        streams => join(importer, name, layer_type, streams)?,
    };
    for constant in constants {
        result = match layer_type {
            "add" => affine(importer, name, &result, None, Some(constant))?,
            "multiply" => affine(importer, name, &result, Some(constant), None)?,
            _ => bounded(importer, name, &result, constant, layer_type == "maximum")?,
        };
    }
    Ok(result)
}

/// The greater of a stream and a constant, or the lesser.
fn bounded(importer: &mut Importer, name: &str, x: &Stream, bound: ArrayD<f64>, is_least: bool) -> Imported<Stream> {
    let x = importer.expanded_for(name, x, bound.shape())?;
    let first = bound.first().copied().unwrap_or(0.0);
    if bound.iter().all(|other| *other == first) {
        let [least, greatest] = if is_least { [Some(first), None] } else { [None, Some(first)] };
        return clipped(importer, name, &x, least, greatest);
    }
    // max(x, c) = c + relu(x - c), and min(x, c) = c - relu(c - x).
    let sign = if is_least { 1.0 } else { -1.0 };
    let beyond = affine(importer, &format!("{name}, beyond"), &x, Some(number(sign)), Some(-sign * &bound))?;
    let beyond = relu_of(importer, &format!("{name}, part beyond"), &beyond)?;
    affine(importer, name, &beyond, Some(number(sign)), Some(bound))
}

/// One tensor less another.
pub(in crate::front::onnx) fn difference(
    importer: &mut Importer,
    name: &str,
    first: &Value,
    second: &Value,
) -> Imported<Stream> {
    match (first, second) {
        (Value::Stream(x), Value::Stream(y)) => join(importer, name, "subtract", &[x.clone(), y.clone()]),
        (Value::Stream(x), Value::Constant(c)) => affine(importer, name, x, None, Some(-c.reals())),
        (Value::Constant(c), Value::Stream(x)) => affine(importer, name, x, Some(number(-1.0)), Some(c.reals())),
        (Value::Constant(_), Value::Constant(_)) => {
            refused("it depends on no input", "this operator is supported on what depends on the input")
        }
    }
}

/// Several streams element by element, in one order of axes.
pub(in crate::front::onnx) fn join(
    importer: &mut Importer,
    name: &str,
    layer_type: &'static str,
    streams: &[Stream],
) -> Imported<Stream> {
    let streams = importer.aligned(streams)?;
    let is_last = streams.iter().any(|stream| stream.is_last);
    let brought = importer.in_one_order(&streams, is_last)?;
    Ok(importer.compose(name, layer_type, Vec::new(), &brought.iter().collect::<Vec<_>>())?.with_layer_order(is_last))
}

/// Factors and offsets, which broadcast with the stream.
pub(in crate::front::onnx) fn affine(
    importer: &mut Importer,
    name: &str,
    x: &Stream,
    factors: Option<ArrayD<f64>>,
    offsets: Option<ArrayD<f64>>,
) -> Imported<Stream> {
    let shape = |tensor: &Option<ArrayD<f64>>| tensor.as_ref().map_or(Vec::new(), |tensor| tensor.shape().to_vec());
    let x = importer.expanded_for(name, x, &broadcast(&shape(&factors), &shape(&offsets))?)?;
    importer.spend_on(&x.shape, 1)?;
    let [factors, offsets] = [factors, offsets].map(|tensor| tensor.map(|tensor| spread(&x, &tensor)));
    importer.scaled_and_shifted(name, &x, factors, offsets)
}

/// A constant that broadcasts to the full shape of a stream, at its shape.
pub(in crate::front::onnx) fn spread(x: &Stream, tensor: &ArrayD<f64>) -> ArrayD<f64> {
    // Whoever calls has made the stream large enough.
    let Some(spread) = tensor.broadcast(IxDyn(&x.full_shape())) else { return tensor.clone() };
    let spread = if x.has_batch { spread.index_axis(Axis(0), 0) } else { spread };
    spread.as_standard_layout().into_owned()
}

/// Cast between types that hold numbers of the network as they are.
pub(in crate::front::onnx) fn cast(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let to = node.int("to", 1);
    let Some(element) = i32::try_from(to).ok().and_then(Element::of) else {
        return refused(format!("it casts to type {to}"), "casts to types of numbers are supported");
    };
    match importer.required(node, 0)?.clone() {
        Value::Constant(constant) => Ok(Value::Constant(Constant::of(constant.reals(), element))),
        Value::Stream(stream) => {
            if element == Element::Bool && stream.element != Element::Bool {
                return is_not_zero(importer, node.name(), &stream).map(Value::Stream);
            }
            match element.holds(stream.element) {
                true => Ok(Value::Stream(stream.of(element))),
                false => refused(
                    format!("it casts {:?} to {element:?}", stream.element),
                    "casts to floating point types and to flags are supported, and to integers that hold all of those before",
                ),
            }
        }
    }
}

/// Scaler of `ai.onnx.ml`: each feature less an offset, times a factor.
pub(in crate::front::onnx) fn scaler(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let features = x.shape.last().copied().unwrap_or(1);
    let each = |name: &str, missing: f64| match node.floats(name).unwrap_or_default()[..] {
        [] => vec![missing; features],
        [one] => vec![one; features],
        ref several => several.to_vec(),
    };
    let (factors, offsets) = (each("scale", 1.0), each("offset", 0.0));
    let biases: Vec<f64> = factors.iter().zip(&offsets).map(|(factor, offset)| -factor * offset).collect();
    importer.compose(node.name(), "affine", vec![("weights", list(factors)), ("biases", list(biases))], &[&x])
}
