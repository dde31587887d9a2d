//! Borders of zeros.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::{Fact, InferError, Number, Range};

/// A tensor with a border of zeros.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pad {
    /// How many zeros stand before the elements, along each axis.
    pub before: Vec<usize>,
    /// How many zeros stand behind them, along each axis.
    pub after: Vec<usize>,
}

impl Pad {
    /// For each element of the result, in row-major order, the place of the operand's element that it is; `None` for a
    /// zero. The operand has the given shape and as many axes as there are borders.
    ///
    /// # Panics
    ///
    /// If it has another number of axes.
    pub fn places(&self, shape: &[usize]) -> Vec<Option<usize>> {
        assert!(shape.len() == self.before.len() && shape.len() == self.after.len(), "a border for each axis");
        let mut places = vec![Some(0)];
        for ((&length, &before), &after) in shape.iter().zip(&self.before).zip(&self.after) {
            let along = |place: Option<usize>| {
                let inside = (0..length).map(move |at| place.map(|place| place * length + at));
                let zeros = |count| std::iter::repeat_n(None, count);
                zeros(before).chain(inside).chain(zeros(after))
            };
            places = places.into_iter().flat_map(along).collect();
        }
        places
    }

    /// Whether there is any border.
    pub fn has_border(&self) -> bool {
        self.before.iter().chain(&self.after).any(|&length| length > 0)
    }

    fn eval<T: Copy + Default>(&self, operand: &Operand<'_, T>) -> Vec<T> {
        let places = self.places(&operand.fact.shape);
        operand.each(|tensor| places.iter().map(|place| place.map_or(T::default(), |place| tensor[place])).collect())
    }
}

impl Operation for Pad {
    const NAME: &'static str = "pad";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::View { with_zero: self.has_border() }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.lengths("before", &mut self.before)?;
        visitor.lengths("after", &mut self.after)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        for borders in [&self.before, &self.after] {
            if borders.len() != operand.shape.len() {
                return Err(InferError::Borders { axes: operand.shape.len(), got: borders.len() });
            }
        }
        // A length that saturates is that of a tensor too large.
        let lengths = operand.shape.iter().zip(&self.before).zip(&self.after);
        let shape = lengths.map(|((&length, &before), &after)| length.saturating_add(before).saturating_add(after));
        let number = match operand.number {
            Number::Fixed { scale, lo, hi } if self.has_border() => {
                Number::Fixed { scale, lo: lo.min(0), hi: hi.max(0) }
            }
            Number::Real | Number::Fixed { .. } => operand.number.clone(),
        };
        Ok(Fact { shape: shape.collect(), number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let zero = Range { lo: 0.0, hi: 0.0 };
        if self.has_border() { operands[0].union(zero) } else { operands[0] }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        self.eval(&operands[0])
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        self.eval(&operands[0])
    }
}
