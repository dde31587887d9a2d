//! A node of the graph, seen by the operation that is to be stated.

use super::{Demand, PlanError};
use crate::gadget::Gadget;
use ndarray::{ArcArray, Dimension, IxDyn};
use zknn_ir::{Fact, Graph, NodeId, Op, Weights};

/// A node and the graph around it.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) graph: &'a Graph,
    pub(super) id: NodeId,
}

impl<'a> Node<'a> {
    pub(super) fn op(self) -> &'a Op {
        &self.graph.node(self.id).op
    }

    pub(super) fn fact(self) -> &'a Fact {
        &self.graph.node(self.id).fact
    }

    pub(super) fn shape(self) -> &'a [usize] {
        &self.fact().shape
    }

    pub(super) fn elements(self) -> usize {
        self.fact().elements()
    }

    pub(super) fn operands(self) -> Vec<Node<'a>> {
        self.graph.operands(self.id).into_iter().map(|id| Node { id, ..self }).collect()
    }

    /// The first operand. Every operation but the input has one.
    pub(super) fn operand(self) -> Node<'a> {
        Node { id: self.graph.operands(self.id)[0], ..self }
    }

    /// The only node that reads it, if it is no output.
    pub(super) fn only_user(self) -> Option<Node<'a>> {
        let users = self.graph.users(self.id);
        let [id] = users[..] else { return None };
        (!self.graph.is_output(self.id)).then_some(Node { id, ..self })
    }

    /// Where statements about it come from, for people.
    pub(super) fn label(self) -> String {
        let node = self.graph.node(self.id);
        match node.layer {
            Some(layer) => format!("layer {layer} {}", node.op.name()),
            None => format!("{} {}", self.id, node.op.name()),
        }
    }

    /// So many instances of a gadget that state the node.
    pub(super) fn demand(self, gadget: impl Into<Gadget>, count: usize) -> Demand {
        Demand::new(self.label(), gadget, count)
    }

    pub(super) fn interval(self) -> Result<(i64, i64), PlanError> {
        self.fact().interval().ok_or_else(|| PlanError::NotFixed { node: self.label() })
    }

    /// The greatest difference between two values of the node, and zero if `with_zero`.
    pub(super) fn spread(self, with_zero: bool) -> Result<u64, PlanError> {
        let (lo, hi) = self.interval()?;
        let (lo, hi) = if with_zero { (lo.min(0), hi.max(0)) } else { (lo, hi) };
        let spread = hi.abs_diff(lo);
        if spread > 1 << 62 {
            return Err(PlanError::TooWide { node: self.label(), lo, hi });
        }
        Ok(spread)
    }

    /// Weights of the node, at the rank that validation has found them to have.
    pub(super) fn integers<D: Dimension>(self, weights: &Weights) -> Result<ArcArray<i64, D>, PlanError> {
        let of_rank = |data: &ArcArray<i64, IxDyn>| {
            // The graph was validated: a kernel has four axes, a matrix two, a bias one.
            data.clone().into_dimensionality().expect("a validated graph's weights have their operation's rank")
        };
        match weights {
            Weights::Fixed { data, .. } => Ok(of_rank(data)),
            Weights::Real(_) | Weights::Scaled { .. } => Err(PlanError::NotFixed { node: self.label() }),
        }
    }
}
