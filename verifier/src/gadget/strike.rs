//! A value that is lowered below all others if it stands at a chosen place.

use super::digits::DigitWires;
use super::{Cells, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// `y = x - by` if the index `i` is the row constant, else `y = x`.
///
/// Inputs: `x` and `i`. Output: `y`. Advice: `b`, which is 1 if `i` is the constant and else 0, and the inverse `v` of their
/// difference `d`, zero where there is none: `b = 1 - d v`, `b d = 0`, `b v = 0`. If `d` is zero, `b` is 1 and `v` is 0; else
/// `b` is 0 and `v` is the inverse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    by: u64,
}

impl Strike {
    /// Lowers by so much, at most `2^62`.
    pub fn new(by: u64) -> Self {
        assert!(by <= 1 << 62, "{by} is more than integers may be");
        Self { by }
    }
}

impl Statement for Strike {
    fn is_consistent(&self) -> bool {
        self.by <= 1 << 62
    }

    fn shape(&self) -> Shape {
        Shape { inputs: 2, outputs: 1, advice: 2, constants: 1, constraints: 4, degree: 2, ..Shape::default() }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let (x, index, y) = (cells.input(0), cells.input(1), cells.output(0));
        let (bit, inverse, place) = (cells.advice(0), cells.advice(1), cells.constant(0));
        let difference = cells.arith.sub(index, place);
        let product = cells.arith.mul(difference, inverse);
        let sum = cells.arith.add(bit, product);
        let one = cells.arith.fixed(F::ONE);
        cells.arith.assert_equal(sum, one);
        let zero = cells.arith.mul(bit, difference);
        cells.arith.assert_zero(zero);
        let zero = cells.arith.mul(bit, inverse);
        cells.arith.assert_zero(zero);
        let lowered = cells.arith.sub_scaled(x, bit, F::from_canonical_u64(self.by));
        cells.arith.assert_equal(lowered, y);
    }

    fn assign(&self, constants: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], _: &mut DigitWires<'_>) {
        let difference = inputs[1] - constants[0];
        let bit = F::from_bool(difference == F::ZERO);
        advice[0] = bit;
        advice[1] = difference.try_inverse().unwrap_or(F::ZERO);
        outputs[0] = inputs[0] - bit * F::from_canonical_u64(self.by);
    }
}
