//! The graph: operations, the edges between them, inputs and outputs.

use std::collections::{HashMap, HashSet};
use std::fmt;

use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;

use crate::{Fact, InferError, Op, infer};

/// Names a node of one graph; it stays valid while other nodes come and go.
///
/// Prints as the text form writes it, `%3`. Printing a whole graph numbers its nodes anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(NodeIndex);

/// An operation in its graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What the node computes.
    pub op: Op,
    /// The fact about what it yields.
    pub fact: Fact,
    /// Which layer of the model it came from, counted from zero.
    pub layer: Option<usize>,
}

/// A network: nodes, the edges from operands to users, and which nodes are the outputs. Inputs are in the order in which
/// they were added, outputs in the order in which they were chosen.
///
/// Facts are inferred when a node is added. Rewriting an operation or an edge leaves them stale until
/// [`Graph::refresh_facts`]; a graph with stale facts is not evaluated.
///
/// Methods that take a [`NodeId`] panic when it does not name a node of this graph.
///
/// Two graphs are equal when they have the same nodes, edges, inputs and outputs, however they were built.
#[derive(Clone, Default)]
pub struct Graph {
    /// An edge leads from an operand to its user and holds the operand's position.
    nodes: StableDiGraph<Node, u32>,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
    stale: bool,
}

/// A graph as a plain list, each node named by its position in it.
pub(crate) struct Listing {
    pub(crate) nodes: Vec<Listed>,
    /// The positions of the outputs.
    pub(crate) outputs: Vec<usize>,
}

/// A node in a [`Listing`].
pub(crate) struct Listed {
    pub(crate) id: NodeId,
    /// The positions of its operands.
    pub(crate) operands: Vec<usize>,
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node and infers its fact.
    ///
    /// # Errors
    ///
    /// Where the operation does not fit its operands; the graph is unchanged then.
    pub fn add(&mut self, op: Op, operands: &[NodeId], layer: Option<usize>) -> Result<NodeId, InferError> {
        let op = op.into_standard_layout();
        let facts: Vec<&Fact> = operands.iter().map(|&id| &self.node(id).fact).collect();
        let fact = infer(&op, &facts)?;
        let is_input = is_input(&op);
        let id = self.nodes.add_node(Node { op, fact, layer });
        for (position, operand) in (0..).zip(operands) {
            self.nodes.add_edge(operand.0, id, position);
        }
        if is_input {
            self.inputs.push(NodeId(id));
        }
        Ok(NodeId(id))
    }

    /// Makes a node's result the only one of the graph.
    pub fn set_output(&mut self, id: NodeId) {
        self.outputs = vec![id];
    }

    /// Makes the nodes' results those of the graph, in that order.
    pub fn set_outputs(&mut self, ids: Vec<NodeId>) {
        self.outputs = ids;
    }

    /// The node whose result is that of a graph with one output; of several, the first.
    ///
    /// # Panics
    ///
    /// If none was ever chosen. Graphs that were validated, parsed or deserialized have an output.
    pub fn output(&self) -> NodeId {
        // The contract above is the proof.
        self.try_output().expect("the graph has no output yet")
    }

    /// As [`Graph::output`], if one was chosen yet.
    pub fn try_output(&self) -> Option<NodeId> {
        self.outputs.first().copied()
    }

    /// The nodes whose results are those of the graph, in their order.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// Whether a node's result is one of the graph's.
    pub fn is_output(&self, id: NodeId) -> bool {
        self.outputs.contains(&id)
    }

    /// The input of a graph with one; of several, the first.
    ///
    /// # Panics
    ///
    /// If there is none. Graphs that were validated, parsed or deserialized have an input.
    pub fn input(&self) -> NodeId {
        // As for the output.
        self.try_input().expect("the graph has no input yet")
    }

    /// As [`Graph::input`], if there is one.
    pub fn try_input(&self) -> Option<NodeId> {
        self.inputs.first().copied()
    }

