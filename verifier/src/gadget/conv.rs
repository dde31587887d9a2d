//! Convolutions, weights inside the gate.

use super::digits::DigitWires;
use super::{Cells, Max, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed, to_signed};
use crate::gadget::matrix::Matrix;
use ndarray::{ArcArray, Array2, Ix4};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// The most weights that a convolution's matrix may have.
const MAX_MATRIX: usize = 1 << 28;

/// All channels of a valid convolution at one output position, or, with pooling, at a block of positions of which
/// the maximum is taken.
///
/// Inputs: the patch that the block sees, row-major with channels last, and, of a convolution that adds, what it adds to,
/// one a channel. Outputs: one a channel. With a `max` the convolution's own values are no wires: they are linear in the
/// patch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conv {
    kernel: ArcArray<i64, Ix4>,
    bias: Vec<i64>,
    block: [usize; 2],
    max: Option<Max>,
    adds: bool,
    #[serde(skip)]
    matrix: OnceLock<Matrix>,
}

impl Conv {
    /// The convolution with `kernel` (channels out, height, width, channels in) and `bias`, at one position.
    pub fn new(kernel: impl Into<ArcArray<i64, Ix4>>, bias: Vec<i64>) -> Self {
        Self { kernel: kernel.into(), bias, block: [1, 1], max: None, adds: false, matrix: OnceLock::new() }
    }

    /// The convolution that adds its result to further inputs: a part of a larger one.
    pub fn adding(self) -> Self {
        Self { adds: true, ..self }
    }

    /// How many products of a weight and a value it takes.
    pub fn products(&self) -> usize {
        self.patch().iter().product::<usize>() * self.bias.len() * self.positions()
    }

    /// The maximum of the convolution over a `block` of positions, and of zero with `relu`; `spread` is the
    /// greatest difference between any two of these values.
    pub fn with_max(self, block: [usize; 2], relu: bool, spread: u64) -> Self {
        let max = Max::new(block[0] * block[1], relu, spread);
        Self { block, max: Some(max), ..self }
    }

    /// Height, width and channels of the patch.
    pub fn patch(&self) -> [usize; 3] {
        let [_, kh, kw, c] = self.kernel_shape();
        [kh + self.block[0] - 1, kw + self.block[1] - 1, c]
    }

    fn kernel_shape(&self) -> [usize; 4] {
        let (outputs, height, width, inputs) = self.kernel.dim();
        [outputs, height, width, inputs]
    }

    fn positions(&self) -> usize {
        self.block[0] * self.block[1]
    }

    /// One row a channel and position, position-major; one column an element of the patch.
    fn matrix(&self) -> &Matrix {
        self.matrix.get_or_init(|| {
            let [_, width, channels] = self.patch();
            let mut weights = Array2::zeros((self.bias.len() * self.positions(), self.patch().iter().product()));
            for ((out, y, x, c), &weight) in self.kernel.indexed_iter() {
                for position in 0..self.positions() {
                    let (by, bx) = (position / self.block[1], position % self.block[1]);
                    let column = ((y + by) * width + x + bx) * channels + c;
                    weights[(position * self.bias.len() + out, column)] = weight;
                }
            }
            Matrix::new(weights)
        })
    }
}

impl Statement for Conv {
    fn is_consistent(&self) -> bool {
        let within = |values: &[usize]| {
            let product = values.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
            product.is_some_and(|product| (1..=MAX_MATRIX).contains(&product))
        };
        let [outputs, height, width, channels] = self.kernel_shape();
        let [block_height, block_width] = self.block;
        within(&self.block)
            && within(&[outputs, height, width, channels])
            && within(&[outputs, block_height, block_width, height + block_height, width + block_width, channels])
            && self.bias.len() == outputs
            && match &self.max {
                Some(max) => max.has_consistent_parts() && max.arity() == self.positions(),
                None => self.block == [1, 1],
            }
            && !(self.adds && self.max.is_some())
    }

    fn shape(&self) -> Shape {
        let outputs = self.bias.len();
        // One channel's.
        let own = match &self.max {
            Some(max) => Statement::shape(max),
            None => Shape { constraints: 1, degree: 1, ..Shape::default() },
        };
        Shape {
            inputs: self.patch().iter().product::<usize>() + if self.adds { outputs } else { 0 },
            outputs,
            advice: outputs * own.advice,
            digits: outputs * own.digits,
            constants: 0,
            constraints: outputs * own.constraints,
            degree: own.degree,
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let matrix = self.matrix();
        let patch: Vec<A::V> = (0..matrix.width()).map(|i| cells.input(i)).collect();
        let sums = cells.arith.apply(matrix, &patch);
        for channel in 0..self.bias.len() {
            let output = cells.output(channel);
            let bias = from_signed(self.bias[channel]);
            let sums = sums.iter().skip(channel).step_by(self.bias.len());
            let values: Vec<A::V> = sums.map(|&sum| cells.arith.offset(sum, bias)).collect();
            match &self.max {
                Some(max) => max.constrain_values(cells, &values, output, channel * max.product_wires()),
                None if self.adds => {
                    let before = cells.input(matrix.width() + channel);
                    let sum = cells.arith.add(before, values[0]);
                    cells.arith.assert_equal(sum, output);
                }
                None => cells.arith.assert_equal(values[0], output),
            }
        }
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
        let (patch, before) = inputs.split_at(self.matrix().width());
        let patch: Vec<i64> = patch.iter().map(|&x| to_signed(x)).collect();
        let weights = self.matrix().weights();
        let sum = |row: usize| -> i64 {
            let products = weights[row * patch.len()..].iter().zip(&patch).map(|(&w, &x)| w.wrapping_mul(x));
            products.fold(self.bias[row % self.bias.len()], i64::wrapping_add)
        };
        for (channel, output) in outputs.iter_mut().enumerate() {
            let rows = (channel..self.bias.len() * self.positions()).step_by(self.bias.len());
            let values: Vec<i64> = rows.map(sum).collect();
            let value = match &self.max {
                Some(max) => {
                    let products = max.product_wires();
                    max.assign_values(&values, &mut advice[channel * products..][..products], digits)
                }
                None => values[0],
            };
            *output = from_signed(value) + before.get(channel).copied().unwrap_or_default();
        }
    }
}
