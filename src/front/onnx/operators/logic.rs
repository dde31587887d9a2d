//! Comparisons, and what follows from them: zeros and ones.

use ndarray::{Array1, ArrayD, IxDyn};

use super::super::constant::{Constant, Element, number};
use super::super::importer::Importer;
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::{Stream, Value, axis_of, broadcast};
use super::elementwise::{affine, combined, difference, join, of_one, operands_of, spread};
use crate::front::LayerKind;

/// Greater, Less, and the two that hold for equals.
pub(super) fn compare(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let [first, second] = two_operands(importer, node)?;
    let name = node.name();
    let distance = format!("{name}, difference");
    match &node.proto.op_type[..] {
        "Greater" => {
            let distance = difference(importer, &distance, &first, &second)?;
            is_positive(importer, name, &distance)
        }
        "Less" => {
            let distance = difference(importer, &distance, &second, &first)?;
            is_positive(importer, name, &distance)
        }
        "GreaterOrEqual" => {
            let distance = difference(importer, &distance, &second, &first)?;
            is_not_positive(importer, name, &distance)
        }
        _ => {
            let distance = difference(importer, &distance, &first, &second)?;
            is_not_positive(importer, name, &distance)
        }
    }
}

fn two_operands(importer: &mut Importer, node: &Node<'_>) -> Imported<[Value; 2]> {
    let operands = operands_of(importer, node)?;
    let count = operands.len();
    operands.try_into().or_else(|_| refused(format!("it has {count} operands"), "it must have two"))
}

/// Equal: the magnitude of the difference is not positive.
pub(super) fn equal(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let [first, second] = two_operands(importer, node)?;
    are_equal(importer, node.name(), &first, &second)
}

fn are_equal(importer: &mut Importer, name: &str, first: &Value, second: &Value) -> Imported<Stream> {
    let distance = difference(importer, &format!("{name}, difference"), first, second)?;
    let distance = of_one(importer, &format!("{name}, distance"), &distance, "absolute", &[])?;
    is_not_positive(importer, name, &distance)
}

/// One where a number is above zero, else zero: which of zero and the number is the greatest, of equals the first.
fn is_positive(importer: &mut Importer, name: &str, x: &Stream) -> Imported<Stream> {
    let shape = x.layer_shape();
    let count = shape.iter().product();
    let column = importer.view(&format!("{name}, as a column"), x, &[count, 1])?;
    let zero = LayerKind::Padding { before: vec![0, 1], after: vec![0, 0], value: 0.0 };
    let pairs = importer.push(&format!("{name}, beside zero"), zero, &[&column])?;
    let chosen = importer.push(name, LayerKind::Argmax { axis: Some(1) }, &[&pairs])?;
    let chosen = importer.view(&format!("{name}, with its axes"), &chosen, &shape)?;
    Ok(Stream { element: Element::Bool, quantized: None, layer: chosen.layer, ..x.clone() })
}

/// One where a number is not zero.
pub(super) fn is_not_zero(importer: &mut Importer, name: &str, x: &Stream) -> Imported<Stream> {
    let distance = of_one(importer, &format!("{name}, magnitude"), x, "absolute", &[])?;
    is_positive(importer, name, &distance)
}

fn is_not_positive(importer: &mut Importer, name: &str, x: &Stream) -> Imported<Stream> {
    let positive = is_positive(importer, &format!("{name}, its contrary"), x)?;
    contrary(importer, name, &positive)
}

/// Not.
pub(super) fn not(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    contrary(importer, node.name(), &x)
}

fn contrary(importer: &mut Importer, name: &str, x: &Stream) -> Imported<Stream> {
    affine(importer, name, x, Some(number(-1.0)), Some(number(1.0)))
}

/// And, Or and Xor of zeros and ones.
pub(super) fn logical(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let operands = operands_of(importer, node)?;
    let name = node.name();
    match &node.proto.op_type[..] {
        "And" => combined(importer, name, "multiply", &operands),
        "Or" => combined(importer, name, "maximum", &operands),
        // Of numbers that are zero or one, the distance.
        _ => {
            let [first, second] = two_operands(importer, node)?;
            let distance = difference(importer, &format!("{name}, difference"), &first, &second)?;
            of_one(importer, name, &distance, "absolute", &[])
        }
    }
}

