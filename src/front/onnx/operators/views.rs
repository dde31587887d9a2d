//! Operators that put all elements into another shape or order.

use ndarray::Dimension;

use super::super::importer::Importer;
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::{Stream, Value, axis_of, broadcast};
use super::places::places;

/// Flatten: the axes before one become the first, and the others the second.
pub(super) fn flatten(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let (full, axis) = (x.full_shape(), node.int("axis", 1));
    let at = if axis == full.len() as i64 { full.len() } else { x.full_axis(axis)? };
    let length = |lengths: &[usize]| lengths.iter().product();
    importer.reshaped_to(node.name(), &x, &[length(&full[..at]), length(&full[at..])])
}

/// Reshape to a constant shape, of which -1 stands for what is left and 0 for the axis of the operand.
pub(super) fn reshape(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let asked = importer.ints(node, "shape", 1)?.unwrap_or_default();
    let keeps_zero = node.int("allowzero", 0) != 0;
    let from = x.full_shape();
    let all: usize = from.iter().product();
    let length = |(at, &length): (usize, &i64)| match length {
        0 if !keeps_zero => from.get(at).copied(),
        -1 => Some(0),
        length => usize::try_from(length).ok(),
    };
    let wrong = || refused(format!("it makes {asked:?} of {from:?}"), "the new shape must have as many elements");
    let Some(mut shape) = asked.iter().enumerate().map(length).collect::<Option<Vec<usize>>>() else { return wrong() };
    let product = |shape: &[usize]| shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
    let known: Vec<usize> = shape.iter().copied().filter(|length| *length > 0).collect();
    let Some(known) = product(&known) else { return wrong() };
    for length in shape.iter_mut().filter(|length| **length == 0) {
        *length = all / known.max(1);
    }
    if product(&shape) == Some(all) { importer.reshaped_to(node.name(), &x, &shape) } else { wrong() }
}

/// Squeeze, whose axes are an attribute in old versions and an operand in new ones.
pub(super) fn squeeze(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let mut shape = x.full_shape();
    let gone = match importer.ints(node, "axes", 1)? {
        Some(axes) => axes.iter().map(|&axis| x.full_axis(axis)).collect::<Imported<Vec<usize>>>()?,
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
    };
    if gone.iter().any(|&axis| shape[axis] != 1) {
        return refused(format!("it takes axes {gone:?} out of {shape:?}"), "only axes of length one can go");
    }
    shape = shape.into_iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, length)| length).collect();
    importer.reshaped_to(node.name(), &x, &shape)
}

/// Unsqueeze, likewise.
pub(super) fn unsqueeze(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let mut shape = x.full_shape();
    let axes = importer.ints(node, "axes", 1)?.unwrap_or_default();
    let rank = shape.len() + axes.len();
    let mut places = axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Imported<Vec<usize>>>()?;
    places.sort_unstable();
    places.dedup();
    if places.len() != axes.len() {
        return refused(format!("it makes axes {axes:?}"), "it must name each axis once");
    }
    for place in places {
        shape.insert(place, 1);
    }
    importer.reshaped_to(node.name(), &x, &shape)
}

/// Transpose. A batch axis has length one, so where it goes makes no difference to the others.
pub(super) fn transpose(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let full = x.full_shape();
    let reversed: Vec<i64> = (0..full.len() as i64).rev().collect();
    let order = node.ints("perm").unwrap_or(&reversed).iter().map(|&axis| x.full_axis(axis));
    let order: Vec<usize> = order.collect::<Imported<_>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..full.len()) {
        return refused(format!("`perm` is {order:?}"), "it must name each axis once");
    }
    reordered(importer, node.name(), &x, &order)
}

/// The stream with the axes of its full shape in another order.
pub(super) fn reordered(importer: &mut Importer, name: &str, x: &Stream, order: &[usize]) -> Imported<Stream> {
    let full = x.full_shape();
    let shape: Vec<usize> = order.iter().map(|&axis| full[axis]).collect();
    let others: Vec<usize> = order.iter().filter_map(|axis| axis.checked_sub(usize::from(x.has_batch))).collect();
    let x = importer.in_order(x)?;
    if others.is_empty() {
        return importer.reshaped_to(name, &x, &shape);
    }
    let turned = importer.permuted(name, &x, others)?.quantized_to(x.quantized);
    importer.reshaped_to(&format!("{name}, with its axes"), &turned, &shape)
}

/// Expand to a shape that both broadcast to.
pub(super) fn expand(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let asked = importer.constant(node, 1)?.lengths()?;
    let full = broadcast(&x.full_shape(), &asked)?;
    importer.expanded(node.name(), &x, &full)
}

