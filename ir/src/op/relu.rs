//! Rectification.

use super::{Arity, Class, Operand, Operation};
use crate::infer::rectified;
use crate::{Fact, InferError, Range};

/// `max(0, x)`, number by number.
pub struct Relu;

impl Operation for Relu {
    const NAME: &'static str = "relu";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Monotone { keeps_zero: true }
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        Ok(Fact { shape: operand.shape.clone(), number: rectified(&operand.number) })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands[0].rectified()
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].elements.iter().map(|value| value.max(0.0)).collect()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        operands[0].elements.iter().map(|&value| value.max(0)).collect()
    }
}
