//! Constraints over a batch of base field points: the prover's hot path.

use super::Arith;
use crate::gadget::field::F;
use crate::gadget::matrix::Matrix;
use plonky2::field::packable::Packable;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use plonky2::plonk::vars::EvaluationVarsBaseBatch;

/// The number of points evaluated together: the batch size of plonky2's prover.
pub const BATCH: usize = 32;

type P = <F as Packable>::Packing;

/// One value at each of [`BATCH`] points.
#[derive(Clone, Copy, Debug)]
pub struct Column(pub [F; BATCH]);

impl Column {
    fn zip(mut self, other: &Column, op: impl Fn(P, P) -> P) -> Column {
        let right = P::pack_slice(&other.0);
        for (left, &right) in P::pack_slice_mut(&mut self.0).iter_mut().zip(right) {
            *left = op(*left, right);
        }
        self
    }
}

/// Evaluates at up to [`BATCH`] points. Points past the batch's length are computed on zeros and dropped.
pub struct Batch<'a> {
    vars: EvaluationVarsBaseBatch<'a, F>,
    constraints: Vec<F>,
}

impl<'a> Batch<'a> {
    /// An evaluation at the points of `vars`, which are at most [`BATCH`]; `capacity` constraints are expected.
    pub fn new(vars: EvaluationVarsBaseBatch<'a, F>, capacity: usize) -> Self {
        assert!(vars.len() <= BATCH, "plonky2 evaluates at most {BATCH} points at once");
        Self { constraints: Vec::with_capacity(capacity * vars.len()), vars }
    }

    /// The constraints in plonky2's order: all points of the first one, all points of the second, …
    pub fn into_constraints(self) -> Vec<F> {
        self.constraints
    }

    fn load(&self, all: &[F], index: usize) -> Column {
        let len = self.vars.len();
        let mut column = Column([F::ZERO; BATCH]);
        column.0[..len].copy_from_slice(&all[index * len..][..len]);
        column
    }
}

impl Arith for Batch<'_> {
    type V = Column;

    fn wire(&mut self, index: usize) -> Column {
        self.load(self.vars.local_wires, index)
    }

    fn row_constant(&mut self, index: usize) -> Column {
        self.load(self.vars.local_constants, index)
    }

    fn fixed(&mut self, value: F) -> Column {
        Column([value; BATCH])
    }

    fn add(&mut self, a: Column, b: Column) -> Column {
        a.zip(&b, |a, b| a + b)
    }

    fn sub(&mut self, a: Column, b: Column) -> Column {
        a.zip(&b, |a, b| a - b)
    }

    fn mul(&mut self, a: Column, b: Column) -> Column {
        a.zip(&b, |a, b| a * b)
    }

    fn apply(&mut self, matrix: &Matrix, inputs: &[Column]) -> Vec<Column> {
        matrix.apply_batch(inputs)
    }

    fn assert_zero(&mut self, value: Column) {
        self.constraints.extend_from_slice(&value.0[..self.vars.len()]);
    }
}
