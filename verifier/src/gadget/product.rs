//! The product of two values.

use super::digits::DigitWires;
use super::{Cells, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::F;
use serde::{Deserialize, Serialize};

/// `y = a b`, in the field.
///
/// Inputs: the factors. Output: the product. It is the product of the integers as long as that lies within ±2^62, which is
/// for the plan to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product;

impl Statement for Product {
    fn shape(&self) -> Shape {
        Shape { inputs: 2, outputs: 1, constraints: 1, degree: 2, ..Shape::default() }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let (a, b, y) = (cells.input(0), cells.input(1), cells.output(0));
        let product = cells.arith.mul(a, b);
        cells.arith.assert_equal(product, y);
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], _: &mut [F], _: &mut DigitWires<'_>) {
        outputs[0] = inputs[0] * inputs[1];
    }
}
