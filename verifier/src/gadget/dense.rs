//! Tiles of matrix-vector products.

use super::digits::DigitWires;
use super::{Cells, MAX_SIZE, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, dot};
use serde::{Deserialize, Serialize};

/// `after = before + W x` for a tile `W` of `height × width` weights, which are row constants in row-major order.
///
/// Inputs: `x`, then `before`. Outputs: `after`. A large matrix is a grid of tiles, the outputs of one being the
/// `before` of the next to its right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenseTile {
    /// Elements of `x`.
    pub width: usize,
    /// Elements of `before` and `after`.
    pub height: usize,
}

impl Statement for DenseTile {
    fn is_consistent(&self) -> bool {
        (1..=MAX_SIZE).contains(&self.width) && (1..=MAX_SIZE).contains(&self.height)
    }

    fn shape(&self) -> Shape {
        Shape {
            inputs: self.width + self.height,
            outputs: self.height,
            constants: self.width * self.height,
            constraints: self.height,
            degree: 2,
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let x: Vec<A::V> = (0..self.width).map(|j| cells.input(j)).collect();
        for i in 0..self.height {
            let (before, after) = (cells.input(self.width + i), cells.output(i));
            let mut sum = cells.arith.sub(before, after);
            for (j, &x) in x.iter().enumerate() {
                let weight = cells.constant(i * self.width + j);
                let product = cells.arith.mul(weight, x);
                sum = cells.arith.add(sum, product);
            }
            cells.arith.assert_zero(sum);
        }
    }

    fn assign(&self, constants: &[F], inputs: &[F], outputs: &mut [F], _: &mut [F], _: &mut DigitWires<'_>) {
        let (x, before) = inputs.split_at(self.width);
        for ((after, &before), row) in outputs.iter_mut().zip(before).zip(constants.chunks_exact(self.width)) {
            *after = before + dot(row, x);
        }
    }
}
