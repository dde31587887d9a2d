//! Operators that take some of the elements, by constant places, or put tensors together.

use ndarray::{ArrayD, IxDyn};

use super::super::constant::Constant;
use super::super::importer::{Importer, integers};
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::{Stream, Value};
use super::elementwise::affine;
use super::logic::flags_of;
use super::places::index_of;
use crate::front::LayerKind;

/// Concat, of constants too.
pub(super) fn concat(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mut operands = importer.operands(node)?;
    operands.retain(|operand| !operand.full_shape().contains(&0));
    let streams: Vec<Stream> = operands.iter().filter_map(stream_of).collect();
    if streams.len() == operands.len() {
        return concat_of(importer, node, streams);
    }
    let Some(first) = streams.first() else {
        return refused("it depends on no input", "this operator is supported on what depends on the input");
    };
    let axis = first.full_axis(node.int("axis", 1))?;
    // Constants are borders of the streams beside them, of zeros first.
    let mut full = first.full_shape();
    let lengths: Vec<usize> =
        operands.iter().map(|operand| operand.full_shape().get(axis).copied().unwrap_or(0)).collect();
    full[axis] = lengths.iter().sum();
    importer.spend_on(&full, 1)?;
    let mut offsets = ArrayD::zeros(IxDyn(&full));
    let (mut parts, mut before, mut start) = (Vec::new(), 0, 0);
    for (operand, &length) in operands.iter().zip(&lengths) {
        match operand {
            Value::Stream(stream) => {
                parts.push((stream.clone(), [std::mem::take(&mut before), 0]));
            }
            Value::Constant(constant) => {
                let mut place = offsets.slice_axis_mut(ndarray::Axis(axis), (start..start + length).into());
                if place.shape() != constant.data.shape() {
                    return refused(
                        format!("it joins {:?} to {:?}", constant.data.shape(), first.full_shape()),
                        "all axes but one must be alike",
                    );
                }
                place.assign(&constant.reals());
                match parts.last_mut() {
                    Some((_, [_, after])) => *after += length,
                    None => before += length,
                }
            }
        }
        start += length;
    }
    let mut streams = Vec::new();
    for (stream, border) in parts {
        streams.push(widened(importer, &format!("{}, place", node.name()), &stream, axis, border)?);
    }
    let joined = concat_of(importer, node, streams)?;
    affine(importer, &format!("{}, constants", node.name()), &joined, None, Some(offsets))
}

fn stream_of(value: &Value) -> Option<Stream> {
    match value {
        Value::Stream(stream) => Some(stream.clone()),
        Value::Constant(_) => None,
    }
}

/// A border of zeros along an axis of the full shape.
fn widened(importer: &mut Importer, name: &str, x: &Stream, axis: usize, border: [usize; 2]) -> Imported<Stream> {
    if border == [0, 0] {
        return Ok(x.clone());
    }
    let axis = x.axis(axis as i64)?;
    let x = importer.in_order(x)?;
    let at_axis = |width: usize| (0..x.shape.len()).map(|other| if other == axis { width } else { 0 }).collect();
    let kind = LayerKind::Padding { before: at_axis(border[0]), after: at_axis(border[1]), value: 0.0 };
    importer.push(name, kind, &[&x])
}

/// Streams end to end along the axis of a node.
pub(super) fn concat_of(importer: &mut Importer, node: &Node<'_>, streams: Vec<Stream>) -> Imported<Stream> {
    let streams = importer.aligned(&streams)?;
    let Some(first) = streams.first().cloned() else {
        return refused("it has no operands", "see the operator's definition");
    };
    let full_axis = first.full_axis(node.int("axis", 1))?;
    if let [only] = &streams[..] {
        return Ok(only.clone());
    }
    if first.has_batch && full_axis == 0 {
        // Samples end to end are no longer one sample.
        let mut rows = Vec::new();
        for stream in &streams {
            let x = importer.in_order(stream)?;
            let shape = [&[1], &x.shape[..]].concat();
            rows.push(importer.view(&format!("{}, rows", node.name()), &x, &shape)?);
        }
        let rows: Vec<&Stream> = rows.iter().collect();
        let joined = importer.compose(node.name(), "concat", vec![("axis", integers(vec![0]))], &rows)?;
        return Ok(Stream { has_batch: false, ..joined });
    }
    let axis = first.axis(full_axis as i64)?;
    // Images end to end by channel need not be turned.
    let is_last = axis == 0 && streams.iter().all(|stream| stream.is_last);
    let brought = importer.in_one_order(&streams, is_last)?;
    let axis = if is_last { first.shape.len() - 1 } else { axis };
    let reads: Vec<&Stream> = brought.iter().collect();
    Ok(importer.compose(node.name(), "concat", vec![("axis", integers(vec![axis]))], &reads)?.with_layer_order(is_last))
}

