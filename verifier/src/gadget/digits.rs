//! Range checks: a value is the sum of digits, each of which is one of few integers.

use super::Cells;
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The radix of digit wires, and the largest one: a digit check has the radix as its degree, and with its selector a
/// constraint may have degree 9.
pub const DIGIT_RADIX: u8 = 8;

/// A mixed-radix form that proves `0 <= value < size`, the product of the radices.
///
/// The value is `d_0 + r_0 d_1 + r_0 r_1 d_2 + …` with `0 <= d_i < r_i`. All digits but the lowest are digit
/// wires; the lowest is what remains of the value, so it needs no wire. As `size <= 2^63 < p` the digits of a value
/// are unique, and exist only for a value in the range. The form states what digit wires don't: the lowest digit, and any
/// smaller radix. So the lowest has the least radix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digits {
    radices: Vec<u8>,
}

impl Digits {
    /// The form for `0 <= value < 2^bits`, with `bits <= 63`.
    pub fn for_bits(bits: u32) -> Self {
        assert!(bits <= 63, "a range of 2^{bits} does not fit the field");
        let mut radices = Vec::new();
        if !bits.is_multiple_of(3) || bits == 0 {
            radices.push(1 << (bits % 3));
        }
        radices.resize(radices.len() + bits as usize / 3, DIGIT_RADIX);
        Self { radices }
    }

    /// The form for `0 <= value < size` where `size` is a product of factors up to 8.
    pub fn exact(size: u64) -> Option<Self> {
        let mut radices = Vec::new();
        let mut rest = size;
        while rest > 1 {
            let radix = (2..=DIGIT_RADIX).rev().find(|&r| rest.is_multiple_of(u64::from(r)))?;
            radices.push(radix);
            rest /= u64::from(radix);
        }
        radices.reverse();
        (size == 1).then(|| radices.push(1));
        (1..=1 << 63).contains(&size).then_some(Self { radices })
    }

    /// Whether the radices are such as [`Digits::for_bits`] and [`Digits::exact`] give.
    pub fn is_consistent(&self) -> bool {
        let size = self.radices.iter().try_fold(1u64, |size, &radix| size.checked_mul(radix.into()));
        let radices = self.radices.iter().all(|radix| (1..=DIGIT_RADIX).contains(radix));
        !self.radices.is_empty() && radices && size.is_some_and(|size| size <= 1 << 63)
    }

    /// How many digit wires the form needs.
    pub fn wires(&self) -> usize {
        self.radices.len() - 1
    }

    /// The radices of the digits that the form states itself.
    fn stated(&self) -> impl Iterator<Item = u8> {
        let wires = self.radices[1..].iter().copied();
        self.radices[..1].iter().copied().chain(wires.filter(|&radix| radix < DIGIT_RADIX))
    }

    /// How many constraints the form states.
    pub fn constraints(&self) -> usize {
        self.stated().count()
    }

    /// The highest degree among them.
    pub fn degree(&self) -> usize {
        self.stated().max().unwrap_or(1).into()
    }

    /// The number of values in the range.
    pub fn size(&self) -> u64 {
        self.radices.iter().map(|&r| u64::from(r)).product()
    }

    /// States that `value`, which is linear in the wires, is in the range; its digits are the next digit wires.
    pub fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>, value: A::V) {
        let mut lowest = value;
        let mut weight = u64::from(self.radices[0]);
        for &radix in &self.radices[1..] {
            let digit = cells.next_digit();
            if radix < DIGIT_RADIX {
                cells.arith.assert_digit(digit, radix);
            }
            lowest = cells.arith.sub_scaled(lowest, digit, F::from_canonical_u64(weight));
            weight = weight.wrapping_mul(u64::from(radix));
        }
        cells.arith.assert_digit(lowest, self.radices[0]);
    }

    /// Writes the digits of `value`, all but the lowest, to the next wires. A value outside the range has a highest digit that
    /// is none, and fails the check.
    pub fn assign(&self, value: u64, wires: &mut DigitWires<'_>) {
        let mut rest = value / u64::from(self.radices[0]);
        let Some((highest, lower)) = wires.next(self.wires()).split_last_mut() else { return };
        for (wire, &radix) in lower.iter_mut().zip(&self.radices[1..]) {
            *wire = F::from_canonical_u64(rest % u64::from(radix));
            rest /= u64::from(radix);
        }
        *highest = F::from_noncanonical_u64(rest);
    }
}

/// States that these columns are digit wires: that each holds an integer below [`DIGIT_RADIX`].
pub fn constrain_columns<A: Arith>(arith: &mut A, columns: Range<usize>) {
    for column in columns {
        let digit = arith.wire(column);
        arith.assert_digit(digit, DIGIT_RADIX);
    }
}

/// Digit wires of a gadget that nothing is written to yet.
pub struct DigitWires<'a>(&'a mut [F]);

impl<'a> DigitWires<'a> {
    /// All of these.
    pub fn new(wires: &'a mut [F]) -> Self {
        Self(wires)
    }

    fn next(&mut self, count: usize) -> &'a mut [F] {
        let (next, rest) = std::mem::take(&mut self.0).split_at_mut(count);
        self.0 = rest;
        next
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
        assert_eq!(Digits::for_bits(13).radices, [2, 8, 8, 8, 8]);
        assert_eq!(Digits::exact(10).map(|d| d.radices), Some(vec![2, 5]));
        assert_eq!(Digits::exact(256).map(|d| d.radices), Some(vec![4, 8, 8]));
        assert_eq!(Digits::exact(1).map(|d| d.radices), Some(vec![1]));
        assert_eq!(Digits::exact(11), None);
        assert_eq!(Digits::exact(0), None);
    }

    #[test]
    fn a_form_states_its_lowest_digit_and_small_radices() {
        let counts = |digits: Digits| (digits.wires(), digits.constraints(), digits.degree());
        assert_eq!(counts(Digits::for_bits(0)), (0, 1, 1));
        assert_eq!(counts(Digits::for_bits(12)), (3, 1, 8));
        assert_eq!(counts(Digits::for_bits(13)), (4, 1, 2));
        assert_eq!(Digits::exact(7 * 6 * 6).map(counts), Some((2, 3, 7)));
    }
}
