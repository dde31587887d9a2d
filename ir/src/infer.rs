//! The one rule for shapes and intervals.
//!
//! Intervals start from what the input declares and use the actual weights: a channel of a linear operation
//! has the exact least and greatest sum that any input in range can give, and a tensor has the union over
//! its channels. All of it is computed in 128 bits, saturating, so that an interval that is too wide is
//! reported and never wraps.

use ndarray::{ArrayBase, Data, IxDyn};
use rayon::prelude::*;

use crate::fact::{element_count, power_of_two};
use crate::weights::contiguous;
use crate::{Fact, InferError, Number, Op, Weights};

/// No integer, and no partial sum of integers, may exceed this in magnitude: 2^62.
pub const MAX_MAGNITUDE: i64 = 1 << 62;

/// No tensor may have more elements than this: 2^28, two gigabytes of integers.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// The longest vector that can be normalized.
pub const MAX_NORMALIZE_LENGTH: usize = 4096;

/// The finest result that normalize can give.
pub const MAX_FRACTION_BITS: u32 = 24;

/// The fact about the result of `op` on operands with the given facts.
///
/// # Errors
///
/// The first reason, if any, why the operation is not defined on such operands, or why its integers cannot
/// be proven to stay within ±2^62.
pub fn infer(op: &Op, operands: &[&Fact]) -> Result<Fact, InferError> {
    let fact = match (op, operands) {
        (Op::Input { shape, number }, []) => input(shape, number)?,
        (Op::Conv2d { kernel, bias }, [operand]) => conv2d(kernel, bias.as_ref(), operand)?,
        (Op::Dense { weights, bias }, [operand]) => dense(weights, bias.as_ref(), operand)?,
        (Op::MaxPool { window, relu }, [operand]) => max_pool(*window, *relu, operand)?,
        (Op::Relu, [operand]) => Fact { shape: operand.shape.clone(), number: clamp(&operand.number) },
        (Op::Flatten, [operand]) => Fact { shape: vec![operand.elements()], number: operand.number.clone() },
        (Op::Normalize { fraction_bits }, [operand]) => normalize(*fraction_bits, operand)?,
        (Op::Requantize(requantize), [operand]) => requantize.infer(operand)?,
        (Op::Argmax, [operand]) => argmax(operand)?,
        _ => {
            return Err(InferError::OperandCount { op: op.name(), expected: op.arity(), got: operands.len() });
        }
    };
    match element_count(&fact.shape) {
        Some(count) if count <= MAX_ELEMENTS => Ok(fact),
        _ => Err(InferError::TooManyElements { shape: fact.shape }),
    }
}

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

fn input(shape: &[usize], number: &Number) -> Result<Fact, InferError> {
    check_axes("input", "shape", shape)?;
    if let Number::Fixed { scale, lo, hi } = *number {
        check_scale("input", "numbers", scale)?;
        if lo > hi {
            return Err(InferError::EmptyInterval { lo, hi });
        }
        let (lo, hi) = (i128::from(lo), i128::from(hi));
        let magnitude = lo.abs().max(hi.abs());
        if magnitude > i128::from(MAX_MAGNITUDE) {
            return Err(InferError::Overflow { op: "input", channel: None, lo, hi, magnitude });
        }
    }
    Ok(Fact { shape: shape.to_vec(), number: number.clone() })
}

fn conv2d(kernel: &Weights, bias: Option<&Weights>, operand: &Fact) -> Result<Fact, InferError> {
    let [c_out, kernel_height, kernel_width, c_in] = axes("conv2d", "kernel", kernel.shape())?;
    let [height, width, channels] = axes("conv2d", "input", &operand.shape)?;
    if c_in != channels {
        return Err(InferError::InputChannels { kernel: c_in, input: channels });
    }
    if kernel_height > height || kernel_width > width {
        return Err(InferError::KernelTooLarge { kernel: [kernel_height, kernel_width], input: [height, width] });
    }
    Ok(Fact {
        shape: vec![height - kernel_height + 1, width - kernel_width + 1, c_out],
        number: linear(("conv2d", "kernel"), kernel, bias, c_out, &operand.number)?,
    })
}

