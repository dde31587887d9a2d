//! Convolutions, products with matrices, and normalization by batch.

use ndarray::{Array2, ArrayD, Axis, Ix2, IxDyn};

use super::super::{Attribute, LayerKind, Steps};
use super::constant::{Constant, Quantized};
use super::importer::{Importer, Stream, integers};
use super::node::{Imported, Node, length_of, refused};
use super::pooling::borders;

/// Conv, in one or two dimensions.
pub(super) fn conv(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let (kernel, bias) = (importer.constant(node, 1)?, importer.optional_constant(node, 2)?);
    convolution(importer, node, &x, kernel, bias)
}

/// A convolution with the attributes of a node.
pub(super) fn convolution(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    kernel: Constant,
    bias: Option<Constant>,
) -> Imported<Stream> {
    let spatial = x.shape.len().saturating_sub(1);
    if !(1..=2).contains(&spatial) || kernel.data.ndim() != spatial + 2 {
        let message =
            format!("its operands have shapes {:?}, without the batch axis, and {:?}", x.shape, kernel.data.shape());
        return refused(message, "convolutions are supported in one and in two dimensions");
    }
    let sizes = kernel.data.shape()[2..].to_vec();
    let (stride, dilation) = (node.lengths("strides", spatial, 1)?, node.lengths("dilations", spatial, 1)?);
    let (before, after) = borders(node, &x.shape[1..], &sizes, &stride, &dilation)?;
    let groups = length_of(node.int("group", 1)).unwrap_or(0);
    if groups == 0 || stride.iter().chain(&dilation).any(|step| *step == 0) {
        return refused("its steps or groups are zero", "see the operator's definition");
    }
    // [c_out, c_in / groups, …] to [c_out, …, c_in / groups].
    let order: Vec<usize> = [0].into_iter().chain(2..spatial + 2).chain([1]).collect();
    let turned = |tensor: ArrayD<f64>| tensor.permuted_axes(IxDyn(&order)).as_standard_layout().into_owned();
    let x = importer.channels_last(x)?;
    let name = node.name();
    let result = if spatial == 1 {
        let mut fields = vec![("kernel", Attribute::Tensor(turned(kernel.reals())))];
        fields.extend(bias.map(|bias| ("biases", Attribute::Tensor(bias.reals()))));
        let numbers = [
            ("stride", stride[0]),
            ("dilation", dilation[0]),
            ("groups", groups),
            ("before", before[0]),
            ("after", after[0]),
        ];
        fields.extend(numbers.map(|(field, number)| (field, integers(vec![number]))));
        importer.compose(name, "convolution_1d", fields, &[&x])?
    } else if let Some(quantized) = kernel.quantized {
        let mut fields = vec![("kernel", Attribute::Tensor(turned(kernel.data)))];
        fields.extend(of_weights(quantized, bias, 0)?);
        let sides = [("stride", stride), ("dilation", dilation), ("before", before), ("after", after)];
        fields.extend(sides.map(|(field, sides)| (field, integers(sides))));
        fields.push(("groups", integers(vec![groups])));
        importer.compose(name, "quantized_convolution", fields, &[&x])?
    } else {
        let pair = |lengths: &[usize]| [lengths[0], lengths[1]];
        let steps = Steps {
            stride: pair(&stride),
            dilation: pair(&dilation),
            groups,
            before: pair(&before),
            after: pair(&after),
        };
        let biases = bias.map(|bias| bias.reals());
        importer.push(name, LayerKind::Convolution { kernel: turned(kernel.data), biases, steps }, &[&x])?
    };
    Ok(result.with_layer_order(true))
}

/// The fields of weights that are integers, and of their biases. Output channels are the indices of an axis of the weights.
fn of_weights(
    Quantized { scales, zero_points, axis }: Quantized,
    bias: Option<Constant>,
    channels: usize,
) -> Imported<Vec<(&'static str, Attribute)>> {
    if axis != channels && scales.len() > 1 {
        return refused(
            format!("its weights have a scale for each index of axis {axis}"),
            "quantize weights by output channel, or by tensor",
        );
    }
    let mut fields = vec![("weight_scale", list(scales)), ("weight_zero_point", list(zero_points))];
    if let Some(bias) = bias {
        match bias.quantized {
            Some(Quantized { scales, ref zero_points, .. }) if zero_points.iter().all(|zero| *zero == 0.0) => {
                fields.extend([("biases", Attribute::Tensor(bias.data)), ("bias_scale", list(scales))]);
            }
            _ => fields.push(("biases", Attribute::Tensor(bias.reals()))),
        }
    }
    Ok(fields)
}

fn list(numbers: Vec<f64>) -> Attribute {
    Attribute::Tensor(ndarray::Array1::from(numbers).into_dyn())
}

