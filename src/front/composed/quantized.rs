//! Layers of networks that another tool has quantized, in the terms of the quantized operators of ONNX: integers with a scale and
//! a zero point.

use ndarray::{ArrayD, IxDyn};
use zknn_ir::{NodeId, Op, Weights, op};

use super::builder::{Builder, weights};
use super::{Field, FieldKind, LayerType, Reads, Refusal};

pub(super) const TYPES: &[LayerType] = &[
    LayerType {
        name: "quantize",
        reads: Reads::One,
        fields: &[
            Field::required("scale", FieldKind::Number),
            Field::optional("zero_point", FieldKind::Number),
            Field::optional("least", FieldKind::Number),
            Field::optional("greatest", FieldKind::Number),
        ],
        build: quantize,
    },
    LayerType {
        name: "quantized_convolution",
        reads: Reads::One,
        fields: &[
            Field::required("kernel", FieldKind::Tensor),
            Field::required("weight_scale", FieldKind::Tensor),
            Field::optional("weight_zero_point", FieldKind::Tensor),
            Field::optional("biases", FieldKind::Tensor),
            Field::optional("bias_scale", FieldKind::Tensor),
            Field::optional("stride", FieldKind::Sides),
            Field::optional("dilation", FieldKind::Sides),
            Field::optional("groups", FieldKind::Count),
            Field::optional("before", FieldKind::Edges),
            Field::optional("after", FieldKind::Edges),
        ],
        build: convolution,
    },
    LayerType {
        name: "quantized_fully_connected",
        reads: Reads::One,
        fields: &[
            Field::required("weights", FieldKind::Tensor),
            Field::required("weight_scale", FieldKind::Tensor),
            Field::optional("weight_zero_point", FieldKind::Tensor),
            Field::optional("biases", FieldKind::Tensor),
            Field::optional("bias_scale", FieldKind::Tensor),
        ],
        build: fully_connected,
    },
];

/// The ends of a type where none are given: those of a signed byte.
const ENDS: [f64; 2] = [-128.0, 127.0];

/// The nearest multiple of the scale, as far as the type goes.
fn quantize(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    const HELP: &str = "`least` and `greatest` are the ends of the type, -128 and 127 without them, and `zero_point` is one of its \
                        integers, 0 without it";
    let mut integers = Vec::new();
    for (field, missing) in [("zero_point", 0.0), ("least", ENDS[0]), ("greatest", ENDS[1])] {
        let number = builder.number(field).unwrap_or(missing);
        // Far from the ends of `i64`.
        if number.fract() != 0.0 || number.abs() > op::MAX_LEVEL as f64 {
            let message = format!("`{field}` must be an integer within ±2^24, got {number}");
            return Err(Refusal::Field { field, message, help: HELP });
        }
        integers.push(number as i64);
    }
    let (zero, least, greatest) = (integers[0], integers[1], integers[2]);
    if !(least..=greatest).contains(&zero) {
        let message = format!("`zero_point` {zero} does not lie in {least}..{greatest}");
        return Err(Refusal::Field { field: "zero_point", message, help: HELP });
    }
    let scale = narrowed("scale", builder.number("scale").unwrap_or(0.0))?;
    builder.add(Op::Quantize(op::Quantize { lo: least - zero, hi: greatest - zero, scale }), &[builder.operand()])
}

fn convolution(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    const HELP: &str = "an image is [height, width, channels], and a kernel [c_out, height, width, c_in / groups]";
    let operand = builder.operand();
    let [_, _, _] = builder.axes(operand, HELP)?;
    let kernel = integers_of(builder, "kernel", 4, HELP)?;
    let bias = bias(builder, kernel.shape()[0])?;
    let (before, after) = (builder.pair("before", [0, 0]), builder.pair("after", [0, 0]));
    let padded = builder.padded(operand, before, after)?;
    let conv = op::Conv2d {
        kernel,
        bias,
        stride: builder.pair("stride", [1, 1]),
        dilation: builder.pair("dilation", [1, 1]),
        groups: builder.integer("groups", 1),
    };
    builder.add(Op::Conv2d(conv), &[padded])
}

