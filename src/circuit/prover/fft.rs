//! Fourier transforms of several columns at once: each lane of a packed element belongs to another column, so that
//! twiddles are plain field elements and no lane ever meets another.

use crate::gadget::field::{F, Packed};
use crate::plan::security::RATE_BITS;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;

/// Columns that are transformed together.
pub const LANES: usize = <Packed as PackedField>::WIDTH;

/// Cosets that the extended domain is made of.
pub const COSETS: usize = 1 << RATE_BITS;

/// The transforms of one length.
pub struct Fft {
    bits: usize,
    /// Powers of the inverse root of each layer, from the longest layer on.
    inverse_twiddles: Vec<Vec<F>>,
    /// One divided by the length.
    scale: F,
}

/// What evaluates polynomials on one coset: for each layer, from the shortest on, powers of its root times a power of the
/// coset's shift.
pub struct Coset {
    twiddles: Vec<Vec<F>>,
}

impl Coset {
    /// The coset of `shift`, of `2^bits` points.
    pub fn new(bits: usize, shift: F) -> Self {
        let layer = |layer: usize| {
            let shift = shift.exp_power_of_2(bits - layer);
            let powers = F::primitive_root_of_unity(layer).powers().take(1 << (layer - 1));
            powers.map(|power| power * shift).collect()
        };
        Self { twiddles: (1..=bits).map(layer).collect() }
    }

    /// Coefficients, in bit-reversed order, to values at the shift times the powers of the root, in their order.
    ///
    /// Decimation in time: `P(x) = E(x^2) + x O(x^2)`, where `x` runs through the coset and `x^2` through that of the shift's
    /// square. So the shift costs nothing.
    pub fn values(&self, coefficients: &mut [Packed]) {
        let mut layers = self.twiddles.iter();
        if let [one, two, four, ..] = &self.twiddles[..] {
            // The shortest three together: a loop over each would be of one turn, of two, of four.
            for block in coefficients.as_chunks_mut::<8>().0 {
                for a in [0, 2, 4, 6] {
                    join(block, a, a + 1, one[0]);
                }
                for (a, &twiddle) in [0, 1, 4, 5].into_iter().zip(two.iter().cycle()) {
                    join(block, a, a + 2, twiddle);
                }
                for (a, &twiddle) in (0..4).zip(four) {
                    join(block, a, a + 4, twiddle);
                }
            }
            layers.nth(2);
        }
        for layer in layers {
            for block in coefficients.chunks_exact_mut(2 * layer.len()) {
                let (even, odd) = block.split_at_mut(layer.len());
                for ((a, b), &twiddle) in even.iter_mut().zip(odd).zip(layer) {
                    let term = *b * twiddle;
                    (*a, *b) = (*a + term, *a - term);
                }
            }
        }
    }
}

/// One butterfly of decimation in time.
fn join(block: &mut [Packed; 8], a: usize, b: usize, twiddle: F) {
    let term = block[b] * twiddle;
    (block[a], block[b]) = (block[a] + term, block[a] - term);
}

impl Fft {
    /// Transforms of columns of `2^bits` elements.
    pub fn new(bits: usize) -> Self {
        let layer = |bits: usize| F::primitive_root_of_unity(bits).inverse().powers().take(1 << (bits - 1)).collect();
        let inverse_twiddles = (1..=bits).rev().map(layer).collect();
        Self { bits, inverse_twiddles, scale: F::from_canonical_usize(1 << bits).inverse() }
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

    /// Values at the powers of the root, in their order, to coefficients, in bit-reversed order: decimation in frequency.
    pub fn coefficients(&self, values: &mut [Packed]) {
        for layer in &self.inverse_twiddles {
            for block in values.chunks_exact_mut(2 * layer.len()) {
                let (low, high) = block.split_at_mut(layer.len());
                for ((a, b), &twiddle) in low.iter_mut().zip(high).zip(layer) {
                    (*a, *b) = (*a + *b, (*a - *b) * twiddle);
                }
            }
        }
        values.iter_mut().for_each(|value| *value *= self.scale);
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
        for (bits, shift) in [(0, F::TWO), (1, F::TWO), (3, F::coset_shift()), (6, F::ONE)] {
            let fft = Fft::new(bits);
            let columns = random_columns(1 << bits, LANES);
            let mut coefficients = Vec::new();
            pack(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut coefficients);
            let mut values = coefficients.clone();
            fft.reverse(&mut values);
            Coset::new(bits, shift).values(&mut values);
            for (i, packed) in values.iter().enumerate() {
                let x = shift * F::primitive_root_of_unity(bits).exp_u64(i as u64);
                for (column, &value) in columns.iter().zip(packed.as_slice()) {
                    assert_eq!(PolynomialCoeffs::new(column.clone()).eval(x), value);
                }
            }
            if shift == F::ONE {
                fft.coefficients(&mut values);
                fft.reverse(&mut values);
                assert!(values.iter().zip(&coefficients).all(|(a, b)| a.as_slice() == b.as_slice()));
            }
        }
    }
}
