//! Constraints as a circuit: what a verifier inside another circuit evaluates.

use super::Arith;
use crate::gadget::field::{D, F, from_signed};
use plonky2::iop::ext_target::ExtensionTarget;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::vars::EvaluationTargets;

/// Builds the evaluation of the constraints with `builder`.
pub struct Recursive<'a> {
    builder: &'a mut CircuitBuilder<F, D>,
    vars: EvaluationTargets<'a, D>,
    /// The constraints stated so far.
    pub constraints: Vec<ExtensionTarget<D>>,
}

impl<'a> Recursive<'a> {
    /// An evaluation of the targets `vars` inside `builder`.
    pub fn new(builder: &'a mut CircuitBuilder<F, D>, vars: EvaluationTargets<'a, D>) -> Self {
        Self { builder, vars, constraints: Vec::new() }
    }
}

impl Arith for Recursive<'_> {
    type V = ExtensionTarget<D>;

    fn wire(&mut self, index: usize) -> Self::V {
        self.vars.local_wires[index]
    }

    fn row_constant(&mut self, index: usize) -> Self::V {
        self.vars.local_constants[index]
    }

    fn fixed(&mut self, value: F) -> Self::V {
        self.builder.constant_extension(value.into())
    }

    fn add(&mut self, a: Self::V, b: Self::V) -> Self::V {
        self.builder.add_extension(a, b)
    }

    fn sub(&mut self, a: Self::V, b: Self::V) -> Self::V {
        self.builder.sub_extension(a, b)
    }

    fn mul(&mut self, a: Self::V, b: Self::V) -> Self::V {
        self.builder.mul_extension(a, b)
    }

    fn scale(&mut self, a: Self::V, c: F) -> Self::V {
        self.builder.mul_const_extension(c, a)
    }

    fn dot(&mut self, weights: &[i64], values: &[Self::V]) -> Self::V {
        let mut sum = self.builder.zero_extension();
        for (&weight, &value) in weights.iter().zip(values).filter(|(weight, _)| **weight != 0) {
            sum = self.builder.mul_const_add_extension(from_signed(weight), value, sum);
        }
        sum
    }

    fn assert_zero(&mut self, value: Self::V) {
        self.constraints.push(value);
    }
}
