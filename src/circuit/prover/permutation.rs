//! The permutation argument: `Z` and its partial products.

use super::codeword::Columns;
use super::fft::LANES;
use super::rows::Rows;
use crate::gadget::field::{F, Packed};
use crate::plan::security::QUOTIENT_DEGREE;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use rayon::prelude::*;

/// What the permutation argument works on.
pub struct Routed<'a> {
    /// All wires.
    pub wires: Rows<'a>,
    /// The preprocessed columns, of which the permutation is the last part.
    pub preprocessed: &'a Columns,
    /// Where in them the permutation starts.
    pub sigmas: usize,
    /// The shift of each routed column's identity.
    pub shifts: &'a [F],
    /// The points of the rows.
    pub subgroup: &'a [F],
}

impl Routed<'_> {
    /// `Z` of each challenge set, then the partial products of the first set, of the second, … There are none if the
    /// challenges make a denominator zero, or a beta is.
    pub fn products(&self, betas: &[F], gammas: &[F]) -> Option<Columns> {
        if betas.contains(&F::ZERO) {
            return None;
        }
        let rows = self.subgroup.len();
        let chunks = (0..self.shifts.len().div_ceil(QUOTIENT_DEGREE)).into_par_iter();
        let ratios = chunks.map(|chunk| self.ratios(chunk, betas, gammas)).collect::<Option<Vec<_>>>()?;
        let set = |set: usize| running_products(ratios.iter().flat_map(|sets| &sets[set]).copied().collect(), rows);
        let sets: Vec<Vec<F>> = (0..betas.len()).into_par_iter().map(set).collect();
        let partial = sets[0].len() - rows;
        let zs = sets.iter().flat_map(|set| &set[partial..]);
        let partial_products = sets.iter().flat_map(|set| &set[..partial]);
        Some(Columns::new(zs.chain(partial_products).copied().collect(), rows))
    }

    /// For each challenge set and each row, the ratio by which one chunk of columns changes the product.
    fn ratios(&self, chunk: usize, betas: &[F], gammas: &[F]) -> Option<Vec<Vec<F>>> {
        let start = chunk * QUOTIENT_DEGREE;
        let wires = self.wires.columns(start..self.shifts.len().min(start + QUOTIENT_DEGREE));
        betas.iter().zip(gammas).map(|(&beta, &gamma)| self.ratio(start, &wires, beta, gamma)).collect()
    }

    /// The same for one set and these wires, of which `start` is the first.
    fn ratio(&self, start: usize, wires: &Columns, beta: F, gamma: F) -> Option<Vec<F>> {
        let rows = self.subgroup.len();
        let (mut out, mut denominators) = (vec![F::ONE; rows], vec![F::ONE; rows]);
        for (column, wire) in (start..).zip(wires.iter()) {
            let shift = beta * self.shifts[column];
            let packed = |values: &'_ [F], i: usize| *Packed::from_slice(&values[i..i + LANES]);
            let sigma = self.preprocessed.get(self.sigmas + column);
            for i in (0..out.len()).step_by(LANES) {
                let value = packed(wire, i) + gamma;
                *Packed::from_slice_mut(&mut out[i..i + LANES]) *= value + packed(self.subgroup, i) * shift;
                *Packed::from_slice_mut(&mut denominators[i..i + LANES]) *= value + packed(sigma, i) * beta;
            }
        }
        if denominators.contains(&F::ZERO) {
            return None;
        }
        multiply(&mut out, &F::batch_multiplicative_inverse(&denominators));
        Some(out)
    }
}

/// The partial products, and then `Z`, from the ratios of all chunks over `rows` rows.
fn running_products(ratios: Vec<F>, rows: usize) -> Vec<F> {
    let mut products = ratios;
    for start in (rows..products.len()).step_by(rows) {
        let (before, after) = products.split_at_mut(start);
        multiply(&mut after[..rows], &before[start - rows..]);
    }
    // The last product leads to the next row.
    let partial = products.len() - rows;
    let (partial, last) = products.split_at_mut(partial);
    let mut z = F::ONE;
    for slot in last.iter_mut() {
        let next = z * *slot;
        *slot = z;
        z = next;
    }
    partial.chunks_exact_mut(rows).for_each(|column| multiply(column, last));
    products
}

/// Multiplies element by element; both have as many elements as there are rows.
fn multiply(factors: &mut [F], by: &[F]) {
    for (a, &b) in Packed::pack_slice_mut(factors).iter_mut().zip(Packed::pack_slice(by)) {
        *a *= b;
    }
}
