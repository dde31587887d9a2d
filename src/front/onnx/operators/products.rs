//! Products with matrices: Gemm, MatMul and what is said by them.

use ndarray::{Array2, Axis, Ix2, IxDyn};

use super::super::constant::{Constant, Element, number};
use super::super::importer::{Importer, integers};
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::{Along, Omitted, Stream, Value, broadcast};
use super::elementwise::{affine, join};
use super::linear::{less_zero_point, of_weights, weights_less_zero_points};
use super::selection::listed;
use super::views::reordered;
use crate::front::{Attribute, Last, LayerKind};

/// Gemm: a product of two matrices, and a third tensor. A vector times a constant matrix is a fully connected layer.
pub(super) fn gemm(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let operands = [importer.required(node, 0)?.clone(), importer.required(node, 1)?.clone()];
    let (alpha, beta) = (node.float("alpha").unwrap_or(1.0), node.float("beta").unwrap_or(1.0));
    let turns = [node.int("transA", 0) != 0, node.int("transB", 0) != 0];
    if let ([Value::Stream(x), Value::Constant(weights)], [false, is_turned]) = (&operands, turns)
        && let Some(stream) = fully_connected(importer, node, x, weights, is_turned, [alpha, beta])?
    {
        return Ok(stream);
    }
    let name = node.name();
    let mut matrices = Vec::new();
    for (at, (operand, is_turned)) in operands.into_iter().zip(turns).enumerate() {
        if operand.full_shape().len() != 2 {
            return refused(format!("operand {at} has shape {:?}", operand.full_shape()), "both must be matrices");
        }
        matrices.push(if is_turned {
            turned(importer, &format!("{name}, operand {at} turned"), &operand)?
        } else {
            operand
        });
    }
    let mut product = product_of(importer, name, &matrices[0], &matrices[1])?;
    if alpha != 1.0 {
        product = scaled(importer, &format!("{name}, scaled"), &product, alpha)?;
    }
    match importer.operand(node, 2)?.cloned() {
        None => Ok(product),
        Some(Value::Constant(third)) => {
            affine(importer, &format!("{name}, offset"), &product, None, Some(beta * third.reals()))
        }
        Some(Value::Stream(third)) => {
            let third = scaled(importer, &format!("{name}, third operand"), &third, beta)?;
            join(importer, &format!("{name}, sum"), "add", &[product, third])
        }
    }
}

fn scaled(importer: &mut Importer, name: &str, x: &Stream, factor: f64) -> Imported<Stream> {
    affine(importer, name, x, Some(number(factor)), None)
}

/// A vector, or vectors, times a constant matrix, where the bias is a number for each output. Weights that are integers are kept.
fn fully_connected(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    weights: &Constant,
    is_turned: bool,
    [alpha, beta]: [f64; 2],
) -> Imported<Option<Stream>> {
    let bias = match importer.operand(node, 2)? {
        Some(Value::Stream(_)) => return Ok(None),
        Some(Value::Constant(bias)) => Some(bias.clone()),
        None => None,
    };
    if weights.quantized.is_some() && alpha == 1.0 && beta == 1.0 {
        return products_of_integers(importer, node, x, weights.clone(), is_turned, bias).map(Some);
    }
    let Ok(matrix) = weights.reals().into_dimensionality::<Ix2>() else { return Ok(None) };
    let weights = alpha * by_output(matrix, is_turned);
    let outputs = weights.nrows();
    let biases = match bias.map(|bias| beta * bias.reals()) {
        Some(bias) if bias.len() == 1 => Some(vec![bias.sum(); outputs]),
        // With an axis of length one before, or without.
        Some(bias) if bias.len() == outputs && bias.shape().last() == Some(&outputs) => {
            Some(bias.into_iter().collect())
        }
        Some(_) => return Ok(None),
        None => None,
    };
    let x = importer.in_order(x)?;
    match x.shape.len() {
        1 | 2 => importer.products(node.name(), &x, &weights, biases).map(Some),
        _ => Ok(None),
    }
}

