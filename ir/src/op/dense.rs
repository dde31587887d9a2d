//! Matrices times vectors.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Factors, Operand, Operation, linear};
use crate::eval::{linear as sums, ordered};
use crate::infer::axes;
use crate::{Fact, InferError, Range, Weights};

/// A matrix times a vector: `out[o] = bias[o] + Σ weights[o, i] · in[i]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// `[out, in]`.
    pub weights: Weights,
    /// `[out]`, at the scale of the result.
    pub bias: Option<Weights>,
}

impl Operation for Dense {
    const NAME: &'static str = "dense";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Linear
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.weights("weights", &mut self.weights)?;
        visitor.optional_weights("bias", &mut self.bias)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        let [outputs, inputs] = axes(Self::NAME, "weights", self.weights.shape())?;
        let [length] = axes(Self::NAME, "input", &operand.shape)?;
        if inputs != length {
            return Err(InferError::InputLength { weights: inputs, input: length });
        }
        let names = (Self::NAME, "weights");
        let number = linear::infer(names, &self.weights, self.bias.as_ref(), outputs, &operand.number)?;
        Ok(Fact { shape: vec![outputs], number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands[0].summed(&self.weights, self.bias.as_ref())
    }

    fn factors(&self) -> Option<Factors<'_>> {
        Some(Factors { name: "weights", weights: &self.weights, bias: self.bias.as_ref() })
    }

    fn set_factors(&mut self, weights: Weights, bias: Option<Weights>) {
        (self.weights, self.bias) = (weights, bias);
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        sums::dense_real(&self.weights, self.bias.as_ref(), operands[0].elements)
    }

    fn eval_real_in_order(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        ordered::dense(&self.weights, self.bias.as_ref(), operands[0].elements)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        let Operand { fact, elements } = operands[0];
        sums::dense_fixed(&self.weights, self.bias.as_ref(), elements, fact)
    }
}
