//! Convolutions, and normalization by batch.

use ndarray::{ArrayD, IxDyn};

use super::super::constant::{Constant, Quantized};
use super::super::importer::{Importer, integers, list};
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::Stream;
use super::borders::padded;
use super::elementwise::affine;
use super::pooling::Windows;
use crate::front::{Attribute, LayerKind, Steps};

const DIMENSIONS: &str = "convolutions are supported in one and in two dimensions";

/// Conv, in one or two dimensions.
pub(super) fn conv(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let (kernel, bias) = (importer.constant(node, 1)?, importer.optional_constant(node, 2)?);
    convolution(importer, node, &x, kernel, bias)
}

/// ConvInteger: zero points are taken off both operands.
pub(super) fn conv_integer(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let x = less_zero_point(importer, node, &x, 2)?;
    let kernel = weights_less_zero_points(importer, node, 0)?;
    convolution(importer, node, &x, kernel, None)
}

/// An operand that depends on the inputs less the zero point at a place, if there is one.
pub(super) fn less_zero_point(importer: &mut Importer, node: &Node<'_>, x: &Stream, at: usize) -> Imported<Stream> {
    match importer.optional_constant(node, at)? {
        Some(zero) if zero.data.iter().any(|zero| *zero != 0.0) => {
            affine(importer, &format!("{}, from zero", node.name()), x, None, Some(-zero.reals()))
        }
        _ => Ok(x.clone()),
    }
}

/// The second operand less the zero points in the fourth: one, or one for each index of an axis.
pub(super) fn weights_less_zero_points(importer: &Importer, node: &Node<'_>, axis: usize) -> Imported<Constant> {
    let weights = importer.constant(node, 1)?;
    let Some(zeros) = importer.optional_constant(node, 3)? else { return Ok(weights) };
    let mut shape = vec![1; weights.data.ndim()];
    match (zeros.data.len(), shape.get_mut(axis)) {
        (1, _) => {}
        (count, Some(length)) if weights.data.shape()[axis] == count => *length = count,
        (count, _) => return refused(format!("it has {count} zero points"), "one for each output, or one for all"),
    }
    let zeros = zeros.reals().into_shape_with_order(shape).unwrap_or_default();
    Ok(Constant::of_floats(weights.reals() - zeros))
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
        return refused(message, DIMENSIONS);
    }
    let Windows { stride, dilation, before, after, .. } =
        Windows::of(node, &x.shape[1..], kernel.data.shape()[2..].to_vec())?;
    let Some(groups @ 1..) = length_of(node.int("group", 1)) else {
        return refused("its groups are none", "see the operator's definition");
    };
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
        let mut fields = vec![("kernel", Attribute::Tensor(turned(kernel.data.into_owned())))];
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
        importer.push(name, LayerKind::Convolution { kernel: turned(kernel.reals()), biases, steps }, &[&x])?
    };
    Ok(result.with_layer_order(true))
}

/// The fields of weights that are integers, and of their biases. Output channels are the indices of an axis of the weights.
pub(super) fn of_weights(
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
                fields.extend([("biases", Attribute::Tensor(bias.data.into_owned())), ("bias_scale", list(scales))]);
            }
            _ => fields.push(("biases", Attribute::Tensor(bias.reals()))),
        }
    }
    Ok(fields)
}

/// ConvTranspose: a convolution, with the kernel turned round, of the operand with zeros between its elements.
pub(super) fn conv_transpose(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let (kernel, bias) = (importer.constant(node, 1)?.reals(), importer.optional_constant(node, 2)?);
    let spatial = x.shape.len().saturating_sub(1);
    if !(1..=2).contains(&spatial) || kernel.ndim() != spatial + 2 {
        return refused(format!("its operands have shapes {:?} and {:?}", x.shape, kernel.shape()), DIMENSIONS);
    }
    let groups = length_of(node.int("group", 1)).unwrap_or(0);
    let (of_kernel, channels) = (kernel.shape().to_vec(), x.shape[0]);
    if groups == 0 || of_kernel[0] != channels || !channels.is_multiple_of(groups) {
        return refused(
            format!("its kernel {of_kernel:?} has {groups} groups for {channels} channels"),
            "see the operator's definition",
        );
    }
    // A sequence is an image one pixel wide.
    let wide = |lengths: &[usize]| [lengths[0], lengths.get(1).copied().unwrap_or(1)];
    let (lengths, sizes) = (wide(&x.shape[1..]), wide(&of_kernel[2..]));
    let (inside, outside) = (channels / groups, of_kernel[1]);
    let Ok(kernel) = kernel.into_shape_with_order([channels, outside, sizes[0], sizes[1]]) else {
        return refused("its kernel is empty", "see the operator's definition");
    };
    let turned = ArrayD::from_shape_fn(IxDyn(&[groups * outside, sizes[0], sizes[1], inside]), |at| {
        let (group, output) = (at[0] / outside, at[0] % outside);
        kernel[[group * inside + at[3], output, sizes[0] - 1 - at[1], sizes[1] - 1 - at[2]]]
    });
    let reach = Reach::of(node, &lengths[..spatial], &sizes[..spatial])?;
    let name = node.name();
    let image = importer.reshaped_to(&format!("{name}, as an image"), &x, &[1, channels, lengths[0], lengths[1]])?;
    let image = reach.spread(importer, name, &image)?;
    let image = importer.channels_last(&image)?;
    let steps = Steps { dilation: reach.dilation, groups, ..Steps::default() };
    let biases = bias.map(|bias| bias.reals());
    let sums = importer.push(name, LayerKind::Convolution { kernel: turned, biases, steps }, &[&image])?;
    let sums = sums.with_layer_order(true);
    if spatial == 2 {
        return Ok(sums);
    }
    let full = [1, sums.shape[0], sums.shape[1]];
    importer.reshaped_to(&format!("{name}, as a sequence"), &sums, &full)
}

