//! Rows and columns: where every instance of every statement lies.
//!
//! Each convolution gets rows of its own, and so does a normalization, as their wires are many; what is small lies in slots,
//! which all rows share as far as they have room (`fill`). Every row also has room for one tile of the matrix-vector products: their weights are row constants, and the fewer constants a row, the smaller key, proof and
//! memory.

use super::choices::Choices;
use super::fill::{Fills, alike, are_filled, fills, tile_fits};
use super::security::{Blinding, QUOTIENT_DEGREE, Scheme, Shortfall, Soundness};
use super::tiles::TileShape;
use super::values::Value;
use super::{Demand, PlanError};
use super::{
    MAX_COLUMNS, MAX_DEGREE_BITS, POSEIDON_ROUTED, POSEIDON_WIRES, Part, row_constraints, soundness, sum, total,
};
use crate::gadget::{Gadget, Place, Shape};
use std::ops::Range;
use std::sync::Arc;

/// There are fewer routed cells than this: the permutation counts them in 32 bits.
const CELLS_END: u64 = 1 << 32;

/// Rows with the same parts: one gate.
#[derive(Clone, Debug)]
pub struct RowKind {
    /// The gadgets side by side.
    pub parts: Vec<Part>,
    /// The rows.
    pub rows: Range<usize>,
}

/// Where the instances of a block lie.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The block, as an index into the program's.
    pub block: usize,
    /// Where they are, in their order.
    pub segments: Vec<Segment>,
}

/// Instances of a block that lie one below the other, in one part of successive rows of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which part.
    pub slot: Slot,
    /// The rows.
    pub rows: Range<usize>,
    /// The instance in the first row.
    pub first: usize,
}

impl Segment {
    /// Each of its instances, and the row that it lies in.
    pub fn instances(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        (self.first..).zip(self.rows.clone())
    }
}

/// One part of a row kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Index of the row kind.
    pub kind: usize,
    /// Index of the part.
    pub part: usize,
}

/// A circuit's rows and columns.
#[derive(Clone, Debug)]
pub struct Layout {
    /// There are `2^degree_bits` rows.
    pub degree_bits: usize,
    /// How proofs are made.
    pub scheme: Scheme,
    /// Columns of wires. The last ones are masks, if there are any.
    pub wires: usize,
    /// Those of them that copy constraints reach: a multiple of [`QUOTIENT_DEGREE`].
    pub routed: usize,
    /// Columns that are random in all rows.
    pub masks: usize,
    /// Row constants, selectors not counted.
    pub constants: usize,
    /// Challenge sets of the permutation argument.
    pub challenges: usize,
    /// Our own rows, from row 0 on.
    pub kinds: Vec<RowKind>,
    /// Where the blocks lie, but for those of Poseidon: in the order of the blocks.
    pub placements: Vec<Placement>,
    /// The shape of the tiles of matrix-vector products, if there are any: then every row kind begins with a tile.
    pub tile: Option<TileShape>,
    /// What the kinds of rows were made of.
    pub fills: Fills,
    /// How many tiles there are, in as many rows from row 0 on.
    pub tiles: usize,
    /// Rows of Poseidon permutations.
    pub poseidon: Range<usize>,
    /// The row of the public inputs' digest.
    pub public_row: usize,
    /// Rows of blinding, from this row on.
    pub blinding_row: usize,
    /// How many of them there are.
    pub blinding: Blinding,
}

impl Layout {
    /// The layout of what is demanded in `2^degree_bits` rows, those of linear gadgets of about `width` wires, or nothing if it
    /// does not fit them.
    pub fn new(demands: &[Demand], degree_bits: usize, width: usize, scheme: Scheme) -> Option<Self> {
        let free = free_rows(demands, degree_bits, scheme)?;
        let alike = alike(demands);
        let tile = TileShape::choose(demands, free)?;
        let fills = fills(demands, &alike, free, width, tile)?;
        if !are_filled(demands, &alike, free, &fills) {
            return None;
        }
        Self::place(demands, &alike, degree_bits, scheme, fills, tile).fitting()
    }

    /// The layout that these choices were made for, or nothing if they were made for other demands.
    pub fn replay(demands: &[Demand], scheme: Scheme, choices: &Choices) -> Option<Self> {
        let Choices { degree_bits, fills, tile, .. } = choices;
        if !(scheme.min_degree_bits()..=MAX_DEGREE_BITS).contains(degree_bits) {
            return None;
        }
        let free = free_rows(demands, *degree_bits, scheme)?;
        let alike = alike(demands);
        let has_room = are_filled(demands, &alike, free, fills) && tile_fits(demands, free, *tile);
        let layout = has_room.then(|| Self::place(demands, &alike, *degree_bits, scheme, fills.clone(), *tile))?;
        layout.fitting().filter(|layout| layout.refusal().is_none())
    }

