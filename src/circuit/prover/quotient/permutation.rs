//! The permutation argument's constraints: that `Z` starts with one, and the steps from each partial product to the next.

use super::Cursor;
use crate::circuit::prover::fft::LANES;
use crate::gadget::arith::{BATCH, Column};
use crate::gadget::field::{F, Packed, read_ahead};
use crate::plan::security::QUOTIENT_DEGREE;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;

impl<'a> Cursor<'a> {
    /// Takes all of them. `points` are those of the coset, and `first` is the polynomial that is one in the first row and zero in
    /// the others, at these points.
    pub fn permutation(&mut self, points: &[F], first: &[F]) {
        let quotient = self.quotient;
        let sets = self.sums.len();
        let chunks = quotient.routed_chunks();
        let next: [usize; BATCH] = std::array::from_fn(|k| quotient.domain.next(self.start + k));
        let z_next = |set| Column(next.map(|position| self.products.value(self.coset, position, set)));
        let z_next: Vec<Column> = (0..sets).map(z_next).collect();
        let mut before: Vec<&[F]> = (0..sets).map(|set| self.batch(self.products, set)).collect();
        for (set, z) in before.iter().enumerate() {
            let mut starts = Column::load(z);
            for (value, &lagrange) in starts.0.iter_mut().zip(&first[self.start..]) {
                *value = (*value - F::ONE) * lagrange;
            }
            for (sum, powers) in self.sums.iter_mut().zip(&self.tables.powers) {
                sum.add_scaled(&starts, powers[set]);
            }
        }
        for chunk in 0..chunks {
            let partial = |set| self.batch(self.products, sets + set * (chunks - 1) + chunk);
            let after: Vec<&[F]> = match chunk + 1 < chunks {
                true => (0..sets).map(partial).collect(),
                false => z_next.iter().map(|column| &column.0[..]).collect(),
            };
            self.steps(chunk, &points[self.start..][..BATCH], &before, &after);
            before = after;
        }
    }

    /// For each challenge set, the constraint `before · Π (wire + beta · identity + gamma) - after · Π (wire + beta · sigma +
    /// gamma)` over the wires of one chunk.
    ///
    /// All factors are divided by `beta`: so that what the identity or `sigma` is added to is the same, and takes one product.
    fn steps(&mut self, chunk: usize, points: &[F], before: &[&[F]], after: &[&[F]]) {
        let quotient = self.quotient;
        let (first_sigma, sets) = (quotient.preprocessed.sigmas(), before.len());
        let first = chunk * QUOTIENT_DEGREE;
        let chunks = quotient.routed_chunks();
        // What each set's constraint is multiplied with in each combination: its power, and what undoes the division.
        let index = |set: usize| sets + set * chunks + chunk;
        let factors =
            |powers: &Vec<F>| (0..sets).map(|set| powers[index(set)] * self.tables.chunk_scales[set]).collect();
        let factors: Vec<Vec<F>> = self.tables.powers.iter().map(factors).collect();
        let shifts: [F; QUOTIENT_DEGREE] = std::array::from_fn(|i| quotient.shifts[first + i]);
        let wires: [&[Packed]; QUOTIENT_DEGREE] =
            std::array::from_fn(|i| Packed::pack_slice(self.batch(self.wires, first + i)));
        let sigmas: [&[Packed]; QUOTIENT_DEGREE] =
            std::array::from_fn(|i| Packed::pack_slice(self.batch(self.preprocessed, first_sigma + first + i)));
        let [before, after] =
            [before, after].map(|sets| sets.iter().map(|set| Packed::pack_slice(set)).collect::<Vec<_>>());
        let ahead = self.read_next(chunk);
        // Two parts at a time: four products that do not wait for each other, and fit the registers.
        for (k, x) in Packed::pack_slice(points).as_chunks::<2>().0.iter().enumerate() {
            let at = |parts: &[Packed]| [parts[2 * k], parts[2 * k + 1]];
            // Not all of them at once: there would be no room for the answers.
            ahead.iter().for_each(|column| read_ahead(&column[2 * k * LANES..][..2 * LANES]));
            let mut identities = [*x; QUOTIENT_DEGREE];
            for (identity, &shift) in identities.iter_mut().zip(&shifts) {
                *identity = [identity[0] * shift, identity[1] * shift];
            }
            for set in 0..sets {
                let (factor, offset) = self.tables.offsets[set];
                let (mut left, mut right) = (at(before[set]), at(after[set]));
                for i in 0..QUOTIENT_DEGREE {
                    let [a, b] = at(wires[i]);
                    let (a, b) = (a * factor + offset, b * factor + offset);
                    let (identity, sigma) = (identities[i], at(sigmas[i]));
                    left = [left[0] * (a + identity[0]), left[1] * (b + identity[1])];
                    right = [right[0] * (a + sigma[0]), right[1] * (b + sigma[1])];
                }
                let steps = [left[0] - right[0], left[1] - right[1]];
                for (sum, factors) in self.sums.iter_mut().zip(&factors) {
                    let sum = &mut sum.parts_mut()[2 * k..][..2];
                    sum[0] += steps[0] * factors[set];
                    sum[1] += steps[1] * factors[set];
                }
            }
        }
    }

    /// The columns that the next chunk takes, and a part of those that have no chunk, which gates take afterwards: they are
    /// asked for while this one is computed, as a processor does not guess in which order they are read.
    fn read_next(&self, chunk: usize) -> Vec<&'a [F]> {
        let (wires, preprocessed) = (self.wires, self.preprocessed);
        let first_sigma = self.quotient.preprocessed.sigmas();
        let routed = self.quotient.shifts.len();
        let next = (chunk + 1) * QUOTIENT_DEGREE..routed.min((chunk + 2) * QUOTIENT_DEGREE);
        let sigmas = next.clone().map(|column| self.batch(preprocessed, first_sigma + column));
        let others = (routed + chunk..wires.columns()).step_by(self.quotient.routed_chunks());
        next.chain(others).map(|column| self.batch(wires, column)).chain(sigmas).collect()
    }
}
