//! Convolutions: alone, with the maximum that reads them, or in parts.

use super::{Candidate, Way};
use crate::gadget::{Conv, Filter};
use crate::plan::node::Node;
use crate::plan::values::{Grid, Values, ZERO};
use crate::plan::{Demand, PlanError, RowConstants};
use ndarray::{ArcArray, Array2, Ix1, Ix4, s};
use std::iter;
use zknn_ir::Op;
use zknn_ir::op::{Conv2d, MaxPool};

/// More parts than this are never taken.
const MAX_PARTS: usize = 4;
/// How many positions of one filter a row may have.
const POSITIONS: [usize; 3] = [1, 4, 16];

/// Together with a maximum, if one reads it and nothing else does; and in each number of parts.
pub(super) fn candidates<'a>(node: Node<'a>, op: &'a Conv2d) -> Result<Vec<Candidate<'a>>, PlanError> {
    let kernel: ArcArray<i64, Ix4> = node.integers(&op.kernel)?;
    let (channels, height, width, inputs) = kernel.dim();
    let bias = match &op.bias {
        Some(bias) => node.integers::<Ix1>(bias)?.to_vec(),
        None => vec![0; channels],
    };
    let mut candidates = Vec::new();
    candidates.extend(fused(node, &kernel, &bias).transpose()?);
    // The positions in a row, whatever patch of the input they make.
    let row = kernel.clone().into_shape_clone((channels, 1, height * width, inputs));
    let row = row.expect("as many weights as before");
    let parts = 1..=MAX_PARTS.min(height * width);
    candidates.extend(parts.map(|parts| in_parts(node, &row, &bias, width, parts)));
    if inputs == 1 {
        candidates.extend(POSITIONS.map(|positions| by_filters(node, &row, &bias, width, positions)));
    }
    Ok(candidates)
}

/// The convolution and the maximum that reads it.
fn fused<'a>(node: Node<'a>, kernel: &ArcArray<i64, Ix4>, bias: &[i64]) -> Option<Result<Candidate<'a>, PlanError>> {
    let user = node.only_user()?;
    let (window, relu) = match user.op() {
        Op::MaxPool(MaxPool { window, relu }) => (*window, *relu),
        Op::Relu => ([1, 1], true),
        _ => return None,
    };
    let candidate = |spread: u64| {
        let gadget = Conv::new(kernel.clone(), bias.to_vec()).with_max(window, relu, spread);
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

/// The convolution with the positions of its kernel, `width` of which were in a row, in so many parts.
fn in_parts<'a>(
    node: Node<'a>,
    kernel: &ArcArray<i64, Ix4>,
    bias: &[i64],
    width: usize,
    parts: usize,
) -> Candidate<'a> {
    let (channels, _, size, _) = kernel.dim();
    let bound = move |part: usize| (part * size).div_ceil(parts);
    let demand = |part: usize| {
        let weights = kernel.clone().slice_move(s![.., .., bound(part)..bound(part + 1), ..]);
        let gadget = match part {
            0 => Conv::new(weights, bias.to_vec()),
            _ => Conv::new(weights, vec![0; channels]).adding(),
        };
        node.demand(gadget, node.elements() / channels).in_own_rows(node.id.index(), part)
    };
    let wire = move |values: &mut Values| {
        let from = values.grid(node.operand().id, node.operand().shape());
        let mut before: Option<Grid> = None;
        let mut wirings = Vec::new();
        for part in 0..parts {
            values.fresh_tensor(node.id, node.elements());
            let to = values.grid(node.id, node.shape());
            let mut wiring = Vec::new();
            for (row, column) in positions(node.shape()) {
                for position in bound(part)..bound(part + 1) {
                    wiring.extend(from.span(row + position / width, column + position % width, 1));
                }
                wiring.extend(before.iter().flat_map(|before| before.span(row, column, 1)));
                wiring.extend(to.span(row, column, 1));
            }
            wirings.push(wiring);
            before = Some(to);
        }
        wirings
    };
    let way = if parts == 1 { Way::Whole } else { Way::Parts(parts) };
    Candidate { way, yields: node.id, demands: (0..parts).map(demand).collect(), wire: Box::new(wire) }
}

/// Filter by filter, so many positions a row.
fn by_filters<'a>(
    node: Node<'a>,
    kernel: &ArcArray<i64, Ix4>,
    bias: &[i64],
    width: usize,
    positions: usize,
) -> Candidate<'a> {
    let (channels, _, taps, _) = kernel.dim();
    let rows = (node.elements() / channels).div_ceil(positions);
    let weight = |(channel, tap)| if tap < taps { kernel[[channel, 0, tap, 0]] } else { bias[channel] };
    let constants = Array2::from_shape_fn((channels, taps + 1), weight);
    let constants = RowConstants::Shared { rows: constants.into(), instances: rows };
    let demand = node.demand(Filter::new(taps, positions), channels * rows).with_constants(constants);
    let wire = move |values: &mut Values| {
        let from = values.grid(node.operand().id, node.operand().shape());
        values.fresh_tensor(node.id, node.elements());
        let to = values.grid(node.id, node.shape());
        let places: Vec<(usize, usize)> = self::positions(node.shape()).collect();
        let mut wiring = Vec::new();
        for channel in 0..channels {
            for places in places.chunks(positions) {
                let unused = positions - places.len();
                for (row, column) in places {
                    wiring.extend((0..taps).map(|tap| from.at(row + tap / width, column + tap % width, 0)));
                }
                wiring.extend(iter::repeat_n(ZERO, unused * taps));
                wiring.extend(places.iter().map(|&(row, column)| to.at(row, column, channel)));
                wiring.extend(values.fresh(unused));
            }
        }
        vec![wiring]
    };
    let demands = vec![demand.in_own_rows(node.id.index(), 0)];
    Candidate { way: Way::Filters(positions), yields: node.id, demands, wire: Box::new(wire) }
}

/// Rows and columns of an image.
fn positions(shape: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let (height, width) = (shape[0], shape[1]);
    (0..height).flat_map(move |row| (0..width).map(move |column| (row, column)))
}