    /// The layout, unless it is beyond a limit.
    fn fitting(self) -> Option<Self> {
        let fits = self.wires <= MAX_COLUMNS && self.constants <= MAX_COLUMNS;
        (fits && are_counted(self.routed, self.degree_bits)).then_some(self)
    }

    /// Why nobody may prove with it, if it is so.
    pub(super) fn refusal(&self) -> Option<PlanError> {
        if !self.scheme.can_blind(self.challenges) {
            return Some(PlanError::BlindedSets { sets: self.challenges });
        }
        let shortfall = self.soundness().shortfall(self.scheme.level);
        shortfall.map(|Shortfall { round, regime, bits }| PlanError::Insecure { round, regime, bits: bits as usize })
    }

    /// What its soundness depends on.
    pub fn soundness(&self) -> Soundness {
        let kinds: Vec<Shape> = self.kinds.iter().map(|kind| total(&kind.parts)).collect();
        soundness(&kinds, self.degree_bits, self.wires - self.masks, self.routed, self.scheme)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        1 << self.degree_bits
    }

    /// A part of a row kind.
    pub fn part(&self, slot: Slot) -> &Part {
        &self.kinds[slot.kind].parts[slot.part]
    }

    /// Of each part of each kind of rows how many rows, from the kind's first on, hold an instance of it.
    pub fn used_rows(&self) -> Vec<Vec<usize>> {
        let mut used: Vec<Vec<usize>> = self.kinds.iter().map(|kind| vec![0; kind.parts.len()]).collect();
        for segment in self.placements.iter().flat_map(|placement| &placement.segments) {
            used[segment.slot.kind][segment.slot.part] += segment.rows.len();
        }
        used
    }

    fn place(
        demands: &[Demand],
        alike: &[usize],
        degree_bits: usize,
        scheme: Scheme,
        fills: Fills,
        tile: Option<TileShape>,
    ) -> Self {
        let mut segments = Segments::new(demands);
        let slots: Vec<usize> = fills.slots().collect();
        // Tiles come first: so their row constants are the same columns in all rows. Then come the slots.
        let tiles: Vec<Arc<Gadget>> = tile.iter().map(|tile| Arc::new(tile.gadget().into())).collect();
        let gadgets = |blocks: &[usize]| blocks.iter().filter_map(|&block| demands[block].gadget().cloned()).collect();
        let mut kinds: Vec<(Vec<Arc<Gadget>>, Range<usize>)> = Vec::new();
        let mut row = 0;
        for (kind, fill) in fills.kinds.iter().enumerate() {
            let rows = row..row + fill.rows;
            let mut all: Vec<Arc<Gadget>> = [tiles.clone(), gadgets(&slots[..fill.slots])].concat();
            for &(block, count) in &fill.own {
                for _ in 0..count {
                    segments.place(block, demands[block].count, Slot { kind, part: all.len() }, rows.clone());
                    all.extend(demands[block].gadget().cloned());
                }
            }
            row = rows.end;
            kinds.push((all, rows));
        }
        // Of each block those that are alike and have no place yet, the next of them last.
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); demands.len()];
        (0..demands.len()).rev().for_each(|block| members[alike[block]].push(block));
        for (at, &block) in slots.iter().enumerate() {
            for (kind, _) in fills.kinds.iter().enumerate().filter(|(_, fill)| fill.slots > at) {
                let (slot, mut left) = (Slot { kind, part: tiles.len() + at }, kinds[kind].1.clone());
                while let Some(&next) = members[block].last().filter(|_| !left.is_empty()) {
                    left.start += segments.place(next, demands[next].count, slot, left.clone());
                    if !left.is_empty() {
                        members[block].pop();
                    }
                }
            }
        }
        if let Some(tile) = tile {
            segments.place_tiles(demands, tile, kinds.iter().map(|(_, rows)| rows.clone()));
        }
        let poseidon = row..row + poseidon_rows(demands);
        let shapes: Vec<Shape> = kinds.iter().map(|(gadgets, _)| sum(gadgets)).collect();
        let shapes = || shapes.iter().copied();
        // So that the permutation argument has no chunk that is shorter than others, which blinding counts on.
        let routed = shapes().map(|shape| shape.routed()).fold(POSEIDON_ROUTED, usize::max);
        let routed = routed.next_multiple_of(QUOTIENT_DEGREE);
        // Advice has the last columns, and digits those before: so that slots have the same in all kinds of rows.
        let advice = shapes().map(|shape| shape.advice).max().unwrap_or(0);
        let others = shapes().map(|shape| shape.routed() + shape.digits).max().unwrap_or(0);
        let wires = POSEIDON_WIRES.max(routed).max(others + advice);
        let constants = shapes().map(|shape| shape.constants).max().unwrap_or(0);
        let constraints = row_constraints(shapes());
        let challenges = Soundness::challenge_sets(degree_bits, routed, constraints);
        let masks = scheme.mask_wires(challenges);
        Self {
            degree_bits,
            wires: wires + masks,
            routed,
            masks,
            constants,
            scheme,
            challenges,
            kinds: kinds
                .into_iter()
                .map(|(gadgets, rows)| RowKind { parts: side_by_side(gadgets, wires - advice), rows })
                .collect(),
            placements: segments.placements(),
            tile,
            fills,
            tiles: tile.map_or(0, |tile| tile.count(demands)),
            public_row: poseidon.end,
            blinding_row: poseidon.end + 1,
            poseidon,
            blinding: scheme.blinding(),
        }
    }
}

