//! Convolutions of other kinds, normalization by batch, and factors.

use ndarray::{Axis, IxDyn, Slice};
use zknn_ir::{NodeId, Op, op};

use super::builder::{Builder, vector, weights};
use super::{Field, FieldKind, LayerType, Reads, Refusal};

pub(super) const TYPES: &[LayerType] = &[
    LayerType {
        name: "convolution_1d",
        reads: Reads::One,
        fields: &[
            Field::required("kernel", FieldKind::Tensor),
            Field::optional("biases", FieldKind::Tensor),
            Field::optional("stride", FieldKind::Count),
            Field::optional("dilation", FieldKind::Count),
            Field::optional("groups", FieldKind::Count),
            Field::optional("before", FieldKind::Index),
            Field::optional("after", FieldKind::Index),
        ],
        build: convolution_1d,
    },
    LayerType {
        name: "transposed_convolution",
        reads: Reads::One,
        fields: &[
            Field::required("kernel", FieldKind::Tensor),
            Field::optional("biases", FieldKind::Tensor),
            Field::optional("stride", FieldKind::Sides),
            Field::optional("before", FieldKind::Edges),
            Field::optional("after", FieldKind::Edges),
        ],
        build: transposed_convolution,
    },
    LayerType {
        name: "batch_norm",
        reads: Reads::One,
        fields: &[
            Field::required("scale", FieldKind::Tensor),
            Field::required("shift", FieldKind::Tensor),
            Field::required("mean", FieldKind::Tensor),
            Field::required("variance", FieldKind::Tensor),
            Field::optional("epsilon", FieldKind::Number),
        ],
        build: batch_norm,
    },
    LayerType {
        name: "affine",
        reads: Reads::One,
        fields: &[Field::optional("weights", FieldKind::Tensor), Field::optional("biases", FieldKind::Tensor)],
        build: affine,
    },
];

/// A convolution of an image one pixel wide.
fn convolution_1d(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    const HELP: &str = "a sequence is [length, channels], and a kernel [c_out, width, c_in]";
    let [length, channels] = builder.axes(builder.operand(), HELP)?;
    let Some(kernel) = builder.tensor_of("kernel", 3, HELP)? else { return Err(missing("kernel")) };
    let shape = [kernel.shape()[0], kernel.shape()[1], 1, kernel.shape()[2]];
    let kernel = kernel.into_shape_with_order(IxDyn(&shape)).map_err(|_| missing("kernel"))?;
    let image = builder.reshape(builder.operand(), &[length, 1, channels])?;
    let edge = |field: &str| [builder.integer(field, 0), 0];
    let (before, after) = (edge("before"), edge("after"));
    let padded = builder.padded(image, before, after)?;
    let conv = op::Conv2d {
        kernel: weights(kernel),
        bias: builder.tensor("biases").map(weights),
        stride: [builder.integer("stride", 1), 1],
        dilation: [builder.integer("dilation", 1), 1],
        groups: builder.integer("groups", 1),
    };
    let image = builder.add(Op::Conv2d(conv), &[padded])?;
    let [length, _, channels] = builder.axes(image, HELP)?;
    builder.reshape(image, &[length, channels])
}

/// A convolution, with the kernel turned by half a turn, of an image with zeros between its pixels and a border as wide as lets
/// each weight meet each pixel; less what is cut off.
fn transposed_convolution(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    const HELP: &str = "an image is [height, width, channels], and a kernel [c_out, height, width, c_in]";
    let operand = builder.operand();
    let [_, _, _] = builder.axes(operand, HELP)?;
    let Some(mut kernel) = builder.tensor_of("kernel", 4, HELP)? else { return Err(missing("kernel")) };
    kernel.slice_axis_inplace(Axis(1), Slice::new(0, None, -1));
    kernel.slice_axis_inplace(Axis(2), Slice::new(0, None, -1));
    let kernel = kernel.as_standard_layout().into_owned();
    let reach = [kernel.shape()[1] - 1, kernel.shape()[2] - 1];
    let stride = builder.pair("stride", [1, 1]);
    let (before, after) = (builder.pair("before", [0, 0]), builder.pair("after", [0, 0]));
    // What is cut off of the border needs no zeros.
    let border = |cut: [usize; 2]| vec![reach[0].saturating_sub(cut[0]), reach[1].saturating_sub(cut[1]), 0];
    let between = vec![stride[0] - 1, stride[1] - 1, 0];
    let pad = op::Pad { before: border(before), after: border(after), between };
    let spread = builder.add(Op::Pad(pad), &[operand])?;
    let conv =
        op::Conv2d { kernel: weights(kernel), bias: builder.tensor("biases").map(weights), ..op::Conv2d::default() };
    let mut image = builder.add(Op::Conv2d(conv), &[spread])?;
    for axis in [0, 1] {
        let (start, end) = (before[axis].saturating_sub(reach[axis]), after[axis].saturating_sub(reach[axis]));
        let length = builder.shape(image)[axis];
        if start + end >= length {
            let message = format!("nothing is left of {length} rows or columns, less {start} and {end}");
            return Err(Refusal::Field { field: "before", message, help: "cut off less than the whole result" });
        }
        if start + end > 0 {
            image = builder.gather(image, axis, (start..length - end).collect())?;
        }
    }
    Ok(image)
}