/// Split along an axis, into lengths that are given, or as many equal parts as there are outputs.
pub(super) fn split(importer: &mut Importer, node: &Node<'_>) -> Imported<Vec<Stream>> {
    let x = importer.stream(node, 0)?;
    let axis = x.full_axis(node.int("axis", 0))?;
    let (length, outputs) = (x.full_shape()[axis], node.proto.output.len());
    let count = length_of(node.int("num_outputs", outputs as i64)).unwrap_or(0).max(1);
    let lengths = match importer.ints(node, "split", 1)? {
        Some(lengths) => lengths.iter().map(|&length| length_of(length)).collect::<Option<Vec<usize>>>(),
        // The last is shorter where they can't be equal.
        None => {
            let each = length.div_ceil(count);
            (0..count).map(|at| Some(each.min(length.checked_sub(at * each)?))).collect()
        }
    };
    let Some(lengths) = lengths.filter(|lengths| lengths.iter().sum::<usize>() == length && !lengths.contains(&0))
    else {
        return refused(format!("it splits {length} into {count}"), "lengths must be positive and come to the whole");
    };
    let mut start = 0;
    let parts = lengths.into_iter().enumerate().map(|(at, length)| {
        let indices = (start..start + length).collect();
        start += length;
        along(importer, &format!("{}, part {at}", node.name()), &x, axis, indices)
    });
    parts.collect()
}

/// Indices along an axis of the full shape; along the batch axis they must be the only one.
fn along(importer: &mut Importer, name: &str, x: &Stream, axis: usize, indices: Vec<usize>) -> Imported<Stream> {
    if x.has_batch && axis == 0 {
        let shape = [&[indices.len()], &x.shape[..]].concat();
        return importer.expanded(name, x, &shape);
    }
    let axis = axis - usize::from(x.has_batch);
    importer.gathered(name, x, axis, indices)
}

/// Slice by constants.
pub(super) fn slice(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let mut x = importer.stream(node, 0)?;
    let given = |name: &str, at: usize| importer.ints(node, name, at);
    let (starts, ends) = (given("starts", 1)?.unwrap_or_default(), given("ends", 2)?.unwrap_or_default());
    let axes = given("axes", 3)?.unwrap_or((0..starts.len() as i64).collect());
    let steps = importer.optional_constant(node, 4)?.map_or(vec![1; starts.len()], |steps| steps.integers());
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return refused("starts, ends, axes and steps are not as many", "give one of each for each axis");
    }
    for (at, &axis) in axes.iter().enumerate() {
        let axis = x.full_axis(axis)?;
        let indices = sliced(x.full_shape()[axis], starts[at], ends[at], steps[at]);
        if indices.is_empty() {
            let (start, end, step) = (starts[at], ends[at], steps[at]);
            return refused(format!("it takes {start} to {end} in steps of {step}"), "a slice must hold something");
        }
        x = along(importer, &format!("{}, along axis {axis}", node.name()), &x, axis, indices)?;
    }
    Ok(x)
}

