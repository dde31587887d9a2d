//! The text form, written.

use std::fmt::{self, Write};

use crate::fact::Scale;
use crate::graph::Listed;
use crate::op::attribute::Visitor;
use crate::{Graph, Number, Weights};

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
    if listing.outputs.is_empty() {
        return Ok(());
    }
    text.push_str("output");
    for at in &listing.outputs {
        write!(text, " %{at}")?;
    }
    writeln!(text)
}

fn write_node(text: &mut String, graph: &Graph, listed: &Listed) -> fmt::Result {
    let node = graph.node(listed.id);
    text.push_str(node.op.name());
    for operand in &listed.operands {
        write!(text, " %{operand}")?;
    }
    // A visitor may change what it is shown, so it is shown a copy; weights are shared.
    node.op.clone().attributes(&mut Writer(text))?;
    if let Some(layer) = node.layer {
        write!(text, " layer={layer}")?;
    }
    writeln!(text, " : {}", node.fact)
}

/// Writes attributes, each after a space.
struct Writer<'a>(&'a mut String);

impl Visitor for Writer<'_> {
    type Error = fmt::Error;

    fn fact(&mut self, _: &mut Vec<usize>, _: &mut Number) -> fmt::Result {
        // It ends the line of every node.
        Ok(())
    }

    fn weights(&mut self, name: &'static str, weights: &mut Weights) -> fmt::Result {
        write_weights(self.0, name, weights)
    }

    fn optional_weights(&mut self, name: &'static str, weights: &mut Option<Weights>) -> fmt::Result {
        weights.as_ref().map_or(Ok(()), |weights| write_weights(self.0, name, weights))
    }

    fn bits(&mut self, name: &'static str, bits: &mut u32) -> fmt::Result {
        write!(self.0, " {name}={bits}")
    }

    fn flag(&mut self, name: &'static str, flag: &mut bool) -> fmt::Result {
        if *flag { write!(self.0, " {name}") } else { Ok(()) }
    }

    fn height_and_width(&mut self, name: &'static str, sides: &mut [usize; 2]) -> fmt::Result {
        write!(self.0, " {name}={sides:?}")
    }

    fn sides_unless(&mut self, name: &'static str, sides: &mut [usize; 2], usual: [usize; 2]) -> fmt::Result {
        if *sides == usual { Ok(()) } else { self.height_and_width(name, sides) }
    }

    fn count_unless_one(&mut self, name: &'static str, count: &mut usize) -> fmt::Result {
        if *count == 1 { Ok(()) } else { write!(self.0, " {name}={count}") }
    }

    fn lengths(&mut self, name: &'static str, lengths: &mut Vec<usize>) -> fmt::Result {
        write!(self.0, " {name}={lengths:?}")
    }

    fn lengths_unless_zero(&mut self, name: &'static str, lengths: &mut Vec<usize>, axes: usize) -> fmt::Result {
        if *lengths == vec![0; axes] { Ok(()) } else { self.lengths(name, lengths) }
    }

    fn axis(&mut self, axis: &mut usize) -> fmt::Result {
        write!(self.0, " axis={axis}")
    }

    fn indices(&mut self, name: &'static str, indices: &mut Vec<usize>) -> fmt::Result {
        write!(self.0, " {name}={indices:?}")
    }

    fn integers(&mut self, name: &'static str, integers: &mut Vec<i64>) -> fmt::Result {
        write!(self.0, " {name}={integers:?}")
    }

    fn interval(&mut self, name: &'static str, lo: &mut i64, hi: &mut i64) -> fmt::Result {
        write!(self.0, " {name}={lo}..={hi}")
    }

    fn scale(&mut self, scale: &mut f64) -> fmt::Result {
        write!(self.0, " scale {}", Scale(*scale))
    }
}

fn write_weights(text: &mut String, name: &str, weights: &Weights) -> fmt::Result {
    let shape = weights.shape();
    match weights {
        Weights::Real(_) => write!(text, " {name}=real{shape:?} ")?,
        Weights::Fixed { scale, .. } => {
            write!(text, " {name}=fixed{shape:?} scale {} ", Scale(*scale))?;
        }
        Weights::Scaled { scales, .. } => write!(text, " {name}=scaled{shape:?} scales {scales:?} ")?,
    }
    match weights {
        _ if weights.len() > INLINE_LIMIT => write!(text, "#{}", weights.short_digest()),
        Weights::Real(data) => write!(text, "{:?}", data.iter().collect::<Vec<_>>()),
        Weights::Fixed { data, .. } | Weights::Scaled { data, .. } => {
            write!(text, "{:?}", data.iter().collect::<Vec<_>>())
        }
    }
}

#[cfg(test)]
mod tests;
