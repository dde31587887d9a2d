//! Borders of zeros.

use super::Candidate;
use crate::plan::PlanError;
use crate::plan::node::Node;
use crate::plan::values::ZERO;
use zknn_ir::op::Pad;

/// What was there, and the value that is always 0.
pub(super) fn candidates<'a>(node: Node<'a>, op: &'a Pad) -> Result<Vec<Candidate<'a>>, PlanError> {
    let operand = node.operand();
    Ok(vec![Candidate::view(node, move |values| {
        let from = values.tensor(operand.id);
        let places = op.places(operand.shape());
        places.into_iter().map(|place| place.map_or(ZERO, |place| from[place])).collect()
    })])
}
