//! From the IR to rows and columns.

mod cost;
mod layout;
mod print;
mod program;
pub mod security;
mod tiles;

pub use cost::Cost;
pub use layout::{
    Layout, MAX_COLUMNS, MAX_ROWS, POSEIDON_CONSTRAINTS, POSEIDON_ROUTED, POSEIDON_WIRES, Part, Placement, RowKind,
    Slot, total, wiring,
};
pub use program::{Block, DIGEST, Kind, Matrix, Program, SPONGE_WIDTH, Value, Visibility};
pub use tiles::{Tile, TileShape, Tiles};

pub use crate::gadget::Place;

use security::Scheme;
use std::collections::HashSet;
use zknn_ir::Graph;

/// A program and where it lies.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The statements.
    pub program: Program,
    /// Their places.
    pub layout: Layout,
    /// The tiles of the matrix-vector products.
    pub tiles: Tiles,
}

/// More elements than this in all tensors together fit no circuit.
const MAX_ELEMENTS: usize = 1 << 28;

/// Convolutions beyond this many are all fused rather than tried both ways.
const MAX_FUSION_CHOICES: usize = 4;

impl Plan {
    /// The cheapest plan for `graph`, whose numbers are all fixed. The same arguments always give the same plan.
    ///
    /// # Errors
    /// What can't be stated in the field, or fits no circuit.
    pub fn new(graph: &Graph, visibility: Visibility, scheme: Scheme) -> Result<Self, PlanError> {
        let elements: usize = graph.topological().iter().map(|&id| graph.node(id).fact.elements()).sum();
        if elements > MAX_ELEMENTS {
            return Err(PlanError::TooLarge { max_rows: MAX_ROWS });
        }
        let fusable = program::fusable(graph);
        let choices = if fusable.len() <= MAX_FUSION_CHOICES { 1 << fusable.len() } else { 1 };
        let mut best: Option<(f64, Program, Layout)> = None;
        let mut failure = PlanError::TooLarge { max_rows: MAX_ROWS };
        for choice in 0..choices {
            let is_fused = |i: usize| choice & (1 << i) == 0;
            let fused: HashSet<_> = (0..fusable.len()).filter(|&i| is_fused(i)).map(|i| fusable[i]).collect();
            let program = Program::new(graph, visibility, &fused)?;
            match Layout::cheapest(&program, scheme) {
                Ok(layout) => {
                    let seconds = Cost::of(&layout).seconds;
                    if best.as_ref().is_none_or(|(least, _, _)| seconds < *least) {
                        best = Some((seconds, program, layout));
                    }
                }
                Err(error) => failure = error,
            }
        }
        let (_, program, layout) = best.ok_or(failure)?;
        let tiles = Tiles::cut(&program, layout.tile);
        Ok(Self { program, layout, tiles })
    }

    /// Values in the table, partial sums included.
    pub fn values(&self) -> usize {
        self.program.values + self.tiles.partial_sums
    }
}

/// Why a graph has no circuit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A real number where only integers can be proved.
    #[error("{node} has real numbers, and only fixed-point ones can be proved")]
    NotFixed {
        /// The node.
        node: String,
    },
    /// Two values of the interval could differ by so much that the field confuses their order.
    #[error("{node} compares values in {lo}..={hi}, which is wider than 2^62")]
    TooWide {
        /// The node.
        node: String,
        /// Lower end.
        lo: i64,
        /// Upper end.
        hi: i64,
    },
    /// A normalization that the circuit's integers are not made for.
    #[error(
        "{node} has {elements} elements at {fraction_bits} fraction bits; the circuit normalizes up to {MAX} at {BITS}",
        MAX = crate::gadget::MAX_ELEMENTS,
        BITS = crate::gadget::FRACTION_BITS
    )]
    Normalize {
        /// The node.
        node: String,
        /// Its fraction bits.
        fraction_bits: u32,
        /// Its elements.
        elements: usize,
    },
    /// The circuit is beyond a limit.
    #[error("the circuit would have an impossible {what}")]
    Impossible {
        /// What of it.
        what: &'static str,
    },
    /// More rows than any circuit has.
    #[error("the model needs more than {max_rows} rows, or too many wires in a row")]
    TooLarge {
        /// The most rows that were tried.
        max_rows: usize,
    },
}

#[cfg(test)]
mod tests;
