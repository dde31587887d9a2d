//! Operators that make fewer numbers of those along axes, or put them into order.

use ndarray::Array2;

use super::super::constant::{Element, number};
use super::super::importer::{Importer, integers};
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::Stream;
use super::elementwise::{affine, join, of_one};
use super::logic::flags_of;
use crate::front::LayerKind;

/// GlobalAveragePool and GlobalMaxPool.
pub(super) fn global_pool(importer: &mut Importer, node: &Node<'_>, layer_type: &'static str) -> Imported<Stream> {
    let x = importer.sample(node, 0)?;
    global_pool_of(importer, node, &x, layer_type)
}

/// The same of a stream.
pub(super) fn global_pool_of(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    layer_type: &'static str,
) -> Imported<Stream> {
    let axes: Vec<usize> = (2..x.shape.len() + 1).collect();
    reduced(importer, node, x, &axes, true, |importer, name, x, axes| {
        importer.compose(name, layer_type, vec![("axes", integers(axes))], &[x])
    })
}

/// ReduceSum, ReduceMean, ReduceMax and ReduceMin; ReduceL1, of magnitudes, ReduceSumSquare, of squares, and ReduceProd.
pub(super) fn reduce(importer: &mut Importer, node: &Node<'_>, layer_type: &'static str) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    if node.proto.op_type == "ReduceMean" && !x.element.is_float() {
        return refused("it is of integers", "means of floating point numbers are supported");
    }
    // An attribute in old versions, and an operand in new ones.
    let axes: Vec<usize> = match importer.ints(node, "axes", 1)? {
        Some(given) if !given.is_empty() => given.iter().map(|&axis| x.full_axis(axis)).collect::<Imported<_>>()?,
        _ if node.int("noop_with_empty_axes", 0) != 0 => Vec::new(),
        _ => (0..x.full_shape().len()).collect(),
    };
    let x = match &node.proto.op_type[..] {
        "ReduceL1" => of_one(importer, &format!("{}, magnitudes", node.name()), &x, "absolute", &[])?,
        "ReduceSumSquare" => of_one(importer, &format!("{}, squares", node.name()), &x, "square", &[])?,
        _ => x,
    };
    let keeps = node.int("keepdims", 1) != 0;
    if node.proto.op_type == "ReduceProd" {
        return reduced(importer, node, &x, &axes, keeps, product);
    }
    reduced(importer, node, &x, &axes, keeps, |importer, name, x, axes| {
        importer.compose(name, layer_type, vec![("axes", integers(axes))], &[x])
    })
}

/// The product of all elements along axes, one axis after the other.
fn product(importer: &mut Importer, name: &str, x: &Stream, axes: Vec<usize>) -> Imported<Stream> {
    let mut x = x.clone();
    for &axis in &axes {
        let part = |importer: &mut Importer, at: usize| {
            importer.gathered(&format!("{name}, factor {at} along axis {axis}"), &x, axis, vec![at])
        };
        let factors = (0..x.shape[axis]).map(|at| part(importer, at)).collect::<Imported<Vec<Stream>>>()?;
        if factors.len() > 1 {
            x = join(importer, &format!("{name}, along axis {axis}"), "multiply", &factors)?;
        }
    }
    Ok(x)
}

/// A tensor without some of its axes, those of the full shape, or with length one for these.
fn reduced(
    importer: &mut Importer,
    node: &Node<'_>,
    x: &Stream,
    axes: &[usize],
    keeps: bool,
    fold: impl Fn(&mut Importer, &str, &Stream, Vec<usize>) -> Imported<Stream>,
) -> Imported<Stream> {
    let full = x.full_shape();
    let kept = |at: usize| !axes.contains(&at);
    let shape: Vec<usize> = match keeps {
        true => full.iter().enumerate().map(|(at, &length)| if kept(at) { length } else { 1 }).collect(),
        false => full.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, &length)| length).collect(),
    };
    let mut x = importer.in_order(x)?;
    // Along the batch axis there is nothing to do.
    let mut axes: Vec<usize> = axes.iter().filter_map(|axis| axis.checked_sub(usize::from(x.has_batch))).collect();
    axes.sort_unstable();
    axes.dedup();
    if !axes.is_empty() {
        x = fold(importer, node.name(), &x, axes)?;
    }
    importer.reshaped_to(&format!("{}, with its axes", node.name()), &Stream { has_batch: false, ..x }, &shape)
}

