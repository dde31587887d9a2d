//! A factor and an offset for each channel.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Factors, Operand, Operation, linear};
use crate::eval::linear as sums;
use crate::infer::axes;
use crate::{Fact, InferError, Range, Weights};

/// Each element times the weight of its channel, which is its index along the last axis: `out[…, c] = bias[c] + weights[c] · in[…, c]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// `[channels]`.
    pub weights: Weights,
    /// `[channels]`, at the scale of the result.
    pub bias: Option<Weights>,
}

impl Operation for Affine {
    const NAME: &'static str = "affine";
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
        let [channels] = axes(Self::NAME, "weights", self.weights.shape())?;
        let last = operand.channels();
        if channels != last {
            return Err(InferError::InputLength { weights: channels, input: last });
        }
        let names = (Self::NAME, "weights");
        let number = linear::infer(names, &self.weights, self.bias.as_ref(), channels, &operand.number)?;
        Ok(Fact { shape: operand.shape.clone(), number })
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
        sums::affine_real(&self.weights, self.bias.as_ref(), operands[0].elements)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        sums::affine_fixed(&self.weights, self.bias.as_ref(), operands[0].elements)
    }
}
