//! Columns of a table, and their values on the extended domain.

use super::fft::{COSETS, Coset, Fft, LANES, pack, reverse_bits, unpack};
use super::rows::Rows;
use crate::gadget::arith::BATCH;
use crate::gadget::field::{F, Packed};
use crate::plan::security::RATE_BITS;
use plonky2::field::types::Field;
use rayon::prelude::*;

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
        let group = |columns: &[F]| {
            let columns: Vec<&[F]> = columns.chunks_exact(self.rows()).collect();
            let mut values = Vec::with_capacity(self.rows());
            pack(&columns, &mut values);
            self.extend_group(values, COSETS)
        };
        let groups = columns.values.par_chunks(self.rows() * LANES).map(group);
        Codeword { groups: groups.collect(), columns: columns.len(), rows: self.rows() }
    }

    /// As [`Domain::extend`], but of columns that lie row by row, and on the first cosets only, so many of them.
    pub fn extend_rows(&self, table: Rows<'_>, cosets: usize) -> Codeword {
        let group = |first: usize| {
            let mut values = Vec::with_capacity(self.rows());
            table.pack(first, self.rows(), &mut values);
            self.extend_group(values, cosets)
        };
        let groups = (0..table.width()).into_par_iter().step_by(LANES).map(group);
        Codeword { groups: groups.collect(), columns: table.width(), rows: self.rows() }
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

    /// Appends, batch by batch, the values on one coset of the polynomials with these coefficients.
    pub fn append_coset(&self, coefficients: &[Packed], coset: usize, scratch: &mut Vec<Packed>, out: &mut Vec<F>) {
        let mut columns = [F::ZERO; BATCH * LANES];
        self.cosets[coset].values(coefficients, scratch, |batch| {
            unpack(batch, &mut columns);
            out.extend_from_slice(&columns);
        });
    }

    /// Extends [`LANES`] columns with these values at the rows to the first cosets, and gives each batch of points to `take`: the
    /// coset, the first point, and the values, column by column.
    pub fn for_each_batch(&self, values: Vec<Packed>, cosets: usize, mut take: impl FnMut(usize, usize, &[F])) {
        let mut coefficients = values;
        self.fft.coefficients(&mut coefficients);
        let mut scratch = Vec::with_capacity(self.rows());
        let mut columns = [F::ZERO; BATCH * LANES];
        for coset in 0..cosets {
            let mut start = 0;
            self.cosets[coset].values(&coefficients, &mut scratch, |batch| {
                unpack(batch, &mut columns);
                take(coset, start, &columns);
                start += BATCH;
            });
        }
    }

    /// The values on the first cosets of columns with these values at the rows.
    fn extend_group(&self, values: Vec<Packed>, cosets: usize) -> Vec<F> {
        let mut coefficients = values;
        self.fft.coefficients(&mut coefficients);
        let mut scratch = Vec::with_capacity(self.rows());
        let mut group = Vec::with_capacity(self.rows() * LANES * cosets);
        for coset in 0..cosets {
            self.append_coset(&coefficients, coset, &mut scratch, &mut group);
        }
        group
    }
}

/// Columns on the extended domain, of at least [`BATCH`] rows.
///
/// Those who read them take a batch of points and all columns, one after the other. So that this is memory in a row, as far
/// as it can be, [`LANES`] columns lie together, batch by batch.
pub struct Codeword {
    /// Of [`LANES`] columns each: coset by coset, batch by batch, column by column.
    groups: Vec<Vec<F>>,
    columns: usize,
    rows: usize,
}

impl Codeword {
    /// A column on one coset, at the [`BATCH`] points from `start` on, which is a multiple of that.
    pub fn batch(&self, coset: usize, start: usize, column: usize) -> &[F] {
        let batch = (coset * self.rows + start) / BATCH;
        &self.groups[column / LANES][(batch * LANES + column % LANES) * BATCH..][..BATCH]
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

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::polynomial::PolynomialValues;
    use plonky2::field::types::Sample;

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
