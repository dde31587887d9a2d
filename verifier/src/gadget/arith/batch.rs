//! Constraints over a batch of base field points: the prover's hot path.

use super::{Arith, BATCH};
use crate::gadget::field::{F, Packed};
use crate::gadget::kernel::Kernel;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use plonky2::plonk::vars::EvaluationVarsBaseBatch;

/// One value at each of [`BATCH`] points. Aligned as the widest registers want it.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Column(pub [F; BATCH]);

impl Column {
    /// Zero everywhere.
    pub const ZERO: Self = Self([F::ZERO; BATCH]);

    /// The values at up to [`BATCH`] points, and zeros past them.
    #[inline]
    pub fn load(values: &[F]) -> Self {
        // A whole batch needs no zeros first.
        if let Ok(all) = values.try_into() {
            return Self(all);
        }
        let mut column = Self::ZERO;
        column.0[..values.len()].copy_from_slice(values);
        column
    }

    /// Its parts.
    #[inline]
    pub fn parts(&self) -> &[Packed] {
        Packed::pack_slice(&self.0)
    }

    /// Its parts, to be changed.
    #[inline]
    pub fn parts_mut(&mut self) -> &mut [Packed] {
        Packed::pack_slice_mut(&mut self.0)
    }

    /// Combines two columns point by point.
    #[inline]
    pub fn zip(mut self, other: &Column, op: impl Fn(Packed, Packed) -> Packed) -> Column {
        for (left, &right) in self.parts_mut().iter_mut().zip(other.parts()) {
            *left = op(*left, right);
        }
        self
    }

    /// Applies `op` to each part.
    #[inline]
    pub fn map(mut self, op: impl Fn(Packed) -> Packed) -> Column {
        self.parts_mut().iter_mut().for_each(|part| *part = op(*part));
        self
    }

    /// `self + other · factor`.
    #[inline]
    pub fn add_scaled(&mut self, other: &Column, factor: F) {
        for (sum, &value) in self.parts_mut().iter_mut().zip(other.parts()) {
            *sum += value * factor;
        }
    }

    /// `self + a · b`, all of [`BATCH`] points.
    #[inline]
    pub fn add_product(&mut self, a: &[F], b: &[F]) {
        let factors = Packed::pack_slice(a).iter().zip(Packed::pack_slice(b));
        for (sum, (&a, &b)) in self.parts_mut().iter_mut().zip(factors) {
            *sum += a * b;
        }
    }
}

/// Where a batch is evaluated.
#[allow(clippy::len_without_is_empty, reason = "a batch has a point at least")]
pub trait Points {
    /// How many points there are: at most [`BATCH`].
    fn len(&self) -> usize;
    /// A wire at all of them.
    fn wire(&self, index: usize) -> &[F];
    /// A row constant at all of them.
    fn row_constant(&self, index: usize) -> &[F];
}

impl Points for EvaluationVarsBaseBatch<'_, F> {
    fn len(&self) -> usize {
        EvaluationVarsBaseBatch::len(self)
    }

    fn wire(&self, index: usize) -> &[F] {
        &self.local_wires[index * self.len()..][..self.len()]
    }

    fn row_constant(&self, index: usize) -> &[F] {
        &self.local_constants[index * self.len()..][..self.len()]
    }
}

/// Where the values of constraints go, in their order.
pub trait Sink {
    /// Takes the next constraint, of which the first `len` points count.
    fn take(&mut self, constraint: &Column, len: usize);
}

/// All constraints in plonky2's order: all points of the first one, all points of the second, …
impl Sink for Vec<F> {
    fn take(&mut self, constraint: &Column, len: usize) {
        self.extend_from_slice(&constraint.0[..len]);
    }
}

/// Evaluates at up to [`BATCH`] points. Points past the batch's length are computed on zeros and dropped.
pub struct Batch<'a, S, K> {
    points: &'a S,
    sink: &'a mut K,
}

impl<'a, S: Points, K: Sink> Batch<'a, S, K> {
    /// An evaluation at `points` whose constraints `sink` takes.
    pub fn new(points: &'a S, sink: &'a mut K) -> Self {
        assert!(points.len() <= BATCH, "at most {BATCH} points are evaluated at once");
        Self { points, sink }
    }
}

impl<S: Points, K: Sink> Arith for Batch<'_, S, K> {
    type V = Column;

    fn wire(&mut self, index: usize) -> Column {
        Column::load(self.points.wire(index))
    }

    fn row_constant(&mut self, index: usize) -> Column {
        Column::load(self.points.row_constant(index))
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

    fn scale(&mut self, a: Column, c: F) -> Column {
        a.map(|a| a * c)
    }

    fn offset(&mut self, a: Column, c: F) -> Column {
        a.map(|a| a + c)
    }

    fn sub_scaled(&mut self, a: Column, b: Column, c: F) -> Column {
        a.zip(&b, |a, b| a - b * c)
    }

    fn convolve(&mut self, kernel: &Kernel, patch: &[Column]) -> Vec<Column> {
        kernel.convolve_batch(patch)
    }

    fn assert_zero(&mut self, value: Column) {
        self.sink.take(&value, self.points.len());
    }

    /// In one go: most of all constraints are of digits.
    fn assert_octal(&mut self, value: Column) {
        let [seven, six, ten, twelve] = [7, 6, 10, 12].map(F::from_canonical_u64);
        let product = value.map(|value| {
            let paired = value * (value - seven);
            (paired * (paired + six)) * ((paired + ten) * (paired + twelve))
        });
        self.sink.take(&product, self.points.len());
    }
}
