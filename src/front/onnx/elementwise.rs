//! Operators that take tensors element by element.

use ndarray::{ArrayD, IxDyn};

use super::super::{Attribute, LayerKind};
use super::constant::Constant;
use super::importer::{Importer, Stream, Value};
use super::node::{Imported, Node, refused};

/// Relu.
pub(super) fn relu(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    Ok(importer.push(node.name(), LayerKind::Relu, &[&x])?.with_layer_order(x.is_last()))
}

/// A layer of the table with numbers for fields, of one operand.
pub(super) fn of_one(
    importer: &mut Importer,
    node: &Node<'_>,
    layer_type: &'static str,
    fields: Vec<(&'static str, Attribute)>,
) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    Ok(importer.compose(node.name(), layer_type, fields, &[&x])?.with_layer_order(x.is_last()))
}

/// LeakyRelu.
pub(super) fn leaky_relu(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let slope = node.float("alpha").unwrap_or(0.01);
    of_one(importer, node, "leaky_relu", vec![("slope", Attribute::Number(slope))])
}

/// PRelu, whose slopes are constant: `relu(x) - slope * relu(-x)`.
pub(super) fn p_relu(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let slopes = importer.constant(node, 1)?.reals();
    let part = |what: &str| format!("{}, {what}", node.name());
    let above = importer.push(&part("positive part"), LayerKind::Relu, &[&x])?.with_layer_order(x.is_last());
    let turned = importer.compose(&part("turned"), "negate", Vec::new(), &[&x])?.with_layer_order(x.is_last());
    let below = importer.push(&part("negative part"), LayerKind::Relu, &[&turned])?.with_layer_order(x.is_last());
    let scaled = affine(importer, &part("scaled"), &below, Some(-slopes), None)?;
    join(importer, node.name(), "add", &[above, scaled])
}

/// Clip, whose ends are attributes in old versions and operands in new ones.
pub(super) fn clip(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (least, greatest) = (importer.number(node, "min", 1)?, importer.number(node, "max", 2)?);
    // As far as floats of 32 bits go there is no end.
    let is_end = |end: &f64| end.abs() < f64::from(f32::MAX);
    let fields = [("least", least.filter(is_end)), ("greatest", greatest.filter(is_end))];
    let fields: Vec<_> = fields.into_iter().filter_map(|(name, end)| Some((name, Attribute::Number(end?)))).collect();
    if fields.is_empty() { importer.stream(node, 0) } else { of_one(importer, node, "clip", fields) }
}

/// Add, Sub, Mul and Div of two tensors, or of a tensor and a constant; Max, Min and Sum of tensors.
pub(super) fn arithmetic(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let operands = importer.operands(node)?;
    let name = node.name();
    match (&node.proto.op_type[..], &operands[..]) {
        ("Add" | "Sum", [Value::Stream(x), Value::Constant(c)] | [Value::Constant(c), Value::Stream(x)]) => {
            affine(importer, name, x, None, Some(c.reals()))
        }
        ("Mul", [Value::Stream(x), Value::Constant(c)] | [Value::Constant(c), Value::Stream(x)]) => {
            affine(importer, name, x, Some(c.reals()), None)
        }
        ("Sub", [Value::Stream(x), Value::Constant(c)]) => affine(importer, name, x, None, Some(-c.reals())),
        ("Sub", [Value::Constant(c), Value::Stream(x)]) => {
            affine(importer, name, x, Some(ArrayD::from_elem(IxDyn(&[]), -1.0)), Some(c.reals()))
        }
        ("Div", [Value::Stream(_), Value::Constant(c)]) if !c.element.is_float() => {
            refused("it divides integers", "quotients of floating point numbers are supported")
        }
        ("Div", [Value::Stream(x), Value::Constant(c)]) => {
            let factors = c.reals().mapv(f64::recip);
            match factors.iter().all(|factor| factor.is_finite()) {
                true => affine(importer, name, x, Some(factors), None),
                false => refused("it divides by zero", "check the constant"),
            }
        }
        (_, []) => refused("it has no operands", "see the operator's definition"),
        ("Div", _) => refused("it divides by what depends on the input", "only quotients by constants are supported"),
        (op_type, _) => {
            let streams: Option<Vec<Stream>> = operands.iter().map(stream_of).collect();
            let Some(streams) = streams else {
                return refused(
                    "one of its operands is a constant",
                    "Add, Sub, Mul and Div are supported with constants",
                );
            };
            let layer_type = match op_type {
                "Add" | "Sum" => "add",
                "Sub" => "subtract",
                "Mul" => "multiply",
                "Max" => "maximum",
                _ => "minimum",
            };
            if let [only] = &streams[..] { Ok(only.clone()) } else { join(importer, name, layer_type, &streams) }
        }
    }
}

