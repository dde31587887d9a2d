//! The serde forms of weights and graphs.
//!
//! A graph is stored as a plain list of operations in topological order. Facts are not stored: reading
//! infers them, so a file cannot claim what does not follow. Reading an untrusted file yields a graph with
//! true facts, one input and an output, or an error, and never panics; memory grows only with bytes that
//! were really there, as long as the format checks lengths likewise.

use std::borrow::Cow;

use ndarray::{ArcArray, IxDyn};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fact::element_count;
use crate::validate::structure;
use crate::weights::contiguous;
use crate::{Graph, NodeId, Op, Weights};

#[derive(Serialize, Deserialize)]
enum WeightsForm<'a> {
    Real { shape: Cow<'a, [usize]>, data: Cow<'a, [f64]> },
    Fixed { shape: Cow<'a, [usize]>, scale: f64, data: Cow<'a, [i64]> },
}

#[derive(Serialize, Deserialize)]
struct GraphForm<'a> {
    nodes: Vec<NodeForm<'a>>,
    output: u32,
}

#[derive(Serialize, Deserialize)]
struct NodeForm<'a> {
    op: Cow<'a, Op>,
    operands: Vec<u32>,
    layer: Option<usize>,
}

impl Serialize for Weights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shape = Cow::Borrowed(self.shape());
        match self {
            Weights::Real(data) => WeightsForm::Real { shape, data: contiguous(data) },
            Weights::Fixed { data, scale } => WeightsForm::Fixed { shape, scale: *scale, data: contiguous(data) },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match WeightsForm::deserialize(deserializer)? {
            WeightsForm::Real { shape, data } => Weights::Real(tensor(&shape, data)?),
            WeightsForm::Fixed { shape, scale, data } => Weights::Fixed { data: tensor(&shape, data)?, scale },
        })
    }
}

fn tensor<T: Clone, E: serde::de::Error>(shape: &[usize], data: Cow<'_, [T]>) -> Result<ArcArray<T, IxDyn>, E> {
    if element_count(shape) != Some(data.len()) {
        return Err(E::custom(format!("shape {shape:?} does not have {} elements", data.len())));
    }
    let mut data = data.into_owned();
    data.shrink_to_fit();
    ArcArray::from_shape_vec(shape, data).map_err(E::custom)
}

impl Serialize for Graph {
    /// # Errors
    ///
    /// For a graph without an output, or one that could not be read back because its facts are stale.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(violation) = structure(self).into_iter().next() {
            return Err(S::Error::custom(violation));
        }
        if self.is_stale() {
            return Err(S::Error::custom("the graph's facts are stale"));
        }
        let position = |at: usize| u32::try_from(at).map_err(|_| S::Error::custom("the graph has too many nodes"));
        let listing = self.listing();
        let nodes = listing
            .nodes
            .iter()
            .map(|listed| {
                let node = self.node(listed.id);
                Ok(NodeForm {
                    op: Cow::Borrowed(&node.op),
                    operands: listed.operands.iter().map(|&at| position(at)).collect::<Result<_, _>>()?,
                    layer: node.layer,
                })
            })
            .collect::<Result<_, S::Error>>()?;
        let output = listing.output.ok_or_else(|| S::Error::custom("the graph has no output"))?;
        GraphForm { nodes, output: position(output)? }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = GraphForm::deserialize(deserializer)?;
        let mut graph = Graph::new();
        let mut ids: Vec<NodeId> = Vec::new();
        let find = |ids: &[NodeId], at: u32| {
            ids.get(at as usize)
                .copied()
                .ok_or_else(|| D::Error::custom(format!("no node {at} among the first {}", ids.len())))
        };
        for (at, node) in form.nodes.into_iter().enumerate() {
            let operands = node.operands.iter().map(|&operand| find(&ids, operand)).collect::<Result<Vec<_>, _>>()?;
            let id = graph
                .add(node.op.into_owned(), &operands, node.layer)
                .map_err(|error| D::Error::custom(format!("node {at}: {error}")))?;
            ids.push(id);
        }
        graph.set_output(find(&ids, form.output)?);
        match structure(&graph).into_iter().next() {
            Some(violation) => Err(D::Error::custom(violation)),
            None => Ok(graph),
        }
    }
}

#[cfg(test)]
mod tests;
