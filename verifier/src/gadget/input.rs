//! The range check of the model's input, or of an output that is committed to, and its packing for the commitment.

use super::digits::DigitWires;
use super::{Cells, Digits, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed};
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};

/// Checks that `count` inputs lie in `lo ..= hi` and packs them into one word.
///
/// Inputs: the elements. Output: the word `Σ (x_i - lo) · (hi - lo + 1)^i`, which is under 2^63 and so tells the
/// elements apart. A range whose size has only small factors takes one digit form; any other takes two, one for
/// `x - lo` and one for `hi - x`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackInput {
    lo: i64,
    hi: i64,
    count: usize,
    digits: Digits,
    two_sided: bool,
}

impl PackInput {
    /// A check of `count` elements, at most [`PackInput::capacity`], in `lo ..= hi`.
    pub fn new(lo: i64, hi: i64, count: usize) -> Self {
        let size = range_size(lo, hi);
        assert!(count <= Self::capacity(lo, hi), "{count} elements do not fit one word");
        let (digits, two_sided) = match Digits::exact(size) {
            Some(digits) => (digits, false),
            None => (Digits::for_bits(u64::BITS - (size - 1).leading_zeros()), true),
        };
        Self { lo, hi, count, digits, two_sided }
    }

    /// How many elements of `lo ..= hi` one word holds: at least one, if the range has at most 2^62 integers.
    pub fn capacity(lo: i64, hi: i64) -> usize {
        let size = u128::from(range_size(lo, hi)).max(2);
        let mut count = 0;
        let mut words = size;
        while words <= 1 << 63 {
            count += 1;
            words *= size;
        }
        count
    }

    /// The least and the greatest integer that it lets pass.
    pub fn range(&self) -> (i64, i64) {
        (self.lo, self.hi)
    }

    fn sides(&self) -> usize {
        1 + usize::from(self.two_sided)
    }
}

fn range_size(lo: i64, hi: i64) -> u64 {
    hi.abs_diff(lo) + 1
}

impl Statement for PackInput {
    fn is_consistent(&self) -> bool {
        let (lo, hi) = (self.lo, self.hi);
        lo <= hi
            && hi.abs_diff(lo) <= 1 << 62
            && (1..=Self::capacity(lo, hi)).contains(&self.count)
            && *self == Self::new(lo, hi, self.count)
    }

    fn shape(&self) -> Shape {
        Shape {
            inputs: self.count,
            outputs: 1,
            digits: self.count * self.sides() * self.digits.wires(),
            constraints: self.count * self.sides() * self.digits.constraints() + 1,
            degree: self.digits.degree(),
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let size = F::from_canonical_u64(range_size(self.lo, self.hi));
        let mut word = cells.arith.fixed(F::ZERO);
        let mut weight = F::ONE;
        for i in 0..self.count {
            let element = cells.input(i);
            let above = cells.arith.offset(element, -from_signed(self.lo));
            self.digits.constrain(cells, above);
            if self.two_sided {
                let top = cells.arith.fixed(from_signed(self.hi));
                let below = cells.arith.sub(top, element);
                self.digits.constrain(cells, below);
            }
            let scaled = cells.arith.scale(above, weight);
            word = cells.arith.add(word, scaled);
            weight *= size;
        }
        let output = cells.output(0);
        cells.arith.assert_equal(word, output);
    }

    fn idle_inputs(&self) -> Vec<F> {
        vec![from_signed(self.lo); self.count]
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], _: &mut [F], digits: &mut DigitWires<'_>) {
        let size = F::from_canonical_u64(range_size(self.lo, self.hi));
        let (mut word, mut weight) = (F::ZERO, F::ONE);
        for &element in inputs {
            let above = element - from_signed(self.lo);
            self.digits.assign(above.to_canonical_u64(), digits);
            if self.two_sided {
                let below = from_signed(self.hi) - element;
                self.digits.assign(below.to_canonical_u64(), digits);
            }
            word += above * weight;
            weight *= size;
        }
        outputs[0] = word;
    }
}
