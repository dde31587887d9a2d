//! Sums of tensors.

use super::{Arity, Class, Operand, Operation};
use crate::infer::{MAX_MAGNITUDE, check_one_scale, check_one_shape};
use crate::{Fact, InferError, Number, Range};

/// The sum of tensors of one shape, number by number. Integers are all at one scale.
pub struct Add;

impl Operation for Add {
    const NAME: &'static str = "add";
    const ARITY: Arity = Arity::AtLeast(2);

    fn class(&self) -> Class {
        Class::Sum
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let first = operands[0];
        let (mut lo, mut hi, mut magnitude) = (0i128, 0i128, 0i128);
        check_one_shape(Self::NAME, operands)?;
        for fact in operands {
            if let Some((least, greatest)) = fact.interval() {
                lo += i128::from(least);
                hi += i128::from(greatest);
                magnitude += i128::from(least).abs().max(greatest.into());
            }
        }
        check_one_scale(Self::NAME, operands)?;
        let number = match first.number {
            Number::Real => Number::Real,
            Number::Fixed { scale, .. } => match (i64::try_from(lo), i64::try_from(hi)) {
                (Ok(lo), Ok(hi)) if magnitude <= i128::from(MAX_MAGNITUDE) => Number::Fixed { scale, lo, hi },
                _ => return Err(InferError::Overflow { op: Self::NAME, channel: None, lo, hi, magnitude }),
            },
        };
        Ok(Fact { shape: first.shape.clone(), number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let zero = Range { lo: 0.0, hi: 0.0 };
        operands.iter().fold(zero, |sum, range| Range { lo: sum.lo + range.lo, hi: sum.hi + range.hi })
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        sum(operands, |a, b| a + b)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        // No partial sum leaves ±2^62, so nothing wraps.
        sum(operands, i64::wrapping_add)
    }
}

/// From the first operand to the last.
fn sum<T: Copy>(operands: &[Operand<'_, T>], add: impl Fn(T, T) -> T) -> Vec<T> {
    let mut sums = operands[0].elements.to_vec();
    for operand in &operands[1..] {
        for (sum, &value) in sums.iter_mut().zip(operand.elements) {
            *sum = add(*sum, value);
        }
    }
    sums
}
