//! The greatest of several tensors.

use super::Candidate;
use super::groups::{Maxima, each_size};
use crate::plan::PlanError;
use crate::plan::node::Node;
use crate::plan::values::{Value, Values};
use std::sync::Arc;

/// All elements at a place at once, or in groups.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let operands = node.operands();
    let intervals = operands.iter().map(|operand| operand.interval()).collect::<Result<Vec<_>, _>>()?;
    let lo = intervals.iter().map(|interval| interval.0).min().unwrap_or(0);
    let hi = intervals.iter().map(|interval| interval.1).max().unwrap_or(0);
    let spread = hi.abs_diff(lo);
    if spread > 1 << 62 {
        return Err(PlanError::TooWide { node: node.label(), lo, hi });
    }
    let count = operands.len();
    Ok(each_size(count, move |size, way| {
        let maxima = Maxima { node, values: count, size, relu: false, spread };
        let demands = maxima.demands(node.elements());
        let wire = move |values: &mut Values| {
            let from: Vec<Arc<[Value]>> = node.operands().iter().map(|operand| values.tensor(operand.id)).collect();
            values.fresh_tensor(node.id, node.elements());
            let to: Arc<[Value]> = values.tensor(node.id);
            let lists = (0..to.len()).map(|at| from.iter().map(|tensor| tensor[at]).collect()).collect();
            maxima.wire(values, lists, &to)
        };
        Candidate { way, yields: node.id, demands, wire: Box::new(wire) }
    }))
}
