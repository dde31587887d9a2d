//! The weights of tiles, which are most of the preprocessed columns.
//!
//! The prover never needs them on the extended domain: in the quotient they occur in sums only, which are taken at the rows,
//! and at the few points that are opened they are evaluated. Small weights are kept as integers, and multiplied as floats.

use super::codeword::Columns;
use super::fft::LANES;
use super::rows::Rows;
use crate::circuit::columns::constant_rows;
use crate::gadget::DenseTile;
use crate::gadget::field::{Ext, F, Packed, add_scaled, from_signed};
use crate::gadget::halves::{EXACT_BITS, HALF_BITS, LANES as FLOATS, STRIP, halves, joined, joined_floats, sums};
use crate::plan::Plan;
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use rayon::prelude::*;
use std::ops::RangeInclusive;
use wide::{f64x8, i32x8};

/// The row constants, row by row, as far as there are any; all other rows have zeros.
pub struct Weights {
    values: Values,
    width: usize,
}

enum Values {
    /// Products of so many with halves of elements are summed exactly, and those of all rows in 63 bits.
    Small { values: Vec<i32>, exact_sums: usize },
    /// Others.
    Large(Vec<F>),
}

/// Fewer terms than this at once are not worth floats, and more rows do not fit the caches.
const TERMS: RangeInclusive<usize> = 32..=128;

/// Columns that are summed at once: two vectors.
const COLUMNS: usize = 2 * FLOATS;

/// A strip's factors are the halves of as many elements.
const ELEMENTS: usize = STRIP / 2;

impl Weights {
    /// The weights of `plan`.
    pub fn new(plan: &Plan) -> Self {
        let values = match exact_sums(plan.program.largest_constant(), plan.layout.rows()) {
            Some(exact_sums) => Values::Small { values: constant_rows(plan, |weight| weight as i32), exact_sums },
            None => Values::Large(constant_rows(plan, from_signed)),
        };
        Self { values, width: plan.layout.constants }
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The sums of the rows, each times its factor, for several lists of factors: for each list, for each column its value.
    pub fn combine_rows(&self, factors: &[Vec<F>]) -> Vec<Vec<F>> {
        match &self.values {
            Values::Large(values) => {
                factors.iter().map(|factors| Rows::new(values, self.width).combine_rows(factors)).collect()
            }
            Values::Small { values, exact_sums } => self.combine_small_rows(values, *exact_sums, factors),
        }
    }

    fn combine_small_rows(&self, values: &[i32], exact_sums: usize, factors: &[Vec<F>]) -> Vec<Vec<F>> {
        let block_rows = exact_sums.min(*TERMS.end());
        // For each list the low halves' sums, and then those of the high halves.
        let zero = || vec![0i64; 2 * factors.len() * self.width];
        let add = |mut totals: Vec<i64>, (block, rows): (usize, &[i32])| {
            let start = block * block_rows;
            let strips = totals.chunks_mut(STRIP * self.width).zip(factors.chunks(ELEMENTS));
            for (totals, factors) in strips {
                let count = rows.len() / self.width;
                let factors: Vec<[f64; STRIP]> =
                    (start..start + count).map(|row| strip(factors.iter().map(|list| list[row]))).collect();
                for column in (0..self.width).step_by(COLUMNS) {
                    let terms = factors.iter().zip(rows.chunks_exact(self.width));
                    let sums = sums(terms.map(|(factors, row)| (factors, floats(&row[column..]))));
                    for (sum, totals) in sums.iter().zip(totals.chunks_exact_mut(self.width)) {
                        let totals = totals[column..].iter_mut();
                        totals.zip(lanes(sum)).for_each(|(total, sum)| *total += sum as i64);
                    }
                }
            }
            totals
        };
        let join = |mut left: Vec<i64>, right: Vec<i64>| {
            left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
            left
        };
        let blocks = values.par_chunks((block_rows * self.width).max(1)).enumerate();
        let totals = blocks.with_min_len(8).fold(zero, add).reduce(zero, join);
        let list = |list: usize| {
            let (low, high) = totals[2 * list * self.width..][..2 * self.width].split_at(self.width);
            low.iter().zip(high).map(|(&low, &high)| joined(low, high)).collect()
        };
        (0..factors.len()).map(list).collect()
    }

    /// For each row, the sum of its elements, each times its factor.
    pub fn combine_columns(&self, factors: &[Ext]) -> Vec<Ext> {
        let (values, exact_sums) = match &self.values {
            Values::Large(values) => return Rows::new(values, self.width).combine_columns(factors),
            Values::Small { values, exact_sums } => (values, *exact_sums),
        };
        // Real and imaginary part, low and high half of each, of as many factors as a vector has lanes.
        let vectors = |factors: &[Ext]| -> [f64x8; 4] {
            std::array::from_fn(|stream| {
                let half =
                    |lane: usize| factors.get(lane).map_or(0.0, |factor| halves(factor.0[stream / 2])[stream % 2]);
                f64x8::new(std::array::from_fn(half))
            })
        };
        let factors: Vec<[f64x8; 4]> = factors.chunks(FLOATS).map(vectors).collect();
        let sum = |row: &[i32]| {
            let mut totals = [0i64; 4];
            // Each lane has a sum of its own.
            let spans = row.chunks(exact_sums * FLOATS).zip(factors.chunks(exact_sums));
            for (weights, factors) in spans {
                let mut sums = [f64x8::ZERO; 4];
                for (weights, factors) in weights.chunks(FLOATS).zip(factors) {
                    let weights = vector(weights);
                    sums.iter_mut().zip(factors).for_each(|(sum, &factor)| *sum = weights.mul_add(factor, *sum));
                }
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += sum.to_array().iter().map(|&lane| lane as i64).sum::<i64>();
                }
            }
            QuadraticExtension([joined(totals[0], totals[1]), joined(totals[2], totals[3])])
        };
        values.par_chunks_exact(self.width.max(1)).map(sum).collect()
    }

