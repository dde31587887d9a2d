//! The columns that the circuit fixes: selectors, weights and permutation.
//!
//! Weights are most of them, but the prover never needs them on the extended domain: in the quotient they occur in sums
//! only, which are taken at the rows, and at the few points that are opened they are evaluated.

use super::codeword::{Codeword, Columns, Domain, append_batches};
use super::fft::{COSETS, LANES, Packed, pack};
use super::merkle::hash_leaves;
use crate::circuit::columns::{Permutation, mask_column, selector_columns, weight_rows};
use crate::circuit::shape::Gates;
use crate::gadget::arith::BATCH;
use crate::gadget::field::{Ext, F, from_signed, to_signed};
use crate::plan::Plan;
use ndarray::Array2;
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::packed::PackedField;
use plonky2::field::types::{Field, PrimeField64};
use plonky2::plonk::config::Hasher;
use rayon::prelude::*;

/// The preprocessed columns of a circuit.
///
/// Their order in the commitment is: selectors, weights, the mask's column if there is one, permutation.
pub struct Preprocessed {
    /// All but the weights.
    pub columns: Columns,
    /// The same on the extended domain.
    pub codeword: Codeword,
    /// The weights.
    pub weights: Weights,
    selectors: usize,
    sigmas: usize,
}

/// The row constants, row by row, as far as there are any; all other rows have zeros.
pub struct Weights {
    values: Vec<F>,
    width: usize,
    /// Whether all of them are below [`SMALL`].
    are_small: bool,
}

/// Weights below this, times 32 bits, and [`ROWS`] of them summed, are exact as floats.
const SMALL: u64 = 1 << 16;
const ROWS: usize = 1 << (53 - 32 - 16);

impl Preprocessed {
    /// The columns of `plan`.
    pub fn new(plan: &Plan, gates: &Gates, shifts: &[F], domain: &Domain) -> Self {
        let layout = &plan.layout;
        let mut values = selector_columns(layout, gates);
        let selectors = gates.selectors();
        if layout.masks > 0 {
            values.extend(mask_column(layout));
        }
        let (permutation, weights) = rayon::join(|| Permutation::new(plan), || weight_rows(plan));
        values.extend(permutation.columns(shifts));
        let columns = Columns::new(values, layout.rows());
        let codeword = domain.extend(&columns);
        // Also when all rows are summed, in 63 bits.
        let bound = SMALL.min((1 << (62 - 32)) / layout.rows() as u64);
        let are_small = weights.par_iter().all(|&weight| to_signed(weight).unsigned_abs() < bound);
        let weights = Weights { values: weights, width: layout.constants, are_small };
        Self { sigmas: columns.len() - layout.routed, columns, codeword, weights, selectors }
    }

    /// All columns.
    pub fn len(&self) -> usize {
        self.columns.len() + self.weights.width
    }

    /// The permutation columns among `columns` start here.
    pub fn sigmas(&self) -> usize {
        self.sigmas
    }

    /// The mask's column, if there is one.
    pub fn mask(&self) -> usize {
        self.selectors
    }

    /// Something of each column, in the order of the commitment.
    pub fn in_order<T: Copy>(&self, columns: &[T], weights: &[T]) -> Vec<T> {
        [&columns[..self.selectors], weights, &columns[self.selectors..]].concat()
    }

    /// The digests of the leaves of the commitment.
    pub fn leaves<H: Hasher<F>>(&self, domain: &Domain) -> Vec<H::Hash> {
        let rows = domain.rows();
        let coefficients = self.weights.coefficients(domain);
        let (selectors, width) = (self.selectors, self.weights.width);
        // One coset at a time: all of them would take eight times the memory.
        let coset_leaves = |coset: usize| {
            let group = |coefficients: &Vec<Packed>| {
                let (mut scratch, mut out) = (Vec::with_capacity(rows), Vec::with_capacity(rows * LANES));
                domain.evaluate_coset(coefficients, coset, &mut scratch);
                append_batches(&scratch, &mut out);
                out
            };
            let groups: Vec<Vec<F>> = coefficients.par_iter().map(group).collect();
            let batch = |start: usize, index: usize| match index.checked_sub(selectors) {
                None => self.codeword.batch(coset, start, index),
                Some(weight) if weight < width => {
                    &groups[weight / LANES][start * LANES + weight % LANES * BATCH..][..BATCH]
                }
                Some(_) => self.codeword.batch(coset, start, index - width),
            };
            hash_leaves::<H>(rows, self.len(), batch, &[])
        };
        (0..COSETS).flat_map(coset_leaves).collect()
    }
}

impl Weights {
    /// How many there are in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows that have any.
    pub fn rows(&self) -> impl IndexedParallelIterator<Item = &[F]> {
        // A chunk must not be empty, even where there are no chunks.
        self.values.par_chunks_exact(self.width.max(1))
    }

    /// The sum of the rows, each times its factor: for each column its value where the factors come from.
    pub fn combine_rows(&self, factors: &[F]) -> Vec<F> {
        let zero = || vec![F::ZERO; self.width];
        let add = |mut sum: Vec<F>, (row, &factor): (&[F], &F)| {
            add_scaled(&mut sum, row, factor);
            sum
        };
        let join = |mut left: Vec<F>, right: Vec<F>| {
            left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
            left
        };
        self.rows().zip(factors).with_min_len(256).fold(zero, add).reduce(zero, join)
    }

