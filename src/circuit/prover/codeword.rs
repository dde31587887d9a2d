//! Columns of a table, and their values on the extended domain.

use super::fft::{COSETS, Coset, Fft, LANES, pack, reverse_bits, unpack};
use super::rows::Rows;
use crate::gadget::arith::BATCH;
use crate::gadget::field::{F, Packed};
use crate::plan::security::RATE_BITS;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Columns over the rows of a circuit, one after the other.
pub struct Columns {
    values: Vec<F>,
    rows: usize,
}

impl Columns {
    /// The columns of which `values` holds one after the other.
    pub fn new(values: Vec<F>, rows: usize) -> Self {
        Self { values, rows }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.rows
    }

    /// One column.
    pub fn get(&self, index: usize) -> &[F] {
        &self.values[index * self.rows..][..self.rows]
    }

    /// All columns.
    pub fn iter(&self) -> impl Iterator<Item = &[F]> {
        self.values.chunks_exact(self.rows)
    }

    /// All columns, for parallel work.
    pub fn par_iter(&self) -> impl IndexedParallelIterator<Item = &[F]> {
        self.values.par_chunks_exact(self.rows)
    }
}

/// The extended domain of a circuit: the coset of the field's generator in the group of `8 · rows` elements. It is made of
/// eight cosets of the group of rows. Positions are bit-reversed, which is the order of plonky2's Merkle leaves: then each
/// of those cosets is contiguous.
pub struct Domain {
    /// The transforms of one coset.
    pub fft: Fft,
    /// The shift of each coset, in the order of positions.
    pub shifts: [F; COSETS],
    cosets: [Coset; COSETS],
    bits: usize,
}

impl Domain {
    /// The extended domain over `2^bits` rows that is shifted by `shift`.
    pub fn new(bits: usize, shift: F) -> Self {
        let root = F::primitive_root_of_unity(bits + RATE_BITS);
        let shifts: [F; COSETS] = std::array::from_fn(|i| shift * root.exp_u64(reverse_bits(i, RATE_BITS) as u64));
        Self { fft: Fft::new(bits), shifts, cosets: shifts.map(|shift| Coset::new(bits, shift)), bits }
    }

    /// The rows.
    pub fn rows(&self) -> usize {
        1 << self.bits
    }

    /// The point at a position of a coset.
    pub fn point(&self, coset: usize, position: usize) -> F {
        let root = F::primitive_root_of_unity(self.bits);
        self.shifts[coset] * root.exp_u64(reverse_bits(position, self.bits) as u64)
    }

    /// All points of a coset.
    pub fn points(&self, coset: usize) -> Vec<F> {
        let powers: Vec<F> = F::primitive_root_of_unity(self.bits).powers().take(self.rows()).collect();
        (0..self.rows()).map(|i| self.shifts[coset] * powers[reverse_bits(i, self.bits)]).collect()
    }

    /// Where in each coset the point is that follows the one at `position`: its product with the root.
    pub fn next(&self, position: usize) -> usize {
        let exponent = (reverse_bits(position, self.bits) + 1) % self.rows();
        reverse_bits(exponent, self.bits)
    }

    /// The values on the extended domain of the polynomials that have these values at the rows.
    pub fn extend(&self, columns: &Columns) -> Codeword {
        let groups = self.groups(columns).map(|coefficients| self.values_on(&coefficients, 0..COSETS));
        Codeword { groups: groups.collect(), columns: columns.len(), rows: self.rows(), first: 0 }
    }

    /// As [`Domain::extend`], but of columns that lie row by row, and on the first cosets only, so many of them.
    pub fn extend_rows(&self, table: Rows<'_>, cosets: usize) -> Codeword {
        let groups = self.groups_of_rows(table).map(|coefficients| self.values_on(&coefficients, 0..cosets));
        Codeword { groups: groups.collect(), columns: table.width(), rows: self.rows(), first: 0 }
    }

    /// The values at the rows of the polynomials with these coefficients.
    pub fn values(&self, coefficients: &Columns) -> Columns {
        let rows = Coset::new(self.bits, F::ONE);
        let evaluate = |columns: &[F]| {
            let columns: Vec<&[F]> = columns.chunks_exact(self.rows()).collect();
            let mut packed = Vec::new();
            pack(&columns, &mut packed);
            let mut values = Vec::with_capacity(self.rows());
            rows.values(&packed, &mut Vec::new(), |batch| values.extend_from_slice(batch));
            self.fft.reverse(&mut values);
            let mut out = vec![F::ZERO; self.rows() * LANES];
            unpack(&values, &mut out);
            out.truncate(columns.len() * self.rows());
            out
        };
        let groups = coefficients.values.par_chunks(self.rows() * LANES);
        Columns::new(groups.flat_map_iter(evaluate).collect(), self.rows())
    }

