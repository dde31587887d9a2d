//! Sign, magnitude and square of one element.

use super::{LIMB, LIMB_BITS, MAGNITUDE, SQUARE, limb_check, magnitude, square, square_of};
use crate::gadget::arith::Arith;
use crate::gadget::digits::DigitWires;
use crate::gadget::field::{F, to_signed};
use crate::gadget::{Cells, Digits, Shape, Statement};
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// Splits an element into sign and magnitude and adds its square to a running sum.
///
/// Inputs: `x`, then the limb products summed so far. Outputs: three limbs of `u`, the sign `g`, and the new sums;
/// `x = u` for `g = 0` and `x = -(u + 1)` for `g = 1`, so that zero has one sign only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormSquare;

impl NormSquare {
    fn checks() -> [Digits; MAGNITUDE] {
        [limb_check(), limb_check(), Digits::for_bits(63 - 2 * LIMB_BITS)]
    }
}

impl Statement for NormSquare {
    fn shape(&self) -> Shape {
        let checks = Self::checks();
        Shape {
            inputs: 1 + SQUARE,
            outputs: MAGNITUDE + 1 + SQUARE,
            digits: checks.iter().map(Digits::wires).sum(),
            constraints: checks.iter().map(Digits::constraints).sum::<usize>() + 2 + SQUARE,
            degree: checks.iter().map(Digits::degree).fold(2, usize::max),
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let limbs: [A::V; MAGNITUDE] = std::array::from_fn(|i| cells.output(i));
        for (limb, check) in limbs.into_iter().zip(Self::checks()) {
            check.constrain(cells, limb);
        }
        let sign = cells.output(MAGNITUDE);
        cells.arith.assert_digit(sign, 2);

        let x = cells.input(0);
        let mut u = limbs[0];
        for (i, &limb) in limbs.iter().enumerate().skip(1) {
            let scaled = cells.arith.scale(limb, F::from_canonical_u64(1 << (LIMB_BITS * i as u32)));
            u = cells.arith.add(u, scaled);
        }
        let doubled = cells.arith.add(u, u);
        let odd = cells.arith.offset(doubled, F::ONE);
        let flip = cells.arith.mul(sign, odd);
        let signed = cells.arith.sub(u, flip);
        cells.arith.assert_equal(signed, x);

        let t = magnitude(cells.arith, limbs, sign);
        for (i, column) in square(cells.arith, t).into_iter().enumerate() {
            let (before, after) = (cells.input(1 + i), cells.output(MAGNITUDE + 1 + i));
            let sum = cells.arith.add(before, column);
            cells.arith.assert_equal(sum, after);
        }
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], _: &mut [F], digits: &mut DigitWires<'_>) {
        let x = to_signed(inputs[0]);
        let u = if x < 0 { !x } else { x } as u64;
        let limbs = [u % LIMB, (u >> LIMB_BITS) % LIMB, u >> (2 * LIMB_BITS)];
        for (i, check) in Self::checks().into_iter().enumerate() {
            outputs[i] = F::from_canonical_u64(limbs[i]);
            check.assign(limbs[i], digits);
        }
        outputs[MAGNITUDE] = F::from_bool(x < 0);
        // The sign is on the lowest limb and not carried, as the constraints have it.
        let columns = square_of([outputs[0] + outputs[MAGNITUDE], outputs[1], outputs[2]]);
        for (i, column) in columns.into_iter().enumerate() {
            outputs[MAGNITUDE + 1 + i] = inputs[1 + i] + column;
        }
    }
}
