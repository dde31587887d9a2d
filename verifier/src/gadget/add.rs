//! Sums of a few values.

use super::digits::DigitWires;
use super::{Cells, MAX_SIZE, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
#[cfg(feature = "prover")]
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// `y = x_1 + … + x_n`, in the field.
///
/// Inputs: the terms, two or more. Output: the sum. It is the sum of the integers as long as that lies within ±2^62, which
/// is for the plan to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    terms: usize,
}

impl Add {
    /// The sum of so many values.
    pub fn new(terms: usize) -> Self {
        Self { terms }
    }
}

impl Statement for Add {
    fn is_consistent(&self) -> bool {
        (2..=MAX_SIZE).contains(&self.terms)
    }

    fn shape(&self) -> Shape {
        Shape { inputs: self.terms, outputs: 1, constraints: 1, degree: 1, ..Shape::default() }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let mut sum = cells.input(0);
        for term in 1..self.terms {
            let term = cells.input(term);
            sum = cells.arith.add(sum, term);
        }
        let output = cells.output(0);
        cells.arith.assert_equal(sum, output);
    }

    fn is_linear(&self) -> bool {
        true
    }

    #[cfg(feature = "prover")]
    fn combine(&self, first: F, _: F, factors: &mut [F]) -> F {
        factors[..self.terms].iter_mut().for_each(|factor| *factor += first);
        factors[self.terms] -= first;
        F::ZERO
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], _: &mut [F], _: &mut DigitWires<'_>) {
        outputs[0] = inputs.iter().copied().sum();
    }
}
