//! What statements take, in numbers, before any value or place is given to them.

use super::{Matrix, RowConstants, Value};
use crate::gadget::{Gadget, Shape};
use std::sync::Arc;

/// What equal instances are instances of.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A gadget, in rows of our own.
    Gadget(Arc<Gadget>),
    /// plonky2's Poseidon permutation: 12 inputs, 12 outputs, and the swap flag, which is zero.
    Poseidon,
    /// `y = W x`, to be cut into tiles.
    MatVec(Matrix),
}

/// Equal instances of one statement: what they are and how many, but not of which values.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Where it comes from, for people: `layer 3 conv2d`, or `%3 conv2d` for a node of no layer.
    pub label: String,
    /// What is stated.
    pub kind: Kind,
    /// How many instances there are. A matrix-vector product is one.
    pub count: usize,
    /// Instances come in runs of so many, one run after the other. An instance may read what those before it in its run
    /// give, and nothing that other instances of the block give.
    pub run: usize,
    /// The row constants of each instance.
    pub constants: RowConstants,
    /// Demands with the same key, a node and a part of it, get rows of their own; those without share the common rows.
    pub own_rows: Option<(usize, usize)>,
}

impl Demand {
    /// So many instances of a gadget, in the common rows.
    pub fn new(label: impl Into<String>, gadget: impl Into<Gadget>, count: usize) -> Self {
        Self::of(label, Kind::Gadget(Arc::new(gadget.into())), count)
    }

    /// So many permutations.
    pub fn poseidon(label: impl Into<String>, count: usize) -> Self {
        Self::of(label, Kind::Poseidon, count)
    }

    /// A matrix-vector product.
    pub fn product(label: impl Into<String>, matrix: Matrix) -> Self {
        Self::of(label, Kind::MatVec(matrix), 1)
    }

    fn of(label: impl Into<String>, kind: Kind, count: usize) -> Self {
        Self { label: label.into(), kind, count, run: 1, constants: RowConstants::None, own_rows: None }
    }

    /// The same in rows of its own.
    pub fn in_own_rows(self, node: usize, part: usize) -> Self {
        Self { own_rows: Some((node, part)), ..self }
    }

    /// The same, each instance of a run of so many reading what those before it give.
    pub fn in_runs(self, run: usize) -> Self {
        Self { run, ..self }
    }

    /// The same with row constants.
    pub fn with_constants(self, constants: RowConstants) -> Self {
        Self { constants, ..self }
    }

    /// The gadget, where it is one.
    pub fn gadget(&self) -> Option<&Arc<Gadget>> {
        match &self.kind {
            Kind::Gadget(gadget) => Some(gadget),
            Kind::Poseidon | Kind::MatVec(_) => None,
        }
    }

    /// The wires of an instance, where it is one of a gadget.
    pub fn shape(&self) -> Option<Shape> {
        self.gadget().map(|gadget| gadget.shape())
    }

    /// The rows that instances of this shape take if they have rows of their own of about `width` wires, and how many lie in a
    /// row. Only linear ones lie side by side: each other one is evaluated at every point.
    pub fn in_rows_of(&self, shape: Shape, width: usize) -> [usize; 2] {
        let is_linear = self.gadget().is_some_and(|gadget| gadget.is_linear());
        let most = if is_linear { (width / shape.wires()).max(1) } else { 1 };
        let rows = self.count.div_ceil(most);
        [rows, self.count.div_ceil(rows.max(1))]
    }

    /// The matrix, where there is one.
    pub fn matrix(&self) -> Option<&Matrix> {
        match &self.kind {
            Kind::MatVec(matrix) => Some(matrix),
            Kind::Gadget(_) | Kind::Poseidon => None,
        }
    }

    /// How many permutations it takes.
    pub fn permutations(&self) -> usize {
        if matches!(self.kind, Kind::Poseidon) { self.count } else { 0 }
    }
}

/// A demand that is met: its instances state something of values.
#[derive(Clone, Debug)]
pub struct Block {
    /// What is stated, and how often.
    pub demand: Demand,
    /// The values at the routed wires, one instance after the other, each inputs first. Of a matrix-vector product that is
    /// not cut yet: `x`, then `y`.
    pub wiring: Vec<Value>,
}