/// ArgMax and ArgMin, of equals the first, or the last.
pub(super) fn argmax(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let axis = x.full_axis(node.int("axis", 0))?;
    let mut shape = x.full_shape();
    let length = shape[axis];
    let name = node.name();
    let mut x = importer.in_order(&x)?;
    let of_last = node.int("select_last_index", 0) != 0;
    let chosen = match axis.checked_sub(usize::from(x.has_batch)) {
        // Of one sample it is the first.
        None => affine(importer, name, &x, Some(number(0.0)), None)?,
        Some(own) => {
            if of_last {
                x = importer.gathered(&format!("{name}, backwards"), &x, own, (0..length).rev().collect())?;
            }
            match node.proto.op_type == "ArgMax" {
                true => importer.push(name, LayerKind::Argmax { axis: Some(own) }, &[&x])?,
                false => importer.compose(name, "argmin", vec![("axis", integers(vec![own]))], &[&x])?,
            }
        }
    };
    shape[axis] = 1;
    if node.int("keepdims", 1) == 0 {
        shape.remove(axis);
    }
    let chosen = Stream { has_batch: false, ..chosen };
    let chosen = importer.reshaped_to(&format!("{name}, with its axes"), &chosen, &shape)?;
    let chosen = chosen.of(Element::Int64);
    if !of_last {
        return Ok(chosen);
    }
    let (turn, last) = (number(-1.0), number(length as f64 - 1.0));
    affine(importer, &format!("{name}, from the front"), &chosen, Some(turn), Some(last))
}

/// TopK: the greatest along an axis, or the least, and their indices.
pub(super) fn top_k(importer: &mut Importer, node: &Node<'_>) -> Imported<Vec<Stream>> {
    let x = importer.stream(node, 0)?;
    let count = length_of(node.int("k", importer.int(node, 1, 0)?));
    let (axis, name) = (x.axis(node.int("axis", -1))?, node.name());
    let x = importer.in_order(&x)?;
    let Some(count) = count.filter(|count| (1..=x.shape[axis]).contains(count)) else {
        return refused(format!("it takes {count:?} of {}", x.shape[axis]), "take some, and no more than there are");
    };
    let ordered = match node.int("largest", 1) {
        0 => of_one(importer, &format!("{name}, turned"), &x, "negate", &[])?,
        _ => x.clone(),
    };
    let fields = vec![("k", integers(vec![count])), ("axis", integers(vec![axis]))];
    let indices = importer.compose(&format!("{name}, indices"), "top_k", fields, &[&ordered])?;
    let indices = Stream { has_batch: x.has_batch, ..indices }.of(Element::Int64);
    let mut parts = vec![indices.clone()];
    if node.proto.output.first().is_some_and(|values| !values.is_empty()) {
        parts.insert(0, values_at(importer, name, &x, &indices, axis)?);
    }
    Ok(parts)
}

/// The elements at indices along an axis: sums of all elements, each times whether its place is the index.
fn values_at(importer: &mut Importer, name: &str, x: &Stream, indices: &Stream, axis: usize) -> Imported<Stream> {
    let batch = usize::from(x.has_batch);
    let with_axis = |full: &[usize], at: usize| {
        let mut longer = full.to_vec();
        longer.insert(at + batch, 1);
        longer
    };
    // Indices along `axis`, places along the one behind it.
    let rows = with_axis(&indices.full_shape(), axis + 1);
    let rows = importer.reshaped_to(&format!("{name}, rows"), indices, &rows)?;
    let flags = flags_of(importer, &format!("{name}, flags"), &rows, axis + 1 + batch, x.shape[axis])?;
    let columns = with_axis(&x.full_shape(), axis);
    let columns = importer.reshaped_to(&format!("{name}, columns"), x, &columns)?;
    let products = join(importer, &format!("{name}, chosen"), "multiply", &[columns, flags])?;
    importer.compose(name, "reduce_sum", vec![("axes", integers(vec![axis + 1]))], &[&products])
}

/// CumSum along a constant axis.
pub(super) fn cumulative_sum(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let axis = x.axis(importer.int(node, 1, 0)?)?;
    let (exclusive, reverse) = (node.int("exclusive", 0) != 0, node.int("reverse", 0) != 0);
    let length = x.shape[axis];
    importer.spend(length.checked_mul(length))?;
    let counts = |to: usize, from: usize| {
        let (to, from) = if reverse { (from, to) } else { (to, from) };
        from < to || (from == to && !exclusive)
    };
    let matrix = Array2::from_shape_fn((length, length), |(to, from)| f64::from(u8::from(counts(to, from))));
    importer.products_along(node.name(), &x, axis, &matrix, None)
}

/// LpNormalization of a whole vector to length one.
pub(super) fn normalization(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    if x.omitted.is_some() {
        return Ok(x);
    }
    let full = x.full_shape();
    let axis = x.full_axis(node.int("axis", -1))?;
    let is_euclidean = match node.text("norm") {
        Some(norm) => norm == "L2",
        None => node.int("p", 2) == 2,
    };
    if !is_euclidean || full.iter().product::<usize>() != full[axis] {
        return refused(
            format!("it normalizes a tensor of shape {full:?} along axis {axis}"),
            "one vector, by the root of its squares, is supported",
        );
    }
    let row = importer.reshaped_to(&format!("{}, in a row", node.name()), &x, &[full[axis]])?;
    let normal = importer.push(node.name(), LayerKind::Normalize, &[&row])?;
    importer.reshaped_to(&format!("{}, with its axes", node.name()), &normal, &full)
}
