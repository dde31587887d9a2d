//! Convolutions, weights inside the gate.

use super::digits::DigitWires;
use super::kernel::Kernel;
use super::{Cells, Max, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed, to_signed};
#[cfg(feature = "prover")]
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// All channels of a convolution at a block of positions; or the maximum of each channel over the block.
///
/// Inputs: the patch that the block sees, row-major with channels last, and, of a convolution that adds, what it adds to, as
/// many as there are outputs. Outputs: position by position, one a channel; with a maximum, one a channel. With a `max` the
/// convolution's own values are no wires: they are linear in the patch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conv {
    kernel: Kernel,
    bias: Vec<i64>,
    max: Option<Max>,
    adds: bool,
}

impl Conv {
    /// The convolution with `kernel`, and a `bias` for each channel that it gives.
    pub fn new(kernel: Kernel, bias: Vec<i64>) -> Self {
        Self { kernel, bias, max: None, adds: false }
    }

    /// The convolution that adds its result to further inputs: a part of a larger one.
    pub fn adding(self) -> Self {
        Self { adds: true, ..self }
    }

    /// How many products of a weight and a value it takes.
    pub fn products(&self) -> usize {
        self.kernel.products()
    }

    /// The maximum of the convolution over the block of positions, and of zero with `relu`; `spread` is the greatest
    /// difference between any two of these values.
    pub fn with_max(self, relu: bool, spread: u64) -> Self {
        let max = Max::new(self.kernel.positions(), relu, spread);
        Self { max: Some(max), ..self }
    }

    /// The weights.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// What it gives before any maximum, position by position, without what it adds to.
    fn results(&self) -> usize {
        self.kernel.positions() * self.bias.len()
    }

    fn patch(&self) -> usize {
        self.kernel.patch().iter().product()
    }
}

impl Statement for Conv {
    fn is_consistent(&self) -> bool {
        self.kernel.is_consistent()
            && self.bias.len() == self.kernel.outputs()
            && match &self.max {
                Some(max) => max.has_consistent_parts() && max.arity() == self.kernel.positions() && !self.adds,
                None => true,
            }
    }

    fn shape(&self) -> Shape {
        let channels = self.bias.len();
        let (inputs, results) = (self.patch(), self.results());
        match &self.max {
            Some(max) => {
                let own = Statement::shape(max);
                Shape {
                    inputs,
                    outputs: channels,
                    advice: channels * own.advice,
                    digits: channels * own.digits,
                    constants: 0,
                    constraints: channels * own.constraints,
                    degree: own.degree,
                }
            }
            None => Shape {
                inputs: inputs + if self.adds { results } else { 0 },
                outputs: results,
                constraints: results,
                degree: 1,
                ..Shape::default()
            },
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let patch: Vec<A::V> = (0..self.patch()).map(|i| cells.input(i)).collect();
        let sums = cells.arith.convolve(&self.kernel, &patch);
        let channels = self.bias.len();
        let mut values = sums.iter().enumerate().map(|(i, &sum)| (i, from_signed(self.bias[i % channels]), sum));
        let Some(max) = &self.max else {
            for (i, bias, sum) in values {
                let mut value = cells.arith.offset(sum, bias);
                if self.adds {
                    let before = cells.input(patch.len() + i);
                    value = cells.arith.add(before, value);
                }
                let output = cells.output(i);
                cells.arith.assert_equal(value, output);
            }
            return;
        };
        let values: Vec<A::V> = values.by_ref().map(|(_, bias, sum)| cells.arith.offset(sum, bias)).collect();
        for channel in 0..channels {
            let of_channel: Vec<A::V> = values.iter().skip(channel).step_by(channels).copied().collect();
            let output = cells.output(channel);
            max.constrain_values(cells, &of_channel, output, channel * max.product_wires());
        }
    }

    fn is_linear(&self) -> bool {
        self.max.is_none()
    }

    #[cfg(feature = "prover")]
    fn combine(&self, first: F, step: F, factors: &mut [F]) -> F {
        let (patch, others) = factors.split_at_mut(self.patch());
        self.kernel.combine(first, step, patch);
        let before = others.len() - self.results();
        let mut constant = F::ZERO;
        for (i, power) in step.powers().take(self.results()).enumerate() {
            let power = first * power;
            constant += power * from_signed(self.bias[i % self.bias.len()]);
            if self.adds {
                others[i] += power;
            }
            others[before + i] -= power;
        }
        constant
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
        let (patch, before) = inputs.split_at(self.patch());
        let patch: Vec<i64> = patch.iter().map(|&x| to_signed(x)).collect();
        let channels = self.bias.len();
        let dot = |weights: &[i64], over: &[i64]| {
            weights.iter().zip(over).fold(0i64, |sum, (&weight, &x)| sum.wrapping_add(weight.wrapping_mul(x)))
        };
        let mut values = self.kernel.convolve(&patch, dot);
        for (value, &bias) in values.iter_mut().zip(self.bias.iter().cycle()) {
            *value = value.wrapping_add(bias);
        }
        match &self.max {
            None => {
                for (i, (output, &value)) in outputs.iter_mut().zip(&values).enumerate() {
                    *output = from_signed(value) + before.get(i).copied().unwrap_or_default();
                }
            }
            Some(max) => {
                for (channel, output) in outputs.iter_mut().enumerate() {
                    let of_channel: Vec<i64> = values.iter().skip(channel).step_by(channels).copied().collect();
                    let products = max.product_wires();
                    let advice = &mut advice[channel * products..][..products];
                    *output = from_signed(max.assign_values(&of_channel, advice, digits));
                }
            }
        }
    }
}
