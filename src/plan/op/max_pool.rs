//! Maxima of windows.

use super::{Candidate, positions};
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
    let size = height * width;
    Ok(vec![Candidate::whole(node, vec![demand], move |values| {
        let from = values.grid(operand.id, operand.shape());
        let outputs = values.fresh_tensor(node.id, node.elements());
        let to = values.grid(node.id, node.shape());
        let mut wiring = Vec::with_capacity(outputs.len() * (size + 1));
        for (row, column) in positions(node.shape()) {
            let rows = op.covered(0, operand.shape()[0], row);
            let columns = op.covered(1, operand.shape()[1], column);
            for channel in 0..node.shape()[2] {
                let end = wiring.len() + size;
                let cells = rows.clone().flat_map(|y| columns.clone().map(move |x| (y, x)));
                wiring.extend(cells.map(|(y, x)| from.at(y, x, channel)));
                // A window over an edge has fewer cells. One of them twice changes no maximum.
                wiring.resize(end, from.at(rows.start, columns.start, channel));
                wiring.push(to.at(row, column, channel));
            }
        }
        vec![wiring]
    })])
}
