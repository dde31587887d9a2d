//! The columns that the circuit fixes: selectors, weights and permutation.

use super::codeword::{Codeword, Columns, Domain, Polynomials};
use super::fft::{COSETS, LANES};
use super::merkle::hash_leaves;
use super::weights::Weights;
use crate::circuit::columns::{Permutation, mask_column};
use crate::circuit::hash::TreeHasher;
use crate::gadget::arith::BATCH;
use crate::gadget::field::{F, Packed};
use crate::plan::Plan;
use rayon::prelude::*;

/// The preprocessed columns of a circuit.
///
/// Their order in the commitment is: selectors, weights, the mask's column if there is one, permutation.
pub struct Preprocessed {
    /// All but the weights.
    pub columns: Columns,
    /// The same, to be extended.
    pub polynomials: Polynomials,
    /// The row constants: the weights of tiles, then those of other gadgets.
    pub weights: Weights,
    /// Those of other gadgets on the extended domain.
    others: Codeword,
    /// How many are weights of tiles.
    of_tiles: usize,
    selectors: usize,
    sigmas: usize,
}

impl Preprocessed {
    /// The columns of `plan`, after those of its selectors; with `streams` they are extended as often as they are read.
    pub fn new(plan: &Plan, mut values: Vec<F>, shifts: &[F], domain: &Domain, streams: bool) -> Self {
        let layout = &plan.layout;
        let selectors = values.len() >> layout.degree_bits;
        values.reserve_exact((1 + layout.routed) << layout.degree_bits);
        if layout.masks > 0 {
            values.extend(mask_column(layout));
        }
        let (permutation, weights) = rayon::join(|| Permutation::new(plan), || Weights::new(plan));
        values.extend(permutation.columns(shifts));
        let columns = Columns::new(values, layout.rows());
        let polynomials = domain.polynomials(&columns, streams);
        let of_tiles = layout.tile.map_or(0, |tile| tile.weights());
        let others = domain.extend(&weights.columns(of_tiles, layout.rows()));
        Self { sigmas: columns.len() - layout.routed, columns, polynomials, weights, others, of_tiles, selectors }
    }

    /// All columns.
    pub fn len(&self) -> usize {
        self.columns.len() + self.weights.width()
    }

    /// The permutation columns among `columns` start here.
    pub fn sigmas(&self) -> usize {
        self.sigmas
    }

    /// The mask's column, if there is one.
    pub fn mask(&self) -> usize {
        self.selectors
    }

    /// Row constants that are none of a tile's, and the column of the first of `constant`.
    pub fn constant(&self, constant: usize) -> (&Codeword, usize) {
        (&self.others, constant - self.of_tiles)
    }

    /// Something of each column, in the order of the commitment.
    pub fn in_order<T: Copy>(&self, columns: &[T], weights: &[T]) -> Vec<T> {
        [&columns[..self.selectors], weights, &columns[self.selectors..]].concat()
    }

    /// The digests of the leaves of the commitment.
    pub fn leaves<H: TreeHasher>(&self, domain: &Domain) -> Vec<H::Hash> {
        let rows = domain.rows();
        let coefficients = self.coefficients_of_weights(domain);
        let (selectors, width) = (self.selectors, self.weights.width());
        // One coset at a time: all of them would take eight times the memory.
        let coset_leaves = |coset: usize| {
            let group = |coefficients: &Vec<Packed>| domain.values_on(coefficients, coset..coset + 1);
            let groups: Vec<Vec<F>> = coefficients.par_iter().map(group).collect();
            let codeword = self.polynomials.on_coset(domain, coset);
            let batch = |start: usize, index: usize| match index.checked_sub(selectors) {
                None => codeword.batch(coset, start, index),
                Some(weight) if weight < width => {
                    &groups[weight / LANES][start * LANES + weight % LANES * BATCH..][..BATCH]
                }
                Some(_) => codeword.batch(coset, start, index - width),
            };
            hash_leaves::<H>(rows, self.len(), batch, &[])
        };
        (0..COSETS).flat_map(coset_leaves).collect()
    }

    fn coefficients_of_weights(&self, domain: &Domain) -> Vec<Vec<Packed>> {
        let group = |first: usize| {
            let mut packed = Vec::with_capacity(domain.rows());
            self.weights.pack(first, domain.rows(), &mut packed);
            domain.fft.coefficients(&mut packed);
            packed
        };
        (0..self.weights.width()).into_par_iter().step_by(LANES).map(group).collect()
    }
}
