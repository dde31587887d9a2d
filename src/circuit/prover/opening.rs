//! Openings: the columns' values at the point that the verifier chose, and the one polynomial that stands for all of them
//! in the low-degree test.

use super::codeword::Columns;
use super::fft::LANES;
use super::preprocessed::Preprocessed;
use super::rows::Rows;
use super::weights::Weights;
use crate::gadget::field::{D, Ext, F, add_scaled, dot};
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::polynomial::{PolynomialCoeffs, PolynomialValues};
use plonky2::field::types::Field;
use plonky2::plonk::proof::OpeningSet;
use rayon::prelude::*;

/// All committed columns, as values at the rows.
pub struct Committed<'a> {
    /// Selectors, weights, permutation.
    pub preprocessed: &'a Preprocessed,
    /// Wires.
    pub wires: Rows<'a>,
    /// `Z` of each challenge set and partial products.
    pub products: &'a Columns,
    /// The chunks of the quotients.
    pub chunks: &'a Columns,
    /// The points of the rows.
    pub subgroup: &'a [F],
    /// How many challenge sets there are.
    pub sets: usize,
}

impl Committed<'_> {
    /// All columns at `point`, and `Z` also at the next point.
    pub fn open(&self, point: Ext) -> OpeningSet<F, D> {
        let here = Lagrange::new(self.subgroup, point);
        let next = Lagrange::new(self.subgroup, point * self.generator());
        let dense = here.columns(self.preprocessed.columns.par_iter());
        let weights = here.weights(&self.preprocessed.weights);
        let mut constants = self.preprocessed.in_order(&dense, &weights);
        let plonk_sigmas = constants.split_off(self.preprocessed.sigmas() + weights.len());
        let mut plonk_zs = here.columns(self.products.par_iter());
        let partial_products = plonk_zs.split_off(self.sets);
        OpeningSet {
            constants,
            plonk_sigmas,
            wires: here.rows(self.wires),
            plonk_zs,
            plonk_zs_next: next.columns(self.products.par_iter().take(self.sets)),
            partial_products,
            quotient_polys: here.columns(self.chunks.par_iter()),
            lookup_zs: Vec::new(),
            lookup_zs_next: Vec::new(),
        }
    }

    /// The polynomial whose low degree the test shows: `α^k · (F - F(point)) / (X - point) + (G - G(next)) / (X - next)`, where
    /// `F` combines all columns by powers of `α`, and `G` the `k` columns of `Z`. Its coefficients.
    pub fn combine(&self, point: Ext, alpha: Ext) -> PolynomialCoeffs<Ext> {
        let count = self.preprocessed.len() + self.wires.width() + self.products.len() + self.chunks.len();
        let powers: Vec<Ext> = alpha.powers().take(count).collect();
        let all = quotient(&self.combined(&powers), point);
        let z = Combination {
            rows: self.subgroup.len(),
            terms: self.products.iter().take(self.sets).zip(&powers).collect(),
        };
        let next = quotient(&z.values(), point * self.generator());
        let mut sum = all;
        sum *= alpha.exp_u64(self.sets as u64);
        sum += next;
        sum
    }

    fn combined(&self, powers: &[Ext]) -> Vec<Ext> {
        let weights = &self.preprocessed.weights;
        let (of_selectors, rest) = powers.split_at(self.preprocessed.mask());
        let (of_weights, rest) = rest.split_at(weights.width());
        let (of_others, rest) = rest.split_at(self.preprocessed.columns.len() - of_selectors.len());
        let (of_wires, rest) = rest.split_at(self.wires.width());
        let columns = self.preprocessed.columns.iter().chain(self.products.iter()).chain(self.chunks.iter());
        let powers = of_selectors.iter().chain(of_others).chain(rest);
        let dense = Combination { rows: self.subgroup.len(), terms: columns.zip(powers).collect() };
        let mut values = dense.values();
        for sums in [weights.combine_columns(of_weights), self.wires.combine_columns(of_wires)] {
            values.iter_mut().zip(sums).for_each(|(value, sum)| *value += sum);
        }
        values
    }

    fn generator(&self) -> Ext {
        Ext::from(self.subgroup[1])
    }
}

