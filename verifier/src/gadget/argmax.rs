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
/// [`Argmax::with_maximum`] makes `m` an output. [`Argmax::of_groups`] takes an index `i_j` with each value, which is the greatest
/// of a group of so many: the index is `Σ b_j (i_j + group · j)`.
/// Each `m - x_j - (b_(j+1) + … + b_(n-1))` is shown to be in `[0, 2^bits)`: values from the index on are at most `m`,
/// those before it are less. Sound while any two of the values differ by at most `2^62`, as for [`super::Max`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argmax {
    arity: usize,
    tells_maximum: bool,
    group: Option<u64>,
    digits: Digits,
}

impl Argmax {
    /// For `arity >= 1` values, between which lie at most `spread <= 2^62`.
    pub fn new(arity: usize, spread: u64) -> Self {
        assert!(spread <= 1 << 62, "a difference of {spread} could be mistaken for a negative one");
        let bits = u64::BITS - spread.leading_zeros();
        Self { arity, tells_maximum: false, group: None, digits: Digits::for_bits(bits) }
    }

    /// With the maximum as a second output.
    pub fn with_maximum(self) -> Self {
        Self { tells_maximum: true, ..self }
    }

    /// Of values that are each the greatest of a group of so many, with their indices within these groups, which are further
    /// inputs behind the values.
    pub fn of_groups(self, group: u64) -> Self {
        Self { group: Some(group), ..self }
    }

    /// The bit at place `j >= 1` is this advice.
    fn bit(&self, j: usize) -> usize {
        if self.tells_maximum { j - 1 } else { j }
    }
}

impl Statement for Argmax {
    fn is_consistent(&self) -> bool {
        let is_index = |group: u64| group.checked_mul(self.arity as u64).is_some_and(|most| most <= 1 << 32);
        (1..=MAX_SIZE).contains(&self.arity) && self.digits.is_consistent() && self.group.is_none_or(is_index)
    }

    fn shape(&self) -> Shape {
        Shape {
            inputs: if self.group.is_some() { 2 * self.arity } else { self.arity },
            outputs: if self.tells_maximum { 2 } else { 1 },
            advice: if self.tells_maximum { self.arity - 1 } else { self.arity },
            digits: self.arity * self.digits.wires(),
            constraints: self.arity * (1 + self.digits.constraints()) + 2,
            degree: self.digits.degree().max(2),
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let max = if self.tells_maximum { cells.output(1) } else { cells.advice(0) };
        let mut bits = vec![cells.arith.fixed(F::ONE)];
        for j in 1..self.arity {
            let bit = cells.advice(self.bit(j));
            bits[0] = cells.arith.sub(bits[0], bit);
            bits.push(bit);
        }
        let mut index = cells.arith.fixed(F::ZERO);
        let mut selected = cells.arith.fixed(F::ZERO);
        for (j, &bit) in bits.iter().enumerate() {
            cells.arith.assert_digit(bit, 2);
            let scaled = match self.group {
                None => cells.arith.scale(bit, F::from_canonical_usize(j)),
                Some(group) => {
                    let within = cells.input(self.arity + j);
                    let whole = cells.arith.offset(within, F::from_canonical_u64(group * j as u64));
                    cells.arith.mul(bit, whole)
                }
            };
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
        let values: Vec<i64> = inputs[..self.arity].iter().map(|&x| to_signed(x)).collect();
        let mut index = 0;
        for (j, &value) in values.iter().enumerate() {
            if value > values[index] {
                index = j;
            }
        }
        let max = values[index];
        outputs[0] = match self.group {
            None => F::from_canonical_usize(index),
            Some(group) => inputs[self.arity + index] + F::from_canonical_u64(group * index as u64),
        };
        *if self.tells_maximum { &mut outputs[1] } else { &mut advice[0] } = from_signed(max);
        for j in 1..self.arity {
            advice[self.bit(j)] = F::from_bool(j == index);
        }
        for (j, &value) in values.iter().enumerate().rev() {
            let above = max.wrapping_sub(value).wrapping_sub((j < index).into());
            self.digits.assign(above as u64, digits);
        }
    }
}
