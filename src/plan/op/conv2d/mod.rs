//! Convolutions: with the maximum that reads them, at blocks of positions, or filter by filter.

mod blocks;
mod filters;

pub use blocks::Cut;

use super::{Candidate, Way, positions};
use crate::gadget::{self, Kernel};
use crate::plan::node::Node;
use crate::plan::values::{Grid, Value, Values};
use crate::plan::{Demand, PlanError};
use ndarray::{ArcArray, Ix1, Ix4};
use zknn_ir::Op;
use zknn_ir::op::Conv2d;

/// A convolution that is to be stated.
#[derive(Clone)]
struct Conv<'a> {
    node: Node<'a>,
    op: &'a Conv2d,
    /// Channels out, height, width, and channels in of a group.
    weights: ArcArray<i64, Ix4>,
    bias: Vec<i64>,
}

/// Together with a maximum, if one reads it and nothing else does; at blocks of positions; and filter by filter, where
/// filters read few channels.
pub(super) fn candidates<'a>(node: Node<'a>, op: &'a Conv2d) -> Result<Vec<Candidate<'a>>, PlanError> {
    let weights: ArcArray<i64, Ix4> = node.integers(&op.kernel)?;
    let bias = match &op.bias {
        Some(bias) => node.integers::<Ix1>(bias)?.to_vec(),
        None => vec![0; weights.dim().0],
    };
    let conv = Conv { node, op, weights, bias };
    let mut candidates = Vec::new();
    candidates.extend(conv.fused().transpose()?);
    candidates.extend(conv.at_blocks());
    candidates.extend(conv.by_filters());
    Ok(candidates)
}

impl<'a> Conv<'a> {
    /// Output channels of a group.
    fn outputs(&self) -> usize {
        self.bias.len() / self.op.groups
    }

    /// How many positions there are.
    fn places(&self) -> usize {
        self.node.elements() / self.bias.len()
    }

    /// What a position of the kernel reads of a group, where the result is in `row` and `column`.
    fn taps<'g>(&self, from: &'g Grid, group: usize, at: [usize; 2], (row, column): (usize, usize)) -> &'g [Value] {
        let ([sh, sw], [dh, dw]) = (self.op.stride, self.op.dilation);
        let channels = self.weights.dim().3;
        &from.span(row * sh + at[0] * dh, column * sw + at[1] * dw, 1)[group * channels..][..channels]
    }

    /// The convolution and the maximum that reads it.
    fn fused(&self) -> Option<Result<Candidate<'a>, PlanError>> {
        let (node, op) = (self.node, self.op);
        if op.groups > 1 || op.stride != [1, 1] || op.dilation != [1, 1] {
            return None;
        }
        let user = node.only_user()?;
        let (window, relu) = match user.op() {
            // Windows that overlap would have the convolution stated in each of them.
            Op::MaxPool(pool) if pool.is_tiling() => (pool.window, pool.relu),
            Op::Relu => ([1, 1], true),
            _ => return None,
        };
        let candidate = |spread: u64| {
            let kernel = Kernel::new(self.weights.clone()).at_block(window);
            let [patch_height, patch_width, _] = kernel.patch();
            let gadget = gadget::Conv::new(kernel, self.bias.clone()).with_max(relu, spread);
            let [rows, columns] = [user.shape()[0], user.shape()[1]];
            let label = format!("{} + {}", node.label(), user.label());
            let demand = Demand::new(label, gadget, rows * columns).in_own_rows(node.id.index(), 0);
            let wire = move |values: &mut Values| {
                let from = values.grid(node.operand().id, node.operand().shape());
                values.fresh_tensor(user.id, user.elements());
                let to = values.grid(user.id, user.shape());
                let mut wiring = Vec::new();
                for (row, column) in positions(user.shape()) {
                    for y in 0..patch_height {
                        wiring.extend(from.span(row * window[0] + y, column * window[1], patch_width));
                    }
                    wiring.extend(to.span(row, column, 1));
                }
                vec![wiring]
            };
            Candidate { way: Way::Fused, yields: user.id, demands: vec![demand], wire: Box::new(wire) }
        };
        Some(node.spread(relu).map(candidate))
    }
}
