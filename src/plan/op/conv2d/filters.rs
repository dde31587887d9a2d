//! Filter by filter, weights as row constants: one gate for all of them.

use super::super::{Candidate, Way, positions};
use super::Conv;
use crate::gadget::Filter;
use crate::plan::RowConstants;
use crate::plan::values::{Values, ZERO};
use ndarray::{ArcArray2, Array2};
use std::iter;

/// How many positions of one filter a row may have.
const POSITIONS: [usize; 3] = [1, 4, 16];

impl<'a> Conv<'a> {
    /// In each number of positions; none where filters read many channels.
    pub(super) fn by_filters(&self) -> Vec<Candidate<'a>> {
        if self.weights.dim().3 > 1 && self.op.groups == 1 {
            return Vec::new();
        }
        let filters = self.filters();
        POSITIONS.map(|positions| self.at_positions(&filters, positions)).into()
    }

    /// The weights of each filter, and its bias.
    fn filters(&self) -> ArcArray2<i64> {
        let channels = self.bias.len();
        let taps = self.weights.len() / channels;
        let mut filters = Array2::zeros((channels, taps + 1));
        for (channel, mut row) in filters.outer_iter_mut().enumerate() {
            let weights = self.weights.index_axis(ndarray::Axis(0), channel);
            row.iter_mut().zip(weights.iter().chain([&self.bias[channel]])).for_each(|(to, &weight)| *to = weight);
        }
        filters.into()
    }

    fn at_positions(&self, filters: &ArcArray2<i64>, in_row: usize) -> Candidate<'a> {
        let conv = self.clone();
        let (channels, height, width, inputs) = self.weights.dim();
        let taps = height * width * inputs;
        let rows = self.places().div_ceil(in_row);
        let constants = RowConstants::Shared { rows: filters.clone(), instances: rows };
        let demand = self.node.demand(Filter::new(taps, in_row), channels * rows).with_constants(constants);
        let wire = move |values: &mut Values| {
            let node = conv.node;
            let from = values.grid(node.operand().id, node.operand().shape());
            values.fresh_tensor(node.id, node.elements());
            let to = values.grid(node.id, node.shape());
            let places: Vec<(usize, usize)> = positions(node.shape()).collect();
            let cells: Vec<[usize; 2]> = (0..height).flat_map(|y| (0..width).map(move |x| [y, x])).collect();
            let mut wiring = Vec::new();
            for channel in 0..channels {
                for places in places.chunks(in_row) {
                    let unused = in_row - places.len();
                    for &place in places {
                        let group = channel / conv.outputs();
                        wiring.extend(cells.iter().flat_map(|&at| conv.taps(&from, group, at, place)));
                    }
                    wiring.extend(iter::repeat_n(ZERO, unused * taps));
                    wiring.extend(places.iter().map(|&(row, column)| to.at(row, column, channel)));
                    wiring.extend(values.fresh(unused));
                }
            }
            vec![wiring]
        };
        let demands = vec![demand.in_own_rows(self.node.id.index(), 0)];
        Candidate { way: Way::Filters(in_row), yields: self.node.id, demands, wire: Box::new(wire) }
    }
}
