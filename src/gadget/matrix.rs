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
        Self { weights: weights.as_standard_layout().into_owned(), floats }
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
                let mut sums = Column::ZERO;
                row.zip(inputs).for_each(|(weight, input)| sums.add_scaled(input, weight));
                sums
            })
            .collect()
    }
}

/// Inputs as `[input][point of the low halves | point of the high halves]`, so that one GEMM serves both.
fn apply_floats(weights: &Array2<f64>, inputs: &[Column]) -> Vec<Column> {
    let mut halves = vec![0.0; inputs.len() * 2 * BATCH];
    for (row, column) in halves.chunks_exact_mut(2 * BATCH).zip(inputs) {
        let (low, high) = row.split_at_mut(BATCH);
        for ((low, high), value) in low.iter_mut().zip(high).zip(&column.0) {
            let value = value.to_canonical_u64();
            (*low, *high) = (f64::from(value as u32), f64::from((value >> 32) as u32));
        }
    }
    // As many as there are, and so is the product row by row, as its factors are.
    let halves = ArrayView2::from_shape((inputs.len(), 2 * BATCH), &halves).expect("a row an input");
    let products = weights.dot(&halves);
    let products = products.as_slice().expect("row by row");
    let put_together = |row: &[f64]| {
        let (low, high) = row.split_at(BATCH);
        let [mut left, mut right] = [Column::ZERO; 2];
        for ((left, right), (&low, &high)) in left.0.iter_mut().zip(&mut right.0).zip(low.iter().zip(high)) {
            [*left, *right] = recombined(low as i64, high as i64);
        }
        left.zip(&right, |left, right| left + right)
    };
    products.chunks_exact(2 * BATCH).map(put_together).collect()
}

/// Two elements whose sum is `low + 2^32 · high`, both in `±2^53`.
fn recombined(low: i64, high: i64) -> [F; 2] {
    // 2^64 is 2^32 - 1 in the field.
    let (top, bottom) = (high >> 32, high.cast_unsigned() << 32);
    let rest = low + (top << 32) - top;
    let sign = (rest >> 63).cast_unsigned();
    // `bottom` is a multiple of 2^32 below 2^64, and so below p; `rest` stays within ±2^54.
    [bottom, rest.cast_unsigned().wrapping_add(sign & F::ORDER)].map(F::from_canonical_u64)
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
        inputs[1] = Column([F::from_canonical_u64(u32::MAX.into()); BATCH]);
        inputs[2] = Column::ZERO;
        let exact = matrix.apply_in_field(&inputs);
        for (fast, slow) in matrix.apply_batch(&inputs).iter().zip(&exact) {
            assert_eq!(fast.0, slow.0);
        }
    }

    #[test]
    fn halves_are_put_together() {
        let edges = [0, 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 52) + 12345, (1 << 53) - 1];
        let edges = || edges.into_iter().flat_map(|edge: i64| [edge, -edge]);
        for (low, high) in edges().flat_map(|low| edges().map(move |high| (low, high))) {
            let [a, b] = recombined(low, high);
            assert_eq!(a + b, from_signed(low) + from_signed(high) * F::from_canonical_u64(1 << 32), "{low} {high}");
        }
    }

    #[test]
    fn large_weights_are_multiplied_in_the_field() {
        assert!(Matrix::new(Array2::from_elem((1, 2), 1 << 20)).floats.is_none());
        assert!(Matrix::new(Array2::from_elem((1, 2), (1 << 20) - 1)).floats.is_some());
    }
}
