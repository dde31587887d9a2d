//! Convolutions, and the ways to state one.

use super::{Grid, Writer, rank};
use crate::gadget::Conv;
use crate::plan::PlanError;
use ndarray::{Array4, Ix4, s};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zknn_ir::{Graph, NodeId, Op, Weights, op};

/// How a convolution is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lowering {
    /// Together with the pooling or relu after it, in the same rows.
    Fused,
    /// By itself, the positions of its kernel in so many parts, each of which adds to the one before: narrower rows, and more
    /// of them.
    Parts(usize),
}

/// The lowerings of the convolutions of a graph. What is not there is in one part.
pub type Lowerings = BTreeMap<NodeId, Lowering>;

/// More parts than this are never taken.
const MAX_PARTS: usize = 4;

/// The convolutions of `graph`, and the ways to state each.
pub fn choices(graph: &Graph) -> Vec<(NodeId, Vec<Lowering>)> {
    let of_node = |id: NodeId| {
        let Op::Conv2d(op::Conv2d { kernel, .. }) = &graph.node(id).op else { return None };
        let mut lowerings = Vec::new();
        lowerings.extend(fused_with(graph, id).map(|_| Lowering::Fused));
        lowerings.extend((1..=MAX_PARTS.min(kernel.shape()[1] * kernel.shape()[2])).map(Lowering::Parts));
        Some((id, lowerings))
    };
    graph.topological().into_iter().filter_map(of_node).collect()
}

/// The pooling or relu that a convolution can take up into its own rows.
pub fn fused_with(graph: &Graph, conv: NodeId) -> Option<NodeId> {
    let users = graph.users(conv);
    let [user] = users[..] else { return None };
    let fits = matches!(graph.node(user).op, Op::MaxPool(_) | Op::Relu);
    let is_hidden = !graph.is_output(conv);
    (matches!(graph.node(conv).op, Op::Conv2d(_)) && fits && is_hidden).then_some(user)
}

impl Writer<'_> {
    pub(super) fn conv(
        &mut self,
        id: NodeId,
        operand: NodeId,
        kernel: &Weights,
        bias: Option<&Weights>,
    ) -> Result<(), PlanError> {
        let kernel: Array4<i64> = rank::<Ix4>(self.integers(id, kernel)?).into_owned();
        let bias = match bias {
            Some(bias) => self.integers(id, bias)?.iter().copied().collect(),
            None => vec![0; kernel.dim().0],
        };
        match self.lowerings.get(&id).copied().unwrap_or(Lowering::Parts(1)) {
            Lowering::Fused => self.fused_conv(id, operand, Conv::new(kernel, bias)),
            Lowering::Parts(parts) => {
                self.conv_in_parts(id, operand, kernel, bias, parts);
                Ok(())
            }
        }
    }

    fn fused_conv(&mut self, id: NodeId, operand: NodeId, gadget: Conv) -> Result<(), PlanError> {
        // Only those are fused that have something to be fused with.
        let user = fused_with(self.graph, id).expect("a convolution before a pooling or relu");
        let (window, relu) = match self.graph.node(user).op {
            Op::MaxPool(op::MaxPool { window, relu }) => (window, relu),
            _ => ([1, 1], true),
        };
        let gadget = gadget.with_max(window, relu, self.spread(id, relu)?);
        let [patch_height, patch_width, _] = gadget.patch();
        let from = self.grid(operand);
        let shape = &self.graph.node(user).fact.shape;
        self.fresh_tensor(user);
        let to = self.grid(user);
        let mut wiring = Vec::new();
        for row in 0..shape[0] {
            for column in 0..shape[1] {
                for y in 0..patch_height {
                    wiring.extend(from.span(row * window[0] + y, column * window[1], patch_width));
                }
                wiring.extend(to.span(row, column, 1));
            }
        }
        let label = format!("{} + {}", self.label(id), self.label(user));
        self.gadget(label, gadget, wiring, Some((id.index(), 0)));
        Ok(())
    }

    fn conv_in_parts(&mut self, id: NodeId, operand: NodeId, kernel: Array4<i64>, bias: Vec<i64>, parts: usize) {
        let from = self.grid(operand);
        let shape = self.graph.node(id).fact.shape.clone();
        let (channels, height, width, inputs) = kernel.dim();
        // The positions in a row, whatever patch of the input they make.
        let kernel = kernel.into_shape_clone((channels, 1, height * width, inputs)).expect("as many weights as before");
        let mut bias = Some(bias);
        let mut before: Option<Grid> = None;
        for part in 0..parts {
            let bound = |part: usize| (part * height * width).div_ceil(parts);
            let positions = bound(part)..bound(part + 1);
            let weights = kernel.slice(s![.., .., positions.clone(), ..]).to_owned();
            let gadget = Conv::new(weights, bias.take().unwrap_or_else(|| vec![0; channels]));
            let gadget = if before.is_some() { gadget.adding() } else { gadget };
            self.fresh_tensor(id);
            let to = self.grid(id);
            let mut wiring = Vec::new();
            for (row, column) in (0..shape[0]).flat_map(|row| (0..shape[1]).map(move |column| (row, column))) {
                for position in positions.clone() {
                    wiring.extend(from.span(row + position / width, column + position % width, 1));
                }
                wiring.extend(before.iter().flat_map(|before| before.span(row, column, 1)));
                wiring.extend(to.span(row, column, 1));
            }
            self.gadget(self.label(id), gadget, wiring, Some((id.index(), part)));
            before = Some(to);
        }
    }
}
