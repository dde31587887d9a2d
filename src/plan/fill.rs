//! What fills the rows, before anything has a place in them.
//!
//! Statements with rows of their own decide what kinds of rows there are. All others share *slots*, which are the same in all kinds
//! of rows, as far as these have room for them: the first so many of one list. The last kind, the common rows, has all slots and
//! nothing else. As a slot lies in the same columns in every kind, a prover evaluates it once for all of them.

use super::tiles::TileShape;
use super::{Demand, MAX_COLUMNS, MAX_ROWS};
use crate::gadget::Shape;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What fills all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fills {
    /// The slots: blocks, as indices into the program's, the first of those that are alike, and how many slots are for these.
    pub slots: Vec<(usize, usize)>,
    /// The kinds of rows, from row 0 on.
    pub kinds: Vec<RowFill>,
}

/// What fills the rows of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFill {
    /// How many of the slots they have.
    pub slots: usize,
    /// Blocks with rows of their own, and how many instances of each a row holds.
    pub own: Vec<(usize, usize)>,
    /// How many rows there are.
    pub rows: usize,
}

impl Fills {
    /// The block of each slot.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.slots.iter().flat_map(|&(block, count)| std::iter::repeat_n(block, count))
    }

    /// How many instances the rows of all kinds have room for if there is one row of each.
    pub fn parts(&self) -> usize {
        let of_kind = |fill: &RowFill| fill.own.iter().fold(fill.slots, |sum, &(_, count)| sum.saturating_add(count));
        self.kinds.iter().map(of_kind).fold(0, usize::saturating_add)
    }
}

/// Distributes the blocks over row kinds that take up all `free` rows, or nothing if they don't suffice. Rows of a linear gadget's
/// own hold as many of its instances as fit `width` wires, since these are evaluated all at once; each row has a tile too. All rows
/// are as narrow as slots let them be.
pub(super) fn fills(
    demands: &[Demand],
    alike: &[usize],
    free: usize,
    width: usize,
    tile: Option<TileShape>,
) -> Option<Fills> {
    let mut kinds = own_fills(demands, width);
    let own_rows = kinds.iter().fold(0usize, |sum, fill| sum.saturating_add(fill.rows));
    let common_rows = free.checked_sub(own_rows).filter(|&rows| rows > 0)?;
    let shapes: Vec<Shape> = demands.iter().map(|demand| demand.shape().unwrap_or_default()).collect();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, demand) in demands.iter().enumerate().filter(|(_, demand)| demand.own_rows.is_none()) {
        if demand.gadget().is_some() {
            *counts.entry(alike[index]).or_default() += demand.count;
        }
    }
    // What there is most of comes first, as most rows have those slots.
    let mut counts: Vec<(usize, usize)> = counts.into_iter().filter(|&(_, count)| count > 0).collect();
    counts.sort_by_key(|&(block, count)| (Reverse(count), block));
    let tile = tile.map_or(0, TileShape::routed);
    let own = |fill: &RowFill| tile + fill.own.iter().map(|&(block, n)| n * columns(shapes[block])).sum::<usize>();
    let mut widths: Vec<(usize, usize)> = kinds.iter().map(|fill| (own(fill), fill.rows)).collect();
    widths.sort_unstable();
    let slots = Slots { counts, shapes: &shapes, common_rows, tile, own: widths };
    let (list, end) = slots.narrowest()?;
    for fill in &mut kinds {
        let mut next = own(fill);
        let widths = list.iter().flat_map(|&(block, count)| std::iter::repeat_n(columns(shapes[block]), count));
        fill.slots = widths
            .take_while(|width| {
                next += width;
                next <= end
            })
            .count();
    }
    let all = list.iter().map(|(_, count)| count).sum();
    kinds.push(RowFill { slots: all, own: Vec::new(), rows: common_rows });
    Some(Fills { slots: list, kinds })
}

/// Columns of an instance but those of advice, which has columns of its own.
fn columns(shape: Shape) -> usize {
    shape.routed() + shape.digits
}

/// What slots are for, and where there is room for them.
struct Slots<'a> {
    /// Blocks that share slots with those like them, and how many instances there are.
    counts: Vec<(usize, usize)>,
    shapes: &'a [Shape],
    common_rows: usize,
    /// Columns of the tile that every row has.
    tile: usize,
    /// Of each kind with something of its own the columns that this and the tile take, and its rows; the narrowest first.
    own: Vec<(usize, usize)>,
}

