//! Values that are there already, at other places.

use super::Candidate;
use crate::plan::PlanError;
use crate::plan::node::Node;
use crate::plan::values::{Value, ZERO};
use std::sync::Arc;
use zknn_ir::Op;

/// What was there, and the value that is always 0.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let operands = node.operands();
    Ok(vec![Candidate::view(node, move |values| {
        let from: Vec<Arc<[Value]>> = operands.iter().map(|operand| values.tensor(operand.id)).collect();
        if matches!(node.op(), Op::Flatten | Op::Reshape(_)) {
            // The elements in row-major order are what they were.
            return Arc::clone(&from[0]);
        }
        let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.shape()).collect();
        let value = |place: zknn_ir::op::Place| from[place.operand as usize][place.element as usize];
        node.op().places(&shapes).into_iter().map(|place| place.map_or(ZERO, value)).collect()
    })])
}
