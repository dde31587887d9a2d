//! Resize and Upsample: along each axis every element is a sum of constant shares of those near its place.
//!
//! Coordinates and shares are those of the operator's definition in the ONNX repository, release 1.23.

use ndarray::Array2;

use super::super::importer::{Importer, integers};
use super::super::node::{Imported, Node, length_of, refused};
use super::super::stream::Stream;

const HELP: &str = "scales or sizes are positive constants, and none makes an axis longer than any circuit holds";

/// How an operator resizes.
struct Resize {
    kind: Kind,
    coordinates: String,
    rounding: String,
    cubic: f64,
    excludes_outside: bool,
    antialias: bool,
    beyond: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nearest,
    Linear,
    Cubic,
}

/// How an axis is resized.
#[derive(Clone, Copy)]
struct Axis {
    from: usize,
    to: usize,
    scale: f64,
    /// The part of the axis that is taken, in shares of it.
    part: [f64; 2],
}

/// Resize and Upsample.
pub(super) fn resize(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let full = x.full_shape();
    let is_new = node.proto.op_type == "Resize" && node.version > 10;
    let named: Vec<usize> = match node.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| x.full_axis(axis)).collect::<Imported<_>>()?,
        None => (0..full.len()).collect(),
    };
    let axes = axes_of(importer, node, &full, &named, is_new)?;
    let resize = Resize::of(node, is_new)?;
    if resize.kind != Kind::Nearest && !x.element.is_float() {
        return refused("it is of integers", "shares of floating point numbers are supported");
    }
    let mut x = importer.in_order(&x)?;
    for (axis, of) in named.into_iter().zip(axes) {
        let is_same = of.from == of.to && of.scale == 1.0 && of.part == [0.0, 1.0];
        match axis.checked_sub(usize::from(x.has_batch)) {
            _ if is_same => {}
            Some(own) => x = resize.along(importer, &format!("{}, along axis {axis}", node.name()), &x, own, of)?,
            None => return refused("it resizes the batch axis", "there is one sample, and no more"),
        }
    }
    Ok(x)
}

/// What becomes of each axis that is named.
fn axes_of(importer: &Importer, node: &Node<'_>, full: &[usize], named: &[usize], is_new: bool) -> Imported<Vec<Axis>> {
    let given =
        |at: usize| importer.optional_constant(node, at).map(|constant| constant.filter(|c| !c.data.is_empty()));
    let scales = match node.floats("scales") {
        Some(scales) => Some(scales),
        None => given(if is_new { 2 } else { 1 })?.map(|scales| scales.reals().into_iter().collect()),
    };
    let sizes = if is_new { given(3)?.map(|sizes| sizes.lengths()).transpose()? } else { None };
    let parts: Option<Vec<f64>> = if is_new { given(1)?.map(|part| part.reals().into_iter().collect()) } else { None };
    let count = named.len();
    let part = |at: usize| match &parts {
        Some(parts) if parts.len() == 2 * count => [parts[at], parts[at + count]],
        _ => [0.0, 1.0],
    };
    let lengths = named.iter().map(|&axis| full[axis]);
    let axes: Option<Vec<Axis>> = match (scales, sizes) {
        (Some(scales), _) if scales.len() == count => {
            let axis = |(at, (from, scale)): (usize, (usize, f64))| {
                // Scales are floats of 32 bits, and so is the product.
                let to = length_of((from as f32 * scale as f32).floor() as i64)?;
                Some(Axis { from, to, scale, part: part(at) })
            };
            lengths.zip(scales).enumerate().map(axis).collect()
        }
        (None, Some(sizes)) if sizes.len() == count => {
            let scales = lengths.clone().zip(&sizes).map(|(from, &to)| to as f64 / from as f64);
            let one = match node.text("keep_aspect_ratio_policy").unwrap_or("stretch") {
                "not_larger" => Some(scales.clone().fold(f64::INFINITY, f64::min)),
                "not_smaller" => Some(scales.clone().fold(0.0, f64::max)),
                _ => None,
            };
            let axis = |(at, ((from, scale), &size)): (usize, ((usize, f64), &usize))| {
                let to = one.map_or(size, |one| (one * from as f64 + 0.5).floor() as usize);
                Some(Axis { from, to: length_of(to as i64)?, scale: one.unwrap_or(scale), part: part(at) })
            };
            lengths.zip(scales).zip(&sizes).enumerate().map(axis).collect()
        }
        _ => return refused(format!("it gives no scale or size for each of {count} axes"), HELP),
    };
    match axes.filter(|axes| axes.iter().all(|axis| axis.to > 0 && axis.scale > 0.0)) {
        Some(axes) => Ok(axes),
        None => refused("a scale or size makes no axis", HELP),
    }
}

impl Resize {
    fn of(node: &Node<'_>, is_new: bool) -> Imported<Self> {
        let kind = match node.text("mode").unwrap_or("nearest") {
            "nearest" => Kind::Nearest,
            "linear" => Kind::Linear,
            "cubic" => Kind::Cubic,
            mode => return refused(format!("`mode` is {mode}"), "nearest, linear and cubic are supported"),
        };
        // Before there was a choice, places were multiplied, and rounded down.
        let (coordinates, rounding) =
            if is_new { ("half_pixel", "round_prefer_floor") } else { ("asymmetric", "floor") };
        Ok(Self {
            kind,
            coordinates: node.text("coordinate_transformation_mode").unwrap_or(coordinates).to_string(),
            rounding: node.text("nearest_mode").unwrap_or(rounding).to_string(),
            cubic: node.float("cubic_coeff_a").unwrap_or(-0.75),
            excludes_outside: node.int("exclude_outside", 0) != 0,
            antialias: node.int("antialias", 0) != 0,
            beyond: node.float("extrapolation_value").unwrap_or(0.0),
        })
    }