impl Slots<'_> {
    /// The slots, and the last column that they and what kinds have of their own end before, such that it is the least.
    fn narrowest(&self) -> Option<(Vec<(usize, usize)>, usize)> {
        let least = self.own.iter().map(|&(columns, _)| columns).max().unwrap_or(0).max(self.tile);
        let (_, most) = self.within(least)?;
        let (mut low, mut high) = (least, least.max(most));
        // Whatever ends before a column also ends before any later one, where more kinds have room.
        while low < high {
            let middle = low.midpoint(high);
            let fits = self.within(middle).is_some_and(|(_, end)| end <= middle);
            if fits { high = middle } else { low = middle + 1 }
        }
        self.within(high).map(|(slots, _)| (slots, high))
    }

    /// The slots that it takes if kinds have room up to column `end`, and where all of them end. Nothing if they are too many.
    fn within(&self, end: usize) -> Option<(Vec<(usize, usize)>, usize)> {
        let mut slots = Vec::new();
        let mut next = 0usize;
        // The widest have room for the fewest slots.
        let mut with_room = &self.own[..];
        let mut own_rows: usize = self.own.iter().map(|(_, rows)| rows).sum();
        for &(block, count) in &self.counts {
            let (mut left, mut taken) = (count, 0);
            while left > 0 {
                next += columns(self.shapes[block]).max(1);
                if next > MAX_COLUMNS {
                    return None;
                }
                while let Some((columns, rows)) = with_room.last()
                    && columns + next > end
                {
                    own_rows -= rows;
                    with_room = &with_room[..with_room.len() - 1];
                }
                (left, taken) = (left.saturating_sub(self.common_rows + own_rows), taken + 1);
            }
            slots.push((block, taken));
        }
        Some((slots, self.tile + next))
    }
}

/// The rows of those that have rows of their own.
fn own_fills(demands: &[Demand], width: usize) -> Vec<RowFill> {
    let mut own: BTreeMap<(usize, usize), RowFill> = BTreeMap::new();
    for (index, demand) in demands.iter().enumerate() {
        let (Some(key), Some(shape)) = (demand.own_rows, demand.shape()) else { continue };
        let fill = own.entry(key).or_default();
        let [rows, in_row] = demand.in_rows_of(shape, width);
        fill.own.push((index, in_row));
        fill.rows = fill.rows.max(rows);
    }
    own.into_values().filter(|fill| fill.rows > 0).collect()
}

/// For each block the first whose gadget is the same: instances of one may lie below those of the other. Those with rows of
/// their own are alike to no others.
pub(super) fn alike(demands: &[Demand]) -> Vec<usize> {
    let mut firsts: HashMap<Vec<u8>, usize> = HashMap::new();
    let first = |(index, demand): (usize, &Demand)| match demand.gadget().filter(|_| demand.own_rows.is_none()) {
        // Gadgets have a serial form, by which keys hold them.
        Some(gadget) => {
            let form = bincode::serde::encode_to_vec(&**gadget, bincode::config::standard()).unwrap_or_default();
            *firsts.entry(form).or_insert(index)
        }
        None => index,
    };
    demands.iter().enumerate().map(first).collect()
}

/// Whether rows filled like this take up all `free` rows, none of them too wide, and hold all instances of all blocks; and are
/// written down in the one way that there is: each block in one place, and no slot that no row has.
pub(super) fn are_filled(demands: &[Demand], alike: &[usize], free: usize, fills: &Fills) -> bool {
    let shape = |block: usize| demands.get(block).and_then(Demand::shape);
    let is_shared = |block: usize| alike.get(block) == Some(&block) && demands[block].own_rows.is_none();
    let is_own = |block: usize| demands.get(block).is_some_and(|demand| demand.own_rows.is_some());
    let mut named = fills.slots.iter().chain(fills.kinds.iter().flat_map(|fill| &fill.own));
    let mut seen = HashSet::new();
    let is_named_once = named.all(|&(block, count)| count > 0 && seen.insert(block));
    // Of each slot the columns that it ends before; fewer than would overflow.
    let mut ends = vec![0usize];
    for &(block, count) in &fills.slots {
        let Some(shape) = shape(block).filter(|_| is_shared(block) && count <= MAX_COLUMNS) else { return false };
        for _ in 0..count {
            ends.push(ends[ends.len() - 1] + shape.wires());
            if ends[ends.len() - 1] > MAX_COLUMNS {
                return false;
            }
        }
    }
    let most = fills.kinds.iter().map(|fill| fill.slots).max().unwrap_or(0);
    if !is_named_once || most + 1 != ends.len() {
        return false;
    }
    let mut rooms = vec![0usize; demands.len()];
    let mut rows = 0usize;
    for fill in &fills.kinds {
        let Some(&(mut width)) = ends.get(fill.slots) else { return false };
        for &(block, count) in &fill.own {
            let Some(shape) = shape(block).filter(|_| is_own(block)) else { return false };
            width = width.saturating_add(count.saturating_mul(shape.wires()));
            rooms[block] = rooms[block].saturating_add(count.saturating_mul(fill.rows));
        }
        if !(1..=MAX_ROWS).contains(&fill.rows) || width > MAX_COLUMNS {
            return false;
        }
        fills.slots().take(fill.slots).for_each(|block| rooms[block] = rooms[block].saturating_add(fill.rows));
        rows = rows.saturating_add(fill.rows);
    }
    let mut counts = vec![0usize; demands.len()];
    for (&first, demand) in alike.iter().zip(demands).filter(|(_, demand)| demand.gadget().is_some()) {
        counts[first] = counts[first].saturating_add(demand.count);
    }
    rows == free && counts.into_iter().zip(rooms).all(|(count, room)| count <= room)
}

/// Whether tiles of this shape hold all matrices, one in each of `free` rows at most.
pub(super) fn tile_fits(demands: &[Demand], free: usize, tile: Option<TileShape>) -> bool {
    let Some(tile) = tile else { return demands.iter().all(|demand| demand.matrix().is_none()) };
    let sides = 1..=MAX_COLUMNS;
    sides.contains(&tile.width) && sides.contains(&tile.height) && (1..=free).contains(&tile.count(demands))
}
