//! Maxima of windows.

use super::Candidate;
use crate::gadget::Max;
use crate::plan::PlanError;
use crate::plan::node::Node;
use zknn_ir::op::MaxPool;

/// One maximum a window and channel.
pub(super) fn candidates<'a>(node: Node<'a>, op: &'a MaxPool) -> Result<Vec<Candidate<'a>>, PlanError> {
    let operand = node.operand();
    let [height, width] = op.window;
    let gadget = Max::new(height.saturating_mul(width), op.relu, operand.spread(op.relu)?);
    let demand = node.demand(gadget, node.elements());
    Ok(vec![Candidate::whole(node, vec![demand], move |values| {
        let from = values.grid(operand.id, operand.shape());
        let outputs = values.fresh_tensor(node.id, node.elements());
        let to = values.grid(node.id, node.shape());
        let mut wiring = Vec::with_capacity(outputs.len() * (height * width + 1));
        for row in 0..node.shape()[0] {
            for column in 0..node.shape()[1] {
                for channel in 0..node.shape()[2] {
                    for y in 0..height {
                        for x in 0..width {
                            wiring.push(from.at(row * height + y, column * width + x, channel));
                        }
                    }
                    wiring.push(to.at(row, column, channel));
                }
            }
        }
        vec![wiring]
    })])
}
