//! The numbers zero and one as wires, for whatever needs a known value.

use super::{Cells, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// Outputs: 0 and 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Constants;

impl Statement for Constants {
    fn shape(&self) -> Shape {
        Shape { outputs: 2, constraints: 2, degree: 1, ..Shape::default() }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let (zero, one) = (cells.output(0), cells.output(1));
        cells.arith.assert_zero(zero);
        let difference = cells.arith.offset(one, F::NEG_ONE);
        cells.arith.assert_zero(difference);
    }

    fn assign(&self, _: &[F], _: &[F], outputs: &mut [F], _: &mut [F]) {
        outputs[0] = F::ZERO;
        outputs[1] = F::ONE;
    }
}
