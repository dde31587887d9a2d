//! Which element of a vector is the greatest.

use super::{Arity, Class, Operand, Operation};
use crate::infer::{MAX_ELEMENTS, axes};
use crate::{Fact, InferError, Number, Range};

/// The index of the greatest number of a vector, the lowest of several.
pub struct Argmax;

impl Operation for Argmax {
    const NAME: &'static str = "argmax";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Function
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        let [length] = axes(Self::NAME, "input", &operand.shape)?;
        let number = match operand.number {
            Number::Real => Number::Real,
            // A tensor has at most `MAX_ELEMENTS` elements.
            Number::Fixed { .. } => Number::Fixed { scale: 1.0, lo: 0, hi: length.min(MAX_ELEMENTS) as i64 - 1 },
        };
        Ok(Fact { shape: vec![1], number })
    }

    fn range(&self, _: &[Range], result: &Fact) -> Range {
        Range { lo: 0.0, hi: result.elements() as f64 }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].each(|x| vec![argmax(x) as f64])
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        operands[0].each(|x| vec![argmax(x) as i64])
    }
}

/// The position of the greatest element, the lowest of several; numbers that are not comparable are passed over.
fn argmax<T: Copy + PartialOrd>(x: &[T]) -> usize {
    let mut greatest = 0;
    for (at, &value) in x.iter().enumerate() {
        if value > x[greatest] {
            greatest = at;
        }
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index() {
        assert_eq!(argmax(&[-3, -1, -1, -2]), 1);
        assert_eq!(argmax(&[0.0, -0.0]), 0);
        assert_eq!(argmax(&[7]), 0);
    }
}
