//! The matrices of fully connected layers.

use ndarray::{ArcArray1, ArcArray2, s};
use rayon::prelude::*;

/// The weights of a matrix-vector product, shared with the graph they come from.
#[derive(Clone, Debug)]
pub struct Matrix {
    pub(super) weights: ArcArray2<i64>,
    /// A bias is one more column, for an input that is always 1.
    pub(super) bias: Option<ArcArray1<i64>>,
}

impl Matrix {
    /// Rows and columns.
    pub fn dim(&self) -> (usize, usize) {
        let (rows, columns) = self.weights.dim();
        (rows, columns + usize::from(self.bias.is_some()))
    }

    /// Writes the weights of a row from `column` on, each as an `element`; zeros beyond the edges.
    pub fn write<T: Copy>(&self, row: usize, column: usize, out: &mut [T], element: impl Fn(i64) -> T) {
        out.fill(element(0));
        let (height, width) = self.weights.dim();
        if row >= height {
            return;
        }
        let weights = self.weights.slice(s![row, column.min(width)..width.min(column + out.len())]);
        out.iter_mut().zip(weights).for_each(|(out, &weight)| *out = element(weight));
        let bias = width.checked_sub(column).and_then(|place| out.get_mut(place)).zip(self.bias.as_ref());
        if let Some((out, bias)) = bias {
            *out = element(bias[row]);
        }
    }

    /// The greatest magnitude of a weight.
    pub fn largest(&self) -> u64 {
        let of_row = |row| self.weights.row(row).fold(0, |largest, weight| weight.unsigned_abs().max(largest));
        let largest = (0..self.weights.nrows()).into_par_iter().map(of_row).max();
        let bias = self.bias.iter().flatten().map(|weight| weight.unsigned_abs()).max();
        largest.max(bias).unwrap_or(0)
    }
}
