//! The sum of squares, as limbs.

use super::{LIMB, LIMB_BITS, SQUARE, TOTAL, TOTAL_CARRY_BITS, limb_check};
use crate::gadget::arith::Arith;
use crate::gadget::digits::DigitWires;
use crate::gadget::field::F;
use crate::gadget::{Cells, Digits, Shape, Statement};
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};

/// Carries the summed limb products into the limbs of `S`, and makes a zero `S` one.
///
/// Inputs: the sums. Outputs: the limbs of `S + z`, where `z = 1` exactly for `S = 0`. Advice: the
/// lowest limb of `S`, `z`, an inverse that pins it, and carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormTotal;

impl NormTotal {
    const CARRIES: usize = SQUARE - 1;
    /// First advice wire of the carries: lowest limb, `z` and inverse come before.
    const CARRIES_AT: usize = 3;

    fn carry_check() -> Digits {
        Digits::for_bits(TOTAL_CARRY_BITS)
    }
}

impl Statement for NormTotal {
    fn shape(&self) -> Shape {
        let (limb, carry) = (limb_check(), Self::carry_check());
        Shape {
            inputs: SQUARE,
            outputs: TOTAL,
            advice: Self::CARRIES_AT + Self::CARRIES,
            digits: TOTAL * limb.wires() + Self::CARRIES * carry.wires(),
            constants: 0,
            constraints: TOTAL * limb.constraints() + Self::CARRIES * carry.constraints() + SQUARE + 4,
            degree: limb.degree().max(carry.degree()).max(2),
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let (lowest, is_zero, inverse) = (cells.advice(0), cells.advice(1), cells.advice(2));
        let mut limbs: [A::V; TOTAL] = std::array::from_fn(|i| cells.output(i));
        let with_flag = cells.arith.add(lowest, is_zero);
        cells.arith.assert_equal(with_flag, limbs[0]);
        limbs[0] = lowest;
        for &limb in &limbs {
            limb_check().constrain(cells, limb);
        }

        let mut carry = cells.arith.fixed(F::ZERO);
        for i in 0..SQUARE {
            let column = cells.input(i);
            let sum = cells.arith.add(column, carry);
            carry = if i < Self::CARRIES {
                let carry = cells.advice(Self::CARRIES_AT + i);
                Self::carry_check().constrain(cells, carry);
                carry
            } else {
                limbs[TOTAL - 1]
            };
            let scaled = cells.arith.scale(carry, F::from_canonical_u64(LIMB));
            let split = cells.arith.add(limbs[i], scaled);
            cells.arith.assert_equal(sum, split);
        }

        // `s` is a sum of six limbs, so it is zero only if they all are.
        let mut s = limbs[0];
        for &limb in &limbs[1..] {
            s = cells.arith.add(s, limb);
        }
        let product = cells.arith.mul(s, inverse);
        let both = cells.arith.add(product, is_zero);
        let surplus = cells.arith.offset(both, F::NEG_ONE);
        cells.arith.assert_zero(surplus);
        let exclusive = cells.arith.mul(s, is_zero);
        cells.arith.assert_zero(exclusive);
        let unused = cells.arith.mul(inverse, is_zero);
        cells.arith.assert_zero(unused);
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
        let (flags, carries) = advice.split_at_mut(Self::CARRIES_AT);
        let mut carry = 0u64;
        let mut limbs = [0u64; TOTAL];
        let mut split = [0u64; SQUARE];
        for i in 0..SQUARE {
            let sum = inputs[i].to_canonical_u64().wrapping_add(carry);
            limbs[i] = sum % LIMB;
            carry = sum >> LIMB_BITS;
            split[i] = carry;
        }
        limbs[TOTAL - 1] = carry;
        for (&limb, output) in limbs.iter().zip(outputs.iter_mut()) {
            limb_check().assign(limb, digits);
            *output = F::from_canonical_u64(limb);
        }
        for (wire, carry) in carries.iter_mut().zip(split) {
            *wire = F::from_canonical_u64(carry);
            Self::carry_check().assign(carry, digits);
        }
        let s = F::from_canonical_u64(limbs.iter().sum());
        flags[0] = outputs[0];
        flags[1] = F::from_bool(s.is_zero());
        flags[2] = s.try_inverse().unwrap_or(F::ZERO);
        outputs[0] += flags[1];
    }
}
