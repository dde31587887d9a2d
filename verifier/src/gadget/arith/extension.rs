//! Constraints at one point of the extension field: what the verifier evaluates.

use super::Arith;
use crate::gadget::field::{D, Ext, F, from_signed};
use plonky2::field::extension::FieldExtension;
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::types::{Field, Field64, PrimeField64};
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

    /// Sums of products of integers, which are reduced once.
    fn dot(&mut self, weights: &[i64], values: &[Ext]) -> Ext {
        let mut sums = [0i128; D];
        let mut large = Ext::ZERO;
        for (&weight, value) in weights.iter().zip(values) {
            // A gadget has at most 2^28 products: none of these sums leaves ±2^127.
            if weight.unsigned_abs() < 1 << 35 {
                let parts = sums.iter_mut().zip(value.0);
                parts.for_each(|(sum, part)| *sum += i128::from(weight) * i128::from(part.to_noncanonical_u64()));
            } else {
                large += FieldExtension::<D>::scalar_mul(value, from_signed(weight));
            }
        }
        // A remainder is below the order.
        let reduced = sums.map(|sum| F::from_canonical_u64(sum.rem_euclid(i128::from(F::ORDER)) as u64));
        QuadraticExtension(reduced) + large
    }

    fn assert_zero(&mut self, value: Ext) {
        self.constraints.push(value);
    }
}