fn stream_of(value: &Value) -> Option<Stream> {
    match value {
        Value::Stream(stream) => Some(stream.clone()),
        Value::Constant(_) => None,
    }
}

/// Several streams element by element, in one order of axes.
pub(super) fn join(
    importer: &mut Importer,
    name: &str,
    layer_type: &'static str,
    streams: &[Stream],
) -> Imported<Stream> {
    let axes = streams[0].shape.len();
    let is_last = streams.iter().all(|stream| stream.shape.len() == axes) && streams.iter().any(Stream::is_last);
    let brought = importer.in_one_order(streams, is_last)?;
    Ok(importer.compose(name, layer_type, Vec::new(), &brought.iter().collect::<Vec<_>>())?.with_layer_order(is_last))
}

/// Factors and offsets, which broadcast to the stream.
fn affine(
    importer: &mut Importer,
    name: &str,
    x: &Stream,
    factors: Option<ArrayD<f64>>,
    offsets: Option<ArrayD<f64>>,
) -> Imported<Stream> {
    let spread = [factors, offsets].map(|tensor| tensor.map(|tensor| spread(x, tensor)).transpose());
    let [factors, offsets] = spread;
    let (factors, offsets) = (factors?, offsets?);
    let channels = x.layer_shape().last().copied().unwrap_or(1);
    let is_by_channel = |tensor: &ArrayD<f64>| {
        let rows = tensor.as_slice().unwrap_or_default();
        rows.chunks(channels).all(|row| row == &rows[..channels])
    };
    let by_channel = factors.iter().chain(&offsets).all(is_by_channel);
    let field = |tensor: ArrayD<f64>| match by_channel {
        true => Attribute::Tensor(tensor.into_iter().take(channels).collect::<ndarray::Array1<f64>>().into_dyn()),
        false => Attribute::Tensor(tensor),
    };
    let fields = [("weights", factors), ("biases", offsets)];
    let fields = fields.into_iter().filter_map(|(name, tensor)| Some((name, field(tensor?)))).collect();
    Ok(importer.compose(name, "affine", fields, &[x])?.with_layer_order(x.is_last()))
}

/// A constant at the shape of a stream, in the order of its layer.
fn spread(x: &Stream, tensor: ArrayD<f64>) -> Imported<ArrayD<f64>> {
    let full = x.full_shape();
    match tensor.broadcast(IxDyn(&full)) {
        Some(spread) => {
            let spread = if x.has_batch() { spread.index_axis(ndarray::Axis(0), 0) } else { spread };
            Ok(x.in_layer_order(spread.as_standard_layout().into_owned()))
        }
        None => refused(
            format!("a constant of shape {:?} does not broadcast to {full:?}", tensor.shape()),
            "the result must have the shape of the operand that depends on the input",
        ),
    }
}

/// Cast between types that hold numbers of the network as they are.
pub(super) fn cast(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    match (node.int("to", 1), importer.required(node, 0)?.clone()) {
        (1 | 10 | 11 | 16, Value::Stream(stream)) => Ok(Value::Stream(stream)),
        (1 | 10 | 11 | 16, Value::Constant(constant)) => Ok(Value::Constant(Constant::of_floats(constant.reals()))),
        (to, _) => refused(format!("it casts to type {to}"), "casts between floating point types are supported"),
    }
}
