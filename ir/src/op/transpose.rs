//! Axes in another order.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::view::{self, Place};
use super::{Arity, Class, Operand, Operation};
use crate::{Fact, InferError, Range};

/// A tensor with its axes in another order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transpose {
    /// For each axis of the result, which axis of the operand it is: each of them once.
    pub axes: Vec<usize>,
}

impl Transpose {
    /// Whether the order stays as it is.
    pub fn is_identity(&self) -> bool {
        self.axes.is_sorted()
    }

    fn shape(&self, shape: &[usize]) -> Vec<usize> {
        self.axes.iter().map(|&axis| shape[axis]).collect()
    }
}

impl Operation for Transpose {
    const NAME: &'static str = "transpose";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::View { with_zero: false }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.indices("axes", &mut self.axes)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..operand.shape.len()) {
            return Err(InferError::AxisOrder { axes: operand.shape.len(), got: self.axes.clone() });
        }
        Ok(Fact { shape: self.shape(&operand.shape), number: operand.number.clone() })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands[0]
    }

    fn places(&self, operands: &[&[usize]]) -> Vec<Option<Place>> {
        let shape = operands[0];
        let stride = |axis: &usize| shape[axis + 1..].iter().product();
        let strides: Vec<usize> = self.axes.iter().map(stride).collect();
        let mut places = vec![0];
        for (length, stride) in self.shape(shape).into_iter().zip(strides) {
            places = places.into_iter().flat_map(|place| (0..length).map(move |at| place + at * stride)).collect();
        }
        places.into_iter().map(|place| Some(Place::of_first(place))).collect()
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        view::eval(self, operands)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        view::eval(self, operands)
    }
}
