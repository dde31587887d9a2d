//! The table of values, while statements are written about them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use zknn_ir::NodeId;

/// Index of a value in the table. Wires that hold one value are tied by copy constraints.
pub type Value = u32;

/// The value that is always 0.
pub const ZERO: Value = 0;
/// The value that is always 1.
pub const ONE: Value = 1;

/// Which values there are, and which of them each tensor consists of.
#[derive(Default)]
pub(super) struct Values {
    next: Value,
    /// The values of each tensor that was written, in row-major order: any values, in any order, so that an operation
    /// that only moves numbers is a list of what is there already.
    tensors: HashMap<NodeId, Arc<[Value]>>,
}

impl Values {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.next as usize
    }

    /// So many new ones.
    pub(super) fn fresh(&mut self, count: usize) -> Range<Value> {
        let start = self.next;
        self.next += count as Value;
        start..self.next
    }

    /// The tensor of a node, which is written already.
    pub(super) fn tensor(&self, id: NodeId) -> Arc<[Value]> {
        Arc::clone(&self.tensors[&id])
    }

    /// Says what a node's tensor consists of.
    pub(super) fn set(&mut self, id: NodeId, values: Arc<[Value]>) {
        self.tensors.insert(id, values);
    }

    /// So many new values; they are the node's tensor from now on.
    pub(super) fn fresh_tensor(&mut self, id: NodeId, elements: usize) -> Range<Value> {
        let values = self.fresh(elements);
        self.set(id, values.clone().collect());
        values
    }

    /// The tensor of a node, which is written already and has height, width and channels.
    pub(super) fn grid(&self, id: NodeId, shape: &[usize]) -> Grid {
        Grid { values: self.tensor(id), width: shape[1], channels: shape[2] }
    }
}

/// The values of a tensor with height, width and channels, in row-major order.
pub(super) struct Grid {
    values: Arc<[Value]>,
    width: usize,
    channels: usize,
}

impl Grid {
    /// The value at a place, if the tensor has it.
    pub(super) fn get(&self, row: usize, column: usize, channel: usize) -> Option<Value> {
        let row_length = self.width * self.channels;
        let is_inside = column < self.width && row < self.values.len() / row_length;
        is_inside.then(|| self.at(row, column, channel))
    }

    pub(super) fn at(&self, row: usize, column: usize, channel: usize) -> Value {
        self.values[(row * self.width + column) * self.channels + channel]
    }

    /// All channels of `count` positions from there on to the right.
    pub(super) fn span(&self, row: usize, column: usize, count: usize) -> &[Value] {
        &self.values[(row * self.width + column) * self.channels..][..count * self.channels]
    }
}
