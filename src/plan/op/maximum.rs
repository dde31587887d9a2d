//! The greatest of several tensors.

use super::Candidate;
use crate::gadget::Max;
use crate::plan::PlanError;
use crate::plan::node::Node;
use crate::plan::values::Value;
use std::sync::Arc;

/// One maximum an element.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let operands = node.operands();
    let intervals = operands.iter().map(|operand| operand.interval()).collect::<Result<Vec<_>, _>>()?;
    let lo = intervals.iter().map(|interval| interval.0).min().unwrap_or(0);
    let hi = intervals.iter().map(|interval| interval.1).max().unwrap_or(0);
    let spread = hi.abs_diff(lo);
    if spread > 1 << 62 {
        return Err(PlanError::TooWide { node: node.label(), lo, hi });
    }
    let demand = node.demand(Max::new(operands.len(), false, spread), node.elements());
    Ok(vec![Candidate::whole(node, vec![demand], move |values| {
        let from: Vec<Arc<[Value]>> = operands.iter().map(|operand| values.tensor(operand.id)).collect();
        let to = values.fresh_tensor(node.id, node.elements());
        vec![to.enumerate().flat_map(|(at, y)| from.iter().map(move |tensor| tensor[at]).chain([y])).collect()]
    })])
}
