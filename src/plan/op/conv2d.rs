//! Convolutions: alone, with the maximum that reads them, or in parts.

use super::{Candidate, Way, positions};
use crate::gadget::{self, Filter};
use crate::plan::node::Node;
use crate::plan::values::{Grid, Value, Values, ZERO};
use crate::plan::{Demand, PlanError, RowConstants};
use ndarray::{ArcArray, ArcArray2, Array2, Ix1, Ix4, s};
use std::iter;
use zknn_ir::Op;
use zknn_ir::op::Conv2d;

/// More parts than this are never taken.
const MAX_PARTS: usize = 4;
/// How many positions of one filter a row may have.
const POSITIONS: [usize; 3] = [1, 4, 16];

/// Together with a maximum, if one reads it and nothing else does; in each number of parts; and filter by filter, where
/// filters read few channels. A convolution of several groups is one of each group by itself, or goes filter by filter.
pub(super) fn candidates<'a>(node: Node<'a>, op: &'a Conv2d) -> Result<Vec<Candidate<'a>>, PlanError> {
    let kernel: ArcArray<i64, Ix4> = node.integers(&op.kernel)?;
    let (channels, height, width, inputs) = kernel.dim();
    let bias = match &op.bias {
        Some(bias) => node.integers::<Ix1>(bias)?.to_vec(),
        None => vec![0; channels],
    };
    let mut candidates = Vec::new();
    if op.groups == 1 && op.stride == [1, 1] && op.dilation == [1, 1] {
        candidates.extend(fused(node, &kernel, &bias).transpose()?);
    }
    // The positions in a row, whatever patch of the input they make.
    let row = kernel.clone().into_shape_clone((channels, 1, height * width, inputs));
    let conv = Conv { node, op, kernel: row.expect("as many weights as before"), bias, width };
    // Each group has rows of its own, and more of them for each part.
    let most = if op.groups == 1 { MAX_PARTS.min(height * width) } else { 1 };
    let parts = 1..=most;
    candidates.extend(parts.map(|parts| conv.in_parts(parts)));
    if inputs == 1 || op.groups > 1 {
        let filters = conv.filters();
        candidates.extend(POSITIONS.map(|positions| conv.by_filters(&filters, positions)));
    }
    Ok(candidates)
}

/// The convolution and the maximum that reads it.
fn fused<'a>(node: Node<'a>, kernel: &ArcArray<i64, Ix4>, bias: &[i64]) -> Option<Result<Candidate<'a>, PlanError>> {
    let user = node.only_user()?;
    let (window, relu) = match user.op() {
        // Windows that overlap would have the convolution stated in each of them.
        Op::MaxPool(pool) if pool.is_tiling() => (pool.window, pool.relu),
        Op::Relu => ([1, 1], true),
        _ => return None,
    };
    let candidate = |spread: u64| {
        let gadget = gadget::Conv::new(kernel.clone(), bias.to_vec()).with_max(window, relu, spread);
        let [patch_height, patch_width, _] = gadget.patch();
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

/// A convolution, the positions of whose kernel are in a row.
#[derive(Clone)]
struct Conv<'a> {
    node: Node<'a>,
    op: &'a Conv2d,
    /// Output channels, 1, positions, and input channels of a group.
    kernel: ArcArray<i64, Ix4>,
    bias: Vec<i64>,
    /// How many positions of the kernel were in a row.
    width: usize,
}

impl<'a> Conv<'a> {
    /// Output channels of a group.
    fn outputs(&self) -> usize {
        self.bias.len() / self.op.groups
    }