    /// As [`Weights::combine_rows`], for several lists of factors: for each list, for each column its value.
    ///
    /// Small weights are multiplied as floats, which is exact: a factor has two halves of 32 bits, and [`ROWS`] products of
    /// one with a weight stay below `2^53`.
    pub fn combine_rows_batch(&self, factors: &[Vec<F>]) -> Vec<Vec<F>> {
        if !self.are_small || self.width == 0 {
            return factors.iter().map(|factors| self.combine_rows(factors)).collect();
        }
        let zero = || vec![0i64; 2 * factors.len() * self.width];
        let add = |mut sums: Vec<i64>, (block, rows): (usize, &[F])| {
            let count = rows.len() / self.width;
            let weights =
                Array2::from_shape_fn((count, self.width), |(i, j)| to_signed(rows[i * self.width + j]) as f64);
            let halves = Array2::from_shape_fn((2 * factors.len(), count), |(i, j)| {
                let factor = factors[i / 2][block * ROWS + j].to_canonical_u64();
                f64::from((factor >> (32 * (i % 2))) as u32)
            });
            sums.iter_mut().zip(&halves.dot(&weights)).for_each(|(sum, &product)| *sum += product as i64);
            sums
        };
        let join = |mut left: Vec<i64>, right: Vec<i64>| {
            left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
            left
        };
        let blocks = self.values.par_chunks(ROWS * self.width).enumerate();
        let sums = blocks.with_min_len(16).fold(zero, add).reduce(zero, join);
        let value = |(&low, &high): (&i64, &i64)| from_signed(low) + from_signed(high) * F::from_canonical_u64(1 << 32);
        let list = |halves: &[i64]| {
            let (low, high) = halves.split_at(self.width);
            low.iter().zip(high).map(value).collect()
        };
        sums.chunks_exact(2 * self.width).map(list).collect()
    }

    /// For each row, the sum of its weights, each times its factor.
    pub fn combine_columns(&self, factors: &[Ext]) -> Vec<Ext> {
        let parts = |i: usize| factors.iter().map(|factor| factor.0[i]).collect();
        let (real, imaginary): (Vec<F>, Vec<F>) = (parts(0), parts(1));
        self.rows().map(|row| QuadraticExtension([dot(row, &real), dot(row, &imaginary)])).collect()
    }

    fn coefficients(&self, domain: &Domain) -> Vec<Vec<Packed>> {
        let group = |group: usize| {
            let range = group * LANES..self.width.min((group + 1) * LANES);
            let mut columns = vec![vec![F::ZERO; domain.rows()]; range.len()];
            for (r, row) in self.values.chunks_exact(self.width).enumerate() {
                for (column, &weight) in columns.iter_mut().zip(&row[range.clone()]) {
                    column[r] = weight;
                }
            }
            let mut packed = Vec::new();
            pack(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut packed);
            domain.fft.coefficients(&mut packed);
            packed
        };
        (0..self.width.div_ceil(LANES)).into_par_iter().map(group).collect()
    }
}

/// Adds `factor` times `values` to `sums`.
pub fn add_scaled(sums: &mut [F], values: &[F], factor: F) {
    let whole = sums.len() / LANES * LANES;
    let (sums, rest) = sums.split_at_mut(whole);
    for (sum, &value) in Packed::pack_slice_mut(sums).iter_mut().zip(Packed::pack_slice(&values[..whole])) {
        *sum += value * factor;
    }
    for (sum, &value) in rest.iter_mut().zip(&values[whole..]) {
        *sum += value * factor;
    }
}

/// The sum of products.
pub fn dot(a: &[F], b: &[F]) -> F {
    let whole = a.len() / LANES * LANES;
    let products = Packed::pack_slice(&a[..whole]).iter().zip(Packed::pack_slice(&b[..whole])).map(|(&a, &b)| a * b);
    let sum = products.fold(Packed::ZEROS, |sum, product| sum + product);
    let rest = a[whole..].iter().zip(&b[whole..]).map(|(&a, &b)| a * b);
    sum.as_slice().iter().copied().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::Sample;

    #[test]
    fn a_batch_of_factors_is_one_after_the_other() {
        let (rows, width) = (3 * ROWS + 5, 7);
        for (bound, are_small) in [(SMALL as i64, true), (1 << 40, false)] {
            let values: Vec<F> = (0..(rows * width) as i64).map(|i| from_signed((i * 7_919_777_777) % bound)).collect();
            let weights = Weights { values, width, are_small };
            let mut factors: Vec<Vec<F>> = (0..3).map(|_| F::rand_vec(rows)).collect();
            factors.push(vec![F::NEG_ONE; rows]);
            let expected: Vec<Vec<F>> = factors.iter().map(|factors| weights.combine_rows(factors)).collect();
            assert_eq!(weights.combine_rows_batch(&factors), expected);
            let none = Weights { values: Vec::new(), width: 0, are_small };
            assert_eq!(none.combine_rows_batch(&factors), vec![Vec::new(); factors.len()]);
        }
    }
}
