//! The same numbers along one axis.

use super::view::{self, Place};
use super::{Arity, Class, Operand, Operation};
use crate::{Fact, InferError, Range};

/// The same numbers in row-major order along one axis.
pub struct Flatten;

impl Operation for Flatten {
    const NAME: &'static str = "flatten";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::View { with_zero: false }
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        Ok(Fact { shape: vec![operand.elements()], number: operand.number.clone() })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands[0]
    }

    fn places(&self, operands: &[&[usize]]) -> Vec<Option<Place>> {
        view::in_order(operands[0])
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].elements.to_vec()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        operands[0].elements.to_vec()
    }
}
