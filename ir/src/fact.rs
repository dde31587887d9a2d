//! What is known about the tensor on an edge.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The numbers that a tensor holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Number {
    /// Floating point; nothing is claimed about the values.
    Real,
    /// Integers that stand for `scale * integer`.
    Fixed {
        /// The real value of the integer one; positive and finite.
        scale: f64,
        /// No integer of the tensor is below this.
        lo: i64,
        /// No integer of the tensor is above this.
        hi: i64,
    },
}

/// The type of a tensor: its shape (channels last, no batch axis) and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The length of each axis; at least one axis, none of length zero.
    pub shape: Vec<usize>,
    /// The numbers the tensor holds.
    pub number: Number,
}

impl Number {
    /// The interval of the integers; `None` for real numbers.
    pub fn interval(&self) -> Option<(i64, i64)> {
        match *self {
            Number::Real => None,
            Number::Fixed { lo, hi, .. } => Some((lo, hi)),
        }
    }

    /// The real value of the integer one; `None` for real numbers.
    pub fn scale(&self) -> Option<f64> {
        match *self {
            Number::Real => None,
            Number::Fixed { scale, .. } => Some(scale),
        }
    }

    /// Whether the tensor holds integers.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Number::Fixed { .. })
    }
}

impl Fact {
    /// How many numbers the tensor holds; saturates for a shape no tensor can have.
    pub fn elements(&self) -> usize {
        element_count(&self.shape).unwrap_or(usize::MAX)
    }

    /// How many channels there are, indices of the last axis; one in a tensor without axes.
    pub fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The interval of the integers; `None` for real numbers.
    pub fn interval(&self) -> Option<(i64, i64)> {
        self.number.interval()
    }

    /// The real value of the integer one; `None` for real numbers.
    pub fn scale(&self) -> Option<f64> {
        self.number.scale()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Number::Real => f.write_str("real"),
            Number::Fixed { scale, lo, hi } => {
                write!(f, "fixed(scale {}, {lo}..={hi})", Scale(scale))
            }
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.shape, self.number)
    }
}

/// The product of the axes, or `None` where it does not fit.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &axis| count.checked_mul(axis))
}

/// A scale in text: `1`, another power of two as `2^k`, else the shortest decimal that reads back the same.
pub(crate) struct Scale(pub(crate) f64);

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match binary_exponent(self.0) {
            Some(0) => f.write_str("1"),
            Some(exponent) => write!(f, "2^{exponent}"),
            None => write!(f, "{:?}", self.0),
        }
    }
}

const MANTISSA_BITS: u32 = 52;
const EXPONENT_BIAS: i32 = 1023;
/// The exponent of the smallest subnormal number.
const MIN_EXPONENT: i32 = -1074;

/// `k` where `value` is exactly `2^k`.
fn binary_exponent(value: f64) -> Option<i32> {
    let bits = value.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    match (bits >> MANTISSA_BITS) as i32 {
        0 if mantissa.is_power_of_two() => Some(MIN_EXPONENT + mantissa.trailing_zeros() as i32),
        // 2047 is infinity; from 2048 on the sign bit is set.
        biased @ 1..=2046 if mantissa == 0 => Some(biased - EXPONENT_BIAS),
        _ => None,
    }
}

/// `2^exponent`, or `None` where `f64` has no such number.
pub(crate) fn power_of_two(exponent: i32) -> Option<f64> {
    match exponent {
        MIN_EXPONENT..-1022 => Some(f64::from_bits(1 << (exponent - MIN_EXPONENT))),
        -1022..=1023 => Some(f64::from_bits(((exponent + EXPONENT_BIAS) as u64) << MANTISSA_BITS)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_recognized_over_the_whole_range() {
        for exponent in MIN_EXPONENT..=1023 {
            let value = power_of_two(exponent).unwrap();
            assert_eq!(binary_exponent(value), Some(exponent));
        }
        assert_eq!(power_of_two(-1075), None);
        assert_eq!(power_of_two(1024), None);
        for other in [0.0, -1.0, 3.0, 0.1, f64::INFINITY, f64::NAN, -0.0] {
            assert_eq!(binary_exponent(other), None, "{other}");
        }
    }

    #[test]
    fn a_fact_prints_as_the_text_form_has_it() {
        let fact = |scale| Fact { shape: vec![2, 3], number: Number::Fixed { scale, lo: -5, hi: 4 } };
        assert_eq!(fact(1.0).to_string(), "[2, 3] fixed(scale 1, -5..=4)");
        assert_eq!(fact(0.25).to_string(), "[2, 3] fixed(scale 2^-2, -5..=4)");
        assert_eq!(fact(0.1).to_string(), "[2, 3] fixed(scale 0.1, -5..=4)");
    }

    #[test]
    fn elements_saturate_where_the_product_overflows() {
        let fact = Fact { shape: vec![usize::MAX, 2], number: Number::Real };
        assert_eq!(fact.elements(), usize::MAX);
    }
}
