//! The integers of linear operations: weights, biases, and the scale of each output channel.

use ndarray::{ArcArray, Axis, IxDyn};
use zknn_ir::{Factors, NodeId, Weights};

use super::super::powers::floor_log2;
use super::super::quantized::has_one_magnitude;
use super::super::reads::channels_read;
use super::{Quantizer, WIDE_BITS, greatest};

/// How far a float of 32 bits may be off what it stands for, and the product of two of them, as a fraction.
const FLOAT: f64 = 1e-6;

/// The integers of a linear operation.
pub(super) struct Linear {
    pub(super) weights: Weights,
    pub(super) bias: Option<Weights>,
    /// For each output channel the real value of one unit of its sums.
    pub(super) units: Vec<f64>,
}

impl Quantizer<'_> {
    /// Weights of `bits` bits, and a bias that is told to `of_bias` bits, for an operand that is one of the new nodes. Where sums are
    /// to be brought to a target scale, weights have up to one bit more, such that they are multiplied by powers of two for that.
    pub(super) fn integers(
        &self,
        operand: NodeId,
        weights: &Weights,
        bias: Option<&Weights>,
        [bits, of_bias]: [u32; 2],
        target: Option<f64>,
    ) -> Linear {
        // The graph under construction is fixed-point from its input on.
        let unit = self.new.node(operand).fact.scale().unwrap_or(1.0);
        let channels = weights.shape().first().copied().unwrap_or(1);
        let data = match weights {
            Weights::Real(data) => data,
            Weights::Scaled { data, scales } => return given(data, scales, bias, unit),
            Weights::Fixed { .. } => {
                return Linear { weights: weights.clone(), bias: bias.cloned(), units: vec![unit] };
            }
        };
        // Zero times any weight is zero.
        let is_idle = self.new.node(operand).fact.interval() == Some((0, 0));
        let elements: Vec<f64> = data.iter().map(|&w| if is_idle { 0.0 } else { w }).collect();
        let rows = || elements.chunks((elements.len() / channels).max(1));
        let biases: Vec<f64> = match bias.filter(|bias| bias.is_real()) {
            Some(bias) => bias.reals().iter().map(|b| b / unit).collect(),
            None => vec![0.0; channels],
        };
        let rows_greatest: Vec<f64> = rows().map(greatest).collect();
        let scales: Vec<f64> = match biases.iter().all(|bias| *bias == 0.0)
            && rows().all(has_one_magnitude)
            && greatest(&rows_greatest) > 0.0
        {
            // Weights of one magnitude are that magnitude or zero, exactly.
            true => rows_greatest
                .iter()
                .map(|&weight| if weight > 0.0 { weight } else { greatest(&rows_greatest) })
                .collect(),
            false => {
                let scales = channel_scales(&rows_greatest, &biases, elements.len() / channels, bits, of_bias);
                let to_power = |scale: f64| match target.map(|target| target / unit) {
                    Some(target) => target * 2f64.powi(floor_log2(scale / target)),
                    None => scale,
                };
                scales.into_iter().map(to_power).collect()
            }
        };
        let coarsest = greatest(&scales);
        let integers = rows().zip(&scales).flat_map(|(row, scale)| row.iter().map(move |w| (w / scale).round() as i64));
        let data = tensor(weights.shape(), integers.collect());
        let units: Vec<f64> = scales.iter().map(|scale| unit * scale).collect();
        let bias = bias.map(|bias| bias_in(bias, &units, unit * coarsest));
        Linear { weights: Weights::Fixed { data, scale: coarsest }, bias, units }
    }

    /// The bias with what sums of mean numbers, as the calibration shows these, lose by rounded weights; after Nagel and others (see
    /// [`equalize`](super::equalize)).
    pub(super) fn corrected(
        &self,
        id: NodeId,
        integers: &Weights,
        bias: Option<Weights>,
        units: &[f64],
    ) -> Option<Weights> {
        let op = &self.old.node(id).op;
        let operand = self.old.operands(id)[0];
        let unit = self.new.node(self.ids[&operand]).fact.scale().unwrap_or(1.0);
        let (Some(seen), Some(Factors { weights: Weights::Real(reals), bias: given, .. })) =
            (self.fixed.seen.get(&operand), op.factors())
        else {
            return bias;
        };
        let Weights::Fixed { data, scale } = integers else { return bias };
        let lost = |output: usize| -> f64 {
            let read = channels_read(op, [output, units.len()], seen.len());
            let of_weight = units[output] / unit;
            let pairs = reals.index_axis(Axis(0), output).into_iter().zip(data.index_axis(Axis(0), output));
            let of_pair = |((real, &integer), channel): ((&f64, &i64), usize)| {
                (real - of_weight * integer as f64) * seen[channel].mean
            };
            pairs.zip(read.cycle()).map(of_pair).sum()
        };
        let given = |output: usize| match given {
            Some(Weights::Real(bias)) => bias[[output]],
            _ => 0.0,
        };
        let of_sums = |output: usize| ((given(output) + lost(output)) / units[output]).round() as i64;
        let corrected: Vec<i64> = (0..units.len()).map(of_sums).collect();
        // Without a bias the circuit is smaller.
        if bias.is_none() && corrected.iter().all(|bias| *bias == 0) {
            return None;
        }
        Some(Weights::Fixed { data: tensor(&[units.len()], corrected), scale: unit * scale })
    }
}