#[cfg(test)]
impl Layout {
    /// Row and place of the `i`-th instance of a placement.
    pub fn locate(&self, placement: &Placement, i: usize) -> (usize, Place) {
        let mut all =
            placement.segments.iter().flat_map(|segment| segment.instances().map(move |at| (segment.slot, at)));
        let (slot, (_, row)) = all.nth(i).expect("a placement has a row for each instance");
        (row, self.part(slot).place)
    }
}

/// Whether the permutation can count so many routed columns of `2^degree_bits` rows.
pub fn are_counted(routed: usize, degree_bits: usize) -> bool {
    (routed as u64) << degree_bits < CELLS_END
}

fn poseidon_rows(demands: &[Demand]) -> usize {
    demands.iter().map(Demand::permutations).fold(0, usize::saturating_add)
}

/// Rows that are left for gadgets, if any are.
fn free_rows(demands: &[Demand], degree_bits: usize, scheme: Scheme) -> Option<usize> {
    let others = poseidon_rows(demands).checked_add(scheme.blinding().rows() + 1)?;
    (1usize << degree_bits).checked_sub(others).filter(|&rows| rows > 0)
}

/// Where blocks lie, while rows are given to them.
struct Segments {
    /// By block, how many instances have a row, and where these are.
    blocks: Vec<(usize, Vec<Segment>)>,
}

impl Segments {
    fn new(demands: &[Demand]) -> Self {
        Self { blocks: demands.iter().map(|_| (0, Vec::new())).collect() }
    }

    /// Gives the next instances of a block, which has so many, a part of these rows, as many as there are of either.
    /// Returns how many that is.
    fn place(&mut self, block: usize, instances: usize, slot: Slot, rows: Range<usize>) -> usize {
        let (placed, segments) = &mut self.blocks[block];
        let count = rows.len().min(instances - *placed);
        if count > 0 {
            segments.push(Segment { slot, rows: rows.start..rows.start + count, first: *placed });
            *placed += count;
        }
        count
    }

    /// Gives the tiles of one matrix after the other the first part of successive rows.
    fn place_tiles(&mut self, demands: &[Demand], tile: TileShape, kinds: impl Iterator<Item = Range<usize>>) {
        let kinds: Vec<Range<usize>> = kinds.collect();
        // Tiles fill all rows from the first on, and so the rows before this one.
        let mut next = 0;
        for (block, demand) in demands.iter().enumerate() {
            let Some(matrix) = demand.matrix() else { continue };
            for (kind, rows) in kinds.iter().enumerate() {
                let rows = next.max(rows.start)..rows.end.max(next);
                next += self.place(block, tile.tiles(matrix.dim()), Slot { kind, part: 0 }, rows);
            }
        }
    }

    fn placements(self) -> Vec<Placement> {
        let placements = self.blocks.into_iter().enumerate();
        let placements = placements.map(|(block, (_, segments))| Placement { block, segments });
        placements.filter(|placement| !placement.segments.is_empty()).collect()
    }
}

/// Gives the gadgets their columns: routed wires from the left; digits from the column `end` to the left, and advice from there to
/// the right. So those of the first gadgets do not depend on the others.
fn side_by_side(gadgets: Vec<Arc<Gadget>>, end: usize) -> Vec<Part> {
    let mut next = Place { routed: 0, advice: end, digits: end, constant: 0 };
    let place = |gadget: Arc<Gadget>| {
        let shape = gadget.shape();
        next.digits -= shape.digits;
        let place = next;
        next.routed += shape.routed();
        next.advice += shape.advice;
        next.constant += shape.constants;
        Part { gadget, place }
    };
    gadgets.into_iter().map(place).collect()
}

/// The values at the routed wires of the `i`-th instance of a block with `routed` wires each.
pub fn wiring(all: &[Value], routed: usize, i: usize) -> &[Value] {
    &all[i * routed..(i + 1) * routed]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2^32 cells would count as none.
    #[test]
    fn the_number_of_cells_fits_32_bits() {
        for degree_bits in [6, 13, MAX_DEGREE_BITS] {
            let most = (1usize << 32 >> degree_bits) - QUOTIENT_DEGREE;
            assert!(are_counted(most, degree_bits) && u32::try_from(most << degree_bits).is_ok());
            assert!(!are_counted(most + QUOTIENT_DEGREE, degree_bits));
        }
    }
}
