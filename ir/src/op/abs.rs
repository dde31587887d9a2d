//! Absolute values.

use super::{Arity, Class, Operand, Operation};
use crate::{Fact, InferError, Number, Range};

/// The absolute value of each element.
pub struct Abs;

impl Operation for Abs {
    const NAME: &'static str = "abs";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Function
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let Fact { shape, number } = operands[0];
        let number = match *number {
            Number::Real => Number::Real,
            Number::Fixed { scale, lo, hi } => {
                let (lo, hi) = magnitudes(lo, hi);
                Number::Fixed { scale, lo, hi }
            }
        };
        Ok(Fact { shape: shape.clone(), number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let Range { lo, hi } = operands[0];
        let least = if lo <= 0.0 && hi >= 0.0 { 0.0 } else { lo.abs().min(hi.abs()) };
        Range { lo: least, hi: lo.abs().max(hi.abs()) }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].elements.iter().map(|x| x.abs()).collect()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        // No integer of a graph is as far from zero as the least of 64 bits.
        operands[0].elements.iter().map(|x| x.abs()).collect()
    }
}

/// The least and the greatest magnitude in an interval, both ends of which are within ±2^62.
fn magnitudes(lo: i64, hi: i64) -> (i64, i64) {
    let least = if lo <= 0 && hi >= 0 { 0 } else { lo.abs().min(hi.abs()) };
    (least, lo.abs().max(hi.abs()))
}
