//! What the planner chose, as circuit files keep it.
//!
//! A plan is made again from its choices without a search. So loading a circuit takes no longer for a search that got better,
//! and a circuit stays what it is when the estimates that the search goes by have changed.

use super::fill::RowFill;
use super::layout::Layout;
use super::program::{Lowering, Lowerings, choices};
use super::tiles::TileShape;
use serde::{Deserialize, Serialize};
use zknn_ir::Graph;

/// What a plan does not take from its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// There are `2^degree_bits` rows.
    pub degree_bits: usize,
    /// How each convolution is stated, in topological order.
    pub lowerings: Vec<Lowering>,
    /// What fills the rows of each kind, from row 0 on.
    pub fills: Vec<RowFill>,
    /// The shape of the tiles of matrix-vector products, if there are any.
    pub tile: Option<TileShape>,
}

impl Choices {
    /// How many gadget instances, tiles aside, the rows of all kinds have room for if there is one row of each.
    pub fn parts(&self) -> usize {
        let counts = self.fills.iter().flat_map(|fill| &fill.slots).map(|&(_, count)| count);
        counts.fold(0, usize::saturating_add)
    }

    /// Those that the layout of a graph, whose convolutions are stated as `lowerings` says, was made by.
    pub(super) fn of(graph: &Graph, lowerings: &Lowerings, layout: &Layout) -> Self {
        let lowering = |(id, ways): (_, Vec<Lowering>)| lowerings.get(&id).copied().unwrap_or(ways[0]);
        Self {
            degree_bits: layout.degree_bits,
            lowerings: choices(graph).into_iter().map(lowering).collect(),
            fills: layout.fills.clone(),
            tile: layout.tile,
        }
    }

    /// How each convolution of `graph` is stated; nothing if they are not as many, or not so stated by any planner.
    pub(super) fn lowerings(&self, graph: &Graph) -> Option<Lowerings> {
        let ways = choices(graph);
        let fits = ways.len() == self.lowerings.len()
            && ways.iter().zip(&self.lowerings).all(|((_, ways), lowering)| ways.contains(lowering));
        fits.then(|| ways.iter().map(|(id, _)| *id).zip(self.lowerings.iter().copied()).collect())
    }
}
