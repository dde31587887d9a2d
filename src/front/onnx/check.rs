//! What must be so of a graph before its nodes are read: versions, and names.

use std::collections::{HashMap, HashSet};

use super::super::error::{FrontError, Problem, Result};
use super::functions::Placed;
use super::node::Node;
use super::proto::{GraphProto, NodeProto, OperatorSetIdProto};

/// The versions of ONNX's own operators that are known.
const KNOWN: std::ops::RangeInclusive<i64> = 6..=28;

/// The version of each domain's operators.
#[derive(Debug, Clone)]
pub(super) struct Versions(HashMap<String, i64>);

impl Versions {
    pub(super) fn of(sets: &[OperatorSetIdProto]) -> Self {
        Self(sets.iter().map(|set| (domain(&set.domain).to_string(), set.version)).collect())
    }

    pub(super) fn get(&self, of: &str) -> Option<i64> {
        self.0.get(domain(of)).copied()
    }

    /// These, and those of others for domains that are not among them.
    pub(super) fn or(self, others: &Versions) -> Self {
        let mut all = others.0.clone();
        all.extend(self.0);
        Self(all)
    }

    /// Refuses a version that is not known.
    pub(super) fn check(&self) -> Result<()> {
        match self.get("") {
            Some(version) if !KNOWN.contains(&version) => {
                let (least, most) = (*KNOWN.start(), *KNOWN.end());
                Err(FrontError::unplaced(Problem::OnnxVersion { version, least, most }))
            }
            _ => Ok(()),
        }
    }
}

/// A domain has a name, and ONNX's own two.
pub(super) fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

/// Every name has one definition, which comes before it is read.
pub(super) fn names(graph: &GraphProto, nodes: &[Placed]) -> Result<()> {
    let mut defined: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    let problem =
        |name: &str, message: String| Err(FrontError::unplaced(Problem::OnnxName { name: name.to_string(), message }));
    let mut tensors = HashSet::new();
    for tensor in &graph.initializer {
        if !tensors.insert(tensor.name.as_str()) {
            return problem(&tensor.name, format!("two tensors are called `{}`", tensor.name));
        }
    }
    // An initializer may also be listed among the inputs.
    defined.extend(tensors);
    for Placed { proto, .. } in nodes {
        let node = Node { proto, version: 0 };
        for read in proto.input.iter().filter(|read| !read.is_empty()) {
            if !defined.contains(read.as_str()) {
                let is_later = nodes.iter().any(|other| other.proto.output.contains(read));
                let why = if is_later { "before a node has given it, or in a circle" } else { "and nothing gives it" };
                return problem(
                    node.name(),
                    format!("node `{}` ({}) reads `{read}` {why}", node.name(), proto.op_type),
                );
            }
        }
        for output in proto.output.iter().filter(|output| !output.is_empty()) {
            if !defined.insert(output) {
                return problem(
                    output,
                    format!("`{output}` is given twice, by node `{}` ({}) too", node.name(), proto.op_type),
                );
            }
        }
    }
    Ok(())
}

/// Which nodes tensors of these names depend on, and the names of all that these read.
pub(super) fn needed<'a>(nodes: &'a [Placed], outputs: &'a [String]) -> (Vec<bool>, HashSet<&'a str>) {
    let mut names: HashSet<&str> = outputs.iter().map(String::as_str).collect();
    let mut needed = vec![false; nodes.len()];
    for (Placed { proto, .. }, needed) in nodes.iter().zip(&mut needed).rev() {
        if proto.output.iter().any(|output| names.contains(output.as_str())) {
            *needed = true;
            reads(proto, &mut names);
        }
    }
    (needed, names)
}

/// The names that a node reads, and the nodes of graphs within it.
fn reads<'a>(node: &'a NodeProto, names: &mut HashSet<&'a str>) {
    names.extend(node.input.iter().map(String::as_str));
    let graphs = node.attribute.iter().filter_map(|attribute| attribute.g.as_ref());
    for graph in graphs {
        names.extend(graph.output.iter().map(|output| output.name.as_str()));
        graph.node.iter().for_each(|node| reads(node, names));
    }
}
