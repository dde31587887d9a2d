//! Absolute values.

use super::Candidate;
use crate::gadget::{Filter, Max};
use crate::plan::node::Node;
use crate::plan::values::Value;
use crate::plan::{PlanError, RowConstants};
use ndarray::arr2;

/// `2 max(0, x) - x`, for each element: a maximum, and a sum whose factors are row constants.
pub(super) fn candidates(node: Node<'_>) -> Result<Vec<Candidate<'_>>, PlanError> {
    let (operand, elements) = (node.operand(), node.elements());
    let rectified = node.demand(Max::new(1, true, operand.spread(true)?), elements);
    let factors = RowConstants::Shared { rows: arr2(&[[2, -1, 0]]).into(), instances: elements };
    let sums = node.demand(Filter::new(2, 1), elements).with_constants(factors);
    Ok(vec![Candidate::whole(node, vec![rectified, sums], move |values| {
        let from = values.tensor(operand.id);
        let rectified: Vec<Value> = values.fresh(elements).collect();
        let to = values.fresh_tensor(node.id, elements);
        let maxima = from.iter().zip(&rectified).flat_map(|(&x, &max)| [x, max]).collect();
        let sums = from.iter().zip(&rectified).zip(to).flat_map(|((&x, &max), y)| [max, x, y]).collect();
        vec![maxima, sums]
    })])
}
