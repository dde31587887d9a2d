//! The choice of a class, or of several.

use super::Candidate;
use super::groups::{Indices, each_size};
use crate::gadget::Strike;
use crate::plan::node::Node;
use crate::plan::values::{Value, Values};
use crate::plan::{Demand, MAX_ROWS, PlanError, RowConstants};
use ndarray::{ArcArray2, Array2};
use std::sync::Arc;
use zknn_ir::op::{Argmax, TopK};

/// All values along the axis at once, or in groups.
pub(super) fn candidates<'a>(node: Node<'a>, op: &Argmax) -> Result<Vec<Candidate<'a>>, PlanError> {
    in_rounds(node, op.axis, 1)
}

/// The greatest of all; then, with that lowered below all others, the greatest of all; and so on.
pub(super) fn top_k_candidates<'a>(node: Node<'a>, op: &TopK) -> Result<Vec<Candidate<'a>>, PlanError> {
    in_rounds(node, op.axis, op.count)
}

fn in_rounds(node: Node<'_>, axis: usize, count: usize) -> Result<Vec<Candidate<'_>>, PlanError> {
    let shape = node.operand().shape();
    let (length, inner) = (shape[axis], shape[axis + 1..].iter().product());
    let lists = node.operand().elements() / length;
    let first = node.operand().spread(false)?;
    // What was lowered is below all others, whichever it was.
    let later = 2 * first + 1;
    // Each place is a row constant.
    if count > 1 && length > MAX_ROWS * 16 {
        return Err(PlanError::TooLarge { max_rows: MAX_ROWS });
    }
    if count > 1 && later > 1 << 62 {
        let (lo, hi) = node.operand().interval()?;
        return Err(PlanError::TooWide { node: node.label(), lo, hi });
    }
    Ok(each_size(length, move |size, way| {
        let rounds = Rounds { node, count, length, inner, lists, size, spreads: [first, later] };
        let demands = rounds.demands();
        Candidate { way, yields: node.id, demands, wire: Box::new(move |values| rounds.wire(values)) }
    }))
}

/// Each round finds the greatest of each list, and lowers it for the next.
struct Rounds<'a> {
    node: Node<'a>,
    count: usize,
    /// Of a list.
    length: usize,
    /// How many lists have their elements interleaved.
    inner: usize,
    lists: usize,
    /// Of a group.
    size: usize,
    /// Between the values of the first round, and of later ones.
    spreads: [u64; 2],
}

impl<'a> Rounds<'a> {
    fn indices(&self, round: usize) -> Indices<'a> {
        Indices { node: self.node, values: self.length, size: self.size, spread: self.spreads[round.min(1)] }
    }

    fn demands(&self) -> Vec<Demand> {
        let places: Option<ArcArray2<i64>> =
            (self.count > 1).then(|| Array2::from_shape_fn((self.length, 1), |(at, _)| at as i64).into());
        let mut demands = Vec::new();
        for round in 0..self.count {
            if let Some(places) = places.as_ref().filter(|_| round > 0) {
                let constants = RowConstants::Shared { rows: places.clone(), instances: self.lists };
                let strikes = self.node.demand(Strike::new(self.spreads[0] + 1), self.length * self.lists);
                demands.push(strikes.with_constants(constants));
            }
            demands.extend(self.indices(round).demands(self.lists));
        }
        demands
    }

    fn wire(&self, values: &mut Values) -> Vec<Vec<Value>> {
        let from: Arc<[Value]> = values.tensor(self.node.operand().id);
        values.fresh_tensor(self.node.id, self.node.elements());
        let to: Arc<[Value]> = values.tensor(self.node.id);
        let place = |list: usize, along: usize, length: usize| {
            (list / self.inner * length + along) * self.inner + list % self.inner
        };
        let line = |list: usize| (0..self.length).map(|at| from[place(list, at, self.length)]).collect();
        let mut lines: Vec<Vec<Value>> = (0..self.lists).map(line).collect();
        let mut wirings = Vec::new();
        let mut found: Vec<Value> = Vec::new();
        for round in 0..self.count {
            if round > 0 {
                let mut wiring = Vec::new();
                for at in 0..self.length {
                    for (line, &index) in lines.iter_mut().zip(&found) {
                        let lowered = values.fresh(1).start;
                        wiring.extend([line[at], index, lowered]);
                        line[at] = lowered;
                    }
                }
                wirings.push(wiring);
            }
            found = (0..self.lists).map(|list| to[place(list, round, self.count)]).collect();
            wirings.extend(self.indices(round).wire(values, lines.clone(), &found));
        }
        wirings
    }
}
