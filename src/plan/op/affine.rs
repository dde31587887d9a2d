//! A factor and an offset for each channel.

use super::{Candidate, Way};
use crate::gadget::Filter;
use crate::plan::node::Node;
use crate::plan::values::{Values, ZERO};
use crate::plan::{PlanError, RowConstants};
use ndarray::{ArcArray2, Array2, Ix1};
use std::iter;
use zknn_ir::op::Affine;

/// How many elements of a channel a row may have.
const POSITIONS: [usize; 3] = [1, 4, 16];

/// Each channel a filter that reads one number, at so many positions a row.
pub(super) fn candidates<'a>(node: Node<'a>, op: &Affine) -> Result<Vec<Candidate<'a>>, PlanError> {
    let weights = node.integers::<Ix1>(&op.weights)?;
    let bias = op.bias.as_ref().map(|bias| node.integers::<Ix1>(bias)).transpose()?;
    let bias = bias.unwrap_or_else(|| ndarray::Array1::zeros(weights.len()).into_shared());
    let constant = |(channel, at)| if at == 0 { weights[channel] } else { bias[channel] };
    let filters: ArcArray2<i64> = Array2::from_shape_fn((weights.len(), 2), constant).into();
    let elements = node.elements() / weights.len();
    let is_first = |&positions: &usize| positions == 1 || positions <= elements;
    Ok(POSITIONS.into_iter().filter(is_first).map(|positions| in_rows_of(node, &filters, positions)).collect())
}

fn in_rows_of<'a>(node: Node<'a>, filters: &ArcArray2<i64>, positions: usize) -> Candidate<'a> {
    let channels = filters.nrows();
    let elements = node.elements() / channels;
    let rows = elements.div_ceil(positions);
    let constants = RowConstants::Shared { rows: filters.clone(), instances: rows };
    let demand = node.demand(Filter::new(1, positions), channels * rows).with_constants(constants);
    let wire = move |values: &mut Values| {
        let from = values.tensor(node.operand().id);
        values.fresh_tensor(node.id, node.elements());
        let to = values.tensor(node.id);
        let places: Vec<usize> = (0..elements).collect();
        let mut wiring = Vec::new();
        for channel in 0..channels {
            for places in places.chunks(positions) {
                let unused = positions - places.len();
                wiring.extend(places.iter().map(|place| from[place * channels + channel]));
                wiring.extend(iter::repeat_n(ZERO, unused));
                wiring.extend(places.iter().map(|place| to[place * channels + channel]));
                wiring.extend(values.fresh(unused));
            }
        }
        vec![wiring]
    };
    let way = if positions == 1 { Way::Whole } else { Way::Filters(positions) };
    Candidate { way, yields: node.id, demands: vec![demand], wire: Box::new(wire) }
}