    /// For each row, list of factors and input of a tile, the sum over the tile's outputs of weight times factor. The inputs
    /// fill whole vectors of [`LANES`].
    pub fn combine_outputs(&self, tile: &DenseTile, factors: &[Vec<F>]) -> Vec<F> {
        let inputs = padded_inputs(tile);
        let mut cells = vec![F::ZERO; self.rows() * factors.len() * inputs];
        let rows = cells.par_chunks_exact_mut(factors.len() * inputs);
        match &self.values {
            Values::Small { values, exact_sums } => {
                let strips: Vec<Vec<[f64; STRIP]>> = factors
                    .chunks(ELEMENTS)
                    .map(|lists| (0..tile.height).map(|i| strip(lists.iter().map(|list| list[i]))).collect())
                    .collect();
                rows.zip(values.par_chunks_exact(self.width)).for_each(|(cells, row)| {
                    for (cells, strip) in cells.chunks_mut(ELEMENTS * inputs).zip(&strips) {
                        for (first, strip) in (0..).step_by(*exact_sums).zip(strip.chunks(*exact_sums)) {
                            combine_small_outputs(&row[first * tile.width..], tile.width, strip, inputs, cells);
                        }
                    }
                });
            }
            Values::Large(values) => rows.zip(values.par_chunks_exact(self.width)).for_each(|(cells, row)| {
                for (cells, factors) in cells.chunks_exact_mut(inputs).zip(factors) {
                    for (weights, &factor) in row.chunks_exact(tile.width).zip(&factors[..tile.height]) {
                        add_scaled(&mut cells[..tile.width], weights, factor);
                    }
                }
            }),
        }
        cells
    }

    /// The columns from `first` on, on so many rows.
    pub fn columns(&self, first: usize, rows: usize) -> Columns {
        let element = |row: usize, column: usize| match &self.values {
            Values::Small { values, .. } => from_signed(values[row * self.width + column].into()),
            Values::Large(values) => values[row * self.width + column],
        };
        let mut columns = vec![F::ZERO; (self.width - first) * rows];
        columns.par_chunks_exact_mut(rows).zip(first..self.width).for_each(|(cells, column)| {
            cells.iter_mut().zip(0..self.rows()).for_each(|(cell, row)| *cell = element(row, column));
        });
        Columns::new(columns, rows)
    }

    /// How many rows have any constants; the others have zeros.
    fn rows(&self) -> usize {
        let elements = match &self.values {
            Values::Small { values, .. } => values.len(),
            Values::Large(values) => values.len(),
        };
        elements / self.width.max(1)
    }

    /// Some of the columns, as [`Rows::pack`] gives them.
    pub fn pack(&self, first: usize, rows: usize, out: &mut Vec<Packed>) {
        match &self.values {
            Values::Large(values) => Rows::new(values, self.width).pack(first, rows, out),
            Values::Small { values, .. } => {
                out.clear();
                out.extend(values.chunks_exact(self.width).map(|row| {
                    let mut packed = Packed::ZEROS;
                    let weights = packed.as_slice_mut().iter_mut().zip(&row[first..]);
                    weights.for_each(|(element, &weight)| *element = from_signed(weight.into()));
                    packed
                }));
                out.resize(rows, Packed::ZEROS);
            }
        }
    }
}

/// How many inputs of a tile [`Weights::combine_outputs`] has columns for.
pub fn padded_inputs(tile: &DenseTile) -> usize {
    tile.width.next_multiple_of(LANES)
}

/// How many products of small weights with halves are summed exactly; none if weights up to `largest` are not small.
fn exact_sums(largest: u64, rows: usize) -> Option<usize> {
    let fits_all = largest.saturating_mul(rows as u64) < 1 << (62 - HALF_BITS);
    let exact_sums = ((1u64 << (EXACT_BITS - HALF_BITS)) / largest.saturating_add(1)) as usize;
    (fits_all && exact_sums >= *TERMS.start()).then_some(exact_sums)
}

