//! Division of a vector by its Euclidean norm.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::fact::power_of_two;
use crate::infer::{MAX_FRACTION_BITS, MAX_NORMALIZE_LENGTH, axes};
use crate::{Fact, InferError, Number, Range};

/// A vector divided by its Euclidean norm; the zero vector stays zero. `IR.md` defines the rounding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normalize {
    /// A fixed-point result has the scale `2^-fraction_bits`.
    pub fraction_bits: u32,
}

impl Operation for Normalize {
    const NAME: &'static str = "normalize";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Function
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.bits("fraction_bits", &mut self.fraction_bits)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let (operand, fraction_bits) = (operands[0], self.fraction_bits);
        let [length] = axes(Self::NAME, "input", &operand.shape)?;
        if length > MAX_NORMALIZE_LENGTH {
            return Err(InferError::NormalizeLength { got: length });
        }
        let bad_precision = InferError::FractionBits { got: fraction_bits };
        if !(1..=MAX_FRACTION_BITS).contains(&fraction_bits) {
            return Err(bad_precision);
        }
        let one = 1i64 << fraction_bits;
        let number = match operand.number {
            Number::Real => Number::Real,
            Number::Fixed { lo, hi, .. } => Number::Fixed {
                scale: power_of_two(-(fraction_bits as i32)).ok_or(bad_precision)?,
                lo: if lo >= 0 { 0 } else { -one },
                hi: if hi > 0 { one } else { 0 },
            },
        };
        Ok(Fact { shape: operand.shape.clone(), number })
    }

    fn range(&self, _: &[Range], _: &Fact) -> Range {
        Range { lo: -1.0, hi: 1.0 }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        operands[0].each(normalize_real)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        operands[0].each(|x| normalize_fixed(x, self.fraction_bits))
    }
}

/// `x / ‖x‖`; zeros for the zero vector.
fn normalize_real(x: &[f64]) -> Vec<f64> {
    let norm = x.iter().map(|value| value * value).sum::<f64>().sqrt();
    if norm == 0.0 {
        return vec![0.0; x.len()];
    }
    x.iter().map(|value| value / norm).collect()
}

/// `2^fraction_bits · x / ‖x‖`, each component rounded to the nearest integer, ties away from zero; zeros
/// for the zero vector.
fn normalize_fixed(x: &[i64], fraction_bits: u32) -> Vec<i64> {
    x.iter()
        .zip(normalize_roots(x, fraction_bits))
        .map(|(value, root)| value.signum() * root.div_ceil(2).cast_signed())
        .collect()
}

/// The integers that the rounding of normalize rests on: for each component the one `q` with
/// `q²·S <= 2^(2f+2)·x² < (q+1)²·S`, where `S` is the sum of all squares and `f` is `fraction_bits`; zeros
/// for the zero vector.
///
/// With `q = floor(2^(f+1)·|x|/√S)`, the nearest integer to `2^f·|x|/√S` is `floor((q+1)/2)`. No `q` exceeds
/// `2^(f+1)`. `fraction_bits` beyond [`MAX_FRACTION_BITS`] count as that many.
pub fn normalize_roots(x: &[i64], fraction_bits: u32) -> Vec<u64> {
    let fraction_bits = fraction_bits.min(MAX_FRACTION_BITS);
    let squares = x.iter().map(|value| u128::from(value.unsigned_abs()).pow(2));
    let sum: BigUint = squares.clone().sum();
    if sum == BigUint::ZERO {
        return vec![0; x.len()];
    }
    squares
        .map(|square| {
            let quotient = (BigUint::from(square) << (2 * fraction_bits + 2)) / &sum;
            // No square exceeds the sum, so the quotient is at most 2^50: one digit, or none for zero.
            // The root of a quotient's floor is the floor of its root.
            quotient.iter_u64_digits().next().unwrap_or(0).isqrt()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `round(2^f·|x|/√S)` by its definition: counts up to the last `m` with `2m - 1 <= 2^(f+1)·|x|/√S`.
    fn by_counting(x: &[i64], fraction_bits: u32) -> Vec<i64> {
        let sum: i128 = x.iter().map(|&v| i128::from(v) * i128::from(v)).sum();
        x.iter()
            .map(|&v| {
                let scaled = (i128::from(v) * i128::from(v)) << (2 * fraction_bits + 2);
                let reaches = |m: i128| (2 * m - 1) * (2 * m - 1) * sum <= scaled;
                let magnitude = (1..).take_while(|&m| sum > 0 && reaches(m)).count();
                v.signum() * magnitude as i64
            })
            .collect()
    }

    #[test]
    fn a_three_four_five_triangle_comes_out_exactly() {
        // 0.6 · 16 = 9.6 and 0.8 · 16 = 12.8.
        assert_eq!(normalize_fixed(&[3, -4], 4), [10, -13]);
        assert_eq!(normalize_real(&[3.0, -4.0]), [0.6, -0.8]);
    }

    #[test]
    fn ties_go_away_from_zero() {
        // The norm is 4, so each component is a half: 2^1 · 1/4 = 0.5.
        let sixteen_ones = [[1, -1]; 8].concat();
        assert_eq!(normalize_fixed(&sixteen_ones, 1), sixteen_ones);
    }

    #[test]
    fn the_zero_vector_stays_zero() {
        assert_eq!(normalize_fixed(&[0, 0, 0], 24), [0, 0, 0]);
        assert_eq!(normalize_real(&[0.0, -0.0]), [0.0, 0.0]);
    }

    #[test]
    fn components_at_the_limit_do_not_overflow() {
        let limit = crate::MAX_MAGNITUDE;
        assert_eq!(normalize_fixed(&[limit], 24), [1 << 24]);
        assert_eq!(normalize_fixed(&[-limit, 0], 24), [-(1 << 24), 0]);
        // 4096 equal components: each is 1/64 of the norm.
        assert_eq!(normalize_fixed(&[limit; 4096], 24), [1 << 18; 4096]);
    }

    proptest! {
        #[test]
        fn agrees_with_counting(
            x in prop::collection::vec(-1_000_000i64..=1_000_000, 1..6),
            fraction_bits in 1u32..=8,
        ) {
            prop_assert_eq!(normalize_fixed(&x, fraction_bits), by_counting(&x, fraction_bits));
        }

        #[test]
        fn roots_satisfy_the_inequalities_that_define_them(
            x in prop::collection::vec(-crate::MAX_MAGNITUDE..=crate::MAX_MAGNITUDE, 1..8),
            fraction_bits in 1u32..=24,
        ) {
            let square = |v: u64| BigUint::from(v).pow(2);
            let sum: BigUint = x.iter().map(|v| square(v.unsigned_abs())).sum();
            for (v, q) in x.iter().zip(normalize_roots(&x, fraction_bits)) {
                let scaled = square(v.unsigned_abs()) << (2 * fraction_bits + 2);
                prop_assert!(square(q) * &sum <= scaled);
                prop_assert!(sum == BigUint::ZERO || scaled < square(q + 1) * &sum);
            }
        }
    }
}
