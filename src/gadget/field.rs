//! The field of the circuit and its signed reading.

use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::goldilocks_field::GoldilocksField;
use plonky2::field::types::{Field, Field64, PrimeField64};

/// The base field: Goldilocks, `p = 2^64 - 2^32 + 1`.
pub type F = GoldilocksField;

/// Degree of the extension that challenges are drawn from.
pub const D: usize = 2;

/// The quadratic extension of [`F`].
pub type Ext = QuadraticExtension<F>;

/// The element that stands for a signed integer. Any `i64` is accepted; integers in `±2^62` are the
/// ones that [`to_signed`] gives back.
pub fn from_signed(value: i64) -> F {
    if value < 0 { -F::from_canonical_u64(value.unsigned_abs()) } else { F::from_canonical_u64(value.unsigned_abs()) }
}

/// The signed integer nearest zero that `element` stands for: in `(-p/2, p/2)`.
pub fn to_signed(element: F) -> i64 {
    let value = element.to_canonical_u64();
    if value > F::ORDER / 2 { -((F::ORDER - value) as i64) } else { value as i64 }
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
