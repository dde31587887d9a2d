//! Operators that take elements from constant places, or put them there.

use ndarray::{ArrayD, Dimension, IxDyn};

use super::super::constant::Constant;
use super::super::importer::{Importer, integers};
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::{Stream, Value};
use super::elementwise::spread;

/// GatherElements: each element from its own place along an axis.
pub(super) fn gather_elements(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, indices) = (importer.stream(node, 0)?, importer.constant(node, 1)?);
    let (full, axis) = (x.full_shape(), x.full_axis(node.int("axis", 0))?);
    let places = places_of_elements(importer, &full, &indices, axis)?;
    importer.taken(node.name(), &x, places, indices.data.shape())
}

/// The places that indices name along an axis, at their own places along all others.
fn places_of_elements(
    importer: &mut Importer,
    full: &[usize],
    indices: &Constant,
    axis: usize,
) -> Imported<Vec<usize>> {
    let places = places(importer, full)?;
    let place = |(at, index): (IxDyn, &f64)| {
        let mut from = at.as_array_view().to_vec();
        if from.len() != full.len() {
            return refused(
                "its indices have another number of axes than its operand",
                "see the operator's definition",
            );
        }
        from[axis] = index_of(*index as i64, full[axis])?;
        match places.get(&from[..]) {
            Some(place) => Ok(*place),
            None => refused("its indices reach beyond its operand", "see the operator's definition"),
        }
    };
    indices.data.indexed_iter().map(place).collect()
}

/// GatherND: slices whose places are rows of a constant.
pub(super) fn gather_nd(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, indices) = (importer.stream(node, 0)?, importer.constant(node, 1)?);
    let batches = length_of(node.int("batch_dims", 0)).unwrap_or(usize::MAX);
    let full = x.full_shape();
    let (elements, shape) = places_of_slices(importer, &full, &indices, batches)?;
    importer.taken(node.name(), &x, elements, &shape)
}

/// The places of the elements of slices, and the shape of these.
fn places_of_slices(
    importer: &mut Importer,
    full: &[usize],
    indices: &Constant,
    batches: usize,
) -> Imported<(Vec<usize>, Vec<usize>)> {
    let wrong = || refused("its indices do not fit its operand", "see the operator's definition");
    let Some((&depth, rows)) = indices.data.shape().split_last() else { return wrong() };
    if batches > rows.len() || batches + depth > full.len() || depth == 0 || rows[..batches] != full[..batches] {
        return wrong();
    }
    let slice = &full[batches + depth..];
    let size: usize = slice.iter().product();
    importer.spend(rows.iter().product::<usize>().checked_mul(size))?;
    let numbers = indices.integers();
    let mut elements = Vec::new();
    for (row, at) in numbers.chunks(depth).zip(ndarray::indices(rows)) {
        let mut start = 0;
        for (axis, &length) in full[..batches + depth].iter().enumerate() {
            let index = if axis < batches { at[axis] } else { index_of(row[axis - batches], length)? };
            start = start * length + index;
        }
        elements.extend(start * size..(start + 1) * size);
    }
    Ok((elements, [rows, slice].concat()))
}

/// ScatterElements and its older name Scatter.
pub(super) fn scatter_elements(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, indices) = (importer.stream(node, 0)?, importer.constant(node, 1)?);
    let (full, axis) = (x.full_shape(), x.full_axis(node.int("axis", 0))?);
    let targets = places_of_elements(importer, &full, &indices, axis)?;
    scattered(importer, node, &x, &targets)
}

/// ScatterND.
pub(super) fn scatter_nd(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, indices) = (importer.stream(node, 0)?, importer.constant(node, 1)?);
    let (targets, _) = places_of_slices(importer, &x.full_shape(), &indices, 0)?;
    scattered(importer, node, &x, &targets)
}

/// The stream with updates, the node's third operand, at places.
fn scattered(importer: &mut Importer, node: &Node<'_>, x: &Stream, targets: &[usize]) -> Imported<Stream> {
    let (full, reduction) = (x.full_shape(), node.text("reduction").unwrap_or("none"));
    importer.spend_on(&full, 2)?;
    let updates = importer.required(node, 2)?.clone();
    if updates.full_shape().iter().product::<usize>() != targets.len() {
        return refused("it has another number of updates than of indices", "see the operator's definition");
    }
    match (updates, reduction) {
        (Value::Constant(updates), "none" | "add" | "mul") => {
            let mut factors = ArrayD::from_elem(IxDyn(&full), 1.0);
            let mut offsets = ArrayD::zeros(IxDyn(&full));
            let (all, shifts) = (factors.as_slice_mut(), offsets.as_slice_mut());
            // Both were just made, row by row.
            let (Some(all), Some(shifts)) = (all, shifts) else { return importer.stream(node, 0) };
            for (&target, update) in targets.iter().zip(updates.reals()) {
                match reduction {
                    "none" => (all[target], shifts[target]) = (0.0, update),
                    "add" => shifts[target] += update,
                    _ => all[target] *= update,
                }
            }
            let (factors, offsets) = (spread(x, &factors), spread(x, &offsets));
            importer.scaled_and_shifted(node.name(), x, Some(factors), Some(offsets))
        }
        (Value::Stream(updates), "none") => {
            let count: usize = full.iter().product();
            let mut sources: Vec<usize> = (0..count).collect();
            targets.iter().enumerate().for_each(|(at, &target)| sources[target] = count + at);
            let own = importer.reshaped_to(&format!("{}, in a row", node.name()), x, &[count])?;
            let others = importer.reshaped_to(&format!("{}, updates", node.name()), &updates, &[targets.len()])?;
            let both = format!("{}, with updates", node.name());
            let both = importer.compose(&both, "concat", vec![("axis", integers(vec![0]))], &[&own, &others])?;
            importer.taken(node.name(), &both, sources, &full)
        }
        (_, reduction) => refused(
            format!("`reduction` is {reduction}"),
            "none is supported; with constant updates add and mul are too",
        ),
    }
}

/// Each element's place in a tensor of a shape, row by row.
pub(super) fn places(importer: &mut Importer, shape: &[usize]) -> Imported<ArrayD<usize>> {
    importer.spend_on(shape, 1)?;
    let count = shape.iter().product();
    // As many elements as the shape has.
    Ok(ArrayD::from_shape_vec(IxDyn(shape), (0..count).collect()).unwrap_or_default())
}

/// An index, which may count from the end.
pub(super) fn index_of(index: i64, length: usize) -> Imported<usize> {
    let counted = if index < 0 { index + length as i64 } else { index };
    match (0..length as i64).contains(&counted) {
        true => Ok(counted as usize),
        false => refused(format!("it takes index {index} of {length}"), "indices must lie in the axis"),
    }
}
