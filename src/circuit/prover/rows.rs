//! Tables that lie row by row.

use super::codeword::Columns;
use super::fft::LANES;
use crate::gadget::field::{Ext, F, Packed, add_scaled, dot};
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use rayon::prelude::*;
use std::ops::Range;

/// A table, row by row. Rows past its end are zeros.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [F],
    width: usize,
}

impl<'a> Rows<'a> {
    /// The table whose rows of `width` elements `values` holds, one after the other.
    pub fn new(values: &'a [F], width: usize) -> Self {
        Self { values, width }
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows.
    pub fn iter(self) -> impl IndexedParallelIterator<Item = &'a [F]> {
        // A chunk must not be empty, even where there are no chunks.
        self.values.par_chunks_exact(self.width.max(1))
    }

    /// Some of the columns.
    pub fn columns(&self, range: Range<usize>) -> Columns {
        let rows = self.values.len() / self.width;
        let mut values = vec![F::ZERO; range.len() * rows];
        for (r, row) in self.values.chunks_exact(self.width).enumerate() {
            for (column, &value) in values.chunks_exact_mut(rows).zip(&row[range.clone()]) {
                column[r] = value;
            }
        }
        Columns::new(values, rows)
    }

    /// The first `rows` elements of the columns from `first` on, one column in each lane; zeros where there is none.
    pub fn pack(&self, first: usize, rows: usize, out: &mut Vec<Packed>) {
        out.clear();
        let whole = first + LANES <= self.width;
        out.extend(self.values.chunks_exact(self.width).map(|row| match whole {
            true => *Packed::from_slice(&row[first..first + LANES]),
            false => {
                let mut packed = Packed::ZEROS;
                packed.as_slice_mut()[..self.width - first].copy_from_slice(&row[first..]);
                packed
            }
        }));
        out.resize(rows, Packed::ZEROS);
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
        self.iter().zip(factors).with_min_len(256).fold(zero, add).reduce(zero, join)
    }

    /// For each row, the sum of its elements, each times its factor.
    pub fn combine_columns(&self, factors: &[Ext]) -> Vec<Ext> {
        let parts = |i: usize| factors.iter().map(|factor| factor.0[i]).collect();
        let (real, imaginary): (Vec<F>, Vec<F>) = (parts(0), parts(1));
        self.iter().map(|row| QuadraticExtension([dot(row, &real), dot(row, &imaginary)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::Sample;

    #[test]
    fn lanes_are_columns() {
        let (rows, width) = (5, LANES + 3);
        let values = F::rand_vec(rows * width);
        let table = Rows::new(&values, width);
        let mut packed = Vec::new();
        for first in [0, LANES] {
            table.pack(first, rows + 2, &mut packed);
            assert!(table.columns(first..first + 1).get(0).iter().eq(values.iter().skip(first).step_by(width)));
            for (r, packed) in packed.iter().enumerate() {
                for (lane, &value) in packed.as_slice().iter().enumerate() {
                    let is_there = r < rows && first + lane < width;
                    assert_eq!(value, if is_there { values[r * width + first + lane] } else { F::ZERO });
                }
            }
        }
    }

    #[test]
    fn both_combinations_give_the_same_sum() {
        let (rows, width) = (40, 2 * LANES + 1);
        let values = F::rand_vec(rows * width);
        let (down, across) = (F::rand_vec(rows), F::rand_vec(width));
        let table = Rows::new(&values, width);
        let lifted: Vec<Ext> = across.iter().map(|&factor| factor.into()).collect();
        let sums: Vec<F> = table.combine_columns(&lifted).into_iter().map(|sum| sum.0[0]).collect();
        assert_eq!(dot(&table.combine_rows(&down), &across), dot(&sums, &down));
    }
}
