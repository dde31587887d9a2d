//! Products of two tensors.

use super::Candidate;
use crate::gadget::Product;
use crate::plan::PlanError;
use crate::plan::node::Node;

/// One product an element.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let operands = node.operands();
    let demand = node.demand(Product, node.elements());
    Ok(vec![Candidate::whole(node, vec![demand], move |values| {
        let [first, second] = [operands[0], operands[1]].map(|operand| values.tensor(operand.id));
        let to = values.fresh_tensor(node.id, node.elements());
        vec![first.iter().zip(second.iter()).zip(to).flat_map(|((&a, &b), y)| [a, b, y]).collect()]
    })])
}
