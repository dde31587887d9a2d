//! Known numbers as wires.

use super::digits::DigitWires;
use super::{Cells, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed};
#[cfg(feature = "prover")]
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// Outputs: the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constants(pub Vec<i64>);

impl Statement for Constants {
    fn shape(&self) -> Shape {
        Shape { outputs: self.0.len(), constraints: self.0.len(), degree: 1, ..Shape::default() }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        for (i, &number) in self.0.iter().enumerate() {
            let output = cells.output(i);
            let difference = cells.arith.offset(output, -from_signed(number));
            cells.arith.assert_zero(difference);
        }
    }

    fn is_linear(&self) -> bool {
        true
    }

    #[cfg(feature = "prover")]
    fn combine(&self, first: F, step: F, factors: &mut [F]) -> F {
        let powers = step.powers().map(|power| first * power);
        let terms = factors.iter_mut().zip(&self.0).zip(powers);
        terms.fold(F::ZERO, |sum, ((factor, &number), power)| {
            *factor += power;
            sum - power * from_signed(number)
        })
    }

    fn assign(&self, _: &[F], _: &[F], outputs: &mut [F], _: &mut [F], _: &mut DigitWires<'_>) {
        for (output, &number) in outputs.iter_mut().zip(&self.0) {
            *output = from_signed(number);
        }
    }
}