/// Tile: the whole tensor several times along each axis.
pub(super) fn tile(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mut x = importer.stream(node, 0)?;
    let (repeats, full) = (importer.constant(node, 1)?.lengths()?, x.full_shape());
    if repeats.len() != full.len() || repeats.contains(&0) {
        return refused(format!("it repeats {full:?} by {repeats:?}"), "give one positive number for each axis");
    }
    let shape: Vec<usize> = full.iter().zip(&repeats).map(|(length, count)| length.saturating_mul(*count)).collect();
    if x.has_batch && repeats[0] > 1 {
        // What was the axis of samples has several now.
        x = importer.expanded(&format!("{}, repeated", node.name()), &x, &[&repeats[..1], &full[1..]].concat())?;
    }
    let own = &shape[usize::from(x.has_batch)..];
    for (axis, &length) in
        own.iter().enumerate().filter(|(axis, length)| x.shape[*axis] != **length).collect::<Vec<_>>()
    {
        let from = x.shape[axis];
        x = importer.gathered(&format!("{}, along axis {axis}", node.name()), &x, axis, repeated(from, length)?)?;
    }
    Ok(x)
}

fn repeated(from: usize, length: usize) -> Imported<Vec<usize>> {
    match length <= crate::front::MAX_BORDER.saturating_mul(from) {
        true => Ok((0..length).map(|at| at % from).collect()),
        false => refused(format!("it makes an axis of {length}"), "no circuit holds so many elements"),
    }
}

/// DepthToSpace: blocks of channels become blocks of pixels.
pub(super) fn depth_to_space(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, block, [samples, channels, height, width]) = blocks(importer, node)?;
    if !channels.is_multiple_of(block * block) {
        return refused(format!("it takes {channels} channels apart by {block}"), "blocks must divide the channels");
    }
    let depth = channels / (block * block);
    // By columns first, [depth of a block, block, block], or by rows.
    let (split, order) = match node.text("mode").unwrap_or("DCR") {
        "DCR" => ([samples, block, block, depth, height, width], vec![0, 3, 4, 1, 5, 2]),
        _ => ([samples, depth, block, block, height, width], vec![0, 1, 4, 2, 5, 3]),
    };
    split_and_joined(importer, node.name(), &x, &split, order, &[samples, depth, height * block, width * block])
}

/// SpaceToDepth: blocks of pixels become blocks of channels.
pub(super) fn space_to_depth(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, block, [samples, channels, height, width]) = blocks(importer, node)?;
    if !height.is_multiple_of(block) || !width.is_multiple_of(block) {
        return refused(format!("it takes {height} by {width} apart by {block}"), "blocks must divide the image");
    }
    let (rows, columns) = (height / block, width / block);
    let split = [samples, channels, rows, block, columns, block];
    let order = match node.text("mode").unwrap_or("DCR") {
        "DCR" => vec![0, 3, 5, 1, 2, 4],
        _ => vec![0, 1, 3, 5, 2, 4],
    };
    split_and_joined(importer, node.name(), &x, &split, order, &[samples, channels * block * block, rows, columns])
}

fn blocks(importer: &mut Importer, node: &Node<'_>) -> Imported<(Stream, usize, [usize; 4])> {
    let x = importer.stream(node, 0)?;
    match (length_of(node.int("blocksize", 0)), <[usize; 4]>::try_from(x.full_shape())) {
        (Some(block @ 1..), Ok(lengths)) => Ok((x, block, lengths)),
        (block, _) => refused(
            format!("its blocks are of {block:?}, its operand of shape {:?}", x.full_shape()),
            "images in positive blocks are supported",
        ),
    }
}

fn split_and_joined(
    importer: &mut Importer,
    name: &str,
    x: &Stream,
    split: &[usize],
    order: Vec<usize>,
    full: &[usize],
) -> Imported<Stream> {
    let x = importer.in_order(x)?;
    let parts = importer.view(&format!("{name}, in blocks"), &x, split)?;
    let turned = importer.permuted(name, &parts, order)?;
    importer.reshaped_to(&format!("{name}, with its axes"), &Stream { has_batch: false, ..turned }, full)
}

/// ReverseSequence: the first so many elements of each sequence backwards.
pub(super) fn reverse_sequence(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let counts = importer.constant(node, 1)?.lengths()?;
    let (batch, time) = (x.full_axis(node.int("batch_axis", 1))?, x.full_axis(node.int("time_axis", 0))?);
    let full = x.full_shape();
    if counts.len() != full[batch] || counts.iter().any(|count| *count > full[time]) {
        return refused(format!("it turns {counts:?} elements of {full:?}"), "see the operator's definition");
    }
    let places = places(importer, &full)?;
    let indices = places.indexed_iter().map(|(at, _)| {
        let (mut from, count) = (at.as_array_view().to_vec(), counts[at[batch]]);
        if from[time] < count {
            from[time] = count - 1 - from[time];
        }
        places[&from[..]]
    });
    let indices: Vec<usize> = indices.collect();
    importer.taken(node.name(), &x, indices, &full)
}

/// What gives its operand as it is: Identity, and Dropout as it is after training.
pub(super) fn identity(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let trains = importer.optional_constant(node, 2)?.is_some_and(|trains| trains.data.iter().any(|flag| *flag != 0.0));
    let ratio = importer.number(node, "ratio", 1)?.unwrap_or(0.5);
    if trains && ratio != 0.0 {
        return refused("it is in training mode", "export the network for inference");
    }
    importer.required(node, 0).cloned()
}
