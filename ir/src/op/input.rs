//! What the network is given.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::infer::{MAX_MAGNITUDE, check_axes, check_scale};
use crate::{Fact, InferError, Number, Range};

/// An input of the network; no operand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The shape that the input must have.
    pub shape: Vec<usize>,
    /// The numbers that the input must consist of; an interval here is a *demand*, and every other interval of the
    /// graph rests on it.
    pub number: Number,
    /// Whether a tensor of real numbers is an input by rounding each to the nearest multiple of the scale. Otherwise each
    /// must be such a multiple. Nothing that the graph computes depends on it.
    pub rounds: bool,
}

impl Default for Input {
    /// An input that is yet to be read.
    fn default() -> Self {
        Input { shape: Vec::new(), number: Number::Real, rounds: false }
    }
}

impl Operation for Input {
    const NAME: &'static str = "input";
    const ARITY: Arity = Arity::Exactly(0);

    fn class(&self) -> Class {
        Class::Input
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.flag("rounds", &mut self.rounds)?;
        visitor.fact(&mut self.shape, &mut self.number)
    }

    fn infer(&self, _: &[&Fact]) -> Result<Fact, InferError> {
        check_axes(Self::NAME, "shape", &self.shape)?;
        if let Number::Fixed { scale, lo, hi } = self.number {
            check_scale(Self::NAME, "numbers", scale)?;
            if lo > hi {
                return Err(InferError::EmptyInterval { lo, hi });
            }
            let (lo, hi) = (i128::from(lo), i128::from(hi));
            let magnitude = lo.abs().max(hi.abs());
            if magnitude > i128::from(MAX_MAGNITUDE) {
                return Err(InferError::Overflow { op: Self::NAME, channel: None, lo, hi, magnitude });
            }
        }
        Ok(Fact { shape: self.shape.clone(), number: self.number.clone() })
    }

    fn range(&self, _: &[Range], _: &Fact) -> Range {
        match self.number {
            Number::Real => Range { lo: f64::NEG_INFINITY, hi: f64::INFINITY },
            Number::Fixed { scale, lo, hi } => Range { lo: scale * lo as f64, hi: scale * hi as f64 },
        }
    }

    /// The interpreter passes what was given as if it were an operand.
    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].elements.to_vec()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        operands[0].elements.to_vec()
    }
}
