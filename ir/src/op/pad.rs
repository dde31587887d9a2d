//! Zeros around and between elements.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::view::{self, Place};
use super::{Arity, Class, Operand, Operation};
use crate::{Fact, InferError, Number, Range};

/// A tensor with a border of zeros, and zeros between its elements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pad {
    /// How many zeros stand before the elements, along each axis.
    pub before: Vec<usize>,
    /// How many zeros stand behind them, along each axis.
    pub after: Vec<usize>,
    /// How many zeros stand between any two neighbours, along each axis.
    pub between: Vec<usize>,
}

impl Pad {
    /// A border, and nothing between elements.
    pub fn border(before: Vec<usize>, after: Vec<usize>) -> Self {
        let between = vec![0; before.len()];
        Self { before, after, between }
    }

    /// Whether there is a place for any zero in a tensor of that shape.
    pub fn has_zeros(&self, shape: &[usize]) -> bool {
        let between = shape.iter().zip(&self.between).map(|(&length, &between)| if length > 1 { between } else { 0 });
        self.before.iter().chain(&self.after).copied().chain(between).any(|length| length > 0)
    }

    /// What becomes of an axis, if that has a length at all.
    fn length(&self, axis: usize, length: usize) -> Option<usize> {
        let gaps = self.between[axis].checked_mul(length - 1)?;
        length.checked_add(gaps)?.checked_add(self.before[axis])?.checked_add(self.after[axis])
    }
}

impl Operation for Pad {
    const NAME: &'static str = "pad";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        // What stands between elements depends on the operand's shape, but for where there is nothing.
        let has_any = |lengths: &[usize]| lengths.iter().any(|&length| length > 0);
        Class::View {
            with_zero: [&self.before, &self.after, &self.between].into_iter().any(|lengths| has_any(lengths)),
        }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.lengths("before", &mut self.before)?;
        visitor.lengths("after", &mut self.after)?;
        visitor.lengths_unless_zero("between", &mut self.between, self.before.len())
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        for borders in [&self.before, &self.after, &self.between] {
            if borders.len() != operand.shape.len() {
                return Err(InferError::Borders { axes: operand.shape.len(), got: borders.len() });
            }
        }
        // A length that saturates is that of a tensor too large.
        let lengths = operand.shape.iter().enumerate();
        let shape = lengths.map(|(axis, &length)| self.length(axis, length).unwrap_or(usize::MAX)).collect();
        let number = match operand.number {
            Number::Fixed { scale, lo, hi } if self.has_zeros(&operand.shape) => {
                Number::Fixed { scale, lo: lo.min(0), hi: hi.max(0) }
            }
            Number::Real | Number::Fixed { .. } => operand.number.clone(),
        };
        Ok(Fact { shape, number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let zero = Range { lo: 0.0, hi: 0.0 };
        match self.class() {
            Class::View { with_zero: true } => operands[0].union(zero),
            _ => operands[0],
        }
    }

    fn places(&self, operands: &[&[usize]]) -> Vec<Option<Place>> {
        let mut places = vec![Some(0)];
        for (axis, &length) in operands[0].iter().enumerate() {
            let (before, after, between) = (self.before[axis], self.after[axis], self.between[axis]);
            let along = |place: Option<usize>| {
                let zeros = |count| std::iter::repeat_n(None, count);
                let gap = move |at| zeros(if at == 0 { 0 } else { between });
                let inside = move |at| gap(at).chain(std::iter::once(place.map(|place| place * length + at)));
                zeros(before).chain((0..length).flat_map(inside)).chain(zeros(after))
            };
            places = places.into_iter().flat_map(along).collect();
        }
        places.into_iter().map(|place| place.map(Place::of_first)).collect()
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        view::eval(self, operands)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        view::eval(self, operands)
    }
}