/// Where: of two tensors, each element by a condition.
pub(super) fn choose(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (condition, yes, no) =
        (importer.required(node, 0)?.clone(), importer.required(node, 1)?.clone(), importer.required(node, 2)?.clone());
    let (name, element) = (node.name(), yes.element());
    let chosen = match &condition {
        Value::Constant(mask) => by_mask(importer, name, &mask.reals(), &yes, &no)?,
        Value::Stream(condition) => {
            // Where it holds, what one is more than the other.
            let scaled = match (&yes, &no) {
                (Value::Constant(yes), Value::Constant(no)) => {
                    let full = broadcast(yes.data.shape(), no.data.shape())?;
                    importer.spend_on(&full, 4)?;
                    let wide = |constant: &Constant| {
                        constant.reals().broadcast(IxDyn(&full)).map(|wide| wide.into_owned()).unwrap_or_default()
                    };
                    affine(importer, &format!("{name}, chosen"), condition, Some(wide(yes) - wide(no)), None)?
                }
                _ => {
                    let more = difference(importer, &format!("{name}, difference"), &yes, &no)?;
                    join(importer, &format!("{name}, chosen"), "multiply", &[condition.clone(), more])?
                }
            };
            combined(importer, name, "add", &[Value::Stream(scaled), no])?
        }
    };
    Ok(chosen.of(element))
}

fn by_mask(importer: &mut Importer, name: &str, mask: &ArrayD<f64>, yes: &Value, no: &Value) -> Imported<Stream> {
    let full = broadcast(&broadcast(mask.shape(), &yes.full_shape())?, &no.full_shape())?;
    importer.spend_on(&full, 4)?;
    let mask = mask.broadcast(IxDyn(&full)).map(|mask| mask.into_owned()).unwrap_or_default();
    let mask = mask.mapv(|flag| f64::from(u8::from(flag != 0.0)));
    let others = mask.mapv(|flag| 1.0 - flag);
    match (yes, no) {
        (Value::Stream(yes), Value::Constant(no)) => affine(importer, name, yes, Some(mask), Some(others * no.reals())),
        (Value::Constant(yes), Value::Stream(no)) => affine(importer, name, no, Some(others), Some(mask * yes.reals())),
        (Value::Stream(yes), Value::Stream(no)) => {
            let yes = affine(importer, &format!("{name}, where it holds"), yes, Some(mask), None)?;
            let no = affine(importer, &format!("{name}, elsewhere"), no, Some(others), None)?;
            join(importer, name, "add", &[yes, no])
        }
        (Value::Constant(_), Value::Constant(_)) => {
            refused("it depends on no input", "this operator is supported on what depends on the input")
        }
    }
}

/// Sign.
pub(super) fn sign(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let name = node.name();
    let above = is_positive(importer, &format!("{name}, above"), &x)?;
    let turned = of_one(importer, &format!("{name}, turned"), &x, "negate", &[])?;
    let below = is_positive(importer, &format!("{name}, below"), &turned)?;
    Ok(join(importer, name, "subtract", &[above, below])?.of(x.element))
}

/// ThresholdedRelu: the number itself above a threshold, else zero.
pub(super) fn thresholded_relu(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let above = is_above(importer, node.name(), &x, node.float("alpha").unwrap_or(1.0))?;
    join(importer, node.name(), "multiply", &[x, above])
}

/// Binarizer of `ai.onnx.ml`.
pub(super) fn binarizer(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    Ok(is_above(importer, node.name(), &x, node.float("threshold").unwrap_or(0.0))?.of(x.element))
}

fn is_above(importer: &mut Importer, name: &str, x: &Stream, threshold: f64) -> Imported<Stream> {
    let beyond = affine(importer, &format!("{name}, beyond"), x, None, Some(number(-threshold)))?;
    is_positive(importer, &format!("{name}, above"), &beyond)
}

/// Shrink: numbers nearer to zero than a threshold become zero, others are brought nearer by a bias.
pub(super) fn shrink(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let (name, threshold, bias) = (node.name(), node.float("lambd").unwrap_or(0.5), node.float("bias").unwrap_or(0.0));
    let mut parts = Vec::new();
    for sign in [1.0, -1.0] {
        let side = if sign > 0.0 { "above" } else { "below" };
        let turned = affine(importer, &format!("{name}, {side}"), &x, Some(number(sign)), Some(number(-threshold)))?;
        let is_there = is_positive(importer, &format!("{name}, is {side}"), &turned)?;
        let brought = affine(importer, &format!("{name}, from {side}"), &x, None, Some(number(-sign * bias)))?;
        parts.push(join(importer, &format!("{name}, part {side}"), "multiply", &[brought, is_there])?);
    }
    join(importer, name, "add", &parts)
}

