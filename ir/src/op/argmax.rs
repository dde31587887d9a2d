//! Which element along an axis is the greatest.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::view::{along, check_axis};
use super::{Arity, Class, Operand, Operation};
use crate::infer::MAX_ELEMENTS;
use crate::{Fact, InferError, Number, Range};

/// The index of the greatest number along an axis, the lowest of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Argmax {
    /// The axis, which becomes of length 1.
    pub axis: usize,
}

impl Operation for Argmax {
    const NAME: &'static str = "argmax";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Function
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.axis(&mut self.axis)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        check_axis(Self::NAME, self.axis, operand)?;
        let mut shape = operand.shape.clone();
        let length = std::mem::replace(&mut shape[self.axis], 1);
        Ok(Fact { shape, number: indices(&operand.number, length) })
    }

    fn range(&self, _: &[Range], _: &Fact) -> Range {
        Range { lo: 0.0, hi: MAX_ELEMENTS as f64 }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        self.eval(&operands[0]).map(|index| index as f64).collect()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        self.eval(&operands[0]).map(|index| index as i64).collect()
    }
}

impl Argmax {
    fn eval<T: Copy + PartialOrd>(&self, operand: &Operand<'_, T>) -> impl Iterator<Item = usize> {
        let lines =
            operand.each(|tensor| along(&operand.fact.shape, self.axis, tensor).map(|line| argmax(&line)).collect());
        lines.into_iter()
    }
}

/// Indices of an axis of that length, where the operand has integers.
pub(super) fn indices(operand: &Number, length: usize) -> Number {
    match operand {
        Number::Real => Number::Real,
        // A tensor has at most `MAX_ELEMENTS` elements.
        Number::Fixed { .. } => Number::Fixed { scale: 1.0, lo: 0, hi: length.clamp(1, MAX_ELEMENTS) as i64 - 1 },
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
