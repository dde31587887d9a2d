//! What the sums of products of convolutions and dense layers can be.

use ndarray::{ArrayBase, Data, IxDyn};
use rayon::prelude::*;

use crate::infer::{MAX_MAGNITUDE, axes, check_scale};
use crate::weights::contiguous;
use crate::{InferError, Number, Weights};

/// What one output channel of a linear operation can yield; ends saturate at those of `i128`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelBound {
    /// The least sum.
    pub lo: i128,
    /// The greatest sum.
    pub hi: i128,
    /// The most that the absolute values of all summands can add up to. It bounds every partial sum, in
    /// whatever order the products are added.
    pub magnitude: i128,
}

/// The bound of each output channel (the first axis of `weights`) of a linear operation, bias included,
/// when every number it reads lies in `interval`.
///
/// A bias that is too short counts as zero where it is missing.
pub fn channel_bounds<S, B>(
    weights: &ArrayBase<S, IxDyn>,
    bias: Option<&ArrayBase<B, IxDyn>>,
    interval: (i64, i64),
) -> Vec<ChannelBound>
where
    S: Data<Elem = i64>,
    B: Data<Elem = i64>,
{
    let channels = weights.shape().first().copied().unwrap_or(1).max(1);
    let elements = contiguous(weights);
    let bias = bias.map(|bias| contiguous(bias)).unwrap_or_default();
    elements
        .par_chunks((elements.len() / channels).max(1))
        .enumerate()
        .map(|(at, row)| channel_bound(row, bias.get(at).copied().unwrap_or(0), interval))
        .collect()
}

fn channel_bound(row: &[i64], bias: i64, (lo, hi): (i64, i64)) -> ChannelBound {
    let positive = total(row.iter().map(|weight| weight.max(&0).unsigned_abs()));
    let negative = -total(row.iter().map(|weight| weight.min(&0).unsigned_abs()));
    let (lo, hi, bias) = (i128::from(lo), i128::from(hi), i128::from(bias));
    let sum = |at_positive: i128, at_negative: i128| {
        positive.saturating_mul(at_positive).saturating_add(negative.saturating_mul(at_negative)).saturating_add(bias)
    };
    ChannelBound {
        lo: sum(lo, hi),
        hi: sum(hi, lo),
        magnitude: (positive - negative).saturating_mul(lo.abs().max(hi.abs())).saturating_add(bias.abs()),
    }
}

/// The exact sum. By halves, which many can be added of at once.
fn total(numbers: impl Iterator<Item = u64>) -> i128 {
    let add = |(low, high): (u64, u64), n: u64| (low + (n & u64::from(u32::MAX)), high + (n >> 32));
    let (low, high) = numbers.fold((0, 0), add);
    i128::from(low) + (i128::from(high) << 32)
}

/// The numbers of a sum of products, for `channels` output channels; `names` are the operation's and the
/// name it has for its weights.
pub(super) fn infer(
    names: (&'static str, &'static str),
    weights: &Weights,
    bias: Option<&Weights>,
    channels: usize,
    operand: &Number,
) -> Result<Number, InferError> {
    let (op, tensor) = names;
    if let Some(bias) = bias {
        let [length] = axes(op, "bias", bias.shape())?;
        if length != channels {
            return Err(InferError::BiasLength { expected: channels, got: length });
        }
        check_weights(op, "bias", bias, channels, operand)?;
    }
    check_weights(op, tensor, weights, channels, operand)?;
    let (Weights::Fixed { data, scale }, Number::Fixed { scale: unit, lo, hi }) = (weights, operand) else {
        return Ok(Number::Real);
    };
    let scale = unit * scale;
    check_scale(op, "result", scale)?;
    let bias = match bias {
        Some(Weights::Fixed { data, scale: got }) => {
            if *got != scale {
                return Err(InferError::BiasScale { expected: scale, got: *got });
            }
            Some(data)
        }
        _ => None,
    };
    union(op, scale, &channel_bounds(data, bias, (*lo, *hi)))
}

/// The smallest interval that holds those of all channels, none of which may come near the limit.
fn union(op: &'static str, scale: f64, bounds: &[ChannelBound]) -> Result<Number, InferError> {
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    for (channel, &ChannelBound { lo, hi, magnitude }) in bounds.iter().enumerate() {
        let (Ok(low), Ok(high), true) = (i64::try_from(lo), i64::try_from(hi), magnitude <= i128::from(MAX_MAGNITUDE))
        else {
            return Err(InferError::Overflow { op, channel: Some(channel), lo, hi, magnitude });
        };
        least = least.min(low);
        greatest = greatest.max(high);
    }
    Ok(Number::Fixed { scale, lo: least, hi: greatest })
}

/// Weights are of the operand's kind, real ones finite, fixed ones with a usable scale, scaled ones with one for each output
/// channel.
fn check_weights(
    op: &'static str,
    tensor: &'static str,
    weights: &Weights,
    channels: usize,
    operand: &Number,
) -> Result<(), InferError> {
    const REAL: &str = "real";
    const FIXED: &str = "fixed-point";
    match (weights, operand) {
        (Weights::Fixed { scale, .. }, Number::Fixed { .. }) => check_scale(op, tensor, *scale),
        (Weights::Real(data), Number::Real) => match data.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(InferError::NotFinite { op, tensor, index }),
            None => Ok(()),
        },
        (Weights::Scaled { scales, .. }, Number::Real) => {
            if scales.len() != channels {
                return Err(InferError::Scales { op, tensor, expected: channels, got: scales.len() });
            }
            scales.iter().try_for_each(|&scale| check_scale(op, tensor, scale))
        }
        (Weights::Fixed { .. }, Number::Real) => {
            Err(InferError::MixedNumbers { op, tensor, expected: REAL, got: FIXED })
        }
        (Weights::Real(_) | Weights::Scaled { .. }, Number::Fixed { .. }) => {
            Err(InferError::MixedNumbers { op, tensor, expected: FIXED, got: REAL })
        }
    }
}
