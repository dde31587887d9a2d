//! At blocks of positions, which share a patch of the image; possibly in parts, each of which has some of the channels.

use super::super::{Candidate, Way};
use super::Conv;
use crate::gadget::{self, Kernel};
use crate::plan::MAX_COLUMNS;
use crate::plan::values::{Grid, Value, Values, ZERO};
use ndarray::s;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The sides that a block may have.
const SIDES: [usize; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 16];
/// In how many parts the channels may be.
const COUNTS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// How a convolution is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cut {
    /// Height and width of a block of positions.
    pub block: [usize; 2],
    /// In so many parts the channels are that are read: each adds to the one before.
    pub parts: usize,
    /// In so many those that are given; of several groups, whole groups.
    pub slices: usize,
}

impl Cut {
    const NONE: Self = Self { block: [1, 1], parts: 1, slices: 1 };
}

impl<'a> Conv<'a> {
    /// All cuts of which no other makes both narrower instances and fewer cells, the narrowest first; and before them the one
    /// that is none.
    pub(super) fn at_blocks(&self) -> Vec<Candidate<'a>> {
        let mut cuts: Vec<(usize, usize, Cut)> =
            self.cuts().map(|cut| (self.width(cut), self.cells(cut), cut)).collect();
        cuts.sort_unstable();
        let mut fewest = usize::MAX;
        cuts.retain(|&(width, cells, _)| {
            let is_better = cells < fewest && width <= MAX_COLUMNS;
            fewest = if is_better { cells } else { fewest };
            is_better
        });
        let others = cuts.into_iter().map(|(_, _, cut)| cut).filter(|cut| *cut != Cut::NONE);
        std::iter::once(Cut::NONE).chain(others).map(|cut| self.cut(cut)).collect()
    }

    fn cuts(&self) -> impl Iterator<Item = Cut> {
        let (height, width) = (self.node.shape()[0], self.node.shape()[1]);
        let (inputs, groups, channels) = (self.weights.dim().3, self.op.groups, self.bias.len());
        let (most_parts, most_slices) = if groups == 1 { (inputs, channels) } else { (1, groups) };
        let sides = |extent: usize| SIDES.map(|side| side.min(extent));
        let mut blocks: Vec<[usize; 2]> = sides(height).into_iter().zip(sides(width)).map(|(h, w)| [h, w]).collect();
        blocks.dedup();
        blocks.into_iter().flat_map(move |block| {
            let parts = COUNTS.into_iter().filter(move |&parts| parts <= most_parts);
            parts.flat_map(move |parts| {
                let slices = COUNTS.into_iter().filter(move |&slices| slices <= most_slices);
                slices.map(move |slices| Cut { block, parts, slices })
            })
        })
    }

    /// Routed wires of the widest instance, which the first piece has.
    fn width(&self, cut: Cut) -> usize {
        let (given, read) = self.pieces(cut).swap_remove(0);
        let kernel = self.kernel(cut, &given, &read);
        let before = if cut.parts > 1 { 2 } else { 1 };
        kernel.patch().iter().product::<usize>() + before * kernel.positions() * given.len()
    }

    fn cells(&self, cut: Cut) -> usize {
        self.width(cut).saturating_mul(self.blocks(cut) * cut.parts * cut.slices)
    }

    fn blocks(&self, cut: Cut) -> usize {
        let along = |axis: usize| self.node.shape()[axis].div_ceil(cut.block[axis]);
        along(0) * along(1)
    }

    /// Slice by slice, and part by part of each: the channels that are given, and those that are read of a group.
    fn pieces(&self, cut: Cut) -> Vec<(Range<usize>, Range<usize>)> {
        let inputs = self.weights.dim().3;
        let bound = |count: usize, pieces: usize, at: usize| (at * count).div_ceil(pieces);
        let units = if self.op.groups == 1 { self.bias.len() } else { self.op.groups };
        let of_unit = self.bias.len() / units;
        let mut pieces = Vec::new();
        for slice in 0..cut.slices {
            let [start, end] = [slice, slice + 1].map(|at| bound(units, cut.slices, at) * of_unit);
            for part in 0..cut.parts {
                pieces.push((start..end, bound(inputs, cut.parts, part)..bound(inputs, cut.parts, part + 1)));
            }
        }
        pieces
    }

    /// The groups that give these channels.
    fn groups(&self, given: &Range<usize>) -> Range<usize> {
        match self.op.groups {
            1 => 0..1,
            _ => given.start / self.outputs()..given.end / self.outputs(),
        }
    }

    fn kernel(&self, cut: Cut, given: &Range<usize>, read: &Range<usize>) -> Kernel {
        let weights = self.weights.clone().slice_move(s![given.clone(), .., .., read.clone()]);
        let groups = self.groups(given).len();
        Kernel::new(weights).in_groups(groups).with_steps(self.op.stride, self.op.dilation).at_block(cut.block)
    }

    fn cut(&self, cut: Cut) -> Candidate<'a> {
        let demand = |(piece, (given, read)): (usize, (Range<usize>, Range<usize>))| {
            let kernel = self.kernel(cut, &given, &read);
            let gadget = match read.start {
                0 => gadget::Conv::new(kernel, self.bias[given].to_vec()),
                _ => gadget::Conv::new(kernel, vec![0; given.len()]).adding(),
            };
            self.node.demand(gadget, self.blocks(cut)).in_own_rows(self.node.id.index(), piece)
        };
        let demands = self.pieces(cut).into_iter().enumerate().map(demand).collect();
        let conv = self.clone();
        let way = if cut == Cut::NONE { Way::Whole } else { Way::Cut(cut) };
        Candidate { way, yields: self.node.id, demands, wire: Box::new(move |values| conv.wire(cut, values)) }
    }

    fn wire(&self, cut: Cut, values: &mut Values) -> Vec<Vec<Value>> {
        let node = self.node;
        let from = values.grid(node.operand().id, node.operand().shape());
        values.fresh_tensor(node.id, node.elements());
        let result = values.grid(node.id, node.shape());
        let (inputs, count) = (self.weights.dim().3, cut.block[0] * cut.block[1]);
        let mut before: Vec<Value> = Vec::new();
        let mut wirings = Vec::new();
        for (given, read) in self.pieces(cut) {
            let kernel = self.kernel(cut, &given, &read);
            let lines = [kernel.lines(0), kernel.lines(1)];
            let groups = self.groups(&given);
            let channels = match self.op.groups {
                1 => read.clone(),
                _ => groups.start * inputs..groups.end * inputs,
            };
            let is_last = read.end == inputs;
            let (mut wiring, mut after) = (Vec::new(), Vec::new());
            for (i, corner) in self.corners(cut).enumerate() {
                for &y in &lines[0] {
                    for &x in &lines[1] {
                        let (row, column) = (corner[0] * self.op.stride[0] + y, corner[1] * self.op.stride[1] + x);
                        wiring.extend(channels.clone().map(|channel| from.get(row, column, channel).unwrap_or(ZERO)));
                    }
                }
                if read.start > 0 {
                    wiring.extend(&before[i * count * given.len()..][..count * given.len()]);
                }
                match is_last {
                    true => self.extend_by_results(&mut wiring, values, &result, cut, corner, &given),
                    false => {
                        let partial = values.fresh(count * given.len());
                        wiring.extend(partial.clone());
                        after.extend(partial);
                    }
                }
            }
            wirings.push(wiring);
            before = after;
        }
        wirings
    }

    /// The first position of each block.
    fn corners(&self, cut: Cut) -> impl Iterator<Item = [usize; 2]> + use<> {
        let (height, width) = (self.node.shape()[0], self.node.shape()[1]);
        let down = (0..height).step_by(cut.block[0]);
        down.flat_map(move |row| (0..width).step_by(cut.block[1]).map(move |column| [row, column]))
    }

    /// The results of a block; where it reaches beyond the edge, values that nothing reads.
    fn extend_by_results(
        &self,
        wiring: &mut Vec<Value>,
        values: &mut Values,
        result: &Grid,
        cut: Cut,
        corner: [usize; 2],
        given: &Range<usize>,
    ) {
        for (down, right) in (0..cut.block[0]).flat_map(|down| (0..cut.block[1]).map(move |right| (down, right))) {
            for channel in given.clone() {
                let value = result.get(corner[0] + down, corner[1] + right, channel);
                wiring.push(value.unwrap_or_else(|| values.fresh(1).start));
            }
        }
    }
}
