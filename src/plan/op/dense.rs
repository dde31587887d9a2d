//! Matrix-vector products.

use super::Candidate;
use crate::plan::node::Node;
use crate::plan::values::{ONE, Value};
use crate::plan::{Demand, Matrix, PlanError};
use zknn_ir::op::Dense;

/// The product as a whole, which is cut into tiles later.
pub(super) fn candidates<'a>(node: Node<'a>, op: &Dense) -> Result<Vec<Candidate<'a>>, PlanError> {
    let weights = node.integers(&op.weights)?;
    let bias = op.bias.as_ref().map(|bias| node.integers(bias)).transpose()?;
    let has_bias = bias.is_some();
    let demand = Demand::product(node.label(), Matrix { weights, bias });
    Ok(vec![Candidate::whole(node, vec![demand], move |values| {
        let mut wiring: Vec<Value> = values.tensor(node.operand().id).to_vec();
        if has_bias {
            wiring.push(ONE);
        }
        wiring.extend(values.fresh_tensor(node.id, node.elements()));
        vec![wiring]
    })])
}
