//! The validator. A graph it accepts can be evaluated, planned, emitted and serialized without a panic.
//!
//! It holds that
//!
//! - there is an input node, and an output was chosen; all outputs are nodes of the graph;
//! - no node depends on its own result;
//! - every node has as many operands as its operation takes;
//! - no tensor, weights included, lacks axes or has an axis of length zero, and none has more than
//!   [`crate::MAX_ELEMENTS`] elements;
//! - shapes fit: kernels their images, matrices their vectors, biases their channels, windows tile;
//! - numbers fit: weights are of the kind of the operand, real ones finite; scales are positive and finite;
//!   a bias has the scale of the products it is added to;
//! - the input interval is not empty, and every integer and every partial sum that an input inside it can
//!   lead to lies within ±2^62;
//! - the parameters of normalize and requantize are in range;
//! - the fact stored with each node is the one that [`crate::infer()`] gives for the facts stored with its
//!   operands, from which it follows by induction that every stored fact is true.

use std::collections::HashSet;

use thiserror::Error;

use crate::{Fact, Graph, InferError, NodeId};

/// One way in which a graph is not valid.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Violation {
    /// Nothing to start from.
    #[error("the graph has no input")]
    NoInput,
    /// No output was chosen, or a chosen one is no node of the graph.
    #[error("the graph has no output")]
    NoOutput,
    /// A node that depends on its own result.
    #[error("{node} depends on itself")]
    Cycle {
        /// One node of the cycle.
        node: NodeId,
    },
    /// An operation that does not fit its operands.
    #[error("{node}: {error}")]
    Infer {
        /// The node.
        node: NodeId,
        /// The model layer it came from.
        layer: Option<usize>,
        /// Why it does not fit.
        error: Box<InferError>,
    },
    /// A node whose fact is not what its operation yields.
    #[error("{node} is said to be {stored}, it is {inferred}")]
    FactDiffers {
        /// The node.
        node: NodeId,
        /// The model layer it came from.
        layer: Option<usize>,
        /// What is stored.
        stored: Box<Fact>,
        /// What follows from the operands.
        inferred: Box<Fact>,
    },
}

/// Recomputes everything the graph claims about itself.
///
/// # Errors
///
/// *All* violations: those of the graph as a whole first, then node by node in topological order. One wrong
/// fact is one violation; nodes behind it are judged by what is stored.
pub fn validate(graph: &Graph) -> Result<(), Vec<Violation>> {
    let mut violations = structure(graph);
    let mut done = HashSet::new();
    for node in graph.topological() {
        if graph.operands(node).iter().any(|operand| !done.contains(operand)) {
            violations.push(Violation::Cycle { node });
        }
        done.insert(node);
        let layer = graph.node(node).layer;
        let stored = &graph.node(node).fact;
        match graph.infer_node(node) {
            Err(error) => violations.push(Violation::Infer { node, layer, error: Box::new(error) }),
            Ok(inferred) if inferred != *stored => violations.push(Violation::FactDiffers {
                node,
                layer,
                stored: Box::new(stored.clone()),
                inferred: Box::new(inferred),
            }),
            Ok(_) => {}
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// The violations of the graph as a whole; cheap, for it looks at no weights.
pub(crate) fn structure(graph: &Graph) -> Vec<Violation> {
    let mut violations = Vec::new();
    if graph.inputs().is_empty() {
        violations.push(Violation::NoInput);
    }
    if graph.outputs().is_empty() || !graph.outputs().iter().all(|&id| graph.contains(id)) {
        violations.push(Violation::NoOutput);
    }
    violations
}

#[cfg(test)]
mod tests;
