//! Range checks: a value is the sum of digits, each of which is one of few integers.

use super::Cells;
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// The largest radix: a digit check has the radix as its degree, and with its selector a constraint may have
/// degree 9.
pub const MAX_RADIX: u8 = 8;

/// A mixed-radix form that proves `0 <= value < size`, the product of the radices.
///
/// The value is `d_0 + r_0 d_1 + r_0 r_1 d_2 + …` with `0 <= d_i < r_i`. All digits but the lowest are advice
/// wires; the lowest is what remains of the value, so it needs no wire. As `size <= 2^63 < p` the digits of a value
/// are unique, and exist only for a value in the range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digits {
    radices: Vec<u8>,
}

impl Digits {
    /// The form for `0 <= value < 2^bits`, with `bits <= 63`.
    pub fn for_bits(bits: u32) -> Self {
        assert!(bits <= 63, "a range of 2^{bits} does not fit the field");
        let mut radices = vec![MAX_RADIX; bits as usize / 3];
        if !bits.is_multiple_of(3) || bits == 0 {
            radices.push(1 << (bits % 3));
        }
        Self { radices }
    }

    /// The form for `0 <= value < size` where `size` is a product of factors up to 8.
    pub fn exact(size: u64) -> Option<Self> {
        let mut radices = Vec::new();
        let mut rest = size;
        while rest > 1 {
            let radix = (2..=MAX_RADIX).rev().find(|&r| rest.is_multiple_of(u64::from(r)))?;
            radices.push(radix);
            rest /= u64::from(radix);
        }
        (size == 1).then(|| radices.push(1));
        (1..=1 << 63).contains(&size).then_some(Self { radices })
    }

    /// Whether the radices are such as [`Digits::for_bits`] and [`Digits::exact`] give.
    pub fn is_consistent(&self) -> bool {
        let size = self.radices.iter().try_fold(1u64, |size, &radix| size.checked_mul(radix.into()));
        let radices = self.radices.iter().all(|radix| (1..=MAX_RADIX).contains(radix));
        !self.radices.is_empty() && radices && size.is_some_and(|size| size <= 1 << 63)
    }

    /// How many advice wires the form needs.
    pub fn advice(&self) -> usize {
        self.radices.len() - 1
    }

    /// How many constraints the form states.
    pub fn constraints(&self) -> usize {
        self.radices.len()
    }

    /// The number of values in the range.
    pub fn size(&self) -> u64 {
        self.radices.iter().map(|&r| u64::from(r)).product()
    }

    /// States that `value` is in the range; its digits are the advice wires from `first` on.
    pub fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>, value: A::V, first: usize) {
        let mut lowest = value;
        let mut weight = u64::from(self.radices[0]);
        for (i, &radix) in self.radices[1..].iter().enumerate() {
            let digit = cells.advice(first + i);
            cells.arith.assert_digit(digit, radix);
            let scaled = cells.arith.scale(digit, F::from_canonical_u64(weight));
            lowest = cells.arith.sub(lowest, scaled);
            weight = weight.wrapping_mul(u64::from(radix));
        }
        cells.arith.assert_digit(lowest, self.radices[0]);
    }

    /// Writes the digits of `value`, all but the lowest. A value outside the range leaves digits that fail the check.
    pub fn assign(&self, value: u64, advice: &mut [F]) {
        let mut rest = value / u64::from(self.radices[0]);
        for (slot, &radix) in advice.iter_mut().zip(&self.radices[1..]) {
            *slot = F::from_canonical_u64(rest % u64::from(radix));
            rest /= u64::from(radix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(Digits::for_bits(0).size(), 1);
        assert_eq!(Digits::for_bits(12).radices, [8, 8, 8, 8]);
        assert_eq!(Digits::for_bits(13).size(), 1 << 13);
        assert_eq!(Digits::for_bits(63).size(), 1 << 63);
        assert_eq!(Digits::exact(10).map(|d| d.radices), Some(vec![5, 2]));
        assert_eq!(Digits::exact(1).map(|d| d.radices), Some(vec![1]));
        assert_eq!(Digits::exact(11), None);
        assert_eq!(Digits::exact(0), None);
    }
}
