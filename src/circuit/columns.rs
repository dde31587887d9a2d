//! The preprocessed columns: selectors, row constants and the permutation.

use super::shape::Gates;
use crate::gadget::field::F;
use crate::plan::security::QUOTIENT_DEGREE;
use crate::plan::{Layout, Placement, Plan, RowConstants, Segment, Value, wiring};
use plonky2::field::types::Field;
use rayon::prelude::*;

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

/// The selector columns, one after the other.
pub fn selector_columns(layout: &Layout, gates: &Gates) -> Vec<F> {
    let rows = gate_of_rows(layout, gates);
    let column = |group| rows.iter().map(move |&gate| F::from_canonical_u64(gates.selector(group, gate)));
    (0..gates.selectors()).flat_map(column).collect()
}

/// The row constants, row by row, of all rows up to the last that has any.
pub fn constant_rows<T: Copy + Default + Send>(plan: &Plan, element: impl Fn(i64) -> T + Copy + Sync) -> Vec<T> {
    let layout = &plan.layout;
    let with_constants =
        |placement: &&Placement| !matches!(plan.program.blocks[placement.block].demand.constants, RowConstants::None);
    let placements = || layout.placements.iter().filter(with_constants);
    let end = placements().flat_map(|placement| &placement.segments).map(|segment| segment.rows.end).max().unwrap_or(0);
    let mut rows = vec![T::default(); end * layout.constants];
    for placement in placements() {
        let constants = &plan.program.blocks[placement.block].demand.constants;
        for &Segment { slot, rows: ref range, first } in &placement.segments {
            let part = layout.part(slot);
            let (start, count) = (part.place.constant, part.gadget.shape().constants);
            let rows = rows[range.start * layout.constants..range.end * layout.constants]
                .par_chunks_exact_mut(layout.constants);
            rows.enumerate().for_each(|(i, row)| constants.write(first + i, &mut row[start..start + count], element));
        }
    }
    rows
}

/// `X^(rows / 8)`, which [`QuotientMask`](super::quotient_mask::QuotientMask) works with.
pub fn mask_column(layout: &Layout) -> Vec<F> {
    let root = F::primitive_root_of_unity(QUOTIENT_DEGREE.ilog2() as usize);
    root.powers().take(layout.rows()).collect()
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
        let mut cycles = Cycles::new(rows, layout.routed, plan.program.values);
        for placement in &layout.placements {
            let all = &plan.program.blocks[placement.block].wiring;
            for segment in &placement.segments {
                let part = layout.part(segment.slot);
                let routed = part.gadget.shape().routed();
                for (i, row) in segment.instances() {
                    cycles.tie_all(row, part.place.routed, wiring(all, routed, i));
                }
            }
        }
        let permutations = plan.program.poseidon_wiring();
        for (row, values) in layout.poseidon.clone().zip(permutations) {
            cycles.tie_all(row, 0, values);
        }
        cycles.tie_all(layout.public_row, 0, &plan.program.public_hash);
        for (first, second) in blinding_ties(layout) {
            cycles.swap(first, second);
        }
        Self { next: cycles.next, rows }
    }

    /// Row and column of the cell after this one in its cycle: itself, if it is tied to no other.
    pub fn next(&self, row: usize, column: usize) -> (usize, usize) {
        let next = self.next[column * self.rows + row] as usize;
        (next % self.rows, next / self.rows)
    }

    /// plonky2's sigma columns, one after the other: for each routed cell the identity of the next cell of its cycle.
    pub fn columns(&self, shifts: &[F]) -> Vec<F> {
        // A power of two, and shifting is faster than dividing.
        let bits = self.rows.ilog2() as usize;
        let subgroup = F::two_adic_subgroup(bits);
        let identity = |&cell: &u32| shifts[cell as usize >> bits] * subgroup[cell as usize & (self.rows - 1)];
        self.next.par_iter().map(identity).collect()
    }
}

/// Wires tied at each seam between chunks: half of a chunk's, as the other half is tied across its other seam. Together they
/// put a ratio into the argument for each challenge set, and the ratios of up to
/// [`MAX_BLINDED_SETS`](crate::plan::security::MAX_BLINDED_SETS) sets are close to jointly random.
const SEAM: usize = QUOTIENT_DEGREE / 2;

/// The cells, as (row, column), that are tied to one another in the chained rows of blinding.
///
/// Each tie crosses one seam between chunks of the permutation argument, and thereby multiplies just one partial
/// product by a random ratio: that of the chunk before it, in that row.
pub fn blinding_ties(layout: &Layout) -> impl Iterator<Item = ((usize, usize), (usize, usize))> {
    let start = layout.blinding_row + layout.blinding.single;
    let seams = layout.blinding.chained * layout.routed / QUOTIENT_DEGREE;
    let cell = move |i: usize| (start + i / layout.routed, i % layout.routed);
    let seam = move |i: usize| i * QUOTIENT_DEGREE;
    (1..seams).flat_map(move |i| (0..SEAM).map(move |k| (cell(seam(i) - SEAM + k), cell(seam(i) + k))))
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

    /// Ties two cells, given as (row, column), that are tied to nothing else.
    fn swap(&mut self, first: (usize, usize), second: (usize, usize)) {
        let [first, second] = [first, second].map(|(row, column)| column * self.rows + row);
        self.next[first] = second as u32;
        self.next[second] = first as u32;
    }
}
