//! Parts of rows that are linear in their wires, of all kinds of rows at once.
//!
//! Combined with powers of the challenge, the constraints of such a part are one sum of wires, each times a factor that is the
//! same in all rows of its kind: no product with a weight is left at any point. Of few kinds, each sum is computed and multiplied
//! with the filter of its kind. Of many, factors times filters are the columns of a table: polynomials of fewer coefficients
//! than there are rows. So the parts of all kinds together take one column for each routed wire and challenge set, however many
//! layers a network has. These columns are extended, multiplied with the wires and forgotten, a few at a time.

use super::{Cursor, Quotient};
use crate::circuit::prover::codeword::batch_of;
use crate::circuit::prover::fft::LANES;
use crate::circuit::shape::UNUSED_SELECTOR;
use crate::gadget::arith::{BATCH, Column};
use crate::gadget::field::{F, Packed, add_scaled};
use crate::plan::Part;
use crate::plan::security::LOW_COSETS;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use rayon::prelude::*;
use std::ops::Range;

/// For one kind of rows: for each challenge set what each routed wire is multiplied with, and last what is added.
type Factors = Vec<Vec<F>>;

/// The linear parts, combined.
pub enum LinearParts {
    /// Of few kinds of rows: their factors, none where a kind has no linear part.
    Few(Vec<Factors>),
    /// Of many: for each challenge set the sums, times filters, at all points of the first [`LOW_COSETS`] cosets.
    Many(Vec<Vec<F>>),
}

/// As many products at a point take as long as to extend a column of the table.
const EXTENSION: usize = 16;

/// Successive rows in which one gate is active, with the value of its filter.
struct Run {
    rows: Range<usize>,
    kind: usize,
    filter: F,
}

impl Quotient<'_> {
    /// Combines the linear parts of all kinds of rows.
    pub(super) fn linear_parts(&self, powers: &[Vec<F>], first_gate: usize) -> LinearParts {
        let factors: Vec<Factors> =
            self.shape.gates.par_iter().map(|parts| self.factors(parts, powers, first_gate)).collect();
        let widths = || factors.iter().filter_map(|sets| sets.first()).map(Vec::len);
        let widest = widths().max().unwrap_or(0);
        match widths().sum::<usize>() <= EXTENSION * widest {
            true => LinearParts::Few(factors),
            false => LinearParts::Many(self.linear_sums(&factors, widest)),
        }
    }

    fn linear_sums(&self, factors: &[Factors], width: usize) -> Vec<Vec<F>> {
        let (runs, sets) = (self.runs(factors), self.challenges.alphas.len());
        let zero = || vec![vec![F::ZERO; LOW_COSETS * self.domain.rows()]; sets];
        let add = |mut sums: Vec<Vec<F>>, first: usize| {
            for (set, sums) in sums.iter_mut().enumerate() {
                self.add_columns(first, |kind| &factors[kind][set], &runs, sums);
            }
            sums
        };
        let join = |mut left: Vec<Vec<F>>, right: Vec<Vec<F>>| {
            let pairs = left.iter_mut().flatten().zip(right.iter().flatten());
            pairs.for_each(|(left, &right)| *left += right);
            left
        };
        let groups = (0..width).into_par_iter().step_by(LANES);
        let mut sums = groups.fold(zero, add).reduce(zero, join);
        for (set, sums) in sums.iter_mut().enumerate() {
            self.add_constants(|kind| factors[kind][set].last().copied().unwrap_or_default(), &runs, sums);
        }
        sums
    }

    /// What the wires of rows with these parts are multiplied with; nothing if none of them is linear.
    fn factors(&self, parts: &[Part], powers: &[Vec<F>], first_gate: usize) -> Factors {
        let end = |part: &Part| part.place.routed + part.gadget.shape().routed();
        let Some(width) = parts.iter().filter(|part| part.gadget.is_linear()).map(end).max() else { return Vec::new() };
        let of_set = |(set, alpha): (usize, &F)| {
            let mut factors = vec![F::ZERO; width + 1];
            let mut at = first_gate;
            for part in parts {
                let shape = part.gadget.shape();
                if part.gadget.is_linear() {
                    let wires = &mut factors[part.place.routed..][..shape.routed()];
                    let constant = part.gadget.combine(powers[set][at], *alpha, wires);
                    factors[width] += constant;
                }
                at += shape.constraints;
            }
            factors
        };
        self.challenges.alphas.par_iter().enumerate().map(of_set).collect()
    }

    /// Where the kinds of rows with linear parts are active, as their selectors tell.
    fn runs(&self, factors: &[Factors]) -> Vec<Run> {
        let unused = F::from_canonical_u64(UNUSED_SELECTOR);
        let mut runs: Vec<Run> = Vec::new();
        for (kind, &gate) in self.gates.kinds.iter().enumerate() {
            if factors[kind].is_empty() {
                continue;
            }
            for (row, &selector) in self.preprocessed.columns.get(gate).iter().enumerate() {
                let filter = unused - selector;
                match runs.last_mut().filter(|run| (run.kind, run.filter, run.rows.end) == (kind, filter, row)) {
                    Some(run) => run.rows.end += 1,
                    None if filter != F::ZERO => runs.push(Run { rows: row..row + 1, kind, filter }),
                    None => {}
                }
            }
        }
        runs
    }

    /// Adds the products of [`LANES`] routed wires, from `first` on, with their factors.
    fn add_columns<'f>(&self, first: usize, factors: impl Fn(usize) -> &'f Vec<F>, runs: &[Run], sums: &mut [F]) {
        let mut values = vec![Packed::ZEROS; self.domain.rows()];
        for Run { rows, kind, filter } in runs {
            let all = factors(*kind);
            let wires = all.len() - 1;
            let mut packed = Packed::ZEROS;
            let of_group = all.get(first..wires.min(first + LANES)).unwrap_or_default();
            packed.as_slice_mut()[..of_group.len()].copy_from_slice(of_group);
            let packed = packed * *filter;
            values[rows.clone()].iter_mut().for_each(|value| *value += packed);
        }
        let columns = LANES.min(self.wires.columns() - first);
        let wires = self.wires.group(self.domain, first / LANES, LOW_COSETS);
        self.domain.fft.coefficients(&mut values);
        self.domain.for_each_batch(&values, 0..LOW_COSETS, |coset, start, factors| {
            let mut sum = Column::load(&sums[coset * self.domain.rows() + start..][..BATCH]);
            for (lane, factors) in factors.chunks_exact(BATCH).take(columns).enumerate() {
                sum.add_product(batch_of(&wires, coset * self.domain.rows() + start, lane), factors);
            }
            sums[coset * self.domain.rows() + start..][..BATCH].copy_from_slice(&sum.0);
        });
    }

    /// Adds what is added in each row.
    fn add_constants(&self, constant: impl Fn(usize) -> F, runs: &[Run], sums: &mut [F]) {
        let mut values = vec![Packed::ZEROS; self.domain.rows()];
        for Run { rows, kind, filter } in runs.iter().filter(|run| constant(run.kind) != F::ZERO) {
            let value = constant(*kind) * *filter;
            values[rows.clone()].iter_mut().for_each(|packed| packed.as_slice_mut()[0] += value);
        }
        self.domain.fft.coefficients(&mut values);
        self.domain.for_each_batch(&values, 0..LOW_COSETS, |coset, start, values| {
            let sums = &mut sums[coset * self.domain.rows() + start..][..BATCH];
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
        });
    }
}

