//! Nodes whose operands are all constants: each is a network of its own, and evaluated.

use ndarray::{ArrayD, IxDyn};
use zknn_ir::eval::eval_real;

use super::super::{Model, ModelInput, lower};
use super::constant::{Constant, Element, Quantized};
use super::importer::Importer;
use super::node::{Imported, Node, Refusal, refused};
use super::operators::Operator;
use super::stream::{Stream, Value};

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
                importer.spend_on(&stream.shape, 1)?;
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
