//! The field of the circuit and its signed reading.

use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::goldilocks_field::GoldilocksField;
use plonky2::field::packable::Packable;
use plonky2::field::packed::PackedField;
use plonky2::field::types::{Field, Field64, PrimeField64};

/// The base field: Goldilocks, `p = 2^64 - 2^32 + 1`.
pub type F = GoldilocksField;

/// As many of its elements as the machine computes with at once.
pub type Packed = <F as Packable>::Packing;

/// Degree of the extension that challenges are drawn from.
pub const D: usize = 2;

/// The quadratic extension of [`F`].
pub type Ext = QuadraticExtension<F>;

/// The element that stands for a signed integer. Any `i64` is accepted; integers in `±2^62` are the
/// ones that [`to_signed`] gives back.
#[inline]
pub fn from_signed(value: i64) -> F {
    if value < 0 { -F::from_canonical_u64(value.unsigned_abs()) } else { F::from_canonical_u64(value.unsigned_abs()) }
}

/// The signed integer nearest zero that `element` stands for: in `(-p/2, p/2)`.
#[inline]
pub fn to_signed(element: F) -> i64 {
    let value = element.to_canonical_u64();
    if value > F::ORDER / 2 { -((F::ORDER - value) as i64) } else { value as i64 }
}

/// Adds `factor` times `values` to `sums`.
#[inline]
pub fn add_scaled(sums: &mut [F], values: &[F], factor: F) {
    let whole = sums.len() / Packed::WIDTH * Packed::WIDTH;
    let (sums, rest) = sums.split_at_mut(whole);
    for (sum, &value) in Packed::pack_slice_mut(sums).iter_mut().zip(Packed::pack_slice(&values[..whole])) {
        *sum += value * factor;
    }
    for (sum, &value) in rest.iter_mut().zip(&values[whole..]) {
        *sum += value * factor;
    }
}

/// Asks memory for values that will be read soon, and does not wait for them.
#[cfg(feature = "prover")]
#[inline]
pub fn read_ahead(values: &[F]) {
    /// As many as a cache line has.
    const LINE: usize = 8;
    #[cfg(target_arch = "x86_64")]
    values.iter().step_by(LINE).for_each(safe_arch::prefetch_t0);
}

/// The sum of products.
#[inline]
pub fn dot(a: &[F], b: &[F]) -> F {
    let whole = a.len() / Packed::WIDTH * Packed::WIDTH;
    let products = Packed::pack_slice(&a[..whole]).iter().zip(Packed::pack_slice(&b[..whole])).map(|(&a, &b)| a * b);
    let sum = products.fold(Packed::ZEROS, |sum, product| sum + product);
    let rest = a[whole..].iter().zip(&b[whole..]).map(|(&a, &b)| a * b);
    sum.as_slice().iter().copied().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_round_trip() {
        for value in [0, 1, -1, 1 << 62, -(1 << 62), 12345, -98765] {
            assert_eq!(to_signed(from_signed(value)), value);
        }
        assert_eq!(from_signed(-1) + from_signed(1), F::ZERO);
    }
}
