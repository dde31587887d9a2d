//! Greatest and mean numbers of windows, and how far windows reach.

use ndarray::{ArrayD, Dimension, IxDyn};

use super::super::importer::{Importer, integers};
use super::super::node::{Imported, Node, refused};
use super::super::stream::Stream;
use super::places::places;
use crate::front::{Attribute, Composed, LayerKind};

/// How windows, of a pool or of a kernel, go over an image: for each of its axes a size, steps, and borders.
pub(super) struct Windows {
    pub(super) sizes: Vec<usize>,
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    pub(super) before: Vec<usize>,
    pub(super) after: Vec<usize>,
}

impl Windows {
    /// The windows of a node over axes of these lengths, by `strides`, `dilations`, and `pads` or `auto_pad`.
    pub(super) fn of(node: &Node<'_>, lengths: &[usize], sizes: Vec<usize>) -> Imported<Self> {
        let axes = lengths.len();
        let (stride, dilation) = (node.lengths("strides", axes, 1)?, node.lengths("dilations", axes, 1)?);
        if sizes.iter().chain(&stride).chain(&dilation).any(|length| *length == 0) {
            return refused("its windows are empty, or do not move", "see the operator's definition");
        }
        let span = |at: usize| (sizes[at] - 1) * dilation[at] + 1;
        let (before, after) = match node.text("auto_pad").unwrap_or("NOTSET") {
            "NOTSET" => {
                let pads = node.lengths("pads", 2 * axes, 0)?;
                (pads[..axes].to_vec(), pads[axes..].to_vec())
            }
            "VALID" => (vec![0; axes], vec![0; axes]),
            kind @ ("SAME_UPPER" | "SAME_LOWER") => {
                let pad = |at: usize| {
                    let steps = lengths[at].div_ceil(stride[at]) - 1;
                    let all = (steps * stride[at] + span(at)).saturating_sub(lengths[at]);
                    let half = all / 2;
                    if kind == "SAME_UPPER" { (half, all - half) } else { (all - half, half) }
                };
                (0..axes).map(pad).unzip()
            }
            other => return refused(format!("`auto_pad` is {other}"), "use `pads`, SAME_UPPER, SAME_LOWER or VALID"),
        };
        Ok(Self { stride, dilation, before, after, sizes })
    }

    /// How many windows there are along an axis of a length; with `ceil_mode` also one that reaches beyond the border, if it begins
    /// before it.
    fn count(&self, at: usize, length: usize, ceil: bool) -> Option<usize> {
        let span = (self.sizes[at] - 1) * self.dilation[at] + 1;
        let whole = length + self.before[at] + self.after[at];
        let rest = whole.checked_sub(span)?;
        let steps = if ceil { rest.div_ceil(self.stride[at]) } else { rest / self.stride[at] };
        let begins_inside = steps * self.stride[at] < length + self.before[at];
        Some(if begins_inside || !ceil { steps + 1 } else { steps })
    }
}

/// MaxPool.
pub(super) fn max_pool(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    if node.proto.output.len() > 1 {
        return refused("it gives indices too", "only the values of a pool are supported");
    }
    pool(importer, node, Pool::Greatest)
}

/// AveragePool.
pub(super) fn average_pool(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let counts_border = node.int("count_include_pad", 0) != 0;
    pool(importer, node, Pool::Mean { counts_border })
}

#[derive(Clone, Copy, PartialEq)]
enum Pool {
    Greatest,
    Mean { counts_border: bool },
}

/// A pool of an image, or of a sequence as an image one pixel wide; whatever else there is by the elements of each window.
fn pool(importer: &mut Importer, node: &Node<'_>, pool: Pool) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    let Some((channels, lengths)) = x.shape.split_first().filter(|(_, lengths)| !lengths.is_empty()) else {
        return refused(
            format!("its operand has shape {:?}, without the batch axis", x.shape),
            "see the operator's definition",
        );
    };
    let windows = Windows::of(node, lengths, node.lengths("kernel_shape", lengths.len(), 1)?)?;
    let ceil = node.int("ceil_mode", 0) != 0;
    let counts = (0..lengths.len()).map(|at| windows.count(at, lengths[at], ceil)).collect::<Option<Vec<usize>>>();
    let Some(counts) = counts else {
        return refused("its windows reach beyond the operand and its border", "make them smaller");
    };
    let is_common = lengths.len() <= 2
        && windows.dilation.iter().all(|step| *step == 1)
        && (0..lengths.len()).all(|at| windows.count(at, lengths[at], false) == Some(counts[at]));
    let quantized = x.quantized.filter(|_| pool == Pool::Greatest);
    let full = [&[1, *channels], &counts[..]].concat();
    let pooled = if is_common {
        pool_of_image(importer, node, &x, windows, pool)?
    } else {
        pool_of_elements(importer, node, &x, &windows, &full, pool)?
    };
    // The greatest of quantized numbers is one of them; their mean need not be.
    Ok(pooled.quantized_to(quantized))
}

