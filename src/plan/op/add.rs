//! Sums of tensors.

use super::Candidate;
use crate::gadget::Add;
use crate::plan::node::Node;
use crate::plan::values::Value;
use crate::plan::{Demand, PlanError};
use std::sync::Arc;

/// As many values are added at once, so that rows stay narrow.
const MAX_TERMS: usize = 8;

/// Sums of many operands go on from the sum of those before them.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let operands = node.operands();
    let rest = operands[1..].chunks(MAX_TERMS - 1);
    let demands: Vec<Demand> = rest.map(|terms| node.demand(Add::new(1 + terms.len()), node.elements())).collect();
    Ok(vec![Candidate::whole(node, demands, move |values| {
        let operands: Vec<Arc<[Value]>> = operands.iter().map(|operand| values.tensor(operand.id)).collect();
        let mut sums = Arc::clone(&operands[0]);
        let mut wirings = Vec::new();
        for terms in operands[1..].chunks(MAX_TERMS - 1) {
            let outputs = values.fresh_tensor(node.id, node.elements());
            let mut wiring = Vec::with_capacity(outputs.len() * (terms.len() + 2));
            for (at, output) in outputs.enumerate() {
                wiring.push(sums[at]);
                wiring.extend(terms.iter().map(|term| term[at]));
                wiring.push(output);
            }
            wirings.push(wiring);
            sums = values.tensor(node.id);
        }
        wirings
    })])
}
