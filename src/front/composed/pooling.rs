//! Averages and maxima of windows, of images and along axes.

use zknn_ir::{NodeId, Op, op};

use super::builder::{Builder, depthwise};
use super::{Field, FieldKind, LayerType, Reads, Refusal};

const IMAGE: &str = "an image is [height, width, channels], without a batch axis";

pub(super) const TYPES: &[LayerType] = &[
    LayerType {
        name: "average_pool",
        reads: Reads::One,
        fields: &[
            Field::required("window", FieldKind::Sides),
            Field::optional("stride", FieldKind::Sides),
            Field::optional("before", FieldKind::Edges),
            Field::optional("after", FieldKind::Edges),
            Field::optional("count_padding", FieldKind::Flag),
        ],
        build: average_pool,
    },
    LayerType {
        name: "global_average_pool",
        reads: Reads::One,
        fields: &[],
        build: |builder| global(builder, Fold::Mean),
    },
    LayerType { name: "global_max_pool", reads: Reads::One, fields: &[], build: |builder| global(builder, Fold::Max) },
    LayerType { name: "reduce_sum", reads: Reads::One, fields: AXES, build: |builder| reduce(builder, Fold::Sum) },
    LayerType { name: "reduce_mean", reads: Reads::One, fields: AXES, build: |builder| reduce(builder, Fold::Mean) },
    LayerType { name: "reduce_max", reads: Reads::One, fields: AXES, build: |builder| reduce(builder, Fold::Max) },
    LayerType { name: "reduce_min", reads: Reads::One, fields: AXES, build: |builder| reduce(builder, Fold::Min) },
];

const AXES: &[Field] = &[Field::required("axes", FieldKind::List)];

/// What becomes of several numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    Sum,
    Mean,
    Max,
    Min,
}

/// A convolution of each channel with equal weights. Where windows reach over an edge, and what lies beyond does not count, a
/// factor for each position makes a mean of the sum.
fn average_pool(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let [height, width, channels] = builder.axes(builder.operand(), IMAGE)?;
    let window = builder.pair("window", [1, 1]);
    let (before, after) = (builder.pair("before", [0, 0]), builder.pair("after", [0, 0]));
    let stride = builder.pair("stride", window);
    let extents = [height, width];
    for axis in [0, 1] {
        let length = before[axis] + extents[axis] + after[axis];
        let rest = length.checked_sub(window[axis]);
        let last = rest.map(|rest| rest / stride[axis] * stride[axis]);
        // Every window holds something of the image.
        let fits = before[axis] < window[axis] && last.is_some_and(|last| last < before[axis] + extents[axis]);
        let tiles = builder.integers("stride").is_some() || length.is_multiple_of(window[axis]);
        if !fits || !tiles {
            let message = format!("windows of {} by {} do not fit an input of shape {extents:?}", window[0], window[1]);
            let help = "windows without a `stride` must divide the image; each must hold something of it";
            return Err(Refusal::Field { field: "window", message, help });
        }
    }
    let padded = builder.padded(builder.operand(), before, after)?;
    let counts_all = builder.flag("count_padding") || (before == [0, 0] && after == [0, 0]);
    let cells = (window[0] * window[1]) as f64;
    let sums = fold_windows(builder, padded, window, stride, if counts_all { 1.0 / cells } else { 1.0 })?;
    if counts_all {
        return Ok(sums);
    }
    let [rows, columns, _] = builder.axes(sums, IMAGE)?;
    let inside = |axis: usize, at: usize| {
        let start = at * stride[axis];
        let end = (start + window[axis]).min(before[axis] + extents[axis]);
        (end - start.max(before[axis])) as f64
    };
    let positions = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let factors = positions.flat_map(|(row, column)| vec![1.0 / (inside(0, row) * inside(1, column)); channels]);
    let factors = factors.collect();
    builder.affine_each(sums, factors, None)
}

/// Sums of windows, channel by channel, times a weight.
fn fold_windows(
    builder: &mut Builder<'_>,
    image: NodeId,
    window: [usize; 2],
    stride: [usize; 2],
    weight: f64,
) -> Result<NodeId, Refusal> {
    let [_, _, channels] = builder.axes(image, IMAGE)?;
    builder.check_size("window", &[channels, window[0], window[1]])?;
    let conv = op::Conv2d {
        kernel: depthwise(channels, window, weight),
        bias: None,
        stride,
        groups: channels,
        ..op::Conv2d::default()
    };
    builder.add(Op::Conv2d(conv), &[image])
}

/// All of each channel of an image.
fn global(builder: &mut Builder<'_>, fold: Fold) -> Result<NodeId, Refusal> {
    let [height, width, channels] = builder.axes(builder.operand(), IMAGE)?;
    let folded = folded(builder, builder.operand(), [height, width], fold)?;
    builder.reshape(folded, &[channels])
}

/// The axes in front of the others, as the height of an image whose channels are these.
fn reduce(builder: &mut Builder<'_>, fold: Fold) -> Result<NodeId, Refusal> {
    let (operand, shape) = (builder.operand(), builder.shape(builder.operand()));
    let axes = builder.integers("axes").unwrap_or_default();
    let mut is_reduced = vec![false; shape.len()];
    for &axis in &axes {
        match is_reduced.get_mut(axis) {
            Some(is_reduced) if !*is_reduced => *is_reduced = true,
            _ => {
                let message = format!("`axes` is {axes:?}, and the input has {} axes", shape.len());
                let help = "list axes of `input_shape`, counted from zero, each once";
                return Err(Refusal::Field { field: "axes", message, help });
            }
        }
    }
    let chosen = |reduced: bool| (0..shape.len()).filter(|&axis| is_reduced[axis] == reduced).collect::<Vec<usize>>();
    let (reduced, kept) = (chosen(true), chosen(false));
    let lengths = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).collect::<Vec<usize>>();
    let [height, channels] = [&reduced, &kept].map(|axes| lengths(axes).iter().product::<usize>());
    let turned = builder.add(Op::Transpose(op::Transpose { axes: [&reduced[..], &kept].concat() }), &[operand])?;
    let image = builder.reshape(turned, &[height, 1, channels])?;
    let image = folded(builder, image, [height, 1], fold)?;
    let result = if kept.is_empty() { vec![1] } else { lengths(&kept) };
    builder.reshape(image, &result)
}

/// One window as large as the image.
fn folded(builder: &mut Builder<'_>, image: NodeId, window: [usize; 2], fold: Fold) -> Result<NodeId, Refusal> {
    let cells = (window[0] * window[1]) as f64;
    match fold {
        Fold::Sum => fold_windows(builder, image, window, [1, 1], 1.0),
        Fold::Mean => fold_windows(builder, image, window, [1, 1], 1.0 / cells),
        Fold::Max => builder.add(Op::MaxPool(op::MaxPool::tiles(window, false)), &[image]),
        Fold::Min => {
            let negated = builder.scaled(image, -1.0)?;
            let greatest = builder.add(Op::MaxPool(op::MaxPool::tiles(window, false)), &[negated])?;
            builder.scaled(greatest, -1.0)
        }
    }
}