    /// How many numbers all tensors hold together; saturates.
    pub fn elements(&self) -> usize {
        self.topological().into_iter().fold(0, |sum, id| sum.saturating_add(self.node(id).fact.elements()))
    }

    /// The inputs, in their order.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The node of that name.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Whether the name belongs to a node of this graph.
    pub fn contains(&self, id: NodeId) -> bool {
        self.nodes.contains_node(id.0)
    }

    /// How many nodes there are, dead ones included.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an operation or an edge changed since facts were last inferred.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// The operands of a node, in order.
    pub fn operands(&self, id: NodeId) -> Vec<NodeId> {
        let mut edges: Vec<(u32, NodeId)> = self
            .nodes
            .edges_directed(id.0, Direction::Incoming)
            .map(|edge| (*edge.weight(), NodeId(edge.source())))
            .collect();
        edges.sort_unstable();
        edges.into_iter().map(|(_, operand)| operand).collect()
    }

    /// The nodes that read a node's result, each once, by ascending id.
    pub fn users(&self, id: NodeId) -> Vec<NodeId> {
        let mut users: Vec<NodeId> = self.nodes.neighbors_directed(id.0, Direction::Outgoing).map(NodeId).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// All nodes, operands before their users.
    ///
    /// First come the inputs in their order, then those that the outputs depend on, in an order that the edges alone
    /// decide, then dead ones by ascending id. On a graph with a cycle, which [`crate::validate()`] reports, some node precedes an
    /// operand of its own.
    pub fn topological(&self) -> Vec<NodeId> {
        self.post_order(self.inputs.iter().chain(&self.outputs).copied().chain(self.node_ids()))
    }

    /// Replaces what a node computes. Facts are stale until [`Graph::refresh_facts`].
    pub fn replace_op(&mut self, id: NodeId, op: Op) {
        if is_input(&op) != is_input(&self.node(id).op) {
            match is_input(&op) {
                true => self.inputs.push(id),
                false => self.inputs.retain(|&input| input != id),
            }
        }
        self.nodes[id.0].op = op.into_standard_layout();
        self.stale = true;
    }

    /// Sets the layer that a node is said to come from.
    pub fn set_layer(&mut self, id: NodeId, layer: Option<usize>) {
        self.nodes[id.0].layer = layer;
    }

    /// Makes `to` the operand of `id` at a position. Facts are stale until [`Graph::refresh_facts`], which
    /// also notices a position that the operation does not have, or a cycle.
    pub fn set_operand(&mut self, id: NodeId, index: usize, to: NodeId) {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let former = self
            .nodes
            .edges_directed(id.0, Direction::Incoming)
            .find(|edge| *edge.weight() == index)
            .map(|edge| edge.id());
        if let Some(edge) = former {
            self.nodes.remove_edge(edge);
        }
        self.nodes.add_edge(to.0, id.0, index);
        self.stale = true;
    }

    /// Lets everything that reads `from` read `to` instead, the graph's outputs included.
    ///
    /// `to` itself goes on reading `from` if it does, so a node is put behind another by adding it and
    /// redirecting to it. Facts are stale until [`Graph::refresh_facts`].
    pub fn redirect_users(&mut self, from: NodeId, to: NodeId) {
        let edges: Vec<(NodeId, usize)> = self
            .nodes
            .edges_directed(from.0, Direction::Outgoing)
            .map(|edge| (NodeId(edge.target()), *edge.weight() as usize))
            .filter(|&(user, _)| user != to)
            .collect();
        for (user, index) in edges {
            self.set_operand(user, index, to);
        }
        for output in self.outputs.iter_mut().filter(|output| **output == from) {
            *output = to;
        }
        self.stale = true;
    }

    /// Removes every node that no output depends on, except inputs. Other ids stay valid.
    pub fn remove_dead(&mut self) {
        let live: HashSet<NodeId> = self.live().into_iter().collect();
        self.nodes.retain_nodes(|_, index| live.contains(&NodeId(index)));
    }

    /// Infers all facts anew.
    ///
    /// # Errors
    ///
    /// The first error in topological order, with its node ([`InferError::At`]); facts are stale then.
    pub fn refresh_facts(&mut self) -> Result<(), InferError> {
        let mut done = HashSet::new();
        for id in self.topological() {
            let operands = self.operands(id);
            if operands.iter().any(|operand| !done.contains(operand)) {
                return Err(InferError::Cycle { node: id });
            }
            let fact = self.infer_node(id).map_err(|error| InferError::At {
                node: id,
                layer: self.node(id).layer,
                error: Box::new(error),
            })?;
            self.nodes[id.0].fact = fact;
            done.insert(id);
        }
        self.stale = false;
        Ok(())
    }

    /// What a node's fact is by the facts its operands are said to have.
    pub(crate) fn infer_node(&self, id: NodeId) -> Result<Fact, InferError> {
        let operands = self.operands(id);
        let facts: Vec<&Fact> = operands.iter().map(|&id| &self.node(id).fact).collect();
        infer(&self.node(id).op, &facts)
    }

    /// The inputs, and what the outputs depend on, operands first.
    pub(crate) fn live(&self) -> Vec<NodeId> {
        self.post_order(self.inputs.iter().chain(&self.outputs).copied())
    }

    /// The graph as a plain list, in topological order.
    pub(crate) fn listing(&self) -> Listing {
        self.list(self.topological())
    }

    /// The same, of the inputs and what the outputs depend on.
    pub(crate) fn live_listing(&self) -> Listing {
        self.list(self.live())
    }

    fn list(&self, order: Vec<NodeId>) -> Listing {
        let positions: HashMap<NodeId, usize> = order.iter().enumerate().map(|(at, &id)| (id, at)).collect();
        // An order holds the operands of all that it holds, so nothing is filtered out here.
        let position = |id: &NodeId| positions.get(id).copied();
        let nodes = order
            .iter()
            .map(|&id| Listed { id, operands: self.operands(id).iter().filter_map(position).collect() })
            .collect();
        Listing { nodes, outputs: self.outputs.iter().filter_map(position).collect() }
    }

    fn node_ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.node_indices().map(NodeId)
    }

