//! A filter at several places, weights as row constants.

use super::digits::DigitWires;
use super::{Cells, MAX_SIZE, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, dot};
use serde::{Deserialize, Serialize};

/// `y_j = b + Σ w_i x_ji`: one output channel of a convolution at several positions.
///
/// Inputs: the taps of each position, one position after the other. Outputs: one a position. Row constants: the weights, then
/// the bias. So one gate serves all channels, each in rows of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    taps: usize,
    positions: usize,
}

impl Filter {
    /// A filter of so many weights, at so many positions.
    pub fn new(taps: usize, positions: usize) -> Self {
        Self { taps, positions }
    }
}

impl Statement for Filter {
    fn is_consistent(&self) -> bool {
        (1..=MAX_SIZE).contains(&self.taps) && (1..=MAX_SIZE).contains(&self.positions)
    }

    fn shape(&self) -> Shape {
        Shape {
            inputs: self.taps.saturating_mul(self.positions),
            outputs: self.positions,
            constants: self.taps + 1,
            constraints: self.positions,
            degree: 2,
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let weights: Vec<A::V> = (0..self.taps).map(|i| cells.constant(i)).collect();
        for position in 0..self.positions {
            let mut sum = cells.constant(self.taps);
            for (i, &weight) in weights.iter().enumerate() {
                let tap = cells.input(position * self.taps + i);
                let product = cells.arith.mul(weight, tap);
                sum = cells.arith.add(sum, product);
            }
            let output = cells.output(position);
            cells.arith.assert_equal(sum, output);
        }
    }

    fn assign(&self, constants: &[F], inputs: &[F], outputs: &mut [F], _: &mut [F], _: &mut DigitWires<'_>) {
        let (weights, bias) = constants.split_at(self.taps);
        for (output, taps) in outputs.iter_mut().zip(inputs.chunks_exact(self.taps)) {
            *output = bias[0] + dot(weights, taps);
        }
    }
}
