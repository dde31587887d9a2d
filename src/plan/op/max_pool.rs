//! Maxima of windows.

use super::groups::{Maxima, each_size};
use super::{Candidate, positions};
use crate::plan::PlanError;
use crate::plan::node::Node;
use crate::plan::values::{Value, Values};
use std::sync::Arc;
use zknn_ir::op::MaxPool;

/// A window and channel at once, or in groups.
pub(super) fn candidates<'a>(node: Node<'a>, op: &'a MaxPool) -> Result<Vec<Candidate<'a>>, PlanError> {
    let cells = op.window[0].saturating_mul(op.window[1]);
    let spread = node.operand().spread(op.relu)?;
    Ok(each_size(cells, move |size, way| {
        let maxima = Maxima { node, values: cells, size, relu: op.relu, spread };
        let demands = maxima.demands(node.elements());
        let wire = move |values: &mut Values| {
            values.fresh_tensor(node.id, node.elements());
            let to: Arc<[Value]> = values.tensor(node.id);
            let windows = windows(node, op, cells, values);
            maxima.wire(values, windows, &to)
        };
        Candidate { way, yields: node.id, demands, wire: Box::new(wire) }
    }))
}

/// What each window holds, channel by channel.
fn windows(node: Node<'_>, op: &MaxPool, cells: usize, values: &Values) -> Vec<Vec<Value>> {
    let operand = node.operand();
    let from = values.grid(operand.id, operand.shape());
    let mut windows = Vec::with_capacity(node.elements());
    for (row, column) in positions(node.shape()) {
        let rows = op.covered(0, operand.shape()[0], row);
        let columns = op.covered(1, operand.shape()[1], column);
        for channel in 0..node.shape()[2] {
            let inside = rows.clone().flat_map(|y| columns.clone().map(move |x| (y, x)));
            let mut window: Vec<Value> = inside.map(|(y, x)| from.at(y, x, channel)).collect();
            // A window over an edge has fewer cells. One of them twice changes no maximum.
            window.resize(cells, window[0]);
            windows.push(window);
        }
    }
    windows
}
