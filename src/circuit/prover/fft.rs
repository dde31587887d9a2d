//! Fourier transforms of several columns at once: each lane of a packed element belongs to another column, so that
//! twiddles are plain field elements and no lane ever meets another.

use crate::gadget::arith::BATCH;
use crate::gadget::field::{F, Packed};
use crate::plan::security::RATE_BITS;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;

/// Columns that are transformed together.
pub const LANES: usize = <Packed as PackedField>::WIDTH;

/// Cosets that the extended domain is made of.
pub const COSETS: usize = 1 << RATE_BITS;

/// The points of a coset, as the tree of products that they make: `x^(2m) - r^2` is `(x^m - r) (x^m + r)`, for each of which
/// the same holds again.
///
/// A polynomial modulo the first is `a + b x^m`, and modulo the others `a + b r` and `a - b r`: so its coefficients, in their
/// order, become values at the points in bit-reversed order. A block that is halved has one root for all of its elements, and
/// a shift costs nothing.
pub struct Coset {
    /// The roots of all blocks, layer by layer, the longest block first. The element before that is not used: the blocks of a
    /// layer then start at their number.
    roots: Vec<F>,
}

/// The transforms of one length, at least [`BATCH`].
pub struct Fft {
    bits: usize,
    /// Those of the group itself, inverted.
    inverse_roots: Vec<F>,
    /// One divided by the length.
    scale: F,
}

impl Coset {
    /// The coset of `shift`, of `2^bits` points.
    pub fn new(bits: usize, shift: F) -> Self {
        let layer = |layer: usize| {
            let shift = shift.exp_power_of_2(bits - layer - 1);
            let powers: Vec<F> = F::primitive_root_of_unity(layer + 1).powers().take(1 << layer).collect();
            (0..1 << layer).map(move |block| shift * powers[reverse_bits(block, layer)])
        };
        Self { roots: std::iter::once(F::ONE).chain((0..bits).flat_map(layer)).collect() }
    }

    /// Values from `coefficients`, which `scratch` is for; `take` is given them batch by batch.
    pub fn values(&self, coefficients: &[Packed], scratch: &mut Vec<Packed>, mut take: impl FnMut(&[Packed; BATCH])) {
        scratch.clear();
        scratch.extend_from_slice(coefficients);
        let mut layer = 1;
        let layers = scratch.len() / BATCH;
        // An odd layer on its own, and then two at a time: that halves the way to memory and back.
        if layers.ilog2() % 2 == 1 {
            halve(scratch, self.roots[1]);
            layer = 2;
        }
        while layer < layers {
            let blocks = scratch.chunks_exact_mut(coefficients.len() / layer);
            blocks.enumerate().for_each(|(block, elements)| self.halve_twice(elements, layer + block));
            layer *= 4;
        }
        for (batch, elements) in scratch.as_chunks_mut::<BATCH>().0.iter_mut().enumerate() {
            let first = layers + batch;
            self.halve_twice(elements, first);
            for (block, elements) in elements.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                self.halve_twice(elements, 4 * first + block);
            }
            for (block, elements) in elements.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                self.halve_twice(elements, 16 * first + block);
            }
            take(elements);
        }
    }

    /// Halves a block, which has this number among all roots, and its halves.
    #[inline(always)]
    fn halve_twice(&self, elements: &mut [Packed], block: usize) {
        let (root, left, right) = (self.roots[block], self.roots[2 * block], self.roots[2 * block + 1]);
        let (low, high) = elements.split_at_mut(elements.len() / 2);
        let (a, b) = low.split_at_mut(low.len() / 2);
        let (c, d) = high.split_at_mut(high.len() / 2);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let (ac, bd) = (*c * root, *d * root);
            let (first, second, third, fourth) = (*a + ac, *b + bd, *a - ac, *b - bd);
            let (ab, cd) = (second * left, fourth * right);
            (*a, *b, *c, *d) = (first + ab, first - ab, third + cd, third - cd);
        }
    }
}

/// Halves a block with this root.
fn halve(elements: &mut [Packed], root: F) {
    let (low, high) = elements.split_at_mut(elements.len() / 2);
    for (a, b) in low.iter_mut().zip(high) {
        let term = *b * root;
        (*a, *b) = (*a + term, *a - term);
    }
}

impl Fft {
    /// Transforms of columns of `2^bits` elements.
    pub fn new(bits: usize) -> Self {
        let inverse_roots = Coset::new(bits, F::ONE).roots.into_iter().map(|root| root.inverse()).collect();
        Self { bits, inverse_roots, scale: F::from_canonical_usize(1 << bits).inverse() }
    }

    /// Puts each element where the bits of its place, the other way round, say.
    pub fn reverse(&self, elements: &mut [Packed]) {
        for i in 0..elements.len() {
            let j = reverse_bits(i, self.bits);
            if i < j {
                elements.swap(i, j);
            }
        }
    }

