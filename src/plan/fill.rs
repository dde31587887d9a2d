//! What fills the rows, before anything has a place in them.

use super::tiles::TileShape;
use super::{Demand, MAX_COLUMNS};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// What fills the rows of one kind, before anything has a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFill {
    /// Blocks, as indices into the program's, the first of those that are alike, and how many instances a row holds of these.
    pub slots: Vec<(usize, usize)>,
    /// How many rows of the kind there are.
    pub rows: usize,
}

/// Distributes the blocks over row kinds that take up all `free` rows, or nothing if they don't suffice.
///
/// Rows of a linear gadget's own hold as many of its instances as fit `width` wires, since these are evaluated all at once. The
/// common rows come last. Blocks move from there, in part or altogether, to more numerous rows that have room, where that
/// takes fewer gadgets, each of which is evaluated at every point; or just as many, as long as the common rows are wider than
/// the widest of the others.
pub(super) fn fills(demands: &[Demand], alike: &[usize], free: usize, width: usize) -> Option<Vec<RowFill>> {
    let mut fills = own_fills(demands, width);
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, demand) in demands.iter().enumerate() {
        if demand.gadget().is_some() && demand.own_rows.is_none() {
            *counts.entry(alike[index]).or_default() += demand.count;
        }
    }
    let mut common_blocks: Vec<(usize, usize)> = counts.into_iter().collect();
    let own_rows = fills.iter().fold(0usize, |sum, fill| sum.saturating_add(fill.rows));
    let common_rows = free.checked_sub(own_rows).filter(|&rows| rows > 0)?;

    let widths: Vec<usize> = demands.iter().map(|demand| demand.shape().map_or(0, |shape| shape.wires())).collect();
    let width = |block: usize| widths[block];
    let fill_width = |fill: &RowFill| fill.slots.iter().map(|&(block, n)| n * width(block)).sum::<usize>();
    let widest = fills.iter().map(fill_width).max().unwrap_or(0);
    let slots = |count: usize| count.div_ceil(common_rows);
    common_blocks.sort_by_key(|&(block, count)| std::cmp::Reverse(count * width(block)));
    for index in 0..common_blocks.len() {
        let block = common_blocks[index].0;
        loop {
            let common: usize = common_blocks.iter().map(|&(block, count)| slots(count) * width(block)).sum();
            let has_room = |fill: &&mut RowFill| fill_width(fill) + width(block) <= widest;
            let roomiest = |fill: &&mut RowFill| (fill.rows, std::cmp::Reverse(fill_width(fill)));
            let Some(fill) = fills.iter_mut().filter(has_room).max_by_key(roomiest) else { break };
            let count = &mut common_blocks[index].1;
            let relieved = slots(*count) - slots(count.saturating_sub(fill.rows));
            if relieved < if common > widest { 1 } else { 2 } {
                break;
            }
            match fill.slots.iter_mut().find(|(other, _)| *other == block) {
                Some((_, n)) => *n += 1,
                None => fill.slots.push((block, 1)),
            }
            *count = count.saturating_sub(fill.rows);
        }
    }
    let common = common_blocks.iter().map(|&(block, count)| (block, slots(count))).filter(|&(_, n)| n > 0).collect();
    fills.push(RowFill { slots: common, rows: common_rows });
    Some(fills)
}

/// The rows of those that have rows of their own.
fn own_fills(demands: &[Demand], width: usize) -> Vec<RowFill> {
    let mut own: BTreeMap<(usize, usize), RowFill> = BTreeMap::new();
    for (index, demand) in demands.iter().enumerate() {
        let (Some(key), Some(shape)) = (demand.own_rows, demand.shape()) else { continue };
        let fill = own.entry(key).or_default();
        let [rows, in_row] = demand.in_rows_of(shape, width);
        fill.slots.push((index, in_row));
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

/// Whether rows filled like this take up all `free` rows, none of them too wide, and hold all instances of all blocks.
pub(super) fn are_filled(demands: &[Demand], alike: &[usize], free: usize, fills: &[RowFill]) -> bool {
    let mut rooms = vec![0usize; demands.len()];
    let mut rows = 0usize;
    for fill in fills {
        let mut width = 0usize;
        for &(block, count) in &fill.slots {
            let Some(shape) = demands.get(block).and_then(Demand::shape) else { return false };
            if alike[block] != block {
                return false;
            }
            width = width.saturating_add(count.saturating_mul(shape.wires()));
            rooms[block] = rooms[block].saturating_add(count.saturating_mul(fill.rows));
        }
        if fill.rows == 0 || width > MAX_COLUMNS {
            return false;
        }
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