/// How a transposed convolution goes over height and width.
struct Reach {
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Borders of the operand with zeros between its elements, negative where some of it is cut off.
    borders: [[i64; 2]; 2],
}

impl Reach {
    fn of(node: &Node<'_>, lengths: &[usize], sizes: &[usize]) -> Imported<Self> {
        let axes = lengths.len();
        let (stride, dilation) = (node.lengths("strides", axes, 1)?, node.lengths("dilations", axes, 1)?);
        let extra = node.lengths("output_padding", axes, 0)?;
        let pads = node.lengths("pads", 2 * axes, 0)?;
        if stride.iter().chain(&dilation).any(|step| *step == 0) {
            return refused("its windows do not move", "see the operator's definition");
        }
        let asked = match node.ints("output_shape") {
            Some(_) => Some(node.lengths("output_shape", axes, 0)?),
            None => None,
        };
        let kind = node.text("auto_pad").unwrap_or("NOTSET");
        let mut reach = Self { stride: [1, 1], dilation: [1, 1], borders: [[0, 0]; 2] };
        for at in 0..axes {
            let span = (dilation[at] * (sizes[at] - 1)) as i64;
            let whole = (stride[at] * (lengths[at] - 1)) as i64 + extra[at] as i64 + span + 1;
            let same = kind.starts_with("SAME").then_some((lengths[at] * stride[at]) as i64);
            let length = asked.as_ref().map(|asked| asked[at] as i64).or(same);
            let cut = match length {
                Some(length) => {
                    let all = whole - length;
                    let half = all.div_euclid(2);
                    if kind == "SAME_UPPER" { [half, all - half] } else { [all - half, half] }
                }
                None => [pads[at] as i64, pads[at + axes] as i64],
            };
            // Behind the last element stand no zeros that were put between.
            let rest = extra[at] as i64 - (stride[at] - 1) as i64;
            reach.borders[at] = [span - cut[0], span - cut[1] + rest];
            (reach.stride[at], reach.dilation[at]) = (stride[at], dilation[at]);
        }
        Ok(reach)
    }

    /// An image with zeros behind each element, and borders.
    fn spread(&self, importer: &mut Importer, name: &str, image: &Stream) -> Imported<Stream> {
        let mut x = importer.in_order(image)?;
        let [channels, rows, columns] = x.shape[..] else { return Ok(x) };
        let [down, right] = self.stride;
        if self.stride != [1, 1] {
            let cells = importer.view(&format!("{name}, elements"), &x, &[channels, rows, 1, columns, 1])?;
            let kind = LayerKind::Padding { before: vec![0; 5], after: vec![0, 0, down - 1, 0, right - 1], value: 0.0 };
            let cells = importer.push(&format!("{name}, zeros between"), kind, &[&cells])?;
            x = importer.view(&format!("{name}, with zeros"), &cells, &[channels, rows * down, columns * right])?;
        }
        let borders = [[0, 0], [0, 0], self.borders[0], self.borders[1]];
        padded(importer, &format!("{name}, border"), &x, &borders, "constant", 0.0)
    }
}

/// BatchNormalization as it is after training.
pub(super) fn batch_normalization(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    node.only("training_mode", 0)?;
    let x = importer.stream(node, 0)?;
    if !x.has_batch {
        return batch_normalization_of_many(importer, node, &x);
    }
    let mut fields = Vec::new();
    for (at, field) in ["scale", "shift", "mean", "variance"].into_iter().enumerate() {
        fields.push((field, Attribute::Tensor(importer.constant(node, at + 1)?.reals())));
    }
    fields.push(("epsilon", Attribute::Number(node.float("epsilon").unwrap_or(1e-5))));
    let x = importer.channels_last(&x)?;
    Ok(importer.compose(node.name(), "batch_norm", fields, &[&x])?.with_layer_order(x.is_last))
}

/// The same for several samples: a factor and an offset along the second axis.
fn batch_normalization_of_many(importer: &mut Importer, node: &Node<'_>, x: &Stream) -> Imported<Stream> {
    let [_, channels, ..] = x.shape[..] else {
        return refused(format!("its operand has shape {:?}", x.shape), "channels are the second axis");
    };
    let mut shape = vec![1; x.shape.len()];
    shape[1] = channels;
    let operand = |at: usize| match importer.constant(node, at)?.reals().into_shape_with_order(shape.clone()) {
        Ok(along) => Ok(along),
        Err(_) => refused(format!("operand {at} is not one number for each of {channels} channels"), "check the file"),
    };
    let (scale, shift, mean, variance) = (operand(1)?, operand(2)?, operand(3)?, operand(4)?);
    let epsilon = node.float("epsilon").unwrap_or(1e-5);
    let factors = scale / variance.mapv(|variance| (variance + epsilon).sqrt());
    let offsets = shift - &factors * mean;
    affine(importer, node.name(), x, Some(factors), Some(offsets))
}
