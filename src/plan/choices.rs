//! What the planner chose, as circuit files keep it.
//!
//! A plan is made again from its choices without a search. So loading a circuit takes no longer for a search that got better,
//! and a circuit stays what it is when the estimates that the search goes by have changed.

use super::fill::Fills;
use super::layout::Layout;
use super::op::Way;
use super::tiles::TileShape;
use serde::{Deserialize, Serialize};

/// What a plan does not take from its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// There are `2^degree_bits` rows.
    pub degree_bits: usize,
    /// How the nodes are stated that are not stated whole: their places in topological order, ascending, and the ways.
    pub ways: Vec<(usize, Way)>,
    /// What fills the rows.
    pub fills: Fills,
    /// The shape of the tiles of matrix-vector products, if there are any.
    pub tile: Option<TileShape>,
}

impl Choices {
    /// How many gadget instances, tiles aside, the rows of all kinds have room for if there is one row of each.
    pub fn parts(&self) -> usize {
        self.fills.parts()
    }

    /// Those that a layout of statements in these ways was made by.
    pub(super) fn of(ways: Vec<(usize, Way)>, layout: &Layout) -> Self {
        Self { degree_bits: layout.degree_bits, ways, fills: layout.fills.clone(), tile: layout.tile }
    }
}
