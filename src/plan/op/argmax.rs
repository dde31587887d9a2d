//! The choice of a class.

use super::Candidate;
use crate::gadget::Argmax;
use crate::plan::PlanError;
use crate::plan::node::Node;

/// One instance that compares all elements.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let operand = node.operand();
    let gadget = Argmax::new(operand.elements(), operand.spread(false)?);
    let demand = node.demand(gadget, 1);
    Ok(vec![Candidate::whole(node, vec![demand], move |values| {
        let from = values.tensor(operand.id);
        let to = values.fresh_tensor(node.id, 1);
        vec![from.iter().copied().chain(to).collect()]
    })])
}
