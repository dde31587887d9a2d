//! Fixed integer matrices inside gates, and their product with a batch of field elements.

use super::arith::{BATCH, Column};
use super::field::{F, from_signed};
use ndarray::{Array2, ArrayView2};
use plonky2::field::types::{Field, Field64, PrimeField64};

/// A matrix of signed weights, one row an output.
///
/// Over a batch the product is a floating-point GEMM: each field element is split into halves of 32 bits, which
/// times a weight and summed stay under 2^53 and so are exact; the two sums are put together again mod `p`.
/// Weights too large for that are multiplied in the field.
#[derive(Clone, Debug)]
pub struct Matrix {
    weights: Array2<i64>,
    /// The weights as floats, where every product of halves is exact.
    floats: Option<Array2<f64>>,
}

impl Matrix {
    /// The matrix with these `weights`, one row an output.
    pub fn new(weights: Array2<i64>) -> Self {
        let magnitude =
            |row: ndarray::ArrayView1<i64>| -> u128 { row.iter().map(|w| u128::from(w.unsigned_abs())).sum() };
        let largest = weights.outer_iter().map(magnitude).max().unwrap_or(0);
        let exact = largest < 1 << (53 - 32);
        let floats = exact.then(|| weights.mapv(|w| w as f64));
        Self { weights, floats }
    }

    /// The number of outputs.
    pub fn height(&self) -> usize {
        self.weights.nrows()
    }

    /// The number of inputs.
    pub fn width(&self) -> usize {
        self.weights.ncols()
    }

    /// The weights as integers.
    pub fn weights(&self) -> ArrayView2<'_, i64> {
        self.weights.view()
    }

    /// The rows as field elements.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = F> + '_> + '_ {
        self.weights.outer_iter().map(|row| row.into_iter().map(|&w| from_signed(w)))
    }

    /// The product with [`BATCH`] column vectors at once; `inputs` has one column an input.
    pub fn apply_batch(&self, inputs: &[Column]) -> Vec<Column> {
        match &self.floats {
            Some(floats) => apply_floats(floats, inputs),
            None => self.apply_in_field(inputs),
        }
    }

    fn apply_in_field(&self, inputs: &[Column]) -> Vec<Column> {
        self.rows()
            .map(|row| {
                let mut sums = Column([F::ZERO; BATCH]);
                for (weight, input) in row.zip(inputs) {
                    for (sum, &value) in sums.0.iter_mut().zip(&input.0) {
                        *sum += weight * value;
                    }
                }
                sums
            })
            .collect()
    }
}

/// Inputs as `[input][point of the low halves | point of the high halves]`, so that one GEMM serves both.
fn apply_floats(weights: &Array2<f64>, inputs: &[Column]) -> Vec<Column> {
    let mut halves = Array2::<f64>::zeros((inputs.len(), 2 * BATCH));
    for (mut row, column) in halves.outer_iter_mut().zip(inputs) {
        for (point, value) in column.0.iter().enumerate() {
            let value = value.to_canonical_u64();
            row[point] = f64::from(value as u32);
            row[BATCH + point] = f64::from((value >> 32) as u32);
        }
    }
    let products = weights.dot(&halves);
    products
        .outer_iter()
        .map(|row| {
            let mut column = Column([F::ZERO; BATCH]);
            for (point, out) in column.0.iter_mut().enumerate() {
                *out = recombine(row[point] as i64, row[BATCH + point] as i64);
            }
            column
        })
        .collect()
}

/// `low + 2^32 · high`, both in `±2^53`.
fn recombine(low: i64, high: i64) -> F {
    // A multiple of p above 2^86 keeps the sum positive whatever the signs.
    const LIFT: i128 = (F::ORDER as i128) << 24;
    let sum = i128::from(low) + (i128::from(high) << 32) + LIFT;
    F::from_noncanonical_u128(sum as u128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::Sample;

    fn columns(n: usize) -> Vec<Column> {
        (0..n).map(|_| Column(std::array::from_fn(|_| F::rand()))).collect()
    }

    #[test]
    fn the_float_product_is_the_field_product() {
        let weights = Array2::from_shape_fn((7, 13), |(i, j)| (i as i64 * 31 - j as i64 * 17) % 128);
        let matrix = Matrix::new(weights);
        assert!(matrix.floats.is_some());
        let mut inputs = columns(13);
        inputs[0] = Column([F::NEG_ONE; BATCH]);
        let exact = matrix.apply_in_field(&inputs);
        for (fast, slow) in matrix.apply_batch(&inputs).iter().zip(&exact) {
            assert_eq!(fast.0, slow.0);
        }
    }

    #[test]
    fn large_weights_are_multiplied_in_the_field() {
        assert!(Matrix::new(Array2::from_elem((1, 2), 1 << 20)).floats.is_none());
        assert!(Matrix::new(Array2::from_elem((1, 2), (1 << 20) - 1)).floats.is_some());
    }
}
