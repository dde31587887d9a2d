//! Integers at another scale.

use super::Candidate;
use crate::gadget::Requantize;
use crate::plan::node::Node;
use crate::plan::values::{ONE, Value};
use crate::plan::{Demand, Matrix, PlanError};
use ndarray::{ArcArray2, Array2};

/// One instance an element.
///
/// Multipliers other than one are values of their own, so that one gadget serves all channels: a column of weights, times one.
/// As such they lie in row constants and take no columns of wires from other rows. Where nothing may be saturated, a number beyond
/// an end that saturates has no witness.
pub(super) fn candidates<'a>(
    node: Node<'a>,
    op: &'a zknn_ir::Requantize,
    unsaturated: bool,
) -> Result<Vec<Candidate<'a>>, PlanError> {
    let operand = node.operand();
    let (lo, hi) = operand.interval()?;
    let (least, greatest) = op.quotients((lo, hi));
    let too_wide = || PlanError::TooWide { node: node.label(), lo, hi };
    let quotients = i64::try_from(least).ok().zip(i64::try_from(greatest).ok()).ok_or_else(too_wide)?;
    let strict = [op.saturates_below, op.saturates_above].map(|saturates| saturates && unsaturated);
    let gadget = Requantize::strict(op.shift, (op.lo, op.hi), quotients, strict).ok_or_else(too_wide)?;
    if op.multipliers.iter().all(|multiplier| *multiplier == 1) {
        let demand = node.demand(gadget.by_one(), node.elements());
        return Ok(vec![Candidate::whole(node, vec![demand], move |values| {
            let outputs = values.fresh_tensor(node.id, node.elements());
            let from = values.tensor(operand.id);
            vec![from.iter().zip(outputs).flat_map(|(&x, y)| [x, y]).collect()]
        })]);
    }
    let column = Array2::from_shape_fn((op.multipliers.len(), 1), |(channel, _)| op.multipliers[channel]);
    let multipliers = Matrix { weights: ArcArray2::from(column), bias: None };
    let demands = vec![
        Demand::product(format!("{} multipliers", node.label()), multipliers),
        node.demand(gadget, node.elements()),
    ];
    Ok(vec![Candidate::whole(node, demands, move |values| {
        let multipliers: Vec<Value> = values.fresh(op.multipliers.len()).collect();
        let product = [ONE].into_iter().chain(multipliers.iter().copied()).collect();
        let outputs = values.fresh_tensor(node.id, node.elements());
        let from = values.tensor(operand.id);
        let elements = from.iter().zip(multipliers.into_iter().cycle()).zip(outputs);
        vec![product, elements.flat_map(|((&x, multiplier), y)| [x, multiplier, y]).collect()]
    })])
}
