//! zknn compiles neural networks to zero-knowledge circuits.
//!
//! A model in JSON ([`front`]) becomes a graph in the intermediate representation ([`zknn_ir`]), is rewritten to
//! integers, laid out in rows and columns ([`plan`]), and proved and verified with plonky2 ([`circuit`]). Circuits,
//! verifying keys and proofs are files ([`artifact`]).

pub mod artifact;
pub mod circuit;
mod diagnose;
pub mod front;
pub mod gadget;
pub mod input;
pub mod nn;
pub mod passes;
mod pipeline;
pub mod plan;

pub use pipeline::{Circuit, CompileError, LoadError, ProofError, RejectError, compile, verify};

use zknn_ir::Graph;

use front::{LayerDiagnostic, Model};
use passes::Context;

/// The input range of a model that declares none: that of a signed byte.
pub const DEFAULT_INPUT_RANGE: (i64, i64) = (-128, 127);

/// The model as a graph of integers, which computes exactly what the model does on integers in the input range.
///
/// The observer sees the graph as lowered and after each pass, with the names that [`passes::names`] lists.
///
/// # Errors
///
/// A diagnostic that points at the layer to blame, for instance at a weight that is not an integer.
pub fn lower_exact(
    model: &Model,
    input_range: (i64, i64),
    observer: &mut dyn FnMut(&str, &Graph),
) -> Result<Graph, Box<LayerDiagnostic>> {
    let lowered = front::lower(model);
    let mut graph = lowered.map_err(|error| diagnose::lowering(model, &error))?;
    let context = Context { input_range };
    passes::run(&mut graph, &context, observer).map_err(|error| diagnose::pass(model, &error))?;
    Ok(graph)
}
