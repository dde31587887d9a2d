//! What does not depend on the inputs: shapes, constants, and all that is made of these.

use ndarray::{ArrayD, IxDyn};
use zknn_ir::eval::eval_real;

use super::super::{MAX_ELEMENTS, Model, ModelInput, lower};
use super::constant::{Constant, Element, Quantized};
use super::importer::Importer;
use super::node::{Imported, Node, Refusal, refused};
use super::stream::{Stream, Value};
use super::table::Operator;

/// What a node gives whose operands are all constants: it is a network of its own, on its main operand, and evaluated.
pub(super) fn folded(importer: &mut Importer, node: &Node<'_>, operator: &Operator) -> Imported<Vec<Value>> {
    // Of a choice the first operand says which.
    let main = if node.proto.op_type == "Where" { 1 } else { 0 };
    let constant = importer.constant(node, main)?;
    if constant.quantized.is_some() && operator.moves {
        return moved(importer, node, operator, &constant);
    }
    evaluated(importer, node, operator, main, constant.reals(), constant.element)
}

fn evaluated(
    importer: &mut Importer,
    node: &Node<'_>,
    operator: &Operator,
    main: usize,
    numbers: ArrayD<f64>,
    element: Element,
) -> Imported<Vec<Value>> {
    if numbers.is_empty() {
        return refused("it has an operand without elements", "tensors must have elements");
    }
    let mut alone = importer.within();
    for (at, name) in node.proto.input.iter().enumerate().filter(|(at, name)| *at != main && !name.is_empty()) {
        alone.define(name, Value::Constant(importer.constant(node, at)?));
    }
    let divides_integers = node.proto.op_type == "Div" && !element.is_float();
    let of_input = if divides_integers { Element::Double } else { element };
    alone.define_input(&node.proto.input[main], numbers.shape(), of_input);
    if divides_integers && let Some(Value::Constant(divisor)) = importer.operand(node, 1)? {
        alone.define(&node.proto.input[1], Value::Constant(Constant::of_floats(divisor.reals())));
    }
    let streams = operator.import(&mut alone, node)?;
    let mut results = Vec::new();
    for value in streams {
        results.push(match value {
            Value::Constant(constant) => Value::Constant(constant),
            Value::Stream(stream) => {
                let element = if divides_integers { element } else { stream.element };
                importer.spend(Some(stream.full_shape().iter().product()))?;
                let reals = value_of(&mut alone, node, &stream, (&node.proto.input[main], &numbers))?;
                Value::Constant(match stream.quantized {
                    Some([scale, zero, ..]) => Constant::of(reals.mapv(|real| (real / scale).round() + zero), element),
                    None => Constant::of(reals, element),
                })
            }
        });
    }
    Ok(results)
}

/// What a stream of a network is for the numbers of its input.
fn value_of(
    alone: &mut Importer,
    node: &Node<'_>,
    stream: &Stream,
    (name, numbers): (&str, &ArrayD<f64>),
) -> Imported<ArrayD<f64>> {
    let failed = |message: String| Refusal { message, help: "check the node's operands" };
    let output = alone.layer_of(node.name(), stream)?;
    // Other streams depend on other layers.
    let all = alone.layers.clone();
    alone.keep(&[&output]);
    let shape = alone.inputs().next().flatten();
    let layers = std::mem::replace(&mut alone.layers, all);
    let Some(shape) = shape else { return refused("it reads nothing", "check the node") };
    let input = ModelInput { name: name.to_string(), shape: shape.clone(), range: None };
    let model = Model::with_ends(vec![input], layers, &[&output]);
    let graph = lower(&model.map_err(|error| failed(error.to_string()))?);
    let graph = graph.map_err(|error| failed(error.to_string()))?;
    let input = numbers.to_shape(IxDyn(&shape)).map(|input| input.into_owned());
    let values = eval_real(&graph, &input.map_err(|error| failed(error.to_string()))?);
    let values = values.map_err(|error| failed(error.to_string()))?;
    let result = values.get(graph.outputs()[0]).to_shape(IxDyn(&stream.full_shape())).map(|value| value.into_owned());
    result.map_err(|error| failed(error.to_string()))
}

/// Integers of a type, put into another order or shape, with their scales.
fn moved(importer: &mut Importer, node: &Node<'_>, operator: &Operator, constant: &Constant) -> Imported<Vec<Value>> {
    let Some(Quantized { scales, zero_points, axis }) = &constant.quantized else { return Ok(Vec::new()) };
    let results = evaluated(importer, node, operator, 0, constant.data.to_owned(), Element::Double)?;
    let axis = match (scales.len(), node.ints("perm")) {
        (1, _) => *axis,
        (_, Some(order)) if node.proto.op_type == "Transpose" => {
            order.iter().position(|from| *from == *axis as i64).unwrap_or(*axis)
        }
        // Which scale belongs to which number is not said any more, so they are reals.
        _ => return evaluated(importer, node, operator, 0, constant.reals(), Element::Float),
    };
    let quantized = Some(Quantized { scales: scales.clone(), zero_points: zero_points.clone(), axis });
    let with_scales = |value| match value {
        Value::Constant(data) => {
            Value::Constant(Constant { quantized: quantized.clone(), element: constant.element, ..data })
        }
        stream => stream,
    };
    Ok(results.into_iter().map(with_scales).collect())
}