    /// The polynomials with these values at the rows: with `streams` they are extended as often as they are read.
    pub fn polynomials(&self, columns: &Columns, streams: bool) -> Polynomials {
        match streams {
            true => Polynomials::Coefficients { groups: self.groups(columns).collect(), columns: columns.len() },
            false => Polynomials::Extended(self.extend(columns)),
        }
    }

    /// As [`Domain::polynomials`], but of columns that lie row by row.
    pub fn polynomials_of_rows(&self, table: Rows<'_>, streams: bool) -> Polynomials {
        match streams {
            true => Polynomials::Coefficients { groups: self.groups_of_rows(table).collect(), columns: table.width() },
            false => Polynomials::Extended(self.extend_rows(table, COSETS)),
        }
    }

    /// The coefficients of columns with these values at the rows, [`LANES`] columns together.
    fn groups(&self, columns: &Columns) -> impl IndexedParallelIterator<Item = Vec<Packed>> {
        columns.values.par_chunks(self.rows() * LANES).map(|columns| {
            let columns: Vec<&[F]> = columns.chunks_exact(self.rows()).collect();
            let mut values = Vec::with_capacity(self.rows());
            pack(&columns, &mut values);
            self.fft.coefficients(&mut values);
            values
        })
    }

    /// The same of columns that lie row by row.
    fn groups_of_rows(&self, table: Rows<'_>) -> impl IndexedParallelIterator<Item = Vec<Packed>> {
        (0..table.width()).into_par_iter().step_by(LANES).map(move |first| {
            let mut values = Vec::with_capacity(self.rows());
            table.pack(first, self.rows(), &mut values);
            self.fft.coefficients(&mut values);
            values
        })
    }

    /// The values on these cosets of the polynomials with these coefficients, batch by batch.
    pub fn values_on(&self, coefficients: &[Packed], cosets: Range<usize>) -> Vec<F> {
        let mut values = Vec::with_capacity(self.rows() * LANES * cosets.len());
        self.for_each_batch(coefficients, cosets, |_, _, batch| values.extend_from_slice(batch));
        values
    }

    /// Gives each batch of points of these cosets to `take`: the coset, the first point, and the values there of the polynomials
    /// with these coefficients, column by column.
    pub fn for_each_batch(
        &self,
        coefficients: &[Packed],
        cosets: Range<usize>,
        mut take: impl FnMut(usize, usize, &[F]),
    ) {
        let mut scratch = Vec::with_capacity(self.rows());
        let mut columns = [F::ZERO; BATCH * LANES];
        for coset in cosets {
            let mut start = 0;
            self.cosets[coset].values(coefficients, &mut scratch, |batch| {
                unpack(batch, &mut columns);
                take(coset, start, &columns);
                start += BATCH;
            });
        }
    }
}

/// Columns on the extended domain, of at least [`BATCH`] rows.
///
/// Those who read them take a batch of points and all columns, one after the other. So that this is memory in a row, as far
/// as it can be, [`LANES`] columns lie together, batch by batch.
#[derive(Clone)]
pub struct Codeword {
    /// Of [`LANES`] columns each: coset by coset, batch by batch, column by column.
    groups: Vec<Vec<F>>,
    columns: usize,
    rows: usize,
    /// The coset that comes first.
    first: usize,
}

impl Codeword {
    /// A column on one coset, at the [`BATCH`] points from `start` on, which is a multiple of that.
    pub fn batch(&self, coset: usize, start: usize, column: usize) -> &[F] {
        batch_of(&self.groups[column / LANES], (coset - self.first) * self.rows + start, column % LANES)
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// A column at one point of a coset.
    pub fn value(&self, coset: usize, position: usize, column: usize) -> F {
        self.batch(coset, position / BATCH * BATCH, column)[position % BATCH]
    }

    /// All columns at one position of the extended domain.
    pub fn at(&self, position: usize) -> impl Iterator<Item = F> {
        (0..self.columns).map(move |column| self.value(position / self.rows, position % self.rows, column))
    }
}

/// A column of a group, at the [`BATCH`] points from `start` on, counted from the group's first coset.
pub fn batch_of(group: &[F], start: usize, lane: usize) -> &[F] {
    &group[(start / BATCH * LANES + lane) * BATCH..][..BATCH]
}

/// Columns that are committed to.
pub enum Polynomials {
    /// Extended once, and kept: eight times as large as the table.
    Extended(Codeword),
    /// Extended coset by coset, as often as they are asked for: what is kept is as large as the table.
    Coefficients {
        /// Of [`LANES`] columns each.
        groups: Vec<Vec<Packed>>,
        /// How many columns there are.
        columns: usize,
    },
}

impl Polynomials {
    /// How many columns there are.
    pub fn columns(&self) -> usize {
        match self {
            Self::Extended(codeword) => codeword.columns,
            Self::Coefficients { columns, .. } => *columns,
        }
    }

