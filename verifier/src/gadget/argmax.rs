//! The position of the greatest of a few values.

use super::digits::DigitWires;
use super::{Cells, Digits, MAX_SIZE, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed, to_signed};
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// `i`, the least index at which none of `x_0, …, x_(n-1)` is greater than `x_i`.
///
/// Inputs: the values. Output: the index. Advice: the maximum `m`, and bits `b_j` for `j >= 1`. With `b_0` as
/// what the others leave to one, each `b_j` is 0 or 1, so exactly one is 1; the index is `Σ j b_j` and `m = Σ b_j x_j`.
/// Each `m - x_j - (b_(j+1) + … + b_(n-1))` is shown to be in `[0, 2^bits)`: values from the index on are at most `m`,
/// those before it are less. Sound while any two of the values differ by at most `2^62`, as for [`super::Max`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argmax {
    arity: usize,
    digits: Digits,
}

impl Argmax {
    /// For `arity >= 1` values, between which lie at most `spread <= 2^62`.
    pub fn new(arity: usize, spread: u64) -> Self {
        assert!(spread <= 1 << 62, "a difference of {spread} could be mistaken for a negative one");
        let bits = u64::BITS - spread.leading_zeros();
        Self { arity, digits: Digits::for_bits(bits) }
    }
}

impl Statement for Argmax {
    fn is_consistent(&self) -> bool {
        (1..=MAX_SIZE).contains(&self.arity) && self.digits.is_consistent()
    }

    fn shape(&self) -> Shape {
        Shape {
            inputs: self.arity,
            outputs: 1,
            advice: self.arity,
            digits: self.arity * self.digits.wires(),
            constraints: self.arity * (1 + self.digits.constraints()) + 2,
            degree: self.digits.degree().max(2),
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let max = cells.advice(0);
        let mut bits = vec![cells.arith.fixed(F::ONE)];
        for j in 1..self.arity {
            let bit = cells.advice(j);
            bits[0] = cells.arith.sub(bits[0], bit);
            bits.push(bit);
        }
        let mut index = cells.arith.fixed(F::ZERO);
        let mut selected = cells.arith.fixed(F::ZERO);
        for (j, &bit) in bits.iter().enumerate() {
            cells.arith.assert_digit(bit, 2);
            let scaled = cells.arith.scale(bit, F::from_canonical_usize(j));
            index = cells.arith.add(index, scaled);
            let x = cells.input(j);
            let product = cells.arith.mul(bit, x);
            selected = cells.arith.add(selected, product);
        }
        let output = cells.output(0);
        cells.arith.assert_equal(index, output);
        cells.arith.assert_equal(selected, max);

        let mut later = cells.arith.fixed(F::ZERO);
        for (j, &bit) in bits.iter().enumerate().rev() {
            let x = cells.input(j);
            let difference = cells.arith.sub(max, x);
            let above = cells.arith.sub(difference, later);
            self.digits.constrain(cells, above);
            later = cells.arith.add(later, bit);
        }
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
        let values: Vec<i64> = inputs.iter().map(|&x| to_signed(x)).collect();
        let mut index = 0;
        for (j, &value) in values.iter().enumerate() {
            if value > values[index] {
                index = j;
            }
        }
        let max = values[index];
        outputs[0] = F::from_canonical_usize(index);
        advice[0] = from_signed(max);
        for (j, bit) in advice.iter_mut().enumerate().take(self.arity).skip(1) {
            *bit = F::from_bool(j == index);
        }
        for (j, &value) in values.iter().enumerate().rev() {
            let above = max.wrapping_sub(value).wrapping_sub((j < index).into());
            self.digits.assign(above as u64, digits);
        }
    }
}
