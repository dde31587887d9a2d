//! Fixed integer matrices inside gates, and their product with a batch of field elements.

#[cfg(feature = "prover")]
mod floats;

use super::field::{F, from_signed};
use ndarray::Array2;

/// A matrix of signed weights, one row an output.
#[derive(Clone, Debug)]
pub struct Matrix {
    weights: Array2<i64>,
    /// The weights as floats, where every product of halves is exact.
    #[cfg(feature = "prover")]
    floats: Option<Vec<floats::Strip>>,
}

impl Matrix {
    /// The matrix with these `weights`, one row an output.
    pub fn new(weights: Array2<i64>) -> Self {
        Self {
            #[cfg(feature = "prover")]
            floats: floats::strips(&weights),
            weights: weights.as_standard_layout().into_owned(),
        }
    }

    /// The number of outputs.
    pub fn height(&self) -> usize {
        self.weights.nrows()
    }

    /// The number of inputs.
    pub fn width(&self) -> usize {
        self.weights.ncols()
    }

    /// The weights as integers, row by row.
    pub fn weights(&self) -> &[i64] {
        // It was made so.
        self.weights.as_slice().expect("row by row")
    }

    /// The rows as field elements.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = F> + '_> + '_ {
        self.weights.outer_iter().map(|row| row.into_iter().map(|&w| from_signed(w)))
    }
}
