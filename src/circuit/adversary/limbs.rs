//! Another move of the adversary's: it writes the limbs of a value anew, so that they stand for the value plus `p`.
//!
//! Limbs may be those of an identity, such as `sum = limb + 2^24 carry`, or the digits of a range check. What a lie about one
//! changes in the next is written anew as well, from column to column. It succeeds where a range is so wide that a value has
//! two forms in it, which changes of single wires, some steps each, do not come upon.

use super::Adversary;
use crate::gadget::Place;
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
use plonky2::field::types::{Field, Field64, PrimeField64};

/// How many constraints it mends one after the other.
const STEPS: usize = 200;

impl Adversary<'_> {
    /// Writes the limbs in `constraint` anew, as what they stand for plus `p`, and mends what that breaks; the row it ends with,
    /// if it satisfies all and is another.
    pub fn forge_limbs(&mut self, honest: &[F], constraint: usize) -> Option<Vec<F>> {
        let mut row = honest.to_vec();
        let mut frozen = vec![false; row.len()];
        if !self.write(&mut row, &mut frozen, constraint, F::ORDER.into()) {
            return None;
        }
        for _ in 0..STEPS {
            self.tried += 1;
            let Some(broken) = self.first_broken(&row) else { return (row != honest).then_some(row) };
            if !self.write(&mut row, &mut frozen, broken, 0) && !self.solve(&mut row, &mut frozen, broken) {
                return None;
            }
        }
        None
    }

    /// Writes the limbs in a constraint so that it holds: as what they must stand for, plus `more`. False if it has no limbs,
    /// or none that may change.
    fn write(&self, row: &mut [F], frozen: &mut [bool], constraint: usize, more: u128) -> bool {
        let (here, is_digit) = self.value(row, constraint);
        let slopes = self.slopes(row, frozen, constraint);
        // Digits are taken from the value that is to be a digit; limbs are on one side of an identity.
        let units: Vec<F> = if is_digit { vec![F::NEG_ONE] } else { slopes.iter().map(|&(_, slope)| slope).collect() };
        for unit in units {
            let weight = |slope: F| (slope / unit).to_canonical_u64();
            let is_limb = |&&(_, slope): &&(usize, F)| weight(slope).is_power_of_two() && weight(slope) < 1 << 63;
            let mut limbs: Vec<(usize, u64)> =
                slopes.iter().filter(is_limb).map(|&(wire, slope)| (wire, weight(slope))).collect();
            limbs.sort_by_key(|&(_, weight)| std::cmp::Reverse(weight));
            if limbs.len() + usize::from(is_digit) < 2 {
                continue;
            }
            let sum: F = limbs.iter().map(|&(wire, weight)| row[wire] * F::from_canonical_u64(weight)).sum();
            let mut rest = u128::from((sum - here / unit).to_canonical_u64()) + more;
            for (wire, weight) in limbs {
                let limb = rest / u128::from(weight);
                rest %= u128::from(weight);
                row[wire] = F::from_noncanonical_u128(limb);
                frozen[wire] = true;
            }
            return true;
        }
        false
    }

    /// Satisfies an identity by the first wire that may change, one that matters to few others.
    fn solve(&self, row: &mut [F], frozen: &mut [bool], constraint: usize) -> bool {
        let (here, is_digit) = self.value(row, constraint);
        match self.slopes(row, frozen, constraint).first() {
            Some(&(wire, slope)) if !is_digit => {
                row[wire] -= here / slope;
                frozen[wire] = true;
                true
            }
            _ => false,
        }
    }

    /// The wires that may change and that what is asserted is linear in, each with its factor.
    fn slopes(&self, row: &[F], frozen: &[bool], constraint: usize) -> Vec<(usize, F)> {
        let (here, _) = self.value(row, constraint);
        let at = |wire: usize, step: F| {
            let mut moved = row.to_vec();
            moved[wire] += step;
            self.value(&moved, constraint).0
        };
        let slope = |&wire: &usize| {
            let slope = at(wire, F::ONE) - here;
            (slope.is_nonzero() && slope == here - at(wire, F::NEG_ONE)).then_some((wire, slope))
        };
        self.wires_of[constraint].iter().filter(|&&wire| !frozen[wire]).filter_map(slope).collect()
    }

    /// What a constraint asserts to be zero, or to be a digit, and which of the two.
    fn value(&self, row: &[F], constraint: usize) -> (F, bool) {
        let mut values = Values { wires: row, constants: self.constants, asserted: Vec::new() };
        self.gadget.constrain_with_digits(&mut values, Place::alone(self.gadget.shape()));
        values.asserted[constraint]
    }
}

/// Values in one row, before it is asserted of them that they are zero or digits.
struct Values<'a> {
    wires: &'a [F],
    constants: &'a [F],
    asserted: Vec<(F, bool)>,
}

impl Arith for Values<'_> {
    type V = F;

    fn wire(&mut self, index: usize) -> F {
        self.wires[index]
    }

    fn row_constant(&mut self, index: usize) -> F {
        self.constants[index]
    }

    fn fixed(&mut self, value: F) -> F {
        value
    }

    fn add(&mut self, a: F, b: F) -> F {
        a + b
    }

    fn sub(&mut self, a: F, b: F) -> F {
        a - b
    }

    fn mul(&mut self, a: F, b: F) -> F {
        a * b
    }

    fn assert_zero(&mut self, value: F) {
        self.asserted.push((value, false));
    }

    fn assert_digit(&mut self, value: F, _: u8) {
        self.asserted.push((value, true));
    }
}