    /// Their values on a coset, if not on others too.
    pub fn on_coset(&self, domain: &Domain, coset: usize) -> Cow<'_, Codeword> {
        match self {
            Self::Extended(codeword) => Cow::Borrowed(codeword),
            Self::Coefficients { groups, columns } => {
                let group = |coefficients: &Vec<Packed>| domain.values_on(coefficients, coset..coset + 1);
                let groups = groups.par_iter().map(group).collect();
                Cow::Owned(Codeword { groups, columns: *columns, rows: domain.rows(), first: coset })
            }
        }
    }

    /// The values of [`LANES`] columns on the first cosets, so many at least. [`batch_of`] finds those of a column.
    pub fn group(&self, domain: &Domain, group: usize, cosets: usize) -> Cow<'_, [F]> {
        match self {
            Self::Extended(codeword) => Cow::Borrowed(&codeword.groups[group]),
            Self::Coefficients { groups, .. } => Cow::Owned(domain.values_on(&groups[group], 0..cosets)),
        }
    }

    /// For each of these positions of the extended domain the values of all columns.
    pub fn at(&self, domain: &Domain, positions: &[usize]) -> Vec<Vec<F>> {
        let Self::Coefficients { groups, columns } = self else {
            let Self::Extended(codeword) = self else { return Vec::new() };
            return positions.iter().map(|&position| codeword.at(position).collect()).collect();
        };
        let points: Vec<F> = positions
            .iter()
            .map(|&position| domain.point(position / domain.rows(), position % domain.rows()))
            .collect();
        let of_group = |coefficients: &Vec<Packed>| {
            // By Horner's rule, for all points at once: so no product waits for the one before it.
            let mut values = vec![Packed::ZEROS; points.len()];
            for &coefficient in coefficients.iter().rev() {
                values.iter_mut().zip(&points).for_each(|(value, &point)| *value = *value * point + coefficient);
            }
            values
        };
        let groups: Vec<Vec<Packed>> = groups.par_iter().map(of_group).collect();
        let at =
            |point: usize| groups.iter().flat_map(|values| values[point].as_slice()).copied().take(*columns).collect();
        (0..points.len()).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::polynomial::PolynomialValues;
    use plonky2::field::types::Sample;

    /// What is extended coset by coset, and evaluated where it is asked for, is what is kept.
    #[test]
    fn streamed_columns_are_those_that_are_kept() {
        let (bits, width) = (7, 2 * LANES + 3);
        let rows = 1 << bits;
        let cells = F::rand_vec(rows * width);
        let columns = (0..width).flat_map(|column| cells.iter().skip(column).step_by(width)).copied().collect();
        let (columns, domain) = (Columns::new(columns, rows), Domain::new(bits, F::coset_shift()));
        let kept = domain.polynomials(&columns, false);
        let positions = [0, 1, 77, 130, 8 * rows - 1];
        for streamed in [domain.polynomials(&columns, true), domain.polynomials_of_rows(Rows::new(&cells, width), true)]
        {
            assert_eq!((streamed.columns(), kept.columns()), (width, width));
            assert_eq!(streamed.at(&domain, &positions), kept.at(&domain, &positions));
            for coset in 0..COSETS {
                let [streamed, kept] = [&streamed, &kept].map(|columns| columns.on_coset(&domain, coset));
                for (start, column) in (0..rows).step_by(BATCH).flat_map(|start| (0..width).map(move |c| (start, c))) {
                    assert_eq!(streamed.batch(coset, start, column), kept.batch(coset, start, column));
                }
            }
            for group in 0..3 {
                let [streamed, kept] = [&streamed, &kept].map(|columns| columns.group(&domain, group, 2));
                assert_eq!(streamed[..], kept[..2 * rows * LANES]);
            }
        }
    }

    #[test]
    fn extension_is_evaluation() {
        let (bits, width) = (6, LANES + 3);
        let rows = 1 << bits;
        let cells = F::rand_vec(rows * width);
        let columns = (0..width).flat_map(|column| cells.iter().skip(column).step_by(width)).copied().collect();
        let columns = Columns::new(columns, rows);
        let domain = Domain::new(bits, F::coset_shift());
        let codeword = domain.extend(&columns);
        let same = domain.extend_rows(Rows::new(&cells, width), COSETS);
        assert!((0..8 * rows).all(|position| codeword.at(position).eq(same.at(position))));
        for position in [0, 1, 77, 8 * rows - 1] {
            let x = domain.point(position / rows, position % rows);
            assert_eq!(domain.points(position / rows)[position % rows], x);
            assert_eq!(
                domain.point(position / rows, domain.next(position % rows)),
                x * F::primitive_root_of_unity(bits)
            );
            for (index, value) in codeword.at(position).enumerate() {
                assert_eq!(PolynomialValues::new(columns.get(index).to_vec()).ifft().eval(x), value);
            }
        }
    }
}
