//! The quotient's chunks and the combination of all columns: what a proof tells of them depends on columns that are random in
//! all rows. The forms are in the coefficients of these columns.

use super::algebra::{Coverage, parts, rank};
use super::subject::Subject;
use crate::gadget::field::{Ext, F};
use crate::plan::security::QUOTIENT_DEGREE;
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::{Field, Sample};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeMap;

/// The number of a constraint, and the polynomial that a column is multiplied with in it, divided by what vanishes at the
/// rows.
type Part = (usize, Vec<F>);

impl Subject {
    /// What is told of each quotient's chunks, the last one aside, which follows from the others, and of the columns that make
    /// them random.
    pub fn quotient(&self) -> Coverage {
        let reads = |column: &&usize| !self.gates_reading(**column).is_empty();
        let masks: Vec<Vec<Part>> = self.masks.iter().filter(reads).map(|&column| self.quotients_of(column)).collect();
        let mut all = Vec::new();
        for point in self.points() {
            all.extend(openings(point, self.rows(), masks.len()));
            for alpha in &self.challenges.alphas {
                let chunk = |chunk: usize| {
                    let combined = masks.iter().flat_map(|mask| self.chunk(mask, *alpha, chunk, point));
                    parts(&combined.collect::<Vec<Ext>>(), point)
                };
                all.extend((0..QUOTIENT_DEGREE - 1).flat_map(chunk));
            }
        }
        Coverage { told: all.len(), random: rank(all) }
    }

    /// One chunk of a quotient at a point, as a form in the coefficients of one column.
    fn chunk(&self, mask: &[Part], alpha: F, chunk: usize, point: Ext) -> Vec<Ext> {
        let rows = self.rows();
        let first = self.reader.sets() * (2 + self.reader.common.num_partial_products);
        let shift = point.exp_u64(rows as u64);
        let mut form = vec![Ext::ZERO; rows];
        for (number, quotient) in mask {
            let factor = Ext::from(alpha.exp_u64((first + number) as u64));
            // The coefficient `k` shifts the polynomial by as many places; of them the chunk takes `rows`.
            let place =
                |offset: usize, k: usize| (chunk * rows + offset).checked_sub(k).map_or(F::ZERO, |at| quotient[at]);
            let mut sum = (0..rows).rev().fold(Ext::ZERO, |sum, offset| sum * point + Ext::from(place(offset, 0)));
            for (k, value) in form.iter_mut().enumerate() {
                *value += factor * sum;
                sum = point * sum - shift * Ext::from(place(rows - 1, k)) + Ext::from(place(0, k + 1));
            }
        }
        form
    }

    /// What a column is multiplied with in each constraint that depends on it.
    fn quotients_of(&self, column: usize) -> Vec<Part> {
        let size = self.rows() * QUOTIENT_DEGREE;
        let gates = self.gates_reading(column);
        let mut found: BTreeMap<usize, Vec<F>> = BTreeMap::new();
        for (i, before) in self.on_coset().enumerate() {
            let inverse = (before.point.exp_u64(self.rows() as u64) - Ext::ONE).inverse();
            for &gate in &gates {
                // All of it is in the base field.
                for (number, factor) in self.derivative(gate, &before, column).into_iter().enumerate() {
                    let factor = (factor * inverse).0[0];
                    if !factor.is_zero() {
                        found.entry(number).or_insert_with(|| vec![F::ZERO; size])[i] += factor;
                    }
                }
            }
        }
        let interpolate = |values| {
            let coefficients = PolynomialValues::new(values).coset_ifft(F::coset_shift()).coeffs;
            let degree = coefficients.iter().rposition(|coefficient| !coefficient.is_zero()).unwrap_or(0);
            assert!(degree + self.rows() <= size, "the quotient has as many coefficients as its chunks");
            coefficients
        };
        found.into_iter().map(|(number, values)| (number, interpolate(values))).collect()
    }

    /// The low-degree test discloses the combination of all columns altogether. What is told of it, and of the columns that no
    /// gate reads, which make it random.
    pub fn combination(&self) -> Coverage {
        let (rows, mut random) = (self.rows(), ChaCha20Rng::seed_from_u64(6));
        let masks: Vec<usize> =
            self.masks.iter().copied().filter(|&column| self.gates_reading(column).is_empty()).collect();
        let (alpha, zeta) = (Ext::sample(&mut random), self.challenges.zeta);
        let mut all: Vec<Vec<F>> =
            self.points().into_iter().flat_map(|point| openings(point, rows, masks.len())).collect();
        // It has a coefficient less than there are rows. Where all columns are told so is their combination: at the queries,
        // and at the conjugate of the opening point.
        for _ in 0..rows - 1 - (self.queries.len() + 1) {
            let point = Ext::sample(&mut random);
            let inverse = (point - zeta).inverse();
            let of_mask = |&mask: &usize| {
                let powers = point.powers().zip(zeta.powers()).take(rows);
                let factor = alpha.exp_u64(mask as u64) * inverse;
                powers.map(move |(here, there)| (here - there) * factor).collect::<Vec<Ext>>()
            };
            all.extend(parts(&masks.iter().flat_map(of_mask).collect::<Vec<Ext>>(), point));
        }
        Coverage { told: all.len(), random: rank(all) }
    }
}

/// The values of each of some columns at a point, as forms in the coefficients of all of them.
fn openings(point: Ext, rows: usize, columns: usize) -> impl Iterator<Item = Vec<F>> {
    (0..columns).flat_map(move |column| {
        let mut form = vec![Ext::ZERO; rows * columns];
        form[column * rows..][..rows].copy_from_slice(&point.powers().take(rows).collect::<Vec<Ext>>());
        parts(&form, point)
    })
}
