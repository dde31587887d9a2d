//! The product of a matrix with a batch of field elements, as one of floats.
//!
//! Each field element is split into halves of 32 bits, which times a weight and summed stay under 2^53 and so are exact; the
//! two sums are put together again mod `p`. Weights too large for that are multiplied in the field.

use super::Matrix;
use crate::gadget::arith::{BATCH, Column};
use crate::gadget::field::F;
use crate::gadget::halves::{EXACT_BITS, HALF_BITS, LANES, STRIP, halves, joined_floats, sums};
use ndarray::{Array2, ArrayView2, Axis};
use wide::f64x8;

/// Some rows of a matrix. Its columns without weights, which are many where neighbours are rows of one position of a
/// convolution, are left out.
#[derive(Clone, Debug)]
pub(super) struct Strip {
    /// The numbers of the columns, and their weights.
    columns: Vec<(usize, [f64; STRIP])>,
}

/// The weights as floats, if every product of halves is exact.
pub(super) fn strips(weights: &Array2<i64>) -> Option<Vec<Strip>> {
    let magnitude = |row: ndarray::ArrayView1<i64>| -> u128 { row.iter().map(|w| u128::from(w.unsigned_abs())).sum() };
    let largest = weights.outer_iter().map(magnitude).max().unwrap_or(0);
    let exact = largest < 1 << (EXACT_BITS - HALF_BITS);
    exact.then(|| weights.axis_chunks_iter(Axis(0), STRIP).map(Strip::new).collect())
}

impl Matrix {
    /// The product with [`BATCH`] column vectors at once; `inputs` has one column an input.
    pub fn apply_batch(&self, inputs: &[Column]) -> Vec<Column> {
        match &self.floats {
            Some(strips) => self.apply_floats(strips, inputs),
            None => self.apply_in_field(inputs),
        }
    }

    fn apply_floats(&self, strips: &[Strip], inputs: &[Column]) -> Vec<Column> {
        let mut products = vec![Column::ZERO; self.height()];
        let mut lanes = vec![[f64x8::ZERO; 2]; inputs.len()];
        for start in (0..BATCH).step_by(LANES) {
            for (lanes, input) in lanes.iter_mut().zip(inputs) {
                *lanes = lanes_of(&input.0[start..start + LANES]);
            }
            for (strip, products) in strips.iter().zip(products.chunks_mut(STRIP)) {
                let sums = sums(strip.columns.iter().map(|(index, weights)| (weights, lanes[*index])));
                for (sum, product) in sums.into_iter().zip(products) {
                    put_together(sum, &mut product.0[start..start + LANES]);
                }
            }
        }
        products
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

impl Strip {
    fn new(rows: ArrayView2<'_, i64>) -> Self {
        let column = |(index, column): (usize, ndarray::ArrayView1<'_, i64>)| {
            let mut weights = [0.0; STRIP];
            weights.iter_mut().zip(column).for_each(|(float, &weight)| *float = weight as f64);
            (index, weights)
        };
        let columns = rows.axis_iter(Axis(1)).enumerate().map(column);
        Self { columns: columns.filter(|(_, weights)| *weights != [0.0; STRIP]).collect() }
    }
}

/// The low and the high halves of elements.
fn lanes_of(elements: &[F]) -> [f64x8; 2] {
    let halves: [[f64; 2]; LANES] = std::array::from_fn(|i| halves(elements[i]));
    [halves.map(|[low, _]| low), halves.map(|[_, high]| high)].map(f64x8::new)
}

fn put_together([low, high]: [f64x8; 2], elements: &mut [F]) {
    let (low, high) = (low.to_array(), high.to_array());
    for (element, (low, high)) in elements.iter_mut().zip(low.into_iter().zip(high)) {
        *element = joined_floats(low, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::{Field, Sample};

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
    fn large_weights_are_multiplied_in_the_field() {
        assert!(Matrix::new(Array2::from_elem((1, 2), 1 << 20)).floats.is_none());
        assert!(Matrix::new(Array2::from_elem((1, 2), (1 << 20) - 1)).floats.is_some());
    }
}
