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
    Slot, row_constraints, total, wiring,
};
pub use program::{Block, DIGEST, Kind, Matrix, Program, SPONGE_WIDTH, Value, Visibility};
pub use tiles::{Tile, TileShape, Tiles};

pub use crate::gadget::Place;

use program::Lowerings;
use security::Scheme;
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
        let choices = program::choices(graph);
        let first = choices.iter().map(|(id, lowerings)| (*id, lowerings[0])).collect();
        let mut best = Draft::new(graph, visibility, scheme, first);
        // One convolution after the other: trying all combinations would take too long for many.
        for (id, lowerings) in &choices {
            for &lowering in &lowerings[1..] {
                let mut changed = best.lowerings.clone();
                changed.insert(*id, lowering);
                best = best.or(Draft::new(graph, visibility, scheme, changed));
            }
        }
        let (program, layout) = best.result?;
        let tiles = Tiles::cut(&program, layout.tile);
        Ok(Self { program, layout, tiles })
    }

    /// Values in the table, partial sums included.
    pub fn values(&self) -> usize {
        self.program.values + self.tiles.partial_sums
    }
}

#[cfg(test)]
impl Plan {
    /// Plans between which every way to state a convolution occurs, cheap or not.
    pub fn every_lowering(graph: &Graph, visibility: Visibility, scheme: Scheme) -> Vec<Self> {
        let choices = program::choices(graph);
        let most = choices.iter().map(|(_, lowerings)| lowerings.len()).max().unwrap_or(1);
        let plan = |n: usize| {
            let nth = choices.iter().map(|(id, lowerings)| (*id, lowerings[n.min(lowerings.len() - 1)])).collect();
            let (program, layout) = Draft::new(graph, visibility, scheme, nth).result.expect("a plan");
            let tiles = Tiles::cut(&program, layout.tile);
            Self { program, layout, tiles }
        };
        (0..most).map(plan).collect()
    }
}

/// One way to lay a graph out, or why it can't be.
struct Draft {
    lowerings: Lowerings,
    result: Result<(Program, Layout), PlanError>,
}

impl Draft {
    fn new(graph: &Graph, visibility: Visibility, scheme: Scheme, lowerings: Lowerings) -> Self {
        let program = Program::new(graph, visibility, &lowerings);
        let result = program.and_then(|program| {
            let layout = Layout::cheapest(&program, scheme)?;
            Ok((program, layout))
        });
        Self { lowerings, result }
    }

    fn weight(&self) -> f64 {
        self.result.as_ref().map_or(f64::INFINITY, |(_, layout)| Cost::of(layout).weight())
    }

    /// The cheaper one, and this one if they cost the same.
    fn or(self, other: Self) -> Self {
        if other.weight() < self.weight() { other } else { self }
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
    /// Soundness asks for more challenge sets than blinding can hide.
    #[error(
        "a circuit this large needs {sets} challenge sets, and zero knowledge holds for at most {MAX}",
        MAX = security::MAX_BLINDED_SETS
    )]
    BlindedSets {
        /// The fewest that any layout needs.
        sets: usize,
    },
    /// More rows than any circuit has.
    #[error("the model needs more than {max_rows} rows, or too many wires in a row")]
    TooLarge {
        /// The most rows that were tried.
        max_rows: usize,
    },
}

#[cfg(test)]
mod margin_tests;
#[cfg(test)]
mod tests;