/// The indices of a slice, as numpy has them.
fn sliced(length: usize, start: i64, end: i64, step: i64) -> Vec<usize> {
    let length = length as i64;
    let (least, greatest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |at: i64| if at < 0 { at.saturating_add(length) } else { at }.clamp(least, greatest);
    let (start, end) = (place(start), place(end));
    let step_size = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    match step {
        1.. => (start..end).step_by(step_size).map(|at| at as usize).collect(),
        0 => Vec::new(),
        _ => (end + 1..start + 1).rev().step_by(step_size).map(|at| at as usize).collect(),
    }
}

/// Gather by constant indices along an axis; of a constant table, by indices that depend on the inputs.
pub(super) fn gather(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = match (importer.required(node, 0)?.clone(), importer.required(node, 1)?.clone()) {
        (Value::Stream(x), _) => x,
        (Value::Constant(table), Value::Stream(indices)) => return looked_up(importer, node, &table, &indices),
        (Value::Constant(_), Value::Constant(_)) => return importer.stream(node, 0),
    };
    let indices = importer.constant(node, 1)?;
    let (full, axis) = (x.full_shape(), x.full_axis(node.int("axis", 0))?);
    let list = indices.integers().into_iter().map(|index| index_of(index, full[axis])).collect::<Imported<Vec<_>>>()?;
    let shape = [&full[..axis], indices.data.shape(), &full[axis + 1..]].concat();
    let taken = along(importer, node.name(), &x, axis, list)?;
    importer.reshaped_to(&format!("{}, with its axes", node.name()), &taken, &shape)
}

/// The numbers of a list at indices.
pub(super) fn listed(importer: &mut Importer, name: &str, list: &Constant, indices: &Stream) -> Imported<Stream> {
    let row = importer.reshaped_to(&format!("{}, indices", name), indices, &[1, indices.shape.iter().product()])?;
    let numbers: Vec<f64> = list.reals().into_iter().collect();
    if numbers.iter().enumerate().all(|(at, number)| *number == at as f64) {
        return Ok(row.of(list.element));
    }
    let column = importer.reshaped_to(&format!("{}, as a column", name), &row, &[row.shape[0], 1])?;
    let flags = flags_of(importer, &format!("{}, flags", name), &column, 1, numbers.len())?;
    let last = flags.shape.len() - 1;
    let matrix = ndarray::Array2::from_shape_fn((1, numbers.len()), |(_, at)| numbers[at]);
    let values = importer.products_along(name, &flags, last, &matrix, None)?;
    importer.reshaped_to(&format!("{}, in a row", name), &values, &[1, row.shape[0]]).map(|row| row.of(list.element))
}

/// Rows of a table, each the product of the table and the flags of an index.
fn looked_up(importer: &mut Importer, node: &Node<'_>, table: &Constant, indices: &Stream) -> Imported<Stream> {
    let Ok(matrix) = table.reals().into_dimensionality::<ndarray::Ix2>() else {
        return refused(
            format!("it takes indices that depend on the input of a table of shape {:?}", table.data.shape()),
            "a table must have two axes",
        );
    };
    if node.int("axis", 0) != 0 {
        return refused("it takes columns by indices that depend on the input", "rows of a table are supported");
    }
    let shape = [&indices.full_shape()[..], &[1]].concat();
    let column = importer.reshaped_to(&format!("{}, indices", node.name()), indices, &shape)?;
    let flags = format!("{}, flags", node.name());
    let flags = flags_of(importer, &flags, &column, shape.len() - 1, matrix.nrows())?;
    let last = flags.shape.len() - 1;
    Ok(importer.products_along(node.name(), &flags, last, &matrix.t().to_owned(), None)?.of(table.element))
}

/// Compress: the indices of an axis, or of all elements, where a constant holds.
pub(super) fn compress(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, flags) = (importer.stream(node, 0)?, importer.constant(node, 1)?);
    let kept: Vec<usize> = flags.data.iter().enumerate().filter(|(_, flag)| **flag != 0.0).map(|(at, _)| at).collect();
    let full = x.full_shape();
    let axis = node.optional_int("axis").map(|axis| x.full_axis(axis)).transpose()?;
    let length = axis.map_or(full.iter().product(), |axis| full[axis]);
    if kept.is_empty() || kept.last().is_some_and(|last| *last >= length) {
        return refused(format!("it keeps {kept:?} of {length}"), "one at least must be kept, and none beyond the end");
    }
    match axis {
        Some(axis) => along(importer, node.name(), &x, axis, kept),
        None => {
            let shape = [kept.len()];
            importer.taken(node.name(), &x, kept, &shape)
        }
    }
}

/// ArrayFeatureExtractor of `ai.onnx.ml`: indices along the last axis; of a constant list, by indices that depend on the inputs.
pub(super) fn features(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    if let (Value::Constant(list), Value::Stream(indices)) = (importer.required(node, 0)?, importer.required(node, 1)?)
        && list.data.len() == list.data.shape().last().copied().unwrap_or(0)
    {
        let (list, indices) = (list.clone(), indices.clone());
        return listed(importer, node.name(), &list, &indices);
    }
    let (x, indices) = (importer.stream(node, 0)?, importer.constant(node, 1)?.integers());
    let last = x.full_axis(-1)?;
    let length = x.full_shape()[last];
    let indices = indices.into_iter().map(|index| index_of(index, length)).collect::<Imported<Vec<_>>>()?;
    let is_list = x.full_shape().len() == 1;
    let shape = [1, indices.len()];
    let taken = along(importer, node.name(), &x, last, indices)?;
    if is_list { importer.reshaped_to(node.name(), &taken, &shape) } else { Ok(taken) }
}