/// Products of vectors, along the last axis of a stream, and a matrix of integers, [outputs, inputs] if it is turned, else the other
/// way round.
pub(super) fn products_of_integers(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    matrix: Constant,
    is_turned: bool,
    bias: Option<Constant>,
) -> Imported<Stream> {
    let (Ok(integers), Some(quantized)) = (matrix.data.into_owned().into_dimensionality::<Ix2>(), matrix.quantized)
    else {
        return refused("its second operand is no matrix of integers", "see the operator's definition");
    };
    let weights = by_output(integers, is_turned).into_dyn();
    let mut fields = of_weights(quantized, bias, if is_turned { 0 } else { 1 })?;
    let x = importer.in_order(x)?;
    let [lengths @ .., inputs] = &x.shape[..] else {
        return refused("its operand is a number", "see the operator's definition");
    };
    if lengths.is_empty() {
        fields.push(("weights", Attribute::Tensor(weights)));
        return importer.compose(node.name(), "quantized_fully_connected", fields, &[&x]);
    }
    // Vectors are the pixels of an image.
    let pixels = importer.view(&format!("{}, pixels", node.name()), &x, &[lengths.iter().product(), 1, *inputs])?;
    let outputs = weights.shape()[0];
    fields.push(("kernel", Attribute::Tensor(weights.insert_axis(Axis(1)).insert_axis(Axis(1)))));
    let products = importer.compose(node.name(), "quantized_convolution", fields, &[&pixels])?;
    importer.view(&format!("{}, with its axes", node.name()), &products, &[lengths, &[outputs]].concat())
}

/// MatMul, by numpy's rule.
pub(super) fn mat_mul(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    match (importer.required(node, 0)?.clone(), importer.required(node, 1)?.clone()) {
        (Value::Stream(x), Value::Constant(matrix)) if matrix.quantized.is_some() && matrix.data.ndim() == 2 => {
            products_of_integers(importer, node, &x, matrix, false, None)
        }
        (first, second) => product_of(importer, node.name(), &first, &second),
    }
}

/// MatMulInteger: zero points are taken off both operands.
pub(super) fn mat_mul_integer(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let x = less_zero_point(importer, node, &x, 2)?;
    let columns = importer.constant(node, 1)?.data.ndim().saturating_sub(1);
    let weights = weights_less_zero_points(importer, node, columns)?;
    product_of(importer, node.name(), &Value::Stream(x), &Value::Constant(weights))
}

/// The product of two tensors of matrices. A vector is a row on the left and a column on the right, whose axis goes.
pub(super) fn product_of(importer: &mut Importer, name: &str, first: &Value, second: &Value) -> Imported<Stream> {
    let (rows, columns) = (first.full_shape(), second.full_shape());
    if rows.is_empty() || columns.is_empty() {
        return refused("an operand is a number", "both must have an axis at least");
    }
    let (is_row, is_column) = (rows.len() == 1, columns.len() == 1);
    let first = if is_row { with_shape(importer, name, first, &[&[1], &rows[..]].concat())? } else { first.clone() };
    let second =
        if is_column { with_shape(importer, name, second, &[&columns[..], &[1]].concat())? } else { second.clone() };
    let product = match (&first, &second) {
        (Value::Stream(x), Value::Constant(matrices)) => by_constant(importer, name, x, matrices)?,
        (Value::Constant(_), Value::Stream(_)) => {
            // The product is turned if both are, and their order.
            let first = turned(importer, &format!("{name}, first operand turned"), &first)?;
            let second = turned(importer, &format!("{name}, second operand turned"), &second)?;
            let product = Value::Stream(product_of(importer, name, &second, &first)?);
            match turned(importer, &format!("{name}, turned back"), &product)? {
                Value::Stream(product) => product,
                Value::Constant(_) => return refused("it depends on no input", "there is nothing to prove"),
            }
        }
        (Value::Stream(x), Value::Stream(y)) => of_streams(importer, name, x, y)?,
        (Value::Constant(_), Value::Constant(_)) => {
            return refused("it depends on no input", "this operator is supported on what depends on the input");
        }
    };
    let mut full = product.full_shape();
    if is_column {
        full.pop();
    }
    if is_row {
        full.remove(full.len() - if is_column { 1 } else { 2 });
    }
    importer.reshaped_to(&format!("{name}, with its axes"), &product, &full)
}