fn pool_of_image(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    windows: Windows,
    pool: Pool,
) -> Imported<Stream> {
    let is_image = x.shape.len() == 3;
    let Windows { sizes, stride, before, after, .. } = windows;
    // A sequence is an image one pixel wide.
    let pair = |lengths: Vec<usize>, one: usize| [lengths[0], lengths.get(1).copied().unwrap_or(one)];
    let (window, stride, before, after) = (pair(sizes, 1), pair(stride, 1), pair(before, 0), pair(after, 0));
    let kind = match pool {
        Pool::Greatest => LayerKind::MaxPool { window, stride: Some(stride), before, after },
        Pool::Mean { counts_border } => {
            let sides = [("window", window), ("stride", stride), ("before", before), ("after", after)];
            let fields = sides.map(|(field, sides)| (field, integers(sides.to_vec())));
            let fields = fields.into_iter().chain([("count_padding", Attribute::Flag(counts_border))]);
            match Composed::new("average_pool", fields) {
                Ok(composed) => LayerKind::Composed(composed),
                Err(_) => return refused("its windows reach too far", "see the operator's definition"),
            }
        }
    };
    let x = importer.channels_last(x)?;
    let pooled = if is_image {
        importer.push(node.name(), kind, &[&x])?
    } else {
        let (channels, length) = (x.shape[0], x.shape[1]);
        let image = importer.view(&format!("{}, as an image", node.name()), &x, &[length, 1, channels])?;
        let image = importer.push(&format!("{}, of an image", node.name()), kind, &[&image])?;
        importer.view(node.name(), &image, &[image.shape[0], channels])?
    };
    Ok(pooled.with_layer_order(true))
}

/// The elements of each window side by side, and the greatest or the mean of them. `full` is the shape of the result.
fn pool_of_elements(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    windows: &Windows,
    full: &[usize],
    pool: Pool,
) -> Imported<Stream> {
    let name = node.name();
    let (channels, lengths) = (x.shape[0], &x.shape[1..]);
    let places = places(importer, &x.shape)?;
    // Windows may be as large as their borders, each far beyond any image.
    importer.spend_on(&[full, &windows.sizes].concat(), 1)?;
    let elements: usize = windows.sizes.iter().product();
    let (mut indices, mut factors) = (Vec::new(), Vec::new());
    for channel in 0..channels {
        for start in ndarray::indices(&full[2..]) {
            let (inside, cells) = cells(windows, lengths, &start.as_array_view().to_vec());
            let Some(first) = inside.first() else {
                return refused("a window holds nothing of its operand", "make borders narrower than windows");
            };
            let place = |at: &Vec<usize>| places[&[&[channel], &at[..]].concat()[..]];
            let missing = elements - inside.len();
            // For the greatest, an element once more changes nothing; in a sum it stands for a zero, beyond all others.
            let filler = if pool == Pool::Greatest { place(first) } else { places.len() };
            indices.extend(inside.iter().map(place).chain(std::iter::repeat_n(filler, missing)));
            let counts_border = pool == Pool::Mean { counts_border: true };
            factors.push(1.0 / if counts_border { cells as f64 } else { inside.len() as f64 });
        }
    }
    let in_order = importer.in_order(x)?;
    let row = importer.view(&format!("{name}, in a row"), &in_order, &[places.len()])?;
    let zero = LayerKind::Padding { before: vec![0], after: vec![1], value: 0.0 };
    let row =
        if pool == Pool::Greatest { row } else { importer.push(&format!("{name}, and a zero"), zero, &[&row])? };
    let taken = importer.gathered(&format!("{name}, of windows"), &row, 0, indices)?;
    let taken = importer.view(&format!("{name}, windows"), &taken, &[factors.len(), elements])?;
    let layer_type = if pool == Pool::Greatest { "reduce_max" } else { "reduce_sum" };
    let mut pooled = importer.over_the_last(name, layer_type, &taken)?;
    if pool != Pool::Greatest {
        let factors = ArrayD::from_shape_vec(IxDyn(&pooled.shape), factors).ok();
        pooled = importer.scaled_and_shifted(&format!("{name}, means"), &pooled, factors, None)?;
    }
    importer.reshaped_to(&format!("{name}, with its axes"), &Stream { has_batch: false, ..pooled }, full)
}

/// The elements of a window that lie inside, and how many lie inside or on the border.
fn cells(windows: &Windows, lengths: &[usize], window: &[usize]) -> (Vec<Vec<usize>>, usize) {
    let (mut inside, mut cells) = (Vec::new(), 0);
    for offset in ndarray::indices(&windows.sizes[..]) {
        let at = |axis: usize| window[axis] * windows.stride[axis] + offset[axis] * windows.dilation[axis];
        let all = (0..lengths.len()).collect::<Vec<usize>>();
        if all.iter().all(|&axis| at(axis) < lengths[axis] + windows.before[axis] + windows.after[axis]) {
            cells += 1;
        }
        let place = |&axis: &usize| at(axis).checked_sub(windows.before[axis]).filter(|place| *place < lengths[axis]);
        inside.extend(all.iter().map(place).collect::<Option<Vec<usize>>>());
    }
    (inside, cells)
}