    /// Everything the roots depend on, each node after its operands, operands in their order. Goes by a
    /// stack of its own: a hostile file may hold a chain of any length.
    fn post_order(&self, roots: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        enum Step {
            Enter(NodeId),
            Leave(NodeId),
        }
        let mut order = Vec::with_capacity(self.len());
        let mut seen = HashSet::with_capacity(self.len());
        for root in roots {
            let mut steps = vec![Step::Enter(root)];
            while let Some(step) = steps.pop() {
                match step {
                    Step::Leave(id) => order.push(id),
                    Step::Enter(id) if self.contains(id) && seen.insert(id) => {
                        steps.push(Step::Leave(id));
                        steps.extend(self.operands(id).into_iter().rev().map(Step::Enter));
                    }
                    Step::Enter(_) => {}
                }
            }
        }
        order
    }
}

fn is_input(op: &Op) -> bool {
    matches!(op, Op::Input(_))
}

impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.listing(), other.listing());
        ours.outputs == theirs.outputs
            && ours.nodes.len() == theirs.nodes.len()
            && ours
                .nodes
                .iter()
                .zip(&theirs.nodes)
                .all(|(our, their)| our.operands == their.operands && self.node(our.id) == other.node(their.id))
    }
}

impl fmt::Debug for Graph {
    /// The text form, which a failed assertion can be read by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::print(self))
    }
}

impl NodeId {
    /// The number in the name: small, and below the number of nodes ever added.
    pub fn index(self) -> usize {
        self.0.index()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0.index())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