fn with_shape(importer: &mut Importer, name: &str, value: &Value, full: &[usize]) -> Imported<Value> {
    Ok(match value {
        Value::Stream(stream) => Value::Stream(importer.reshaped_to(&format!("{name}, as a matrix"), stream, full)?),
        Value::Constant(constant) => {
            let reals = constant.reals().into_shape_with_order(full).unwrap_or_default();
            Value::Constant(Constant::of_floats(reals))
        }
    })
}

/// The last two axes exchanged.
fn turned(importer: &mut Importer, name: &str, value: &Value) -> Imported<Value> {
    let axes = value.full_shape().len();
    let mut order: Vec<usize> = (0..axes).collect();
    order.swap(axes - 2, axes - 1);
    Ok(match value {
        Value::Stream(stream) => Value::Stream(reordered(importer, name, stream, &order)?),
        Value::Constant(constant) => Value::Constant(Constant::of_floats(
            constant.reals().permuted_axes(order).as_standard_layout().into_owned(),
        )),
    })
}

/// Rows times constant matrices: one matrix for all, or groups of a convolution where there are several.
fn by_constant(importer: &mut Importer, name: &str, x: &Stream, matrices: &Constant) -> Imported<Stream> {
    let shape = matrices.data.shape().to_vec();
    let (inputs, outputs) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let own = x.full_shape();
    if own.last() != Some(&inputs) {
        return refused(
            format!("it multiplies {own:?} by {shape:?}"),
            "the last axis must be as long as the other's second to last",
        );
    }
    let batches = &shape[..shape.len() - 2];
    if batches.iter().product::<usize>() == 1 {
        let matrix = matrices.reals().into_shape_with_order((inputs, outputs)).unwrap_or_default();
        let full = [vec![1; shape.len().saturating_sub(own.len())], own].concat();
        let x = importer.reshaped_to(&format!("{name}, with its axes"), x, &full)?;
        let last = x.shape.len() - 1;
        return importer.products_along(name, &x, last, &by_output(matrix, false), None);
    }
    let batches = broadcast(batches, &own[..own.len() - 2])?;
    let (count, rows) = (batches.iter().product::<usize>(), own[own.len() - 2]);
    let wide = [&batches[..], &[rows, inputs]].concat();
    let x = importer.expanded(&format!("{name}, repeated"), x, &wide)?;
    let x = importer.in_order(&x)?;
    // [count, rows, inputs] to [rows, count * inputs], of which each group has its matrix.
    let x = importer.view(&format!("{name}, products"), &x, &[count, rows, inputs])?;
    let x = importer.permuted(&format!("{name}, rows first"), &x, vec![1, 0, 2])?;
    let x = importer.view(&format!("{name}, groups"), &x, &[rows, count * inputs])?;
    importer.spend(inputs.checked_mul(outputs).and_then(|one| one.checked_mul(2)?.checked_mul(count)))?;
    let all = matrices.reals();
    let all =
        all.broadcast([&batches[..], &[inputs, outputs]].concat()).map(|all| all.into_owned()).unwrap_or_default();
    let all = all.into_shape_with_order([count, inputs, outputs]).unwrap_or_default();
    let kernel = all.permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
    let kernel = kernel.into_shape_with_order(IxDyn(&[count * outputs, 1, inputs])).unwrap_or_default();
    let fields = vec![("kernel", Attribute::Tensor(kernel)), ("groups", integers(vec![count]))];
    let products = importer.compose(name, "convolution_1d", fields, &[&x])?;
    let products = importer.view(&format!("{name}, by group"), &products, &[rows, count, outputs])?;
    let products = importer.permuted(&format!("{name}, groups first"), &products, vec![1, 0, 2])?;
    let full = [&batches[..], &[rows, outputs]].concat();
    importer.reshaped_to(&format!("{name}, with all axes"), &Stream { has_batch: false, ..products }, &full)
}

