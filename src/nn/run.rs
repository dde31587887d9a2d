//! Evaluation in floating point.

use miette::Diagnostic;
use ndarray::linalg::general_mat_mul;
use ndarray::{
    Array1, Array2, ArrayD, ArrayView1, ArrayViewD, Axis, AxisDescription, Ix1, Ix2, IxDyn, ShapeError, Slice, s,
};
use thiserror::Error;

use crate::front::{Composed, Layer, LayerKind, Model, Source, Steps};
use crate::input::Inputs;
use zknn_ir::eval::eval_real;

/// Inputs of other shapes than the model takes, or of another number.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("the model takes {}, got {}", inputs_of(expected), inputs_of(got))]
#[diagnostic(
    code(zknn::nn::wrong_input),
    help("the shape of an input is its `dim`; the model's is the `input_shape` of the layer that reads it")
)]
pub struct WrongInput {
    /// The shapes of the model's inputs.
    pub expected: Vec<Vec<usize>>,
    /// The shapes of the inputs.
    pub got: Vec<Vec<usize>>,
}

fn inputs_of(shapes: &[Vec<usize>]) -> String {
    match shapes {
        [shape] => format!("an input of shape {shape:?}"),
        shapes => format!("inputs of shapes {shapes:?}"),
    }
}

/// The output of the model; of several, the first.
pub fn run<I: Inputs + ?Sized>(model: &Model, inputs: &I) -> Result<ArrayD<f64>, WrongInput> {
    let mut outputs = run_all(model, inputs)?;
    Ok(outputs.swap_remove(model.outputs()[0]))
}

/// The outputs of all layers, in order.
pub fn run_all<I: Inputs + ?Sized>(model: &Model, inputs: &I) -> Result<Vec<ArrayD<f64>>, WrongInput> {
    let inputs = inputs.tensors();
    let expected: Vec<Vec<usize>> = model.inputs().iter().map(|input| input.shape.clone()).collect();
    let got: Vec<Vec<usize>> = inputs.iter().map(|input| input.shape().to_vec()).collect();
    if got != expected {
        return Err(WrongInput { expected, got });
    }
    let mut outputs: Vec<ArrayD<f64>> = vec![ArrayD::zeros(IxDyn(&[0])); model.layers().len()];
    for &layer in model.order() {
        let read = |source: &Source| match source {
            Source::Input(position) => &inputs[*position],
            Source::Layer(read) => &outputs[*read],
        };
        let reads: Vec<&ArrayD<f64>> = model.reads(layer).iter().map(read).collect();
        outputs[layer] = apply(&model.layers()[layer], &reads);
    }
    Ok(outputs)
}

/// One layer of a model, on inputs of the shape the layer declares: one, or two and more.
fn apply(layer: &Layer, reads: &[&ArrayD<f64>]) -> ArrayD<f64> {
    let x = reads[0].clone();
    let output = match &layer.kind {
        LayerKind::Convolution { kernel, biases, steps } => {
            let x = bordered(x, steps);
            convolution(&x, kernel, biases.as_ref(), *steps, layer.output_shape())
        }
        LayerKind::FullyConnected { weights, biases } => fully_connected(&x, weights, biases.as_ref()),
        LayerKind::MaxPool { window, stride, before, .. } => {
            Ok(max_pool(&x, *window, stride.unwrap_or(*window), *before, layer.output_shape()))
        }
        LayerKind::Relu => Ok(x.mapv_into(|value| value.max(0.0))),
        LayerKind::Flatten => {
            let length = x.len();
            x.as_standard_layout().into_owned().into_shape_with_order(IxDyn(&[length]))
        }
        LayerKind::Normalize => Ok(normalize(x)),
        LayerKind::Argmax { axis } => Ok(argmax(&x, axis.unwrap_or(0))),
        LayerKind::Padding { before, value, .. } => Ok(padded(&x, before, *value, layer.output_shape())),
        LayerKind::Composed(composed) => return alone(composed, reads),
    };
    // A model's layers fit each other and themselves, and the input was checked.
    output.expect("the model checked its shapes")
}

/// A matrix product of patches and kernel. The patches are laid out in blocks, since all of them together would be
/// larger than the image by the size of the kernel.
fn convolution(
    image: &ArrayD<f64>,
    kernel: &ArrayD<f64>,
    biases: Option<&ArrayD<f64>>,
    Steps { stride, dilation, groups, .. }: Steps,
    output_shape: &[usize],
) -> Result<ArrayD<f64>, ShapeError> {
    const BLOCK_ELEMENTS: usize = 1 << 17;
    let (&[_, k_h, k_w, c_in], &[_, image_width, channels]) = (kernel.shape(), image.shape()) else {
        return Err(incompatible());
    };
    let &[out_h, out_w, c_out] = output_shape else {
        return Err(incompatible());
    };
    let patch = k_h * k_w * c_in;
    // What lies together of a row of the kernel: all of it, or the channels of one position.
    let is_whole = dilation[1] == 1 && groups == 1;
    let piece = if is_whole { k_w * c_in } else { c_in };
    let kernel = kernel.to_shape((c_out, patch))?;
    let image = image.as_standard_layout();
    let image = image.as_slice().ok_or_else(incompatible)?;

    let mut output = broadcast(biases, &[out_h * out_w, c_out])?.into_dimensionality::<Ix2>()?;
    let block = (BLOCK_ELEMENTS / patch).clamp(1, out_h * out_w);
    let mut patches = Array2::<f64>::zeros((block, patch));
    for group in 0..groups {
        let own = group * c_out / groups..(group + 1) * c_out / groups;
        let kernel = kernel.slice(s![own.clone(), ..]);
        for (nth, mut output) in output.axis_chunks_iter_mut(Axis(0), block).enumerate() {
            let count = output.nrows();
            for (position, mut patch) in (nth * block..).zip(patches.rows_mut().into_iter().take(count)) {
                let (y, x) = (position / out_w * stride[0], position % out_w * stride[1]);
                for (index, mut part) in patch.axis_chunks_iter_mut(Axis(0), piece).enumerate() {
                    let (k_y, k_x) = if is_whole { (index, 0) } else { (index / k_w, index % k_w) };
                    let pixel = (y + k_y * dilation[0]) * image_width + x + k_x * dilation[1];
                    let start = pixel * channels + group * c_in;
                    part.assign(&ArrayView1::from(&image[start..start + piece]));
                }
            }
            let mut output = output.slice_mut(s![.., own.clone()]);
            general_mat_mul(1.0, &patches.slice(s![..count, ..]), &kernel.t(), 1.0, &mut output);
        }
    }
    output.into_shape_with_order(IxDyn(output_shape))
}

