//! The preprocessed columns: selectors, row constants and the permutation.

use super::shape::Gates;
use crate::gadget::field::{F, from_signed};
use crate::plan::{Layout, Plan, Value, wiring};
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::Field;
use plonky2_maybe_rayon::*;

/// Which gate each row has, as an index into the gates.
fn gate_of_rows(layout: &Layout, gates: &Gates) -> Vec<usize> {
    let mut rows = vec![gates.noop; layout.rows()];
    for (kind, &gate) in layout.kinds.iter().zip(&gates.kinds) {
        rows[kind.rows.clone()].fill(gate);
    }
    rows[layout.poseidon.clone()].fill(gates.poseidon);
    rows[layout.public_row] = gates.public_input;
    rows
}

/// Selector columns, then constant columns.
pub fn constant_columns(plan: &Plan, gates: &Gates) -> Vec<PolynomialValues<F>> {
    let layout = &plan.layout;
    let rows = gate_of_rows(layout, gates);
    let selector = |group: usize| {
        let values = rows.iter().map(|&gate| F::from_canonical_u64(gates.selector(group, gate))).collect();
        PolynomialValues::new(values)
    };
    let mut columns: Vec<_> = (0..gates.selectors()).map(selector).collect();
    let constant = |index: usize| PolynomialValues::new(constant_column(plan, index));
    columns.par_extend((0..layout.constants).into_par_iter().map(constant));
    columns
}

/// The constants of a row are the weights of its tile.
fn constant_column(plan: &Plan, index: usize) -> Vec<F> {
    let mut column = vec![F::ZERO; plan.layout.rows()];
    if let Some(shape) = plan.layout.tile {
        let (i, j) = (index / shape.width, index % shape.width);
        for (slot, tile) in column.iter_mut().zip(&plan.tiles.tiles) {
            *slot = from_signed(tile.weight(i, j));
        }
    }
    column
}

/// The cells that hold one value form a cycle; this is the next cell of each, as `column · rows + row`.
pub struct Permutation {
    next: Vec<u32>,
    rows: usize,
}

impl Permutation {
    /// The permutation that ties all cells of `plan` that hold the same value.
    pub fn new(plan: &Plan) -> Self {
        let layout = &plan.layout;
        let rows = layout.rows();
        let mut cycles = Cycles::new(rows, layout.routed, plan.values());
        for placement in &layout.placements {
            let block = &plan.program.blocks[placement.block];
            let routed = layout.kinds[placement.slots[0].kind].parts[placement.slots[0].part].gadget.shape().routed();
            for i in 0..block.wiring.len() / routed {
                let (row, place) = layout.locate(placement, i);
                cycles.tie_all(row, place.routed, wiring(&block.wiring, routed, i));
            }
        }
        if let Some(shape) = layout.tile {
            for kind in &layout.kinds {
                let Some(part) = kind.parts.last() else { continue };
                for row in kind.rows.clone().take_while(|&row| row < layout.tiles) {
                    cycles.tie_all(row, part.place.routed, wiring(&plan.tiles.wiring, shape.routed(), row));
                }
            }
        }
        let permutations = plan.program.poseidon_wiring();
        for (row, values) in layout.poseidon.clone().zip(permutations) {
            cycles.tie_all(row, 0, values);
        }
        cycles.tie_all(layout.public_row, 0, &plan.program.public_hash);
        for (first, second) in blinding_pairs(layout) {
            for column in 0..layout.routed {
                cycles.swap(column, first, second);
            }
        }
        Self { next: cycles.next, rows }
    }

    /// Row and column of the cell after this one in its cycle: itself, if it is tied to no other.
    pub fn next(&self, row: usize, column: usize) -> (usize, usize) {
        let next = self.next[column * self.rows + row] as usize;
        (next % self.rows, next / self.rows)
    }

    /// plonky2's sigma columns: for each routed cell the identity of the next cell of its cycle.
    pub fn columns(&self, shifts: &[F], subgroup: &[F]) -> Vec<PolynomialValues<F>> {
        let identity = |&cell: &u32| shifts[cell as usize / self.rows] * subgroup[cell as usize % self.rows];
        let columns: Vec<&[u32]> = self.next.chunks(self.rows).collect();
        columns.into_par_iter().map(|column| PolynomialValues::new(column.iter().map(identity).collect())).collect()
    }
}

/// The rows of each blinding pair.
pub fn blinding_pairs(layout: &Layout) -> impl Iterator<Item = (usize, usize)> {
    let start = layout.blinding_row + layout.blinding.single;
    (0..layout.blinding.pairs).map(move |i| (start + 2 * i, start + 2 * i + 1))
}

struct Cycles {
    next: Vec<u32>,
    rows: usize,
    /// For each value the cell that came first and the one that came last.
    ends: Vec<Option<(u32, u32)>>,
}

impl Cycles {
    fn new(rows: usize, routed: usize, values: usize) -> Self {
        Self { next: (0..(rows * routed) as u32).collect(), rows, ends: vec![None; values] }
    }

    /// Ties the cells of `row` from `column` on to whatever holds these values already.
    fn tie_all(&mut self, row: usize, column: usize, values: &[Value]) {
        for (i, &value) in values.iter().enumerate() {
            let cell = ((column + i) * self.rows + row) as u32;
            let first = match self.ends[value as usize] {
                None => cell,
                Some((first, last)) => {
                    self.next[last as usize] = cell;
                    first
                }
            };
            self.next[cell as usize] = first;
            self.ends[value as usize] = Some((first, cell));
        }
    }

    fn swap(&mut self, column: usize, first: usize, second: usize) {
        self.next[column * self.rows + first] = (column * self.rows + second) as u32;
        self.next[column * self.rows + second] = (column * self.rows + first) as u32;
    }
}
