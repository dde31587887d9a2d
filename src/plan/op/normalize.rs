//! Normalization.

use super::Candidate;
use crate::gadget::{FRACTION_BITS, Gadget, MAX_ELEMENTS, NormRound, NormSquare, NormTotal};
use crate::plan::node::Node;
use crate::plan::values::{Value, ZERO};
use crate::plan::{Demand, PlanError};
use zknn_ir::op::Normalize;

/// A running sum of squares, its root's limbs, and a division for each element.
pub(super) fn candidates<'a>(node: Node<'a>, op: &Normalize) -> Result<Vec<Candidate<'a>>, PlanError> {
    let (operand, fraction_bits, elements) = (node.operand(), op.fraction_bits, node.elements());
    if fraction_bits != FRACTION_BITS || elements > MAX_ELEMENTS {
        return Err(PlanError::Normalize { node: node.label(), fraction_bits, elements });
    }
    let demand = |step: &str, gadget: Gadget, count: usize| {
        Demand::new(format!("{} {step}", node.label()), gadget, count).in_own_rows(node.id.index(), 0)
    };
    let demands = vec![
        demand("squares", NormSquare.into(), elements).in_runs(elements),
        demand("total", NormTotal.into(), 1),
        demand("rounding", NormRound.into(), elements),
    ];
    Ok(vec![Candidate::whole(node, demands, move |values| {
        let (squares, totals) = (Gadget::from(NormSquare).shape(), Gadget::from(NormTotal).shape());
        let mut sums = vec![ZERO; squares.inputs - 1];
        let (mut square_wiring, mut parts) = (Vec::new(), Vec::new());
        for &x in values.tensor(operand.id).iter() {
            square_wiring.push(x);
            square_wiring.extend(&sums);
            let part: Vec<Value> = values.fresh(squares.outputs - sums.len()).collect();
            sums = values.fresh(sums.len()).collect();
            square_wiring.extend(part.iter().chain(&sums));
            parts.push(part);
        }
        let total: Vec<Value> = values.fresh(totals.outputs).collect();
        let rounds = parts.iter().zip(values.fresh_tensor(node.id, elements));
        let round_wiring = rounds.flat_map(|(part, y)| part.iter().chain(&total).copied().chain([y])).collect();
        vec![square_wiring, [sums, total].concat(), round_wiring]
    })])
}
