//! Real numbers held between two ends.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::infer::axes;
use crate::{Fact, InferError, Number, Range, Weights};

/// Each real number, or the nearer of two ends where it lies beyond: `out = min(max(in, least), greatest)`. Integers have
/// [`super::Requantize`] for that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// `[least, greatest]`, real.
    pub ends: Weights,
}

impl Clip {
    /// The ends; no end is the last that a float has.
    pub fn new(least: Option<f64>, greatest: Option<f64>) -> Self {
        let ends = [least.unwrap_or(f64::MIN), greatest.unwrap_or(f64::MAX)];
        Self { ends: Weights::Real(ndarray::arr1(&ends).into_dyn().into_shared()) }
    }

    /// The ends that there are.
    pub fn given(&self) -> [Option<f64>; 2] {
        let Range { lo, hi } = self.limits();
        [(lo > f64::MIN).then_some(lo), (hi < f64::MAX).then_some(hi)]
    }

    /// The least and the greatest result. Without two ends, which `infer` refuses, all numbers.
    pub fn limits(&self) -> Range {
        match &self.ends {
            Weights::Real(ends) if ends.len() == 2 => Range { lo: ends[[0]], hi: ends[[1]] },
            _ => Range { lo: f64::MIN, hi: f64::MAX },
        }
    }
}

impl Operation for Clip {
    const NAME: &'static str = "clip";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        let Range { lo, hi } = self.limits();
        Class::Monotone { keeps_zero: (lo..=hi).contains(&0.0) }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.weights("ends", &mut self.ends)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        let [count] = axes(Self::NAME, "ends", self.ends.shape())?;
        let Weights::Real(ends) = &self.ends else {
            return Err(InferError::NotReal { op: Self::NAME });
        };
        if operand.number != Number::Real {
            return Err(InferError::NotReal { op: Self::NAME });
        }
        if let Some(index) = ends.iter().position(|end| !end.is_finite()) {
            return Err(InferError::NotFinite { op: Self::NAME, tensor: "ends", index });
        }
        match *ends.iter().copied().collect::<Vec<f64>>() {
            [least, greatest] if least <= greatest => Ok(operand.clone()),
            _ => Err(InferError::Ends { count }),
        }
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let (ends, Range { lo, hi }) = (self.limits(), operands[0]);
        Range { lo: lo.clamp(ends.lo, ends.hi), hi: hi.clamp(ends.lo, ends.hi) }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        let Range { lo, hi } = self.limits();
        operands[0].elements.iter().map(|x| x.clamp(lo, hi)).collect()
    }

    fn eval_fixed(&self, _: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        // `infer` accepts real numbers only.
        Vec::new()
    }
}
