//! Which elements along an axis are the greatest.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::argmax::indices;
use super::attribute::Visitor;
use super::view::{along, check_axis};
use super::{Arity, Class, Operand, Operation};
use crate::infer::MAX_ELEMENTS;
use crate::{Fact, InferError, Range};

/// The indices of the greatest numbers along an axis, the greatest first, and the lower index first of equals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopK {
    /// The axis, which becomes of length [`TopK::count`].
    pub axis: usize,
    /// How many indices there are to be.
    pub count: usize,
}

impl Operation for TopK {
    const NAME: &'static str = "top_k";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Function
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.axis(&mut self.axis)?;
        visitor.count_unless_one("count", &mut self.count)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        check_axis(Self::NAME, self.axis, operand)?;
        let mut shape = operand.shape.clone();
        let length = std::mem::replace(&mut shape[self.axis], self.count);
        if !(1..=length).contains(&self.count) {
            return Err(InferError::Count { count: self.count, axis: self.axis, length });
        }
        Ok(Fact { shape, number: indices(&operand.number, length) })
    }

    fn range(&self, _: &[Range], _: &Fact) -> Range {
        Range { lo: 0.0, hi: MAX_ELEMENTS as f64 }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        self.eval(&operands[0]).into_iter().map(|index| index as f64).collect()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        self.eval(&operands[0]).into_iter().map(|index| index as i64).collect()
    }
}

impl TopK {
    fn eval<T: Copy + PartialOrd>(&self, operand: &Operand<'_, T>) -> Vec<usize> {
        let inner: usize = operand.fact.shape[self.axis + 1..].iter().product();
        operand.each(|tensor| {
            let lines: Vec<Vec<usize>> =
                along(&operand.fact.shape, self.axis, tensor).map(|line| self.greatest(&line)).collect();
            // Lines are the fastest axis of this list; between the others it has to stand at its own place.
            let blocks = lines.chunks(inner.max(1));
            blocks.flat_map(|block| (0..self.count).flat_map(move |k| block.iter().map(move |line| line[k]))).collect()
        })
    }

    fn greatest<T: Copy + PartialOrd>(&self, line: &[T]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..line.len()).collect();
        // The sort is stable, so equals stay in their order.
        order.sort_by(|&a, &b| line[b].partial_cmp(&line[a]).unwrap_or(Ordering::Equal));
        order.truncate(self.count);
        order
    }
}