impl Cursor<'_> {
    /// Takes all linear parts, each times its filter.
    pub(super) fn linear_parts(&mut self) {
        match &self.tables.linear {
            _ if self.coset >= LOW_COSETS => {}
            LinearParts::Few(factors) => self.few_linear_parts(factors),
            LinearParts::Many(sums) => {
                let at = self.coset * self.quotient.domain.rows() + self.start;
                for (total, sums) in self.low_sums.iter_mut().zip(sums) {
                    *total = total.zip(&Column::load(&sums[at..][..BATCH]), |a, b| a + b);
                }
            }
        }
    }

    fn few_linear_parts(&mut self, factors: &[Factors]) {
        let sets = self.low_sums.len();
        let kinds: Vec<usize> = (0..factors.len()).filter(|&kind| !factors[kind].is_empty()).collect();
        let of_kind = |&kind: &usize| factors[kind].iter().map(|factors| factors.split_last());
        // A factor too many is what is added.
        let split: Vec<(&F, &[F])> = kinds.iter().flat_map(of_kind).map(|split| split.expect("a constant")).collect();
        let mut sums: Vec<Column> = split.iter().map(|&(&constant, _)| Column([constant; BATCH])).collect();
        let width = split.iter().map(|(_, factors)| factors.len()).max().unwrap_or(0);
        for wire in 0..width {
            let values = self.batch(self.wires, wire);
            for (sum, (_, factors)) in sums.iter_mut().zip(&split) {
                let Some(&factor) = factors.get(wire).filter(|factor| **factor != F::ZERO) else { continue };
                add_scaled(&mut sum.0, values, factor);
            }
        }
        for (sums, &kind) in sums.chunks_exact(sets).zip(&kinds) {
            let filter = self.filter(self.quotient.gates.kinds[kind]);
            self.take(&filter, Vec::new(), sums.to_vec());
        }
    }
}