/// `(F - F(point)) / (X - point)` for the polynomial with these values at the rows.
fn quotient(values: &[Ext], point: Ext) -> PolynomialCoeffs<Ext> {
    let part = |i: usize| {
        let values = values.iter().map(|value| value.0[i]).collect();
        PolynomialValues::<F>::new(values).ifft().coeffs
    };
    let coefficients = part(0).into_iter().zip(part(1)).map(|(a, b)| QuadraticExtension([a, b])).collect();
    let mut quotient = PolynomialCoeffs::new(coefficients).divide_by_linear(point);
    quotient.coeffs.push(Ext::ZERO);
    quotient
}

/// The Lagrange basis at a point of the extension, in parts: what values at the rows are weighed with.
struct Lagrange {
    parts: [Vec<F>; 2],
}

impl Lagrange {
    fn new(subgroup: &[F], point: Ext) -> Self {
        let (real, imaginary) = lagrange(subgroup, point).into_iter().map(|value| value.0.into()).unzip();
        Self { parts: [real, imaginary] }
    }

    fn rows(&self, table: Rows<'_>) -> Vec<Ext> {
        zip_parts(self.parts.each_ref().map(|part| table.combine_rows(part)))
    }

    fn weights(&self, weights: &Weights) -> Vec<Ext> {
        let mut parts = weights.combine_rows(&self.parts).into_iter();
        // As many as were given.
        zip_parts(std::array::from_fn(|_| parts.next().unwrap_or_default()))
    }

    fn columns<'a>(&self, columns: impl IndexedParallelIterator<Item = &'a [F]>) -> Vec<Ext> {
        let [real, imaginary] = &self.parts;
        columns.map(|column| QuadraticExtension([dot(column, real), dot(column, imaginary)])).collect()
    }
}

fn zip_parts([real, imaginary]: [Vec<F>; 2]) -> Vec<Ext> {
    real.into_iter().zip(imaginary).map(|(real, imaginary)| QuadraticExtension([real, imaginary])).collect()
}

/// The Lagrange basis over the rows at a point, of the base field or of the extension, that is no row.
pub fn lagrange<E: Field + From<F>>(subgroup: &[F], point: E) -> Vec<E> {
    let rows = subgroup.len();
    let denominators: Vec<E> = subgroup.iter().map(|&x| point - E::from(x)).collect();
    let factor = (point.exp_u64(rows as u64) - E::ONE) * E::from_canonical_usize(rows).inverse();
    let inverses = E::batch_multiplicative_inverse(&denominators);
    inverses.iter().zip(subgroup).map(|(&inverse, &x)| factor * inverse * E::from(x)).collect()
}

/// A sum of columns, each times a factor.
struct Combination<'a> {
    rows: usize,
    terms: Vec<(&'a [F], &'a Ext)>,
}

impl Combination<'_> {
    fn values(&self) -> Vec<Ext> {
        /// Rows whose sums stay in the cache.
        const BLOCK: usize = 64 * LANES;
        let block = |start: usize| {
            let end = self.rows.min(start + BLOCK);
            let mut sums = [vec![F::ZERO; end - start], vec![F::ZERO; end - start]];
            for (column, factor) in &self.terms {
                for (sum, part) in sums.iter_mut().zip(factor.0) {
                    add_scaled(sum, &column[start..end], part);
                }
            }
            let [real, imaginary] = sums;
            real.into_iter().zip(imaginary).map(|(a, b)| QuadraticExtension([a, b]))
        };
        (0..self.rows).into_par_iter().step_by(BLOCK).flat_map_iter(block).collect()
    }
}