/// Shape, or a part of it.
pub(super) fn shape(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let full = importer.required(node, 0)?.full_shape();
    let end = |name: &str, missing: usize| {
        let at = node.optional_int(name).unwrap_or(missing as i64);
        (if at < 0 { at + full.len() as i64 } else { at }).clamp(0, full.len() as i64) as usize
    };
    let (start, end) = (end("start", 0), end("end", full.len()));
    let lengths: Vec<f64> = full[start.min(end)..end].iter().map(|length| *length as f64).collect();
    Constant::of_integers(&[lengths.len()], lengths).map(Value::Constant)
}

/// Size.
pub(super) fn size(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let count: usize = importer.required(node, 0)?.full_shape().iter().product();
    Constant::of_integers(&[], vec![count as f64]).map(Value::Constant)
}

/// Constant.
pub(super) fn constant(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    if let Some(tensor) = node.tensor("value") {
        return match Constant::read(tensor, &importer.files) {
            Ok(constant) => Ok(Value::Constant(constant)),
            Err(reason) => refused(format!("its tensor {reason}"), "check the file"),
        };
    }
    let floats = |shape: &[usize], numbers: Vec<f64>| {
        ArrayD::from_shape_vec(IxDyn(shape), numbers).map(Constant::of_floats).ok()
    };
    let integers = |numbers: &[i64]| numbers.iter().map(|number| *number as f64).collect::<Vec<f64>>();
    let made = if let Some(number) = node.float("value_float") {
        floats(&[], vec![number])
    } else if let Some(numbers) = node.floats("value_floats") {
        floats(&[numbers.len()], numbers)
    } else if let Some(number) = node.optional_int("value_int") {
        Some(Constant::of_integers(&[], integers(&[number]))?)
    } else if let Some(numbers) = node.ints("value_ints") {
        Some(Constant::of_integers(&[numbers.len()], integers(numbers))?)
    } else {
        None
    };
    match made {
        Some(constant) => Ok(Value::Constant(constant)),
        None => refused("it holds no numbers that are read", "give a tensor of numbers as `value`"),
    }
}

/// ConstantOfShape: one number everywhere.
pub(super) fn constant_of_shape(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let shape = importer.constant(node, 0)?.lengths()?;
    importer.spend(shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length)))?;
    let one = match node.tensor("value").map(|tensor| Constant::read(tensor, &importer.files)) {
        None => Constant::of_floats(ArrayD::zeros(IxDyn(&[1]))),
        Some(Ok(constant)) => constant,
        Some(Err(reason)) => return refused(format!("its tensor {reason}"), "check the file"),
    };
    let number = one.data.first().copied().unwrap_or(0.0);
    Ok(Value::Constant(Constant::of(ArrayD::from_elem(IxDyn(&shape), number), one.element)))
}

/// Range of constants.
pub(super) fn range(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let start = importer.constant(node, 0)?;
    let number = |at: usize| importer.constant(node, at).map(|constant| constant.reals().sum());
    let (from, to, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((to - from) / step).ceil().max(0.0);
    if !count.is_finite() || count > MAX_ELEMENTS as f64 {
        return refused(format!("it goes from {from} to {to} by {step}"), "steps must come to an end");
    }
    importer.spend(Some(count as usize))?;
    let numbers: Vec<f64> = (0..count as usize).map(|at| from + at as f64 * step).collect();
    Ok(Value::Constant(Constant::of(ndarray::Array1::from(numbers).into_dyn(), start.element)))
}

/// EyeLike: ones on a diagonal, of the shape of the operand.
pub(super) fn eye_like(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let operand = importer.required(node, 0)?;
    let (shape, diagonal) = (operand.full_shape(), node.int("k", 0));
    let element = match node.optional_int("dtype") {
        Some(to) => i32::try_from(to).ok().and_then(Element::of),
        None => Some(operand.element()),
    };
    match (&shape[..], element) {
        (&[rows, columns], Some(element)) => {
            importer.spend(rows.checked_mul(columns))?;
            let on = |at: IxDyn| f64::from(u8::from(at[1] as i64 - at[0] as i64 == diagonal));
            Ok(Value::Constant(Constant::of(ArrayD::from_shape_fn(IxDyn(&shape), on), element)))
        }
        _ => refused(format!("its operand has shape {shape:?}"), "it must be a matrix of numbers"),
    }
}