    /// What a position of the kernel reads of a group, where the result is in `row` and `column`.
    fn taps<'g>(&self, from: &'g Grid, group: usize, position: usize, (row, column): (usize, usize)) -> &'g [Value] {
        let ([sh, sw], [dh, dw]) = (self.op.stride, self.op.dilation);
        let (y, x) = (row * sh + position / self.width * dh, column * sw + position % self.width * dw);
        let channels = self.kernel.dim().3;
        &from.span(y, x, 1)[group * channels..][..channels]
    }

    /// Each group with the positions of its kernel in so many parts.
    fn in_parts(&self, parts: usize) -> Candidate<'a> {
        let (conv, groups, outputs) = (self.clone(), self.op.groups, self.outputs());
        let (channels, _, size, _) = self.kernel.dim();
        let bound = move |part: usize| (part * size).div_ceil(parts);
        let places = self.node.elements() / channels;
        let demand = |(group, part): (usize, usize)| {
            let own = group * outputs..(group + 1) * outputs;
            let weights = self.kernel.clone().slice_move(s![own.clone(), .., bound(part)..bound(part + 1), ..]);
            let gadget = match part {
                0 => gadget::Conv::new(weights, self.bias[own].to_vec()),
                _ => gadget::Conv::new(weights, vec![0; outputs]).adding(),
            };
            self.node.demand(gadget, places).in_own_rows(self.node.id.index(), group * parts + part)
        };
        let all = move || (0..groups).flat_map(move |group| (0..parts).map(move |part| (group, part)));
        let wire = move |values: &mut Values| {
            let node = conv.node;
            let from = values.grid(node.operand().id, node.operand().shape());
            values.fresh_tensor(node.id, node.elements());
            let result = values.grid(node.id, node.shape());
            let mut before: Option<Vec<Value>> = None;
            let mut wirings = Vec::new();
            for (group, part) in all() {
                let is_last = part + 1 == parts;
                let partial: Vec<Value> = values.fresh(if is_last { 0 } else { places * outputs }).collect();
                let mut wiring = Vec::new();
                for (i, place) in positions(node.shape()).enumerate() {
                    for position in bound(part)..bound(part + 1) {
                        wiring.extend(conv.taps(&from, group, position, place));
                    }
                    wiring.extend(before.iter().flat_map(|before| &before[i * outputs..][..outputs]));
                    let of_group = &result.span(place.0, place.1, 1)[group * outputs..][..outputs];
                    wiring.extend(if is_last { of_group } else { &partial[i * outputs..][..outputs] });
                }
                wirings.push(wiring);
                before = (!is_last).then_some(partial);
            }
            wirings
        };
        let way = if parts == 1 { Way::Whole } else { Way::Parts(parts) };
        Candidate { way, yields: self.node.id, demands: all().map(demand).collect(), wire: Box::new(wire) }
    }

    /// The weights of each filter, and its bias.
    fn filters(&self) -> ArcArray2<i64> {
        let (channels, _, size, inputs) = self.kernel.dim();
        let taps = size * inputs;
        let constant = |(channel, tap)| {
            if tap < taps { self.kernel[[channel, 0, tap / inputs, tap % inputs]] } else { self.bias[channel] }
        };
        Array2::from_shape_fn((channels, taps + 1), constant).into()
    }

    /// Filter by filter, so many positions a row.
    fn by_filters(&self, filters: &ArcArray2<i64>, positions: usize) -> Candidate<'a> {
        let conv = self.clone();
        let (channels, _, size, inputs) = self.kernel.dim();
        let (taps, outputs) = (size * inputs, self.outputs());
        let rows = (self.node.elements() / channels).div_ceil(positions);
        let constants = RowConstants::Shared { rows: filters.clone(), instances: rows };
        let demand = self.node.demand(Filter::new(taps, positions), channels * rows).with_constants(constants);
        let wire = move |values: &mut Values| {
            let node = conv.node;
            let from = values.grid(node.operand().id, node.operand().shape());
            values.fresh_tensor(node.id, node.elements());
            let to = values.grid(node.id, node.shape());
            let places: Vec<(usize, usize)> = super::positions(node.shape()).collect();
            let mut wiring = Vec::new();
            for channel in 0..channels {
                for places in places.chunks(positions) {
                    let unused = positions - places.len();
                    for &place in places {
                        wiring.extend((0..size).flat_map(|at| conv.taps(&from, channel / outputs, at, place)));
                    }
                    wiring.extend(iter::repeat_n(ZERO, unused * taps));
                    wiring.extend(places.iter().map(|&(row, column)| to.at(row, column, channel)));
                    wiring.extend(values.fresh(unused));
                }
            }
            vec![wiring]
        };
        let demands = vec![demand.in_own_rows(self.node.id.index(), 0)];
        Candidate { way: Way::Filters(positions), yields: self.node.id, demands, wire: Box::new(wire) }
    }
}
