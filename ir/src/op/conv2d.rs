//! Convolutions.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Factors, Operand, Operation, linear};
use crate::eval::{linear as sums, ordered};
use crate::infer::axes;
use crate::{Fact, InferError, Range, Weights};

/// Cross-correlation with stride 1 and without padding:
/// `out[y, x, o] = bias[o] + Σ kernel[o, i, j, c] · in[y + i, x + j, c]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// `[c_out, height, width, c_in]`.
    pub kernel: Weights,
    /// `[c_out]`, at the scale of the result.
    pub bias: Option<Weights>,
}

impl Operation for Conv2d {
    const NAME: &'static str = "conv2d";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Linear
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.weights("kernel", &mut self.kernel)?;
        visitor.optional_weights("bias", &mut self.bias)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        let [c_out, kernel_height, kernel_width, c_in] = axes(Self::NAME, "kernel", self.kernel.shape())?;
        let [height, width, channels] = axes(Self::NAME, "input", &operand.shape)?;
        if c_in != channels {
            return Err(InferError::InputChannels { kernel: c_in, input: channels });
        }
        if kernel_height > height || kernel_width > width {
            return Err(InferError::KernelTooLarge { kernel: [kernel_height, kernel_width], input: [height, width] });
        }
        let names = (Self::NAME, "kernel");
        Ok(Fact {
            shape: vec![height - kernel_height + 1, width - kernel_width + 1, c_out],
            number: linear::infer(names, &self.kernel, self.bias.as_ref(), c_out, &operand.number)?,
        })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands[0].summed(&self.kernel, self.bias.as_ref())
    }

    fn factors(&self) -> Option<Factors<'_>> {
        Some(Factors { name: "kernel", weights: &self.kernel, bias: self.bias.as_ref() })
    }

    fn set_factors(&mut self, weights: Weights, bias: Option<Weights>) {
        (self.kernel, self.bias) = (weights, bias);
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
        sums::conv2d_real(&self.kernel, self.bias.as_ref(), operands[0].elements, &result.shape)
    }

    fn eval_real_in_order(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
        ordered::conv2d(&self.kernel, self.bias.as_ref(), operands[0].elements, &result.shape)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], result: &Fact) -> Vec<i64> {
        let Operand { fact, elements } = operands[0];
        sums::conv2d_fixed(&self.kernel, self.bias.as_ref(), elements, fact, &result.shape)
    }
}
