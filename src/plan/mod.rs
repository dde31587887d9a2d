//! From the IR to rows and columns.

mod choices;
mod cost;
mod fill;
mod layout;
mod print;
mod program;
pub mod security;
mod size;
mod tiles;
mod visibility;

pub use choices::Choices;
pub use cost::Cost;
pub use fill::RowFill;
pub use layout::{
    Layout, MAX_COLUMNS, MAX_ROWS, POSEIDON_CONSTRAINTS, POSEIDON_ROUTED, POSEIDON_WIRES, Part, Placement, RowKind,
    Slot, row_constraints, soundness, total, wiring,
};
pub use program::{Block, DIGEST, Kind, Matrix, Program, SPONGE_WIDTH, Value, commitment_domain};
pub use size::LeastSize;
pub use tiles::{Tile, TileShape, Tiles};
pub use visibility::{Exposure, OutputVisibility, Visibility};

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
    /// What it does not take from the program.
    pub choices: Choices,
}

/// More elements than this in all tensors together fit no circuit.
const MAX_ELEMENTS: usize = 1 << 28;

impl Plan {
    /// The cheapest plan for `graph`, whose numbers are all fixed. The same arguments always give the same plan.
    ///
    /// # Errors
    /// What can't be stated in the field, or fits no circuit.
    pub fn new(graph: &Graph, exposure: impl Into<Exposure>, scheme: Scheme) -> Result<Self, PlanError> {
        let exposure = exposure.into();
        check_size(graph, exposure, scheme)?;
        let choices = program::choices(graph);
        let first = choices.iter().map(|(id, lowerings)| (*id, lowerings[0])).collect();
        let mut best = Draft::new(graph, exposure, scheme, first);
        // One convolution after the other: trying all combinations would take too long for many.
        for (id, lowerings) in &choices {
            for &lowering in &lowerings[1..] {
                let mut changed = best.lowerings.clone();
                changed.insert(*id, lowering);
                best = best.or(Draft::new(graph, exposure, scheme, changed));
            }
        }
        best.finish(graph)
    }

    /// The plan for `graph` that these choices were made for, without a search.
    ///
    /// # Errors
    /// As [`Plan::new`]; or the choices were made for another graph.
    pub fn replay(
        graph: &Graph,
        exposure: impl Into<Exposure>,
        scheme: Scheme,
        choices: &Choices,
    ) -> Result<Self, PlanError> {
        let exposure = exposure.into();
        check_size(graph, exposure, scheme)?;
        let lowerings = choices.lowerings(graph).ok_or(PlanError::Choices)?;
        LeastSize::new(graph, exposure.input, &lowerings).check(scheme)?;
        let program = Program::new(graph, exposure, &lowerings)?;
        let layout = Layout::replay(&program, scheme, choices).ok_or(PlanError::Choices)?;
        Draft { lowerings, result: Ok((program, layout)) }.finish(graph)
    }

    /// Values in the table, partial sums included.
    pub fn values(&self) -> usize {
        self.program.values + self.tiles.partial_sums
    }
}

/// What is refused before anything is made.
fn check_size(graph: &Graph, exposure: Exposure, scheme: Scheme) -> Result<(), PlanError> {
    let (inputs, outputs) = (graph.inputs().len(), graph.outputs().len());
    if inputs > 1 || outputs > 1 {
        return Err(PlanError::SeveralEnds { inputs, outputs });
    }
    let elements: usize = graph.topological().iter().map(|&id| graph.node(id).fact.elements()).sum();
    if elements > MAX_ELEMENTS {
        return Err(PlanError::TooLarge { max_rows: MAX_ROWS });
    }
    LeastSize::of_any(graph, exposure.input).check(scheme)
}

#[cfg(test)]
impl Plan {
    /// Plans between which every way to state a convolution occurs, cheap or not.
    pub fn every_lowering(graph: &Graph, exposure: impl Into<Exposure>, scheme: Scheme) -> Vec<Self> {
        let exposure = exposure.into();
        let choices = program::choices(graph);
        let most = choices.iter().map(|(_, lowerings)| lowerings.len()).max().unwrap_or(1);
        let plan = |n: usize| {
            let nth = choices.iter().map(|(id, lowerings)| (*id, lowerings[n.min(lowerings.len() - 1)])).collect();
            Draft::new(graph, exposure, scheme, nth).finish(graph).expect("a plan")
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
    fn new(graph: &Graph, exposure: Exposure, scheme: Scheme, lowerings: Lowerings) -> Self {
        let is_small = LeastSize::new(graph, exposure.input, &lowerings).check(scheme);
        let program = is_small.and_then(|()| Program::new(graph, exposure, &lowerings));
        let result = program.and_then(|program| {
            let layout = Layout::cheapest(&program, scheme)?;
            Ok((program, layout))
        });
        Self { lowerings, result }
    }

    fn weight(&self) -> f64 {
        self.result.as_ref().map_or(f64::INFINITY, |(_, layout)| Cost::of(layout).weight())
    }

    /// The plan, with its tiles.
    fn finish(self, graph: &Graph) -> Result<Plan, PlanError> {
        let (program, layout) = self.result?;
        let tiles = Tiles::cut(&program, layout.tile);
        let choices = Choices::of(graph, &self.lowerings, &layout);
        Ok(Plan { program, layout, tiles, choices })
    }

    /// The cheaper one, and this one if they cost the same.
    fn or(self, other: Self) -> Self {
        if other.weight() < self.weight() { other } else { self }
    }
}

/// Why a graph has no circuit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More than one input or output.
    #[error("the network has {inputs} inputs and {outputs} outputs, and a circuit takes one of each")]
    SeveralEnds {
        /// How many inputs.
        inputs: usize,
        /// How many outputs.
        outputs: usize,
    },
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
    /// The choices of another graph, or of no planner.
    #[error("the choices of rows and columns are not for this program")]
    Choices,
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
    /// A round of the protocol is not as secure as it must be.
    #[error(
        "the {round} would have {bits} bits of security {regime}, of {LEVEL}, in the best layout that there is",
        LEVEL = security::SECURITY_BITS
    )]
    Insecure {
        /// The weakest round of the best layout.
        round: security::Round,
        /// The regime in which it falls short.
        regime: security::Regime,
        /// The bits that it reaches, rounded down.
        bits: usize,
    },
    /// More rows than any circuit has.
    #[error("the model needs more than {max_rows} rows, or too many wires in a row")]
    TooLarge {
        /// The most rows that were tried.
        max_rows: usize,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Insecure { .. } => {
                "the fewer cells a circuit has, rows times columns, the more secure it is: a smaller model has fewer"
            }
            _ => "a smaller input range or smaller weights make narrower intervals",
        }
    }
}

#[cfg(test)]
mod margin_tests;
#[cfg(test)]
mod tests;
