//! Chosen indices of an axis.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::view::{self, Place, along_axis, check_axis};
use super::{Arity, Class, Operand, Operation};
use crate::infer::check_axes;
use crate::{Fact, InferError, Range};

/// Chosen indices of an axis, in any order, each as often as it is listed: slices, flips, repetitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gather {
    /// The axis.
    pub axis: usize,
    /// For each index of that axis of the result, which index of the operand's it is.
    pub indices: Vec<usize>,
}

impl Gather {
    /// Whether all of an axis of that length stays as it is.
    pub fn is_identity(&self, length: usize) -> bool {
        self.indices.iter().copied().eq(0..length)
    }

    /// Whether each index of an axis of that length is listed.
    pub fn has_all(&self, length: usize) -> bool {
        let mut is_listed = vec![false; length];
        self.indices.iter().for_each(|&index| is_listed[index] = true);
        is_listed.into_iter().all(|is_listed| is_listed)
    }
}

impl Operation for Gather {
    const NAME: &'static str = "gather";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::View { with_zero: false }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.axis(&mut self.axis)?;
        visitor.indices("indices", &mut self.indices)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        check_axis(Self::NAME, self.axis, operand)?;
        let length = operand.shape[self.axis];
        if let Some(&index) = self.indices.iter().find(|&&index| index >= length) {
            return Err(InferError::Index { axis: self.axis, length, index });
        }
        let mut shape = operand.shape.clone();
        shape[self.axis] = self.indices.len();
        check_axes(Self::NAME, "result", &shape)?;
        Ok(Fact { shape, number: operand.number.clone() })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands[0]
    }

    fn places(&self, operands: &[&[usize]]) -> Vec<Option<Place>> {
        let places = along_axis(operands[0], self.axis, &self.indices);
        places.map(|place| Some(Place::of_first(place))).collect()
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        view::eval(self, operands)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        view::eval(self, operands)
    }
}
