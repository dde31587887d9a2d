//! Real numbers brought to the multiples of a scale.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::infer::check_scale;
use crate::{Fact, InferError, Number, Range};

/// The greatest multiple: up to here a float of 32 bits tells each integer from the next.
pub const MAX_LEVEL: i64 = 1 << 24;

/// Each real number as the nearest multiple of a scale, of two equally near ones the even multiple, among those from `lo` to
/// `hi`: `out = scale · clamp(round(in / scale), lo, hi)`, as the operators QuantizeLinear and DequantizeLinear of ONNX do one
/// after the other. The quotient is rounded to a float of 32 bits before, as theirs is. Zero is a multiple: a zero point `z` only
/// says that `lo` and `hi` are the ends of the type less `z`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantize {
    /// The least multiple.
    pub lo: i64,
    /// The greatest multiple.
    pub hi: i64,
    /// The scale.
    pub scale: f64,
}

impl Quantize {
    /// The multiple for a real number.
    pub fn level(&self, value: f64) -> i64 {
        // A cast of what is no number gives zero, and others saturate.
        (((value / self.scale) as f32).round_ties_even() as i64).clamp(self.lo, self.hi)
    }
}

impl Operation for Quantize {
    const NAME: &'static str = "quantize";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Monotone { keeps_zero: (self.lo..=self.hi).contains(&0) }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.interval("clamp", &mut self.lo, &mut self.hi)?;
        visitor.scale(&mut self.scale)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        if operand.number != Number::Real {
            return Err(InferError::NotReal { op: Self::NAME });
        }
        check_scale(Self::NAME, "result", self.scale)?;
        let (lo, hi) = (self.lo, self.hi);
        if lo > hi {
            return Err(InferError::EmptyInterval { lo, hi });
        }
        let magnitude = i128::from(lo).abs().max(i128::from(hi).abs());
        match magnitude <= i128::from(MAX_LEVEL) {
            true => Ok(operand.clone()),
            false => Err(InferError::Levels { lo, hi }),
        }
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let end = |end: f64| self.scale * self.level(end) as f64;
        Range { lo: end(operands[0].lo), hi: end(operands[0].hi) }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].elements.iter().map(|&value| self.scale * self.level(value) as f64).collect()
    }

    fn eval_fixed(&self, _: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        // `infer` accepts real numbers only.
        Vec::new()
    }
}