/// Products of two tensors that depend on the inputs: each element of a row by each of a column, and sums of these.
fn of_streams(importer: &mut Importer, name: &str, x: &Stream, y: &Stream) -> Imported<Stream> {
    let rows = [&x.full_shape()[..], &[1]].concat();
    let mut columns = y.full_shape();
    columns.insert(columns.len() - 2, 1);
    let x = importer.reshaped_to(&format!("{name}, rows"), x, &rows)?;
    let y = importer.reshaped_to(&format!("{name}, columns"), y, &columns)?;
    let products = join(importer, &format!("{name}, products"), "multiply", &[x, y])?;
    let products = importer.in_order(&products)?;
    let axis = products.shape.len() - 2;
    importer.compose(name, "reduce_sum", vec![("axes", integers(vec![axis]))], &[&products])
}

/// LinearRegressor of `ai.onnx.ml`.
pub(super) fn linear_regressor(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let (coefficients, intercepts) = (node.floats("coefficients").unwrap_or_default(), node.floats("intercepts"));
    let targets = length_of(node.int("targets", 1)).unwrap_or(0);
    let features = x.shape.last().copied().unwrap_or(1);
    let matrix = Array2::from_shape_vec((targets, features), coefficients);
    let is_plain = matches!(node.text("post_transform"), None | Some("NONE"));
    match (matrix, is_plain && !x.shape.is_empty()) {
        (Ok(matrix), true) if intercepts.as_ref().is_none_or(|all| all.len() == targets) => {
            let last = x.shape.len() - 1;
            importer.products_along(node.name(), &x, last, &matrix, intercepts)
        }
        _ => refused(
            format!("it has {targets} targets for {features} features"),
            "a coefficient for each of both, no transformation after it",
        ),
    }
}

/// LinearClassifier of `ai.onnx.ml`, of two classes or more that each have a score: the class of the greatest, and the scores.
pub(super) fn linear_classifier(importer: &mut Importer, node: &Node<'_>) -> Imported<Vec<Stream>> {
    let x = importer.stream(node, 0)?;
    let (coefficients, intercepts) = (node.floats("coefficients").unwrap_or_default(), node.floats("intercepts"));
    let Some(classes) = node.ints("classlabels_ints").filter(|classes| classes.len() >= 2) else {
        return refused("its classes are no integers", "convert the model with integers for labels");
    };
    let features = x.shape.last().copied().unwrap_or(1);
    let matrix = Array2::from_shape_vec((classes.len(), features), coefficients);
    let fits = intercepts.as_ref().is_none_or(|all| all.len() == classes.len());
    let (Ok(matrix), true, false) = (matrix, fits, x.shape.is_empty()) else {
        return refused(
            format!("it does not have a score for each of {} classes", classes.len()),
            "see the operator's definition",
        );
    };
    let omitted = match node.text("post_transform").unwrap_or("NONE") {
        "NONE" => None,
        "SOFTMAX" => Some(Last::Softmax),
        "LOGISTIC" => Some(Last::Sigmoid),
        other => return refused(format!("`post_transform` is {other}"), "NONE, SOFTMAX and LOGISTIC are supported"),
    };
    let name = node.name();
    let (last, axis) = (x.shape.len() - 1, x.full_shape().len() - 1);
    let scores = importer.products_along(name, &x, last, &matrix, intercepts)?;
    let chosen = LayerKind::Argmax { axis: Some(scores.shape.len() - 1) };
    let chosen = importer.push(&format!("{name}, index"), chosen, &[&scores])?;
    let labels = ndarray::Array1::from_iter(classes.iter().map(|class| *class as f64)).into_dyn();
    let labels = listed(importer, name, &Constant::of(labels, Element::Int64), &chosen)?;
    let labels = importer.reshaped_to(&format!("{name}, labels"), &labels, &x.full_shape()[..axis])?;
    let omitted = omitted.map(|last| Omitted { last, along: Along::Only(axis), node: name.to_string() });
    Ok(vec![labels, Stream { omitted, ..scores }])
}

/// A matrix as [outputs, inputs], which it is already if it is turned.
fn by_output(matrix: Array2<f64>, is_turned: bool) -> Array2<f64> {
    if is_turned { matrix } else { matrix.reversed_axes().as_standard_layout().into_owned() }
}