    /// Values at the powers of the root, in their order, to coefficients in theirs.
    pub fn coefficients(&self, values: &mut [Packed]) {
        self.reverse(values);
        for (batch, elements) in values.as_chunks_mut::<BATCH>().0.iter_mut().enumerate() {
            self.join_all(elements, (1 << self.bits) / BATCH + batch);
        }
        let mut blocks = values.len() / BATCH;
        while blocks > 1 {
            blocks /= 2;
            for (block, elements) in values.chunks_exact_mut((1 << self.bits) / blocks).enumerate() {
                join(elements, self.inverse_roots[blocks + block]);
            }
        }
        values.iter_mut().for_each(|value| *value *= self.scale);
    }

    /// Joins what is in a block, which has this number among all roots, from elements on.
    fn join_all(&self, elements: &mut [Packed; BATCH], block: usize) {
        for half in (0..BATCH.ilog2()).map(|layer| 1 << layer) {
            let count = BATCH / 2 / half;
            for (i, elements) in elements.chunks_exact_mut(2 * half).enumerate() {
                join(elements, self.inverse_roots[block * count + i]);
            }
        }
    }
}

/// Undoes [`halve`], but for a factor of two.
#[inline(always)]
fn join(elements: &mut [Packed], inverse_root: F) {
    let (low, high) = elements.split_at_mut(elements.len() / 2);
    for (a, b) in low.iter_mut().zip(high) {
        (*a, *b) = (*a + *b, (*a - *b) * inverse_root);
    }
}

/// The lowest `bits` bits of `i`, the other way round.
pub fn reverse_bits(i: usize, bits: usize) -> usize {
    if bits == 0 { 0 } else { i.reverse_bits() >> (usize::BITS as usize - bits) }
}

/// The lanes of `data` one after the other: `data.len()` elements of the first, then of the second, …
pub fn unpack(data: &[Packed], out: &mut [F]) {
    let rows = data.len();
    if !rows.is_multiple_of(LANES) {
        for (i, packed) in data.iter().enumerate() {
            for (lane, &value) in packed.as_slice().iter().enumerate() {
                out[lane * rows + i] = value;
            }
        }
        return;
    }
    for (i, square) in data.chunks_exact(LANES).enumerate() {
        let mut square: [Packed; LANES] = std::array::from_fn(|k| square[k]);
        transpose(&mut square);
        for (lane, packed) in square.iter().enumerate() {
            out[lane * rows + i * LANES..][..LANES].copy_from_slice(packed.as_slice());
        }
    }
}

/// The columns side by side, one a lane; missing ones are zero.
pub fn pack(columns: &[&[F]], out: &mut Vec<Packed>) {
    let rows = columns.first().map_or(0, |column| column.len());
    out.clear();
    if !rows.is_multiple_of(LANES) || columns.len() < LANES {
        out.resize(rows, Packed::ZEROS);
        for (lane, column) in columns.iter().enumerate() {
            for (packed, &value) in out.iter_mut().zip(*column) {
                packed.as_slice_mut()[lane] = value;
            }
        }
        return;
    }
    for i in (0..rows).step_by(LANES) {
        let mut square: [Packed; LANES] = std::array::from_fn(|k| *Packed::from_slice(&columns[k][i..i + LANES]));
        transpose(&mut square);
        out.extend_from_slice(&square);
    }
}

fn transpose(square: &mut [Packed; LANES]) {
    let mut block = LANES / 2;
    while block > 0 {
        for start in (0..LANES).step_by(2 * block) {
            for i in start..start + block {
                let (a, b) = square[i].interleave(square[i + block], block);
                (square[i], square[i + block]) = (a, b);
            }
        }
        block /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::polynomial::PolynomialCoeffs;
    use plonky2::field::types::Sample;

    fn random_columns(rows: usize, count: usize) -> Vec<Vec<F>> {
        (0..count).map(|_| F::rand_vec(rows)).collect()
    }

    #[test]
    fn packing_is_undone_by_unpacking() {
        for (rows, count) in [(1, 1), (4, LANES), (64, LANES), (64, LANES.div_ceil(2))] {
            let columns = random_columns(rows, count);
            let mut packed = Vec::new();
            pack(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut packed);
            let mut out = vec![F::ONE; rows * LANES];
            unpack(&packed, &mut out);
            assert_eq!(out[..rows * count], columns.concat());
            assert!(out[rows * count..].iter().all(|x| *x == F::ZERO));
        }
    }

    #[test]
    fn the_transform_evaluates_on_the_coset() {
        for (bits, shift) in [(6, F::TWO), (7, F::ONE), (8, F::coset_shift()), (9, F::TWO)] {
            let columns = random_columns(1 << bits, LANES);
            let mut coefficients = Vec::new();
            pack(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut coefficients);
            let mut values = Vec::new();
            Coset::new(bits, shift).values(&coefficients, &mut Vec::new(), |batch| values.extend_from_slice(batch));
            let fft = Fft::new(bits);
            fft.reverse(&mut values);
            for (i, packed) in values.iter().enumerate().step_by(7) {
                let x = shift * F::primitive_root_of_unity(bits).exp_u64(i as u64);
                for (column, &value) in columns.iter().zip(packed.as_slice()) {
                    assert_eq!(PolynomialCoeffs::new(column.clone()).eval(x), value);
                }
            }
            if shift == F::ONE {
                fft.coefficients(&mut values);
                assert!(values.iter().zip(&coefficients).all(|(a, b)| a.as_slice() == b.as_slice()));
            }
        }
    }
}
