//! Products of field elements with small integers, as floats.
//!
//! A field element has two halves of 32 bits. Such a half times a small integer is below `2^53`, and so are sums of some of
//! these products: floats hold them exactly.

use super::field::{F, from_signed};
use plonky2::field::types::{Field, Field64, PrimeField64};
use wide::f64x8;

/// Bits up to which floats hold every integer.
pub const EXACT_BITS: u32 = 53;

/// Bits of a half.
pub const HALF_BITS: u32 = 32;

/// Elements that are computed with side by side.
pub const LANES: usize = 8;

/// As many sums, of two vectors each, as there are registers for: which is why these are no library's products.
pub const STRIP: usize = 8;

/// The sums of terms, one for each of a strip's factors: the factor times two vectors.
#[inline(always)]
pub fn sums<'a>(terms: impl Iterator<Item = (&'a [f64; STRIP], [f64x8; 2])>) -> [[f64x8; 2]; STRIP] {
    let mut sums = [[f64x8::ZERO; 2]; STRIP];
    for (factors, [first, second]) in terms {
        for (sum, &factor) in sums.iter_mut().zip(factors) {
            let factor = f64x8::splat(factor);
            *sum = [factor.mul_add(first, sum[0]), factor.mul_add(second, sum[1])];
        }
    }
    sums
}

/// The low and the high half.
#[inline]
pub fn halves(element: F) -> [f64; 2] {
    let value = element.to_canonical_u64();
    [f64::from(value as u32), f64::from((value >> HALF_BITS) as u32)]
}

/// `low + 2^32 · high`, both in `±2^62`.
#[inline]
pub fn joined(low: i64, high: i64) -> F {
    from_signed(low) + from_signed(high) * F::from_canonical_u64(1 << HALF_BITS)
}

/// As [`joined`], of two integers in `±2^53`, without a product.
#[inline]
pub fn joined_floats(low: f64, high: f64) -> F {
    let (low, high) = (low as i64, high as i64);
    // 2^64 is 2^32 - 1 in the field.
    let (top, bottom) = (high >> 32, high.cast_unsigned() << 32);
    let rest = low + (top << 32) - top;
    let sign = (rest >> 63).cast_unsigned();
    // `bottom` is a multiple of 2^32 below 2^64, and so below p; `rest` stays within ±2^54.
    F::from_canonical_u64(bottom) + F::from_canonical_u64(rest.cast_unsigned().wrapping_add(sign & F::ORDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_put_together() {
        let edges = [0, 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 52) + 12345, (1 << 53) - 1];
        let edges = || edges.into_iter().flat_map(|edge: i64| [edge, -edge]);
        for (low, high) in edges().flat_map(|low| edges().map(move |high| (low, high))) {
            assert_eq!(joined_floats(low as f64, high as f64), joined(low, high), "{low} {high}");
        }
        for element in [F::ZERO, F::NEG_ONE, F::from_canonical_u64(0x1234_5678_9abc_def0)] {
            let [low, high] = halves(element);
            assert_eq!(joined(low as i64, high as i64), element);
        }
    }
}