/// A factor and an offset for each channel.
fn batch_norm(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    const HELP: &str =
        "`scale`, `shift`, `mean` and `variance` have one number for each channel, the last extent of `input_shape`";
    let channels = builder.shape(builder.operand()).last().copied().unwrap_or(1);
    let mut given = Vec::new();
    for field in ["scale", "shift", "mean", "variance"] {
        match builder.tensor_of(field, 1, HELP)? {
            Some(tensor) if tensor.len() == channels => given.push(tensor.into_iter().collect::<Vec<f64>>()),
            tensor => {
                let got = tensor.map_or(0, |tensor| tensor.len());
                let message = format!("`{field}` has {got} numbers, the input has {channels} channels");
                return Err(Refusal::Field { field, message, help: HELP });
            }
        }
    }
    let epsilon = builder.number("epsilon").unwrap_or(1e-5);
    let deviations: Vec<f64> = given[3].iter().map(|variance| (variance + epsilon).sqrt()).collect();
    if let Some(channel) = deviations.iter().position(|deviation| deviation.is_nan() || *deviation == 0.0) {
        let message = format!("the variance of channel {channel} with `epsilon` is not positive");
        return Err(Refusal::Field { field: "variance", message, help: "a variance is zero or more" });
    }
    let factors: Vec<f64> = given[0].iter().zip(&deviations).map(|(scale, deviation)| scale / deviation).collect();
    let offset = |channel: usize| given[1][channel] - given[2][channel] * factors[channel];
    let offsets = (0..channels).map(offset).collect();
    builder.affine(builder.operand(), factors, Some(offsets))
}

/// By channel, or by element.
fn affine(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    const HELP: &str =
        "`weights` and `biases` have the length of the last extent of `input_shape`, or all of it as their shape";
    let (operand, shape) = (builder.operand(), builder.shape(builder.operand()));
    let channels = &shape[shape.len() - 1..];
    let (factors, offsets) = (builder.tensor("weights"), builder.tensor("biases"));
    let Some(given) = factors.as_ref().or(offsets.as_ref()).map(|tensor| tensor.shape().to_vec()) else {
        let message = "an affine layer has neither `weights` nor `biases`".to_string();
        return Err(Refusal::Field { field: "layer_type", message, help: "give it one of them, or both" });
    };
    for (field, tensor) in [("weights", &factors), ("biases", &offsets)] {
        let fits = |got: &[usize]| got == given && (got == channels || got == shape);
        if let Some(got) = tensor.as_ref().map(|tensor| tensor.shape()).filter(|got| !fits(got)) {
            let message = format!("`{field}` has shape {got:?}, and the input {shape:?}");
            return Err(Refusal::Field { field, message, help: HELP });
        }
    }
    let count: usize = given.iter().product();
    let factors = factors.map_or(vec![1.0; count], |tensor| tensor.into_iter().collect());
    let offsets = offsets.map(|tensor| tensor.into_iter().collect());
    match given == channels {
        true => builder.add(Op::Affine(op::Affine { weights: vector(factors), bias: offsets.map(vector) }), &[operand]),
        false => builder.affine_each(operand, factors, offsets),
    }
}

fn missing(field: &'static str) -> Refusal {
    let message = format!("`{field}` is missing or of the wrong shape");
    Refusal::Field { field, message, help: "see the table of layers in the README" }
}