/// The integers that weights are, and a bias in units of the sums.
fn given(data: &ArcArray<i64, IxDyn>, scales: &[f64], bias: Option<&Weights>, unit: f64) -> Linear {
    let coarsest = greatest(scales);
    let units: Vec<f64> = scales.iter().map(|scale| unit * scale).collect();
    let bias = bias.map(|bias| bias_in(bias, &units, unit * coarsest));
    Linear { weights: Weights::Fixed { data: data.clone(), scale: coarsest }, bias, units }
}

/// A bias in units of the sums of each channel, at the scale that the sums are said to have. Integers of which each is at the scale
/// of its sums, as far as floats of 32 bits tell, are these units.
fn bias_in(bias: &Weights, units: &[f64], scale: f64) -> Weights {
    let is_unit = |(scale, unit): (&f64, &f64)| (scale / unit - 1.0).abs() < FLOAT;
    let integers = match bias {
        Weights::Scaled { data, scales } if scales.iter().zip(units).all(is_unit) => data.iter().copied().collect(),
        Weights::Real(_) | Weights::Scaled { .. } => {
            bias.reals().iter().zip(units).map(|(b, unit)| (b / unit).round() as i64).collect()
        }
        Weights::Fixed { .. } => return bias.clone(),
    };
    Weights::Fixed { data: tensor(bias.shape(), integers), scale }
}

/// A scale for the weights of each output channel, given the greatest magnitude of its weights, and its bias in units of the
/// operand: that at which the weights just fit `bits` bits; or a coarser one, at which the bias is no greater than the sums of so
/// many products as there are in a row, which it has `of_bias` bits for, since numbers are told no finer than their greatest allows.
///
/// A channel whose weights are all zero is its bias, and no scale is too fine for it but for what it costs. It takes the
/// coarsest of the others, unless that tells the bias more coarsely than scores are told, or makes it larger than a
/// product of a weight and a number.
fn channel_scales(weights: &[f64], biases: &[f64], row: usize, bits: u32, of_bias: u32) -> Vec<f64> {
    let power = |exponent: u32| 0.5f64.powi(exponent as i32);
    // In this order, since there are 8 bits at least.
    let alone = |bias: f64| (bias.abs() * power(2 * bits - 1), bias.abs() * power(bits + WIDE_BITS));
    let most = ((1i64 << (bits - 1)) - 1) as f64;
    let live = greatest(weights) / most;
    let scale = |(&weight, &bias): (&f64, &f64)| match weight > 0.0 {
        true => (weight / most).max(bias.abs() * power(of_bias) / row.max(1) as f64),
        false => {
            let (least, greatest) = alone(bias);
            if live > 0.0 { live.clamp(least, greatest) } else { greatest }
        }
    };
    let needed: Vec<f64> = weights.iter().zip(biases).map(scale).collect();
    // A channel that hardly counts gets no scale of its own: its multiplier would have no digits left.
    let finest = if live > 0.0 { live } else { greatest(&needed) } * power(bits);
    let finest = if finest > 0.0 { finest } else { 1.0 };
    needed.iter().map(|scale| scale.max(finest)).collect()
}

pub(super) fn tensor(shape: &[usize], integers: Vec<i64>) -> ArcArray<i64, IxDyn> {
    // One integer for each element of a tensor of that shape.
    ArcArray::from_shape_vec(IxDyn(shape), integers).expect("as many integers as there were numbers")
}