fn fully_connected(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    const HELP: &str =
        "`weights` are [outputs, inputs], and the input has one axis; a `flatten` layer may bring it there";
    let weights = integers_of(builder, "weights", 2, HELP)?;
    let bias = bias(builder, weights.shape()[0])?;
    builder.add(Op::Dense(op::Dense { weights, bias }), &[builder.operand()])
}

/// Integers less their zero points, with the scale of each output channel.
fn integers_of(
    builder: &Builder<'_>,
    field: &'static str,
    axes: usize,
    help: &'static str,
) -> Result<Weights, Refusal> {
    let Some(tensor) = builder.tensor_of(field, axes, help)? else {
        let message = format!("`{field}` is missing");
        return Err(Refusal::Field { field, message, help });
    };
    let channels = tensor.shape()[0];
    let scales = scales_of(builder, "weight_scale", channels)?.unwrap_or_default();
    let zeros = of_channels(builder, "weight_zero_point", channels)?.unwrap_or(vec![0.0; channels]);
    let mut data = integers(field, &tensor)?;
    let zeros = integers("weight_zero_point", &ArrayD::from_shape_fn(IxDyn(&[channels]), |at| zeros[at[0]]))?;
    for (mut row, zero) in data.outer_iter_mut().zip(zeros) {
        row -= zero;
    }
    Ok(Weights::Scaled { data: data.into_shared(), scales })
}

/// The biases: integers where they have scales, else real numbers.
fn bias(builder: &Builder<'_>, channels: usize) -> Result<Option<Weights>, Refusal> {
    const HELP: &str = "there is one for each output channel";
    let Some(tensor) = builder.tensor_of("biases", 1, HELP)? else { return Ok(None) };
    let Some(scales) = scales_of(builder, "bias_scale", channels)? else { return Ok(Some(weights(tensor))) };
    Ok(Some(Weights::Scaled { data: integers("biases", &tensor)?.into_shared(), scales }))
}

/// A scale for each output channel.
fn scales_of(builder: &Builder<'_>, field: &'static str, channels: usize) -> Result<Option<Vec<f64>>, Refusal> {
    let Some(numbers) = of_channels(builder, field, channels)? else { return Ok(None) };
    numbers.into_iter().map(|number| narrowed(field, number)).collect::<Result<_, _>>().map(Some)
}

/// A number for each output channel, of a field that has one for each, or one for all.
fn of_channels(builder: &Builder<'_>, field: &'static str, channels: usize) -> Result<Option<Vec<f64>>, Refusal> {
    const HELP: &str = "give one for each output channel, or one for all";
    let Some(tensor) = builder.tensor_of(field, 1, HELP)? else { return Ok(None) };
    let numbers: Vec<f64> = tensor.into_iter().collect();
    match numbers[..] {
        [number] => Ok(Some(vec![number; channels])),
        _ if numbers.len() == channels => Ok(Some(numbers)),
        _ => {
            let message = format!("`{field}` has {} numbers, there are {channels} output channels", numbers.len());
            Err(Refusal::Field { field, message, help: HELP })
        }
    }
}

/// A scale as other tools have it, a positive normal float of 32 bits: the nearest.
fn narrowed(field: &'static str, scale: f64) -> Result<f64, Refusal> {
    let narrow = scale as f32;
    if narrow > 0.0 && narrow.is_normal() {
        return Ok(narrow.into());
    }
    let message = format!("`{field}` must be a positive float of 32 bits, got {scale:?}");
    Err(Refusal::Field { field, message, help: "a scale is the real number that the integer one stands for" })
}

fn integers(field: &'static str, tensor: &ArrayD<f64>) -> Result<ArrayD<i64>, Refusal> {
    const MOST: f64 = (1u64 << 32) as f64;
    match tensor.iter().position(|number| number.fract() != 0.0 || number.abs() > MOST) {
        None => Ok(tensor.mapv(|number| number as i64)),
        Some(index) => {
            let message = format!(
                "`{field}` has element {index}, {:?}, which is not an integer within ±2^32",
                tensor.iter().nth(index).unwrap_or(&0.0)
            );
            Err(Refusal::Field { field, message, help: "integers are those that the other tool has quantized" })
        }
    }
}
