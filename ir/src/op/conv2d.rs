//! Convolutions.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Factors, Operand, Operation, linear};
use crate::eval::{linear as sums, ordered};
use crate::infer::axes;
use crate::{Fact, InferError, Range, Weights};

/// Cross-correlation without padding, of each group of channels by itself:
/// `out[y, x, o] = bias[o] + Σ kernel[o, i, j, c] · in[y·s + i·d, x·s + j·d, first + c]`, for stride `s`, dilation `d`, and the
/// first channel of the group that `o` is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// `[c_out, height, width, c_in / groups]`.
    pub kernel: Weights,
    /// `[c_out]`, at the scale of the result.
    pub bias: Option<Weights>,
    /// From one position of the kernel to the next, along height and width.
    pub stride: [usize; 2],
    /// From one element of the kernel to the next, likewise.
    pub dilation: [usize; 2],
    /// How many groups the channels are in.
    pub groups: usize,
}

/// With stride and dilation 1, and one group.
impl Default for Conv2d {
    fn default() -> Self {
        Self { kernel: Weights::default(), bias: None, stride: [1, 1], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2d {
    /// Height and width of what the kernel covers, the elements that dilation leaves out among them; saturates.
    fn span(&self, kernel: [usize; 2]) -> [usize; 2] {
        let along = |axis: usize| (kernel[axis] - 1).saturating_mul(self.dilation[axis]).saturating_add(1);
        [along(0), along(1)]
    }
}

impl Operation for Conv2d {
    const NAME: &'static str = "conv2d";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Linear
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.weights("kernel", &mut self.kernel)?;
        visitor.optional_weights("bias", &mut self.bias)?;
        visitor.sides_unless("stride", &mut self.stride, [1, 1])?;
        visitor.sides_unless("dilation", &mut self.dilation, [1, 1])?;
        visitor.count_unless_one("groups", &mut self.groups)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        let [c_out, kernel_height, kernel_width, c_in] = axes(Self::NAME, "kernel", self.kernel.shape())?;
        let [height, width, channels] = axes(Self::NAME, "input", &operand.shape)?;
        for (attribute, sides) in [("stride", self.stride), ("dilation", self.dilation)] {
            if sides.contains(&0) {
                return Err(InferError::EmptyStep { attribute, sides });
            }
        }
        if self.groups == 0 || c_out % self.groups != 0 {
            return Err(InferError::Groups { groups: self.groups, outputs: c_out });
        }
        if c_in.checked_mul(self.groups) != Some(channels) {
            return Err(InferError::InputChannels { kernel: c_in.saturating_mul(self.groups), input: channels });
        }
        let [span_height, span_width] = self.span([kernel_height, kernel_width]);
        if span_height > height || span_width > width {
            return Err(InferError::KernelTooLarge { kernel: [span_height, span_width], input: [height, width] });
        }
        let names = (Self::NAME, "kernel");
        Ok(Fact {
            shape: vec![(height - span_height) / self.stride[0] + 1, (width - span_width) / self.stride[1] + 1, c_out],
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
        sums::conv2d_real(self, operands[0].elements, operands[0].fact, &result.shape)
    }

    fn eval_real_in_order(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
        ordered::conv2d(self, operands[0].elements, operands[0].fact, &result.shape)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], result: &Fact) -> Vec<i64> {
        sums::conv2d_fixed(self, operands[0].elements, operands[0].fact, &result.shape)
    }
}
