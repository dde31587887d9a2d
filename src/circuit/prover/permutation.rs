//! The permutation argument: `Z` and its partial products.

use super::codeword::Columns;
use super::fft::{LANES, Packed};
use crate::gadget::field::F;
use crate::plan::security::QUOTIENT_DEGREE;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use rayon::prelude::*;

/// What the permutation argument works on.
pub struct Routed<'a> {
    /// All wires.
    pub wires: &'a Columns,
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
    /// challenges make a denominator zero.
    pub fn products(&self, betas: &[F], gammas: &[F]) -> Option<Columns> {
        let sets = betas.iter().zip(gammas).map(|(&beta, &gamma)| self.set(beta, gamma)).collect::<Option<Vec<_>>>()?;
        let rows = self.subgroup.len();
        let partial = sets[0].len() - rows;
        let zs = sets.iter().flat_map(|set| &set[partial..]);
        let partial_products = sets.iter().flat_map(|set| &set[..partial]);
        Some(Columns::new(zs.chain(partial_products).copied().collect(), rows))
    }

    /// The partial products, and then `Z`.
    fn set(&self, beta: F, gamma: F) -> Option<Vec<F>> {
        let rows = self.subgroup.len();
        let chunks = self.shifts.len().div_ceil(QUOTIENT_DEGREE);
        let mut ratios = vec![F::ZERO; chunks * rows];
        let columns = ratios.par_chunks_exact_mut(rows).enumerate();
        columns.map(|(chunk, out)| self.ratio(chunk, beta, gamma, out)).collect::<Option<()>>()?;
        for chunk in 1..chunks {
            let (before, after) = ratios.split_at_mut(chunk * rows);
            multiply(&mut after[..rows], &before[(chunk - 1) * rows..]);
        }
        // The last product leads to the next row.
        let (partial, last) = ratios.split_at_mut((chunks - 1) * rows);
        let mut z = F::ONE;
        for slot in last.iter_mut() {
            let next = z * *slot;
            *slot = z;
            z = next;
        }
        let last: &[F] = last;
        partial.par_chunks_exact_mut(rows).for_each(|column| multiply(column, last));
        Some(ratios)
    }

    /// For each row, the ratio by which one chunk of columns changes the product.
    fn ratio(&self, chunk: usize, beta: F, gamma: F, out: &mut [F]) -> Option<()> {
        let mut denominators = vec![F::ONE; out.len()];
        out.fill(F::ONE);
        let end = self.shifts.len().min((chunk + 1) * QUOTIENT_DEGREE);
        for column in chunk * QUOTIENT_DEGREE..end {
            let shift = beta * self.shifts[column];
            let packed = |values: &'_ [F], i: usize| *Packed::from_slice(&values[i..i + LANES]);
            let (wire, sigma) = (self.wires.get(column), self.preprocessed.get(self.sigmas + column));
            for i in (0..out.len()).step_by(LANES) {
                let value = packed(wire, i) + gamma;
                *Packed::from_slice_mut(&mut out[i..i + LANES]) *= value + packed(self.subgroup, i) * shift;
                *Packed::from_slice_mut(&mut denominators[i..i + LANES]) *= value + packed(sigma, i) * beta;
            }
        }
        if denominators.contains(&F::ZERO) {
            return None;
        }
        multiply(out, &F::batch_multiplicative_inverse(&denominators));
        Some(())
    }
}

/// Multiplies element by element; both have as many elements as there are rows.
fn multiply(factors: &mut [F], by: &[F]) {
    for (a, &b) in Packed::pack_slice_mut(factors).iter_mut().zip(Packed::pack_slice(by)) {
        *a *= b;
    }
}