/// Gemm of a vector, or of vectors, and a constant matrix.
pub(super) fn gemm(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    node.only("transA", 0)?;
    let x = importer.stream(node, 0)?;
    let (weights, bias) = (importer.constant(node, 1)?, importer.optional_constant(node, 2)?);
    let is_turned = node.int("transB", 0) != 0;
    let (alpha, beta) = (node.float("alpha").unwrap_or(1.0), node.float("beta").unwrap_or(1.0));
    let is_vector = x.has_batch() && x.shape.len() == 1;
    if weights.quantized.is_some() && alpha == 1.0 && beta == 1.0 && is_vector {
        return vector_product(importer, node, &x, weights, is_turned, bias);
    }
    let Ok(matrix) = weights.reals().into_dimensionality::<Ix2>() else {
        return refused(
            format!("its matrix has shape {:?}", weights.data.shape()),
            "the second operand of Gemm is a matrix",
        );
    };
    let weights = alpha * by_output(matrix, is_turned);
    let outputs = weights.shape()[0];
    let biases = match bias.map(|bias| beta * bias.reals()) {
        Some(bias) if bias.len() == 1 => Some(ArrayD::from_elem(IxDyn(&[outputs]), bias.sum())),
        // With an axis of length one before, or without.
        Some(bias) if bias.shape().last() == Some(&bias.len()) => Some(bias.flatten().into_owned().into_dyn()),
        Some(bias) => {
            return refused(
                format!("its third operand has shape {:?}", bias.shape()),
                "one number for each output is supported, or one for all",
            );
        }
        None => None,
    };
    products(importer, node, &x, weights, biases)
}

/// The product of a vector and a matrix of integers, [outputs, inputs] if it is turned, else the other way round.
pub(super) fn vector_product(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    matrix: Constant,
    is_turned: bool,
    bias: Option<Constant>,
) -> Imported<Stream> {
    let (Ok(integers), Some(quantized)) = (matrix.data.into_dimensionality::<Ix2>(), matrix.quantized) else {
        return refused("its second operand is no matrix of integers", "see the operator's definition");
    };
    let mut fields = vec![("weights", Attribute::Tensor(by_output(integers, is_turned)))];
    fields.extend(of_weights(quantized, bias, if is_turned { 0 } else { 1 })?);
    importer.compose(node.name(), "quantized_fully_connected", fields, &[x])
}

/// The products of a matrix, and a bias: of a vector, or of each vector of a sequence.
fn products(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    weights: ArrayD<f64>,
    biases: Option<ArrayD<f64>>,
) -> Imported<Stream> {
    let x = importer.in_order(x)?;
    match x.shape.len() {
        1 => importer.push(node.name(), LayerKind::FullyConnected { weights, biases }, &[&x]),
        2 => {
            let mut fields = vec![("kernel", Attribute::Tensor(weights.insert_axis(Axis(1))))];
            fields.extend(biases.map(|biases| ("biases", Attribute::Tensor(biases))));
            importer.compose(node.name(), "convolution_1d", fields, &[&x])
        }
        axes => refused(
            format!("its operand has {axes} axes beside the batch axis"),
            "products of vectors and of sequences are supported",
        ),
    }
}

/// MatMul with a constant matrix: of a vector, or of each vector of a sequence.
pub(super) fn mat_mul(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let matrix = importer.constant(node, 1)?.reals();
    let Ok(matrix) = matrix.into_dimensionality::<Ix2>() else {
        return refused("its matrix does not have two axes", "a product with a constant matrix is supported");
    };
    products(importer, node, &x, by_output(matrix, false), None)
}

/// A matrix as [outputs, inputs], which it is already if it is turned.
fn by_output(matrix: Array2<f64>, is_turned: bool) -> ArrayD<f64> {
    if is_turned { matrix } else { matrix.reversed_axes().as_standard_layout().into_owned() }.into_dyn()
}

/// BatchNormalization as it is after training.
pub(super) fn batch_normalization(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    node.only("training_mode", 0)?;
    let x = importer.sample(node, 0)?;
    let mut fields = Vec::new();
    for (at, field) in ["scale", "shift", "mean", "variance"].into_iter().enumerate() {
        fields.push((field, Attribute::Tensor(importer.constant(node, at + 1)?.reals())));
    }
    fields.push(("epsilon", Attribute::Number(node.float("epsilon").unwrap_or(1e-5))));
    let x = importer.channels_last(&x)?;
    Ok(importer.compose(node.name(), "batch_norm", fields, &[&x])?.with_layer_order(x.is_last()))
}

/// Scaler of `ai.onnx.ml`: each feature less an offset, times a factor.
pub(super) fn scaler(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
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
