//! The sum of squares, as limbs.

use super::{LIMB, LIMB_BITS, SQUARE, TOTAL, TOTAL_CARRY_BITS, limb_check};
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
use crate::gadget::{Cells, Digits, Shape, Statement};
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};

/// Carries the summed limb products into the limbs of `S`, and makes a zero `S` one.
///
/// Inputs: the sums. Outputs: the limbs of `S + z`, where `z = 1` exactly for `S = 0`. Advice: the limbs' digits,
/// carries with digits, the lowest limb of `S`, `z`, and an inverse that pins it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormTotal;

impl NormTotal {
    const CARRIES: usize = SQUARE - 1;

    fn carry_check() -> Digits {
        Digits::for_bits(TOTAL_CARRY_BITS)
    }

    /// First advice wire of the carries, which follow the digits of the limbs.
    fn carries_at() -> usize {
        TOTAL * limb_check().advice()
    }

    /// First of the three single wires: lowest limb, `z`, inverse.
    fn flags_at() -> usize {
        Self::carries_at() + Self::CARRIES * (1 + Self::carry_check().advice())
    }
}

impl Statement for NormTotal {
    fn shape(&self) -> Shape {
        let limbs = TOTAL * limb_check().constraints();
        Shape {
            inputs: SQUARE,
            outputs: TOTAL,
            advice: Self::flags_at() + 3,
            constants: 0,
            constraints: limbs + Self::CARRIES * Self::carry_check().constraints() + SQUARE + 4,
            degree: 8,
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let flags = Self::flags_at();
        let (lowest, is_zero, inverse) = (cells.advice(flags), cells.advice(flags + 1), cells.advice(flags + 2));
        let mut limbs: [A::V; TOTAL] = std::array::from_fn(|i| cells.output(i));
        let with_flag = cells.arith.add(lowest, is_zero);
        cells.arith.assert_equal(with_flag, limbs[0]);
        limbs[0] = lowest;
        for (i, &limb) in limbs.iter().enumerate() {
            limb_check().constrain(cells, limb, i * limb_check().advice());
        }

        let mut carry = cells.arith.fixed(F::ZERO);
        for i in 0..SQUARE {
            let column = cells.input(i);
            let sum = cells.arith.add(column, carry);
            carry = if i < Self::CARRIES {
                let at = Self::carries_at() + i * (1 + Self::carry_check().advice());
                let carry = cells.advice(at);
                Self::carry_check().constrain(cells, carry, at + 1);
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

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F]) {
        let mut carry = 0u64;
        let mut limbs = [0u64; TOTAL];
        for i in 0..SQUARE {
            let sum = inputs[i].to_canonical_u64().wrapping_add(carry);
            limbs[i] = sum % LIMB;
            carry = sum >> LIMB_BITS;
            if i < Self::CARRIES {
                let at = Self::carries_at() + i * (1 + Self::carry_check().advice());
                advice[at] = F::from_canonical_u64(carry);
                Self::carry_check().assign(carry, &mut advice[at + 1..][..Self::carry_check().advice()]);
            }
        }
        limbs[TOTAL - 1] = carry;
        let per_limb = limb_check().advice();
        for (i, &limb) in limbs.iter().enumerate() {
            limb_check().assign(limb, &mut advice[i * per_limb..][..per_limb]);
            outputs[i] = F::from_canonical_u64(limb);
        }
        let s = F::from_canonical_u64(limbs.iter().sum());
        let flags = &mut advice[Self::flags_at()..];
        flags[0] = outputs[0];
        flags[1] = F::from_bool(s.is_zero());
        flags[2] = s.try_inverse().unwrap_or(F::ZERO);
        outputs[0] += flags[1];
    }
}
