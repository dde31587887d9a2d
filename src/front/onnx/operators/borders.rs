//! Pad and CenterCropPad: borders, and what they consist of.

use super::super::importer::Importer;
use super::super::node::{Imported, Node, refused};
use super::super::stream::Stream;
use crate::front::{LayerKind, MAX_BORDER};

/// Pad, whose borders and number are attributes in old versions and operands in new ones. Negative borders cut off.
pub(super) fn pad(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let pads = importer.ints(node, "pads", 1)?.unwrap_or_default();
    let rank = x.full_shape().len();
    let axes: Vec<usize> = match importer.optional_constant(node, 3)? {
        Some(axes) => axes.integers().iter().map(|&axis| x.full_axis(axis)).collect::<Imported<_>>()?,
        None => (0..rank).collect(),
    };
    let is_border = |pad: &i64| pad.unsigned_abs() <= MAX_BORDER as u64;
    if pads.len() != 2 * axes.len() || !pads.iter().all(is_border) {
        return refused(format!("its borders are {pads:?}"), "give two for each axis, none beyond any image");
    }
    let mut borders = vec![[0, 0]; rank];
    for (at, &axis) in axes.iter().enumerate() {
        borders[axis] = [pads[at], pads[at + axes.len()]];
    }
    let value = importer.number(node, "value", 2)?.unwrap_or(0.0);
    padded(importer, node.name(), &x, &borders, node.text("mode").unwrap_or("constant"), value)
}

/// Borders along each axis of the full shape, negative where elements are cut off.
pub(super) fn padded(
    importer: &mut Importer,
    name: &str,
    x: &Stream,
    borders: &[[i64; 2]],
    mode: &str,
    value: f64,
) -> Imported<Stream> {
    let own = match (x.has_batch, borders) {
        (false, own) | (true, [[0, 0], own @ ..]) => own,
        (true, _) => return refused("it has borders along the batch axis", "there is one sample, and no more"),
    };
    let mut x = importer.in_order(x)?;
    // What is cut off first, so that what is repeated is what is left.
    for (axis, [before, after]) in own.iter().enumerate() {
        let kept = -before.min(&0)..x.shape[axis] as i64 + after.min(&0);
        if kept.is_empty() {
            return refused(format!("its borders {borders:?} leave nothing"), "an axis must hold something");
        }
        let kept = kept.map(|at| at as usize).collect();
        x = importer.gathered(&format!("{name}, cut along axis {axis}"), &x, axis, kept)?;
    }
    let widths = |side: usize| own.iter().map(|border| border[side].max(0) as usize).collect::<Vec<usize>>();
    let (before, after) = (widths(0), widths(1));
    if before.iter().chain(&after).all(|width| *width == 0) {
        return Ok(x);
    }
    if mode == "constant" {
        return importer.push(name, LayerKind::Padding { before, after, value }, &[&x]);
    }
    for axis in 0..own.len() {
        let length = x.shape[axis];
        let reach = -(before[axis] as i64)..(length + after[axis]) as i64;
        let indices = reach.map(|at| repeated(mode, at, length as i64)).collect::<Imported<Vec<usize>>>()?;
        x = importer.gathered(&format!("{name}, along axis {axis}"), &x, axis, indices)?;
    }
    Ok(x)
}

/// The element that stands at a place which may lie beyond an axis.
fn repeated(mode: &str, at: i64, length: i64) -> Imported<usize> {
    let place = match mode {
        "edge" => at.clamp(0, length - 1),
        "wrap" => at.rem_euclid(length),
        "reflect" => {
            let period = (2 * (length - 1)).max(1);
            let folded = at.rem_euclid(period);
            folded.min(period - folded).min(length - 1)
        }
        mode => return refused(format!("`mode` is {mode}"), "constant, edge, reflect and wrap are supported"),
    };
    Ok(place as usize)
}

/// CenterCropPad: lengths that are cut off, or reached with zeros, at both ends alike.
pub(super) fn center_crop_pad(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let (x, lengths) = (importer.stream(node, 0)?, importer.constant(node, 1)?.lengths()?);
    let full = x.full_shape();
    let axes: Vec<usize> = match node.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| x.full_axis(axis)).collect::<Imported<_>>()?,
        None => (0..full.len()).collect(),
    };
    if axes.len() != lengths.len() || lengths.iter().any(|length| *length > MAX_BORDER) {
        return refused(format!("it gives {lengths:?} to axes {axes:?}"), "give one length for each axis");
    }
    let mut borders = vec![[0, 0]; full.len()];
    for (&axis, &length) in axes.iter().zip(&lengths) {
        let more = length as i64 - full[axis] as i64;
        // The odd one is at the end, whether it comes or goes.
        let first = if more >= 0 { more / 2 } else { -(-more / 2) };
        borders[axis] = [first, more - first];
    }
    padded(importer, node.name(), &x, &borders, "constant", 0.0)
}