fn dense(weights: &Weights, bias: Option<&Weights>, operand: &Fact) -> Result<Fact, InferError> {
    let [outputs, inputs] = axes("dense", "weights", weights.shape())?;
    let [length] = axes("dense", "input", &operand.shape)?;
    if inputs != length {
        return Err(InferError::InputLength { weights: inputs, input: length });
    }
    Ok(Fact { shape: vec![outputs], number: linear(("dense", "weights"), weights, bias, outputs, &operand.number)? })
}

fn max_pool(window: [usize; 2], relu: bool, operand: &Fact) -> Result<Fact, InferError> {
    let [height, width, channels] = axes("max_pool", "input", &operand.shape)?;
    if window.contains(&0) {
        return Err(InferError::EmptyWindow { window });
    }
    if height % window[0] != 0 || width % window[1] != 0 {
        return Err(InferError::WindowDoesNotDivide { window, input: [height, width] });
    }
    Ok(Fact {
        shape: vec![height / window[0], width / window[1], channels],
        number: if relu { clamp(&operand.number) } else { operand.number.clone() },
    })
}

fn normalize(fraction_bits: u32, operand: &Fact) -> Result<Fact, InferError> {
    let [length] = axes("normalize", "input", &operand.shape)?;
    if length > MAX_NORMALIZE_LENGTH {
        return Err(InferError::NormalizeLength { got: length });
    }
    let bad_precision = InferError::FractionBits { got: fraction_bits };
    if !(1..=MAX_FRACTION_BITS).contains(&fraction_bits) {
        return Err(bad_precision);
    }
    let one = 1i64 << fraction_bits;
    let number = match operand.number {
        Number::Real => Number::Real,
        Number::Fixed { lo, hi, .. } => Number::Fixed {
            scale: power_of_two(-(fraction_bits as i32)).ok_or(bad_precision)?,
            lo: if lo >= 0 { 0 } else { -one },
            hi: if hi > 0 { one } else { 0 },
        },
    };
    Ok(Fact { shape: operand.shape.clone(), number })
}

fn argmax(operand: &Fact) -> Result<Fact, InferError> {
    let [length] = axes("argmax", "input", &operand.shape)?;
    let number = match operand.number {
        Number::Real => Number::Real,
        // A tensor has at most `MAX_ELEMENTS` elements.
        Number::Fixed { .. } => Number::Fixed { scale: 1.0, lo: 0, hi: length.min(MAX_ELEMENTS) as i64 - 1 },
    };
    Ok(Fact { shape: vec![1], number })
}

/// The numbers of a sum of products, for `channels` output channels; `names` are the operation's and the
/// name it has for its weights.
fn linear(
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
        check_weights(op, "bias", bias, operand)?;
    }
    check_weights(op, tensor, weights, operand)?;
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

fn clamp(number: &Number) -> Number {
    match *number {
        Number::Real => Number::Real,
        Number::Fixed { scale, lo, hi } => Number::Fixed { scale, lo: lo.max(0), hi: hi.max(0) },
    }
}

/// The axes of a tensor that must have `N` of them, none empty.
fn axes<const N: usize>(op: &'static str, tensor: &'static str, shape: &[usize]) -> Result<[usize; N], InferError> {
    let axes = shape.try_into().map_err(|_| InferError::Rank { op, tensor, expected: N, got: shape.len() })?;
    check_axes(op, tensor, shape)?;
    Ok(axes)
}

fn check_axes(op: &'static str, tensor: &'static str, shape: &[usize]) -> Result<(), InferError> {
    if shape.is_empty() || shape.contains(&0) {
        return Err(InferError::EmptyTensor { op, tensor, shape: shape.to_vec() });
    }
    Ok(())
}

pub(crate) fn check_scale(op: &'static str, tensor: &'static str, scale: f64) -> Result<(), InferError> {
    if scale.is_finite() && scale > 0.0 { Ok(()) } else { Err(InferError::BadScale { op, tensor, got: scale }) }
}

/// Weights are of the operand's kind, real ones finite, fixed ones with a usable scale.
fn check_weights(
    op: &'static str,
    tensor: &'static str,
    weights: &Weights,
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
        (Weights::Fixed { .. }, Number::Real) => {
            Err(InferError::MixedNumbers { op, tensor, expected: REAL, got: FIXED })
        }
        (Weights::Real(_), Number::Fixed { .. }) => {
            Err(InferError::MixedNumbers { op, tensor, expected: FIXED, got: REAL })
        }
    }
}

#[cfg(test)]
mod tests;
