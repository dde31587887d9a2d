//! Tensors end to end.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::view::{self, Place, check_axis};
use super::{Arity, Class, Operand, Operation};
use crate::infer::check_one_scale;
use crate::{Fact, InferError, Number, Range};

/// Tensors end to end along an axis. Integers are all at one scale.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Concat {
    /// The axis, along which lengths may differ.
    pub axis: usize,
}

impl Operation for Concat {
    const NAME: &'static str = "concat";
    const ARITY: Arity = Arity::AtLeast(2);

    fn class(&self) -> Class {
        Class::View { with_zero: false }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.axis(&mut self.axis)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let first = operands[0];
        check_axis(Self::NAME, self.axis, first)?;
        check_one_scale(Self::NAME, operands)?;
        let mut shape = first.shape.clone();
        let mut number = first.number.clone();
        for (operand, fact) in operands.iter().enumerate().skip(1) {
            let others_agree = |(axis, (a, b)): (usize, (&usize, &usize))| axis == self.axis || a == b;
            let lengths = first.shape.iter().zip(&fact.shape).enumerate();
            if fact.shape.len() != first.shape.len() || !lengths.into_iter().all(others_agree) {
                let (op, expected, got) = (Self::NAME, first.shape.clone(), fact.shape.clone());
                return Err(InferError::ConcatShape { op, axis: self.axis, operand, expected, got });
            }
            // A length that saturates is that of a tensor too large.
            shape[self.axis] = shape[self.axis].saturating_add(fact.shape[self.axis]);
            if let (Number::Fixed { lo, hi, .. }, Some((least, greatest))) = (&mut number, fact.interval()) {
                (*lo, *hi) = ((*lo).min(least), (*hi).max(greatest));
            }
        }
        Ok(Fact { shape, number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands.iter().fold(Range::EMPTY, |all, range| all.union(*range))
    }

    fn places(&self, operands: &[&[usize]]) -> Vec<Option<Place>> {
        let outer: usize = operands[0][..self.axis].iter().product();
        let mut places = Vec::new();
        for nth in 0..outer {
            for (operand, shape) in operands.iter().enumerate() {
                let length: usize = shape[self.axis..].iter().product();
                let place = |element| Some(Place { operand: operand as u32, element: element as u32 });
                places.extend((nth * length..(nth + 1) * length).map(place));
            }
        }
        places
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        view::eval(self, operands)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        view::eval(self, operands)
    }
}
