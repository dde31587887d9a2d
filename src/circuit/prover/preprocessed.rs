//! The columns that the circuit fixes: selectors, weights and permutation.
//!
//! Weights are most of them, but the prover never needs them on the extended domain: in the quotient they occur in sums
//! only, which are taken at the rows, and at the few points that are opened they are evaluated.

use super::codeword::{Codeword, Columns, Domain};
use super::fft::{COSETS, LANES};
use super::merkle::hash_leaves;
use super::rows::Rows;
use crate::circuit::columns::{Permutation, mask_column, selector_columns, weight_rows};
use crate::circuit::hash::TreeHasher;
use crate::circuit::shape::Gates;
use crate::gadget::arith::BATCH;
use crate::gadget::field::{F, Packed, from_signed, to_signed};
use crate::plan::Plan;
use ndarray::{Array2, ArrayView2};
use plonky2::field::types::{Field, PrimeField64};
use rayon::prelude::*;
use std::ops::RangeInclusive;

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
    /// How many of them, times numbers of 32 bits, can be summed as floats, and all rows in 63 bits; none if weights are
    /// large.
    exact_sums: usize,
}

/// Fewer rows than this at once are not worth a matrix product, and more do not fit the caches.
const ROWS: RangeInclusive<usize> = 32..=128;

impl Preprocessed {
    /// The columns of `plan`.
    pub fn new(plan: &Plan, gates: &Gates, shifts: &[F], domain: &Domain) -> Self {
        let layout = &plan.layout;
        let mut values = Vec::with_capacity((gates.selectors() + 1 + layout.routed) << layout.degree_bits);
        values.extend(selector_columns(layout, gates));
        let selectors = gates.selectors();
        if layout.masks > 0 {
            values.extend(mask_column(layout));
        }
        let (permutation, weights) = rayon::join(|| Permutation::new(plan), || weight_rows(plan));
        values.extend(permutation.columns(shifts));
        let columns = Columns::new(values, layout.rows());
        let codeword = domain.extend(&columns);
        let weights = Weights::new(weights, layout.constants, layout.rows());
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
    pub fn leaves<H: TreeHasher>(&self, domain: &Domain) -> Vec<H::Hash> {
        let rows = domain.rows();
        let coefficients = self.weights.coefficients(domain);
        let (selectors, width) = (self.selectors, self.weights.width);
        // One coset at a time: all of them would take eight times the memory.
        let coset_leaves = |coset: usize| {
            let group = |coefficients: &Vec<Packed>| {
                let (mut scratch, mut out) = (Vec::with_capacity(rows), Vec::with_capacity(rows * LANES));
                domain.append_coset(coefficients, coset, &mut scratch, &mut out);
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
    fn new(values: Vec<F>, width: usize, rows: usize) -> Self {
        let largest = values.par_iter().map(|&weight| to_signed(weight).unsigned_abs()).max().unwrap_or(0).max(1);
        let fits_all = largest.saturating_mul(rows as u64) < 1 << (62 - 32);
        let exact_sums = if fits_all { (1u64 << (53 - 32)) / (largest + 1) } else { 0 };
        Self { values, width, exact_sums: exact_sums as usize }
    }

    /// The rows that have any.
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(&self.values, self.width)
    }

    /// As [`Rows::combine_rows`], for several lists of factors: for each list, for each column its value.
    ///
    /// Small weights are multiplied as floats, which is exact: a factor has two halves of 32 bits, and as many products of one
    /// with a weight are summed as stay below `2^53`.
    pub fn combine_rows_batch(&self, factors: &[Vec<F>]) -> Vec<Vec<F>> {
        let block_rows = self.exact_sums.min(*ROWS.end());
        if block_rows < *ROWS.start() || self.width == 0 {
            return factors.iter().map(|factors| self.rows().combine_rows(factors)).collect();
        }
        let zero = || vec![0i64; 2 * factors.len() * self.width];
        let add = |mut sums: Vec<i64>, (block, rows): (usize, &[F])| {
            let count = rows.len() / self.width;
            let weights: Vec<f64> = rows.iter().map(|&weight| to_signed(weight) as f64).collect();
            // As many as there are, row by row.
            let weights = ArrayView2::from_shape((count, self.width), &weights).expect("whole rows");
            let halves = Array2::from_shape_fn((2 * factors.len(), count), |(i, j)| {
                let factor = factors[i / 2][block * block_rows + j].to_canonical_u64();
                f64::from((factor >> (32 * (i % 2))) as u32)
            });
            sums.iter_mut().zip(&halves.dot(&weights)).for_each(|(sum, &product)| *sum += product as i64);
            sums
        };
        let join = |mut left: Vec<i64>, right: Vec<i64>| {
            left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
            left
        };
        let blocks = self.values.par_chunks(block_rows * self.width).enumerate();
        let sums = blocks.with_min_len(8).fold(zero, add).reduce(zero, join);
        let value = |(&low, &high): (&i64, &i64)| from_signed(low) + from_signed(high) * F::from_canonical_u64(1 << 32);
        let list = |halves: &[i64]| {
            let (low, high) = halves.split_at(self.width);
            low.iter().zip(high).map(value).collect()
        };
        sums.chunks_exact(2 * self.width).map(list).collect()
    }

    fn coefficients(&self, domain: &Domain) -> Vec<Vec<Packed>> {
        let group = |first: usize| {
            let mut packed = Vec::with_capacity(domain.rows());
            self.rows().pack(first, domain.rows(), &mut packed);
            domain.fft.coefficients(&mut packed);
            packed
        };
        (0..self.width).into_par_iter().step_by(LANES).map(group).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::Sample;

    #[test]
    fn a_batch_of_factors_is_one_after_the_other() {
        let (rows, width) = (3 * ROWS.end() + 5, 7);
        for (bound, exact_sums) in [(100, (1 << 21) / 100), (1 << 16, 1 << 5), (1 << 17, 1 << 4), (1 << 40, 0)] {
            let number = |i: i64| (i * 7_919_777_777) % bound * if i % 3 == 0 { -1 } else { 1 };
            let mut values: Vec<F> = (0..(rows * width) as i64).map(|i| from_signed(number(i))).collect();
            values[5] = from_signed(bound - 1);
            let weights = Weights::new(values, width, rows);
            assert_eq!(weights.exact_sums, exact_sums);
            let mut factors: Vec<Vec<F>> = (0..3).map(|_| F::rand_vec(rows)).collect();
            factors.push(vec![F::NEG_ONE; rows]);
            let expected: Vec<Vec<F>> = factors.iter().map(|factors| weights.rows().combine_rows(factors)).collect();
            assert_eq!(weights.combine_rows_batch(&factors), expected);
            let none = Weights::new(Vec::new(), 0, rows);
            assert_eq!(none.combine_rows_batch(&factors), vec![Vec::new(); factors.len()]);
        }
    }
}