/// OneHot of indices that depend on the inputs; negative ones count from the end.
pub(super) fn one_hot(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let depth = importer.int(node, 1, 1)?;
    let (values, axis) = (importer.constant(node, 2)?, axis_of(node.int("axis", -1), x.full_shape().len() + 1)?);
    let both: Vec<f64> = values.reals().into_iter().collect();
    let (Some(depth @ 1..), [off, on]) = (length_of(depth), &both[..]) else {
        return refused(format!("its depth is {depth}, its values {both:?}"), "see the operator's definition");
    };
    let name = node.name();
    let near = indices_near(importer, name, &x, axis, depth)?;
    let flags = importer.over_the_last(&format!("{name}, nearest"), "reduce_min", &near)?;
    let flags = is_not_positive(importer, &format!("{name}, flags"), &flags)?;
    let scaled = affine(importer, name, &flags, Some(number(on - off)), Some(number(*off)))?;
    Ok(scaled.of(values.element))
}

/// How far indices are from each index of an axis that is added, and from the same less the depth, along a last axis.
fn indices_near(importer: &mut Importer, name: &str, x: &Stream, axis: usize, depth: usize) -> Imported<Stream> {
    let mut full = x.full_shape();
    full.insert(axis, 1);
    full.push(1);
    let column = importer.reshaped_to(&format!("{name}, with its axes"), x, &full)?;
    let mut shape = vec![1; full.len()];
    (shape[axis], shape[full.len() - 1]) = (depth, 2);
    let targets = ArrayD::from_shape_fn(IxDyn(&shape), |at| at[axis] as f64 - (at[full.len() - 1] * depth) as f64);
    let distance = affine(importer, &format!("{name}, differences"), &column, None, Some(-targets))?;
    of_one(importer, &format!("{name}, distances"), &distance, "absolute", &[])
}

/// Zeros, and ones where an index equals the place along an axis of the full shape, which has length one before.
pub(super) fn flags_of(
    importer: &mut Importer,
    name: &str,
    indices: &Stream,
    axis: usize,
    length: usize,
) -> Imported<Stream> {
    let mut shape = vec![1; indices.full_shape().len()];
    shape[axis] = length;
    let places = Array1::from_iter((0..length).map(|at| at as f64)).into_dyn();
    let places = Value::Constant(Constant::of_floats(places.into_shape_with_order(shape).unwrap_or_default()));
    are_equal(importer, name, &Value::Stream(indices.clone()), &places)
}

/// Hardmax: one at the first of the greatest, else zero. Before version 13 all axes from one on are one.
pub(super) fn hardmax(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let full = x.full_shape();
    let axis = x.full_axis(node.int("axis", if node.version < 13 { 1 } else { -1 }))?;
    let (shape, axis) = match node.version < 13 {
        true => (vec![full[..axis].iter().product(), full[axis..].iter().product()], 1),
        false => (full.clone(), axis),
    };
    let name = node.name();
    let x = importer.reshaped_to(&format!("{name}, in two axes"), &x, &shape)?;
    let (of_layer, length) = (x.axis(axis as i64)?, shape[axis]);
    let chosen = importer.push(&format!("{name}, chosen"), LayerKind::Argmax { axis: Some(of_layer) }, &[&x])?;
    let mut kept = shape.clone();
    kept[axis] = 1;
    let chosen = importer.reshaped_to(&format!("{name}, index"), &chosen, &kept)?;
    let flags = flags_of(importer, name, &chosen, axis, length)?;
    Ok(importer.reshaped_to(&format!("{name}, with its axes"), &flags, &full)?.of(x.element))
}

/// Trilu: the triangle above a diagonal of the last two axes, or below.
pub(super) fn triangle(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let (is_upper, diagonal) = (node.int("upper", 1) != 0, importer.int(node, 1, 0)?);
    let full = x.full_shape();
    let [.., rows, columns] = full[..] else {
        return refused(format!("its operand has shape {full:?}"), "it must have two axes at least");
    };
    importer.spend_on(&full, 2)?;
    let mask = ArrayD::from_shape_fn(IxDyn(&[rows, columns]), |at| {
        let above = at[1] as i64 - at[0] as i64;
        let keeps = if is_upper { above >= diagonal } else { above <= diagonal };
        f64::from(u8::from(keeps))
    });
    let mask = spread(&x, &mask);
    importer.scaled_and_shifted(node.name(), &x, Some(mask), None)
}
