//! Constraints at one point of the extension field: what the verifier evaluates.

use super::Arith;
use crate::gadget::field::{D, Ext, F};
use crate::gadget::matrix::Matrix;
use plonky2::field::extension::FieldExtension;
use plonky2::field::types::Field;
use plonky2::plonk::vars::EvaluationVars;

/// Evaluates at one extension point and collects the constraints in order.
pub struct Extension<'a> {
    vars: EvaluationVars<'a, F, D>,
    /// The constraints stated so far.
    pub constraints: Vec<Ext>,
}

impl<'a> Extension<'a> {
    /// An evaluation at `vars`.
    pub fn new(vars: EvaluationVars<'a, F, D>) -> Self {
        Self { vars, constraints: Vec::new() }
    }
}

impl Arith for Extension<'_> {
    type V = Ext;

    fn wire(&mut self, index: usize) -> Ext {
        self.vars.local_wires[index]
    }

    fn row_constant(&mut self, index: usize) -> Ext {
        self.vars.local_constants[index]
    }

    fn fixed(&mut self, value: F) -> Ext {
        value.into()
    }

    fn add(&mut self, a: Ext, b: Ext) -> Ext {
        a + b
    }

    fn sub(&mut self, a: Ext, b: Ext) -> Ext {
        a - b
    }

    fn mul(&mut self, a: Ext, b: Ext) -> Ext {
        a * b
    }

    fn scale(&mut self, a: Ext, c: F) -> Ext {
        FieldExtension::<D>::scalar_mul(&a, c)
    }

    fn apply(&mut self, matrix: &Matrix, inputs: &[Ext]) -> Vec<Ext> {
        matrix
            .rows()
            .map(|row| {
                row.zip(inputs)
                    .fold(Ext::ZERO, |sum, (weight, &input)| sum + FieldExtension::<D>::scalar_mul(&input, weight))
            })
            .collect()
    }

    fn assert_zero(&mut self, value: Ext) {
        self.constraints.push(value);
    }
}
