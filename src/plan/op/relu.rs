//! Maxima with zero.

use super::Candidate;
use crate::gadget::Max;
use crate::plan::PlanError;
use crate::plan::node::Node;

/// One maximum an element.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let operand = node.operand();
    let gadget = Max::new(1, true, operand.spread(true)?);
    let demand = node.demand(gadget, node.elements());
    Ok(vec![Candidate::whole(node, vec![demand], move |values| {
        let from = values.tensor(operand.id);
        let to = values.fresh_tensor(node.id, node.elements());
        vec![from.iter().zip(to).flat_map(|(&x, y)| [x, y]).collect()]
    })])
}