/// Adds, for each element of the strip, to each of the inputs of a tile the sum over its first outputs.
fn combine_small_outputs(row: &[i32], width: usize, strip: &[[f64; STRIP]], inputs: usize, cells: &mut [F]) {
    for column in (0..width).step_by(COLUMNS) {
        // Past the tile's inputs there are those of the next output: what they give is not taken.
        let sums = sums(strip.iter().enumerate().map(|(i, factors)| (factors, floats(&row[i * width + column..]))));
        for (cells, [low, high]) in cells.chunks_exact_mut(inputs).zip(sums.as_chunks::<2>().0) {
            let cells = cells[column..width.min(column + COLUMNS)].iter_mut();
            for (cell, (low, high)) in cells.zip(lanes(low).zip(lanes(high))) {
                *cell += joined_floats(low, high);
            }
        }
    }
}

/// The low and the high half of each element, one element after the other.
fn strip(elements: impl Iterator<Item = F>) -> [f64; STRIP] {
    let mut strip = [0.0; STRIP];
    strip.iter_mut().zip(elements.flat_map(halves)).for_each(|(factor, half)| *factor = half);
    strip
}

/// The first [`COLUMNS`] weights; zeros where there is none.
#[inline(always)]
fn floats(weights: &[i32]) -> [f64x8; 2] {
    [vector(weights), vector(weights.get(FLOATS..).unwrap_or_default())]
}

#[inline(always)]
fn vector(weights: &[i32]) -> f64x8 {
    let whole = weights.first_chunk().copied().unwrap_or_else(|| {
        let mut some = [0; FLOATS];
        some[..weights.len()].copy_from_slice(weights);
        some
    });
    f64x8::from(i32x8::new(whole))
}

fn lanes(vectors: &[f64x8; 2]) -> impl Iterator<Item = f64> {
    vectors.iter().flat_map(|vector| vector.to_array())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::Sample;

    /// Weights of either sort, up to the bound in magnitude, and the same as elements.
    fn weights(bound: i64, rows: usize, width: usize) -> (Weights, Vec<F>) {
        let number = |i: i64| (i * 7_919_777_777) % bound * if i % 3 == 0 { -1 } else { 1 };
        let mut numbers: Vec<i64> = (0..(rows * width) as i64).map(number).collect();
        numbers[5] = bound - 1;
        let elements: Vec<F> = numbers.iter().map(|&weight| from_signed(weight)).collect();
        let values = match exact_sums(bound as u64 - 1, rows) {
            Some(exact_sums) => Values::Small { values: numbers.iter().map(|&w| w as i32).collect(), exact_sums },
            None => Values::Large(elements.clone()),
        };
        (Weights { values, width }, elements)
    }

    /// Bounds, and how many products they let be summed.
    const BOUNDS: [(i64, Option<usize>); 4] =
        [(100, Some((1 << 21) / 100)), (1 << 15, Some(1 << 6)), (1 << 16, Some(1 << 5)), (1 << 17, None)];

    #[test]
    fn small_weights_are_combined_like_others() {
        let (rows, tile) = (3 * TERMS.end() + 5, DenseTile { width: 19, height: 70 });
        // After the weights of a tile there are other constants.
        let width = tile.width * tile.height + 5;
        for (bound, expected) in BOUNDS {
            let (weights, elements) = weights(bound, rows, width);
            let sums = match weights.values {
                Values::Small { exact_sums, .. } => Some(exact_sums),
                Values::Large(_) => None,
            };
            assert_eq!(sums, expected);
            let plain = Rows::new(&elements, width);
            let mut factors: Vec<Vec<F>> = (0..5).map(|_| F::rand_vec(rows)).collect();
            factors.push(vec![F::NEG_ONE; rows]);
            let expected: Vec<Vec<F>> = factors.iter().map(|factors| plain.combine_rows(factors)).collect();
            assert_eq!(weights.combine_rows(&factors), expected);
            let mut across: Vec<Ext> = Ext::rand_vec(width);
            across[3] = QuadraticExtension([F::NEG_ONE, F::from_canonical_u64(u32::MAX.into())]);
            assert_eq!(weights.combine_columns(&across), plain.combine_columns(&across));
            for lists in [1, 3, 4, 5] {
                let large = Weights { values: Values::Large(elements.clone()), width };
                let outputs = weights.combine_outputs(&tile, &factors[..lists]);
                assert_eq!(outputs, large.combine_outputs(&tile, &factors[..lists]));
                let (row, list, input) = (7, lists - 1, 18);
                let terms = (0..tile.height).map(|i| elements[row * width + i * tile.width + input] * factors[list][i]);
                assert_eq!(outputs[(row * lists + list) * padded_inputs(&tile) + input], terms.sum());
            }
            let (mut packed, mut same) = (Vec::new(), Vec::new());
            for first in [0, width / LANES * LANES] {
                weights.pack(first, rows + 3, &mut packed);
                plain.pack(first, rows + 3, &mut same);
                assert!(packed.iter().zip(&same).all(|(a, b)| a.as_slice() == b.as_slice()));
            }
        }
    }

    #[test]
    fn there_may_be_no_weights() {
        let weights = Weights { values: Values::Small { values: Vec::new(), exact_sums: 99 }, width: 0 };
        assert_eq!(weights.combine_rows(&[F::rand_vec(9), F::rand_vec(9)]), [Vec::new(), Vec::new()]);
        assert_eq!(weights.combine_columns(&[]), []);
    }
}
