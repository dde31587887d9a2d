//! Products of two tensors.

use super::{Arity, Class, Operand, Operation};
use crate::infer::{MAX_MAGNITUDE, check_one_shape, check_scale};
use crate::{Fact, InferError, Number, Range};

/// The product of two tensors of one shape, number by number.
pub struct Multiply;

impl Operation for Multiply {
    const NAME: &'static str = "multiply";
    const ARITY: Arity = Arity::Exactly(2);

    fn class(&self) -> Class {
        Class::Product
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        check_one_shape(Self::NAME, operands)?;
        let number = match (&operands[0].number, &operands[1].number) {
            (Number::Real, Number::Real) => Number::Real,
            (Number::Fixed { scale, lo, hi }, Number::Fixed { scale: other, lo: least, hi: greatest }) => {
                let scale = scale * other;
                check_scale(Self::NAME, "result", scale)?;
                let ends = [lo, hi].map(|end| [least, greatest].map(|other| i128::from(*end) * i128::from(*other)));
                let ends = ends.as_flattened();
                let (lo, hi) = ends.iter().fold((ends[0], ends[0]), |(lo, hi), &end| (lo.min(end), hi.max(end)));
                let magnitude = lo.abs().max(hi.abs());
                match (i64::try_from(lo), i64::try_from(hi)) {
                    (Ok(lo), Ok(hi)) if magnitude <= i128::from(MAX_MAGNITUDE) => Number::Fixed { scale, lo, hi },
                    _ => return Err(InferError::Overflow { op: Self::NAME, channel: None, lo, hi, magnitude }),
                }
            }
            _ => return Err(InferError::MixedOperands { op: Self::NAME, operand: 1 }),
        };
        Ok(Fact { shape: operands[0].shape.clone(), number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let ends = |range: &Range| [range.lo, range.hi];
        let ends = ends(&operands[0]).map(|end| ends(&operands[1]).map(|other| end * other));
        Range::of(ends.as_flattened())
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].elements.iter().zip(operands[1].elements).map(|(a, b)| a * b).collect()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        // No product leaves ±2^62, so nothing wraps.
        operands[0].elements.iter().zip(operands[1].elements).map(|(a, b)| a.wrapping_mul(*b)).collect()
    }
}
