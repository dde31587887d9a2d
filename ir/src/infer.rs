//! The one rule for shapes and intervals: what the operations say for themselves, and what holds for all of them.
//!
//! Intervals start from what the input declares and use the actual weights: a channel of a linear operation
//! has the exact least and greatest sum that any input in range can give, and a tensor has the union over
//! its channels. All of it is computed in 128 bits, saturating, so that an interval that is too wide is
//! reported and never wraps.

use crate::fact::element_count;
use crate::{Fact, InferError, Number, Op};

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
    if !op.arity().accepts(operands.len()) {
        return Err(InferError::OperandCount { op: op.name(), expected: op.arity(), got: operands.len() });
    }
    let fact = op.infer(operands)?;
    match element_count(&fact.shape) {
        Some(count) if count <= MAX_ELEMENTS => Ok(fact),
        _ => Err(InferError::TooManyElements { shape: fact.shape }),
    }
}

/// The numbers that remain when each that is negative becomes zero.
pub(crate) fn rectified(number: &Number) -> Number {
    match *number {
        Number::Real => Number::Real,
        Number::Fixed { scale, lo, hi } => Number::Fixed { scale, lo: lo.max(0), hi: hi.max(0) },
    }
}

/// The axes of a tensor that must have `N` of them, none empty.
pub(crate) fn axes<const N: usize>(
    op: &'static str,
    tensor: &'static str,
    shape: &[usize],
) -> Result<[usize; N], InferError> {
    let axes = shape.try_into().map_err(|_| InferError::Rank { op, tensor, expected: N, got: shape.len() })?;
    check_axes(op, tensor, shape)?;
    Ok(axes)
}

pub(crate) fn check_axes(op: &'static str, tensor: &'static str, shape: &[usize]) -> Result<(), InferError> {
    if shape.is_empty() || shape.contains(&0) {
        return Err(InferError::EmptyTensor { op, tensor, shape: shape.to_vec() });
    }
    Ok(())
}

/// That operands all have the shape of the first.
pub(crate) fn check_one_shape(op: &'static str, operands: &[&Fact]) -> Result<(), InferError> {
    let first = operands[0];
    match operands.iter().position(|fact| fact.shape != first.shape) {
        None => Ok(()),
        Some(operand) => {
            let (expected, got) = (first.shape.clone(), operands[operand].shape.clone());
            Err(InferError::OperandShape { op, operand, expected, got })
        }
    }
}

/// That operands are all real, or all fixed-point at the scale of the first.
pub(crate) fn check_one_scale(op: &'static str, operands: &[&Fact]) -> Result<(), InferError> {
    for (operand, fact) in operands.iter().enumerate() {
        match (operands[0].scale(), fact.scale()) {
            (Some(expected), Some(got)) if expected != got => {
                return Err(InferError::OperandScale { op, operand, expected, got });
            }
            (Some(_), Some(_)) | (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return Err(InferError::MixedOperands { op, operand }),
        }
    }
    Ok(())
}

pub(crate) fn check_scale(op: &'static str, tensor: &'static str, scale: f64) -> Result<(), InferError> {
    if scale.is_finite() && scale > 0.0 { Ok(()) } else { Err(InferError::BadScale { op, tensor, got: scale }) }
}

#[cfg(test)]
mod tests;
