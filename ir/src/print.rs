//! The text form, written.

use std::fmt::{self, Write};

use crate::fact::Scale;
use crate::graph::Listed;
use crate::{Graph, Op, Requantize, Weights};

/// Weights of at most this many elements are printed element by element.
pub const INLINE_LIMIT: usize = 32;

/// The graph as text, one line a node; `IR.md` has the grammar.
///
/// Nodes are numbered from zero in topological order, whatever their [`crate::NodeId`]s are. Weights of more
/// than [`INLINE_LIMIT`] elements print as shape and [`Weights::short_digest`].
pub fn print(graph: &Graph) -> String {
    let mut text = String::new();
    // Writing to a string fails only if a `Display` of ours does, and none does.
    let _ = write_graph(&mut text, graph);
    text
}

fn write_graph(text: &mut String, graph: &Graph) -> fmt::Result {
    let listing = graph.listing();
    for (at, listed) in listing.nodes.iter().enumerate() {
        write!(text, "%{at} = ")?;
        write_node(text, graph, listed)?;
    }
    match listing.output {
        Some(at) => writeln!(text, "output %{at}"),
        None => Ok(()),
    }
}

fn write_node(text: &mut String, graph: &Graph, listed: &Listed) -> fmt::Result {
    let node = graph.node(listed.id);
    text.push_str(node.op.name());
    for operand in &listed.operands {
        write!(text, " %{operand}")?;
    }
    match &node.op {
        Op::Input { .. } | Op::Relu | Op::Flatten | Op::Argmax => {}
        Op::Conv2d { kernel, bias } => {
            write_weights(text, "kernel", kernel)?;
            write_bias(text, bias.as_ref())?;
        }
        Op::Dense { weights, bias } => {
            write_weights(text, "weights", weights)?;
            write_bias(text, bias.as_ref())?;
        }
        Op::MaxPool { window, relu } => {
            write!(text, " window={window:?}")?;
            if *relu {
                text.push_str(" relu");
            }
        }
        Op::Normalize { fraction_bits } => write!(text, " fraction_bits={fraction_bits}")?,
        Op::Requantize(Requantize { multipliers, shift, lo, hi, scale }) => {
            write!(text, " multipliers={multipliers:?} shift={shift} clamp={lo}..={hi} scale {}", Scale(*scale))?;
        }
    }
    if let Some(layer) = node.layer {
        write!(text, " layer={layer}")?;
    }
    writeln!(text, " : {}", node.fact)
}

fn write_bias(text: &mut String, bias: Option<&Weights>) -> fmt::Result {
    bias.map_or(Ok(()), |bias| write_weights(text, "bias", bias))
}

fn write_weights(text: &mut String, name: &str, weights: &Weights) -> fmt::Result {
    let shape = weights.shape();
    match weights {
        Weights::Real(_) => write!(text, " {name}=real{shape:?} ")?,
        Weights::Fixed { scale, .. } => {
            write!(text, " {name}=fixed{shape:?} scale {} ", Scale(*scale))?;
        }
    }
    match weights {
        _ if weights.len() > INLINE_LIMIT => write!(text, "#{}", weights.short_digest()),
        Weights::Real(data) => write!(text, "{:?}", data.iter().collect::<Vec<_>>()),
        Weights::Fixed { data, .. } => write!(text, "{:?}", data.iter().collect::<Vec<_>>()),
    }
}

#[cfg(test)]
mod tests;
