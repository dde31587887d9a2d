//! Columns of a table, and their values on the extended domain.

use super::fft::{COSETS, Fft, LANES, Packed, pack, reverse_bits, unpack};
use crate::gadget::arith::BATCH;
use crate::gadget::field::F;
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

    /// The columns of a table given row by row.
    pub fn transposed(cells: &[F], width: usize) -> Self {
        /// Rows whose cells stay in the cache while they are spread over the columns.
        const BLOCK: usize = 64;
        let rows = cells.len() / width;
        let mut values = vec![F::ZERO; cells.len()];
        values.par_chunks_mut(rows * LANES).enumerate().for_each(|(group, columns)| {
            for start in (0..rows).step_by(BLOCK) {
                let end = rows.min(start + BLOCK);
                for (lane, column) in columns.chunks_exact_mut(rows).enumerate() {
                    for (row, value) in (start..end).zip(&mut column[start..end]) {
                        *value = cells[row * width + group * LANES + lane];
                    }
                }
            }
        });
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
    /// For each coset the powers of its shift, each divided by the number of rows, which undoes what the transform to
    /// coefficients multiplies with.
    powers: Vec<Vec<F>>,
    bits: usize,
}

impl Domain {
    /// The extended domain over `2^bits` rows that is shifted by `shift`.
    pub fn new(bits: usize, shift: F) -> Self {
        let root = F::primitive_root_of_unity(bits + RATE_BITS);
        let shifts: [F; COSETS] = std::array::from_fn(|i| shift * root.exp_u64(reverse_bits(i, RATE_BITS) as u64));
        let fft = Fft::new(bits);
        let scale = F::from_canonical_usize(fft.len()).inverse();
        let powers = |shift: &F| shift.powers().take(fft.len()).map(|power| power * scale).collect();
        Self { powers: shifts.iter().map(powers).collect(), fft, shifts, bits }
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
        let groups = columns.values.par_chunks(self.rows() * LANES).map(|columns| self.extend_group(columns));
        Codeword { groups: groups.collect(), columns: columns.len(), rows: self.rows() }
    }

    /// The values at the rows of the polynomials with these coefficients.
    pub fn values(&self, coefficients: &Columns) -> Columns {
        let evaluate = |columns: &[F]| {
            let columns: Vec<&[F]> = columns.chunks_exact(self.rows()).collect();
            let mut packed = Vec::new();
            pack(&columns, &mut packed);
            self.fft.values(&mut packed);
            let natural: Vec<Packed> = (0..packed.len()).map(|i| packed[reverse_bits(i, self.bits)]).collect();
            let mut out = vec![F::ZERO; self.rows() * LANES];
            unpack(&natural, &mut out);
            out.truncate(columns.len() * self.rows());
            out
        };
        let groups = coefficients.values.par_chunks(self.rows() * LANES);
        Columns::new(groups.flat_map_iter(evaluate).collect(), self.rows())
    }

    /// The values on one coset only, of polynomials given by their coefficients as [`Fft::coefficients`] makes them.
    pub fn evaluate_coset(&self, coefficients: &[Packed], coset: usize, scratch: &mut Vec<Packed>) {
        scratch.clear();
        scratch.extend(coefficients.iter().zip(&self.powers[coset]).map(|(&coefficient, &power)| coefficient * power));
        self.fft.values(scratch);
    }

    fn extend_group(&self, columns: &[F]) -> Vec<F> {
        let rows = self.rows();
        let columns: Vec<&[F]> = columns.chunks_exact(rows).collect();
        let (mut coefficients, mut scratch) = (Vec::new(), Vec::with_capacity(rows));
        pack(&columns, &mut coefficients);
        self.fft.coefficients(&mut coefficients);
        let mut group = Vec::with_capacity(rows * LANES * COSETS);
        for coset in 0..COSETS {
            self.evaluate_coset(&coefficients, coset, &mut scratch);
            append_batches(&scratch, &mut group);
        }
        group
    }
}

/// Appends the lanes of `data`, batch by batch.
pub fn append_batches(data: &[Packed], out: &mut Vec<F>) {
    let mut batch = [F::ZERO; BATCH * LANES];
    for packed in data.chunks_exact(BATCH) {
        unpack(packed, &mut batch);
        out.extend_from_slice(&batch);
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
        let columns = Columns::transposed(&cells, width);
        assert_eq!((columns.len(), columns.get(5)[7]), (width, cells[7 * width + 5]));
        let domain = Domain::new(bits, F::coset_shift());
        let codeword = domain.extend(&columns);
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
