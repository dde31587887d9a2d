//! Numbers that were too large for the room that rounding left them.

use serde::Serialize;
use std::fmt;
use zknn_ir::eval::Values;
use zknn_ir::{Graph, NodeId, Op};

/// How many numbers of a tensor were saturated: the end of a range stands in their place, though the network has no such end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Saturation {
    /// The layer of the model that the tensor belongs to, counted from zero, where that is known.
    pub layer: Option<usize>,
    /// How many there are.
    pub saturated: usize,
    /// Of how many.
    pub numbers: usize,
}

/// What was saturated when a program was evaluated, on one input or on many, in the order of computation; tensors with no such
/// number are left out.
pub fn saturations(graph: &Graph, values: &Values<i64>) -> Vec<Saturation> {
    let of_node = |id| {
        let saturated = saturated(graph, values, id);
        (saturated > 0).then(|| Saturation { layer: graph.node(id).layer, saturated, numbers: values.get(id).len() })
    };
    graph.topological().into_iter().filter_map(of_node).collect()
}

impl fmt::Display for Saturation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, saturated, numbers } = self;
        match layer {
            Some(layer) => write!(f, "{saturated} of {numbers} in layer {layer}"),
            None => write!(f, "{saturated} of {numbers}"),
        }
    }
}

/// How many numbers of a node are.
pub(crate) fn saturated(graph: &Graph, values: &Values<i64>, id: NodeId) -> usize {
    let Op::Requantize(op) = &graph.node(id).op else { return 0 };
    // Without a batch, and with one before all other axes, the last axis tells the channel.
    let operands = values.get(graph.operands(id)[0]);
    operands.iter().enumerate().filter(|&(position, &value)| op.saturates(position, value)).count()
}

/// All of them in a line.
pub fn list(saturations: &[Saturation]) -> String {
    let texts: Vec<String> = saturations.iter().map(Saturation::to_string).collect();
    texts.join(", ")
}