fn fully_connected(
    x: &ArrayD<f64>,
    weights: &ArrayD<f64>,
    biases: Option<&ArrayD<f64>>,
) -> Result<ArrayD<f64>, ShapeError> {
    let weights = weights.view().into_dimensionality::<Ix2>()?;
    let biases = broadcast(biases, &[weights.nrows()])?;
    let product: Array1<f64> = weights.dot(&x.view().into_dimensionality::<Ix1>()?);
    Ok(product.into_dyn() + biases)
}

/// The biases of every output position, or zeros.
fn broadcast(biases: Option<&ArrayD<f64>>, shape: &[usize]) -> Result<ArrayD<f64>, ShapeError> {
    let zero = ndarray::arr0(0.0).into_dyn();
    let biases: ArrayViewD<f64> = biases.unwrap_or(&zero).view();
    Ok(biases.broadcast(IxDyn(shape)).ok_or_else(incompatible)?.into_owned())
}

/// Each element of the image goes to the maximum of every window that it lies in.
fn max_pool(
    image: &ArrayD<f64>,
    window: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
    output_shape: &[usize],
) -> ArrayD<f64> {
    let mut output = ArrayD::from_elem(IxDyn(output_shape), f64::NEG_INFINITY);
    // The windows that hold a place, which counts from the border on.
    let holding = |axis: usize, at: usize| {
        let place = at + before[axis];
        let first = (place + 1).saturating_sub(window[axis]).div_ceil(stride[axis]);
        first..(place / stride[axis] + 1).min(output_shape[axis])
    };
    for (y, image_row) in image.axis_iter(Axis(0)).enumerate() {
        for row in holding(0, y) {
            let mut output_row = output.index_axis_mut(Axis(0), row);
            for (x, values) in image_row.axis_iter(Axis(0)).enumerate() {
                for column in holding(1, x) {
                    let mut maxima = output_row.index_axis_mut(Axis(0), column);
                    maxima.zip_mut_with(&values, |maximum, value| *maximum = maximum.max(*value));
                }
            }
        }
    }
    output
}

/// As in numpy, a zero vector gives NaN.
fn normalize(x: ArrayD<f64>) -> ArrayD<f64> {
    let norm = x.iter().map(|value| value * value).sum::<f64>().sqrt();
    x / norm
}

/// What a layer of several operations makes of these tensors.
fn alone(composed: &Composed, reads: &[&ArrayD<f64>]) -> ArrayD<f64> {
    let shapes: Vec<&[usize]> = reads.iter().map(|read| read.shape()).collect();
    let inputs: Vec<ArrayD<f64>> = reads.iter().map(|read| (*read).clone()).collect();
    // The model built the same once, for these shapes.
    let graph = composed.alone(&shapes).expect("the model checked its shapes");
    eval_real(&graph, &inputs[..]).expect("inputs of the shapes that the graph was made for").output().clone()
}

/// The image that a convolution reads, with its border.
fn bordered(x: ArrayD<f64>, steps: &Steps) -> ArrayD<f64> {
    let ([top, left], [bottom, right]) = (steps.before, steps.after);
    match *x.shape() {
        [height, width, channels] if [steps.before, steps.after] != [[0, 0]; 2] => {
            padded(&x, &[top, left, 0], 0.0, &[top + height + bottom, left + width + right, channels])
        }
        _ => x,
    }
}

fn padded(x: &ArrayD<f64>, before: &[usize], value: f64, output_shape: &[usize]) -> ArrayD<f64> {
    let mut output = ArrayD::from_elem(IxDyn(output_shape), value);
    let inside = |axis: AxisDescription| {
        let start = before[axis.axis.index()];
        Slice::from(start..start + x.shape()[axis.axis.index()])
    };
    output.slice_each_axis_mut(inside).assign(x);
    output
}

/// The index of the greatest value along an axis, the lowest of several.
fn argmax(x: &ArrayD<f64>, axis: usize) -> ArrayD<f64> {
    let greatest = |line: ArrayView1<f64>| {
        let better =
            |best: (usize, f64), (index, &value): (usize, &f64)| if value > best.1 { (index, value) } else { best };
        line.iter().enumerate().fold((0, f64::NEG_INFINITY), better).0 as f64
    };
    x.map_axis(Axis(axis), greatest).insert_axis(Axis(axis))
}

fn incompatible() -> ShapeError {
    ShapeError::from_kind(ndarray::ErrorKind::IncompatibleShape)
}
