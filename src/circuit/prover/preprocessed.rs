//! The columns that the circuit fixes: selectors, weights and permutation.
//!
//! Weights are most of them, but the prover never needs them on the extended domain: in the quotient they occur in sums
//! only, which are taken at the rows, and at the few points that are opened they are evaluated.

use super::codeword::{Codeword, Columns, Domain, append_batches};
use super::fft::{COSETS, LANES, Packed, pack};
use super::merkle::hash_leaves;
use crate::circuit::columns::{Permutation, mask_column, selector_columns, weight_rows};
use crate::circuit::shape::Gates;
use crate::gadget::Matrix;
use crate::gadget::arith::{BATCH, Column};
use crate::gadget::field::{Ext, F, to_signed};
use crate::plan::Plan;
use ndarray::Array2;
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
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
}

impl Preprocessed {
    /// The columns of `plan`.
    pub fn new(plan: &Plan, gates: &Gates, shifts: &[F], domain: &Domain) -> Self {
        let layout = &plan.layout;
        let mut values = selector_columns(layout, gates);
        let selectors = gates.selectors();
        if layout.masks > 0 {
            values.extend(mask_column(layout));
        }
        values.extend(Permutation::new(plan).columns(shifts));
        let columns = Columns::new(values, layout.rows());
        let codeword = domain.extend(&columns);
        let weights = Weights { values: weight_rows(plan), width: layout.constants };
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

    /// As [`Weights::combine_rows`], for up to [`BATCH`] lists of factors at once: for each column its values.
    pub fn combine_rows_batch(&self, factors: &[Vec<F>]) -> Vec<Column> {
        /// Few enough rows that the products of weights of 16 bits are summed as floats, see [`Matrix`].
        const ROWS: usize = 32;
        let zero = || vec![Column([F::ZERO; BATCH]); self.width];
        let add = |mut sums: Vec<Column>, (block, rows): (usize, &[F])| {
            let count = rows.len() / self.width;
            let weight = |(column, row): (usize, usize)| to_signed(rows[row * self.width + column]);
            let matrix = Matrix::new(Array2::from_shape_fn((self.width, count), weight));
            let factor = |row: usize| {
                let mut column = Column([F::ZERO; BATCH]);
                column.0.iter_mut().zip(factors).for_each(|(slot, factors)| *slot = factors[block * ROWS + row]);
                column
            };
            let products = matrix.apply_batch(&(0..count).map(factor).collect::<Vec<_>>());
            sums.iter_mut().zip(products).for_each(|(sum, product)| *sum = sum.zip(&product, |a, b| a + b));
            sums
        };
        let join = |mut left: Vec<Column>, right: Vec<Column>| {
            left.iter_mut().zip(right).for_each(|(left, right)| *left = left.zip(&right, |a, b| a + b));
            left
        };
        let blocks = self.values.par_chunks(ROWS * self.width.max(1)).enumerate();
        blocks.with_min_len(16).fold(zero, add).reduce(zero, join)
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
