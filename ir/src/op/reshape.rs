//! The same elements under another shape.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::view::{self, Place};
use super::{Arity, Class, Operand, Operation};
use crate::fact::element_count;
use crate::infer::check_axes;
use crate::{Fact, InferError, Range};

/// The same elements, in row-major order, under another shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reshape {
    /// The shape of the result.
    pub shape: Vec<usize>,
}

impl Operation for Reshape {
    const NAME: &'static str = "reshape";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::View { with_zero: false }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.lengths("shape", &mut self.shape)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        check_axes(Self::NAME, "result", &self.shape)?;
        if element_count(&self.shape) != Some(operand.elements()) {
            return Err(InferError::Reshape { from: operand.shape.clone(), to: self.shape.clone() });
        }
        Ok(Fact { shape: self.shape.clone(), number: operand.number.clone() })
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
