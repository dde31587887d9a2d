//! From the IR to rows and columns.
//!
//! Each operation offers candidates, ways to be stated (`op`), with what they take (`demand`). The search (`search`) adds
//! that up and lays it out (`layout`) for one choice after the other; what it ends at is written (`program`).

mod choices;
mod constants;
mod cost;
mod demand;
mod ends;
mod error;
mod fill;
mod layout;
mod matrix;
mod node;
mod op;
mod print;
mod program;
mod search;
mod size;
mod tiles;
mod values;

pub use choices::Choices;
pub use constants::RowConstants;
pub use cost::Cost;
pub use demand::{Block, Demand, Kind};
pub use ends::SPONGE_WIDTH;
pub use error::PlanError;
pub use fill::{Fills, RowFill};
pub use layout::{Layout, Placement, RowKind, Segment, Slot, wiring};
pub use matrix::Matrix;
pub use op::{Cut, Way};
pub use program::{Program, Tensor};
pub use size::LeastSize;
pub use tiles::TileShape;
pub use values::Value;

pub use crate::gadget::Place;
pub use zknn_verifier::artifact::{DIGEST, commitment_domain};
pub use zknn_verifier::row::{
    MAX_COLUMNS, MAX_DEGREE_BITS, MAX_ROWS, POSEIDON_CONSTRAINTS, POSEIDON_ROUTED, POSEIDON_WIRES, Part,
    row_constraints, soundness, sum, total,
};
pub use zknn_verifier::security;
pub use zknn_verifier::visibility::{Claims, Each, OutputVisibility, Visibility};

use program::{Picks, Statable};
use security::Scheme;
use zknn_ir::Graph;

/// A program and where it lies.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The statements.
    pub program: Program,
    /// Their places.
    pub layout: Layout,
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
    pub fn new(graph: &Graph, claims: impl Into<Claims>, scheme: Scheme) -> Result<Self, PlanError> {
        let statable = statable(graph, claims.into())?;
        LeastSize::of_all(&statable).check(scheme)?;
        let (picks, layout) = search::cheapest(&statable, scheme)?;
        Ok(Self::write(&statable, &picks, layout))
    }

    /// The plan for `graph` that these choices were made for, without a search.
    ///
    /// # Errors
    /// As [`Plan::new`]; or the choices were made for another graph.
    pub fn replay(
        graph: &Graph,
        claims: impl Into<Claims>,
        scheme: Scheme,
        choices: &Choices,
    ) -> Result<Self, PlanError> {
        let statable = statable(graph, claims.into())?;
        let picks = statable.picks(&choices.ways).ok_or(PlanError::Choices)?;
        let demands = statable.demands(&picks);
        LeastSize::of(&demands).check(scheme)?;
        let layout = Layout::replay(&demands, scheme, choices).ok_or(PlanError::Choices)?;
        Ok(Self::write(&statable, &picks, layout))
    }

    fn write(statable: &Statable<'_>, picks: &Picks, layout: Layout) -> Self {
        let mut program = statable.write(picks);
        program.cut(layout.tile);
        let choices = Choices::of(statable.ways(picks), &layout);
        Self { program, layout, choices }
    }
}

/// The ways to state a graph, of numbers that a circuit may have.
fn statable(graph: &Graph, claims: Claims) -> Result<Statable<'_>, PlanError> {
    if graph.elements() > MAX_ELEMENTS {
        return Err(PlanError::TooLarge { max_rows: MAX_ROWS });
    }
    Statable::new(graph, claims)
}

#[cfg(test)]
impl Plan {
    /// Plans between which every candidate of every node occurs, cheap or not.
    pub fn with_every_candidate(graph: &Graph, claims: impl Into<Claims>, scheme: Scheme) -> Vec<Self> {
        Self::of_all_candidates(graph, claims, scheme).expect("plans")
    }

    /// The same, of a graph that may have no plan.
    pub fn of_all_candidates(graph: &Graph, claims: impl Into<Claims>, scheme: Scheme) -> Result<Vec<Self>, PlanError> {
        let statable = statable(graph, claims.into())?;
        let most = statable.open().map(|(_, candidates)| candidates.len()).max().unwrap_or(1);
        let plan = |n: usize| {
            let picks: Picks = statable.open().map(|(id, candidates)| (id, n.min(candidates.len() - 1))).collect();
            let layout = search::cheapest_of(&statable, &picks, scheme)?;
            Ok(Self::write(&statable, &picks, layout))
        };
        (0..most).map(plan).collect()
    }
}

#[cfg(test)]
mod interval;
#[cfg(test)]
mod margin_tests;
#[cfg(test)]
mod tests;
