//! Fourier transforms of several columns at once: each lane of a packed element belongs to another column, so that
//! twiddles are plain field elements and no lane ever meets another.

use crate::gadget::field::F;
use crate::plan::security::RATE_BITS;
use plonky2::field::packable::Packable;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;

/// As many field elements as the machine computes with at once.
pub type Packed = <F as Packable>::Packing;

/// Columns that are transformed together.
pub const LANES: usize = <Packed as PackedField>::WIDTH;

/// Cosets that the extended domain is made of.
pub const COSETS: usize = 1 << RATE_BITS;

/// The transforms of one length.
pub struct Fft {
    bits: usize,
    /// Powers of the root of each layer, from the longest layer on.
    twiddles: Vec<Vec<F>>,
    inverse_twiddles: Vec<Vec<F>>,
}

impl Fft {
    /// Transforms of columns of `2^bits` elements.
    pub fn new(bits: usize) -> Self {
        let layers = |root: fn(F) -> F| {
            let layer = |bits: usize| root(F::primitive_root_of_unity(bits)).powers().take(1 << (bits - 1)).collect();
            (1..=bits).rev().map(layer).collect()
        };
        Self { bits, twiddles: layers(|root| root), inverse_twiddles: layers(|root| root.inverse()) }
    }

    /// The length of a column.
    pub fn len(&self) -> usize {
        1 << self.bits
    }

    /// Coefficients to values at the powers of the root, in bit-reversed order.
    pub fn values(&self, coefficients: &mut [Packed]) {
        transform(coefficients, &self.twiddles);
    }

    /// Values at the powers of the root, in their order, to coefficients times [`Fft::len`].
    pub fn coefficients(&self, values: &mut [Packed]) {
        transform(values, &self.inverse_twiddles);
        for i in 0..values.len() {
            let j = reverse_bits(i, self.bits);
            if i < j {
                values.swap(i, j);
            }
        }
    }
}

/// The lowest `bits` bits of `i`, the other way round.
pub fn reverse_bits(i: usize, bits: usize) -> usize {
    if bits == 0 { 0 } else { i.reverse_bits() >> (usize::BITS as usize - bits) }
}

/// Decimation in frequency: from natural to bit-reversed order.
fn transform(data: &mut [Packed], twiddles: &[Vec<F>]) {
    for layer in twiddles {
        for block in data.chunks_exact_mut(2 * layer.len()) {
            let (low, high) = block.split_at_mut(layer.len());
            for ((a, b), &twiddle) in low.iter_mut().zip(high).zip(layer) {
                let (sum, difference) = (*a + *b, *a - *b);
                *a = sum;
                *b = difference * twiddle;
            }
        }
    }
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
    fn the_transform_evaluates_at_the_powers_of_the_root() {
        for bits in [0, 1, 3, 6] {
            let fft = Fft::new(bits);
            let columns = random_columns(1 << bits, LANES);
            let mut data = Vec::new();
            pack(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut data);
            let coefficients = data.clone();
            fft.values(&mut data);
            let mut natural = data.clone();
            for (i, packed) in data.iter().enumerate() {
                let exponent = reverse_bits(i, bits);
                natural[exponent] = *packed;
                let x = F::primitive_root_of_unity(bits).exp_u64(exponent as u64);
                for (column, &value) in columns.iter().zip(packed.as_slice()) {
                    assert_eq!(PolynomialCoeffs::new(column.clone()).eval(x), value);
                }
            }
            fft.coefficients(&mut natural);
            let len = F::from_canonical_usize(fft.len());
            assert!(natural.iter().zip(&coefficients).all(|(a, &b)| a.as_slice() == (b * len).as_slice()));
        }
    }
}