    fn along(&self, importer: &mut Importer, name: &str, x: &Stream, axis: usize, of: Axis) -> Imported<Stream> {
        importer.spend(of.to.checked_mul(of.from))?;
        let (mut matrix, mut biases) = (Array2::zeros((of.to, of.from)), vec![0.0; of.to]);
        for to in 0..of.to {
            let place = self.place(to, of)?;
            let is_beyond = place < 0.0 || place > (of.from - 1) as f64;
            if self.coordinates == "tf_crop_and_resize" && is_beyond {
                biases[to] = self.beyond;
                continue;
            }
            for (at, share) in self.shares(place, of)? {
                matrix[(to, at)] += share;
            }
        }
        let only = |row: ndarray::ArrayView1<'_, f64>| {
            let mut others = row.iter().enumerate().filter(|(_, share)| **share != 0.0);
            match (others.next(), others.next()) {
                (Some((at, 1.0)), None) => Some(at),
                _ => None,
            }
        };
        let indices: Option<Vec<usize>> = matrix.rows().into_iter().map(only).collect();
        match indices {
            Some(indices) => {
                let fields = vec![("axis", integers(vec![axis])), ("indices", integers(indices))];
                importer.compose(name, "gather", fields, &[x])
            }
            None => {
                let biases = biases.iter().any(|bias| *bias != 0.0).then_some(biases);
                importer.products_along(name, x, axis, &matrix, biases)
            }
        }
    }

    /// Where an element of the result lies among those of the operand.
    fn place(&self, to: usize, Axis { from, to: length, scale, part: [start, end] }: Axis) -> Imported<f64> {
        let (at, last) = (to as f64, (from - 1) as f64);
        let span = (length - 1) as f64;
        Ok(match &self.coordinates[..] {
            "half_pixel" => (at + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                let adjustment = length as f64 / (scale * from as f64);
                from as f64 / 2.0 * (1.0 - adjustment) + (at + 0.5) / scale - 0.5
            }
            "pytorch_half_pixel" if length == 1 => 0.0,
            "pytorch_half_pixel" => (at + 0.5) / scale - 0.5,
            "align_corners" if (scale * from as f64 - length as f64).abs() > 1e-3 => {
                // ONNX's definition takes the fraction, and its tools do not.
                return refused("its scales leave a fraction of an element", "give `sizes` instead of `scales`");
            }
            "align_corners" if length == 1 => 0.0,
            "align_corners" => at * last / span,
            "asymmetric" => at / scale,
            "tf_half_pixel_for_nn" => (at + 0.5) / scale,
            "tf_crop_and_resize" if length == 1 => (end - start) * last / 2.0,
            "tf_crop_and_resize" => start * last + at * (end - start) * last / span,
            other => {
                return refused(
                    format!("`coordinate_transformation_mode` is {other}"),
                    "see the operator's definition",
                );
            }
        })
    }

    /// Elements of the operand, and their shares of what stands at a place.
    fn shares(&self, place: f64, of: Axis) -> Imported<Vec<(usize, f64)>> {
        // From the element at or before the place, or the one before that.
        let ratio = if place.fract() == 0.0 { 1.0 } else { place - place.floor() };
        let scale = if self.antialias { of.scale.min(1.0) } else { 1.0 };
        let mut shares = match self.kind {
            Kind::Nearest => {
                let second = match &self.rounding[..] {
                    _ if ratio == 1.0 => true,
                    "round_prefer_floor" => ratio > 0.5,
                    "round_prefer_ceil" => ratio >= 0.5,
                    "ceil" => true,
                    _ => false,
                };
                let flag = |is_set: bool| f64::from(u8::from(is_set));
                vec![flag(!second), flag(second)]
            }
            Kind::Linear => around(1.0, scale, ratio, |distance| (1.0 - distance).max(0.0)),
            Kind::Cubic => around(2.0, scale, ratio, |distance| cubic(self.cubic, distance)),
        };
        let first = place.ceil() as i64 - shares.len() as i64 / 2;
        let places: Vec<i64> = (0..shares.len() as i64).map(|at| first + at).collect();
        let inside = 0..of.from as i64;
        if self.excludes_outside {
            for (share, at) in shares.iter_mut().zip(&places) {
                *share *= f64::from(u8::from(inside.contains(at)));
            }
            let sum: f64 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= sum);
        }
        let clamped = places.into_iter().map(|at| at.clamp(0, of.from as i64 - 1) as usize);
        Ok(clamped.zip(shares).collect())
    }
}

/// Shares by the distance from a place, `ratio` behind an element, of those that a filter of a radius reaches.
fn around(radius: f64, scale: f64, ratio: f64, filter: impl Fn(f64) -> f64) -> Vec<f64> {
    let start = (-radius / scale).floor() as i64 + 1;
    let distances = (start..2 - start).map(|at| scale * (at as f64 - ratio).abs());
    let shares: Vec<f64> = distances.map(filter).collect();
    let sum: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / sum).collect()
}

/// Keys's cubic filter.
fn cubic(a: f64, distance: f64) -> f64 {
    let [first, second, third] = [distance, distance * distance, distance * distance * distance];
    match distance {
        ..=1.0 => (a + 2.0) * third - (a + 3.0) * second + 1.0,
        ..2.0 => a * third - 5.0 * a * second + 8.0 * a * first - 4.0 * a,
        _ => 0.0,
    }
}
