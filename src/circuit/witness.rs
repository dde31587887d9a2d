//! Filling the wires. Every value is computed where it is stated; plonky2's generators are not used.

use super::columns::blinding_ties;
use super::wipe::wipe;
use crate::gadget::field::{F, from_signed, to_signed};
use crate::gadget::{Gadget, Shape};
use crate::plan::{
    DIGEST, Kind, Layout, POSEIDON_ROUTED, POSEIDON_WIRES, Part, Place, Placement, Plan, SPONGE_WIDTH, Value, wiring,
};
use plonky2::field::types::{Field, Sample};
use plonky2::gates::gate::Gate;
use plonky2::gates::poseidon::PoseidonGate;
use plonky2::iop::generator::GeneratedValues;
use plonky2::iop::target::Target;
use plonky2::iop::witness::{PartitionWitness, WitnessWrite};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use std::mem;
use zeroize::Zeroize;

/// All wires of a circuit. They are overwritten when it is dropped.
pub struct Witness {
    /// The wires row by row.
    pub cells: Vec<F>,
    /// Columns.
    pub wires: usize,
    /// The public inputs: what is disclosed of the output, and of the input.
    pub public: Vec<F>,
    /// The model's output.
    outputs: Vec<i64>,
}

/// The secrets that a proof is made with, apart from the input. The salts are overwritten when they are dropped.
pub struct Secrets {
    /// The salt of the commitment to the input.
    pub salt: [F; DIGEST],
    /// The salt of the commitment to the output.
    pub output_salt: [F; DIGEST],
    /// Where blinding comes from.
    pub randomness: ChaCha20Rng,
}

impl Secrets {
    /// Fresh ones, from the operating system.
    pub fn fresh() -> Self {
        Self::with_salt(F::rand_array())
    }

    /// Fresh ones, but for the salt of the commitment to the input.
    pub fn with_salt(salt: [F; DIGEST]) -> Self {
        Self { salt, output_salt: F::rand_array(), randomness: ChaCha20Rng::from_entropy() }
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        wipe(&mut self.salt);
        wipe(&mut self.output_salt);
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        wipe(&mut self.cells);
        self.outputs.zeroize();
    }
}

impl Witness {
    /// The wires of `plan` for `input`, one integer an element.
    ///
    /// An input outside its range gives a witness that no proof can be made of.
    pub fn new(plan: &Plan, input: &[i64], secrets: Secrets) -> Self {
        Self::forged(plan, input, secrets, &|_, _, _| {})
    }

    /// As [`Witness::new`], but each instance, once it is computed, may be changed by `forge`, which is given its row,
    /// its place, and the row's wires. What depends on its outputs is computed from what is then there.
    pub(super) fn forged(plan: &Plan, input: &[i64], mut secrets: Secrets, forge: Forge<'_>) -> Self {
        let layout = &plan.layout;
        // In parallel: most of the time it takes is the system's, to find the memory.
        let cells = (0..layout.rows() * layout.wires).into_par_iter().map(|_| F::ZERO).collect();
        let values = vec![F::ZERO; plan.values()];
        let mut filling = Filling { plan, values, cells, forge };
        let inputs = plan.program.inputs.iter().flat_map(|tensor| tensor.elements.iter());
        for (&value, &element) in inputs.zip(input) {
            filling.values[value as usize] = from_signed(element);
        }
        let program = &plan.program;
        for (tensor, salt) in [(&program.inputs[0], secrets.salt), (&program.outputs[0], secrets.output_salt)] {
            for (value, element) in tensor.salt.clone().zip(salt) {
                filling.values[value as usize] = element;
            }
        }
        filling.blocks();
        filling.idle();
        filling.public_row(&mut secrets.randomness);
        filling.blinding(&mut secrets.randomness);
        let public = program.public.iter().map(|&value| filling.values[value as usize]).collect();
        let outputs = program.outputs.iter().flat_map(|tensor| tensor.elements.iter());
        let outputs = outputs.map(|&value| to_signed(filling.values[value as usize])).collect();
        let cells = mem::take(&mut filling.cells);
        Self { cells, wires: layout.wires, public, outputs }
    }

    /// The wires of one row.
    pub fn row(&self, row: usize) -> &[F] {
        &self.cells[row * self.wires..][..self.wires]
    }

    /// The model's output.
    pub fn outputs(&self) -> impl Iterator<Item = i64> + '_ {
        self.outputs.iter().copied()
    }
}

/// What a dishonest prover does to an instance.
type Forge<'a> = &'a (dyn Fn(usize, Place, &mut [F]) + Sync);

struct Filling<'a> {
    plan: &'a Plan,
    values: Vec<F>,
    cells: Vec<F>,
    forge: Forge<'a>,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        wipe(&mut self.values);
    }
}

impl Filling<'_> {
    fn blocks(&mut self) {
        let plan = self.plan;
        let mut placements = plan.layout.placements.iter();
        let mut poseidon_row = plan.layout.poseidon.start;
        let poseidon = PoseidonWires::new();
        for (index, block) in plan.program.blocks.iter().enumerate() {
            match &block.demand.kind {
                Kind::Gadget(gadget) => {
                    // Placements are in the order of their blocks, one for each block of gadgets.
                    let placement = placements.next().expect("every block of gadgets has a place");
                    if block.demand.is_chained() {
                        self.chained_instances(gadget, placement, &block.wiring);
                    } else {
                        self.instances(gadget, placement, &block.wiring);
                    }
                }
                Kind::Poseidon => {
                    for values in block.wiring.chunks(POSEIDON_ROUTED) {
                        self.permutation(&poseidon, poseidon_row, values);
                        poseidon_row += 1;
                    }
                }
                Kind::MatVec(matrix) => self.tiles(index, matrix.dim().1),
            }
        }
    }

    /// All instances of a block, none of which depends on another.
    fn instances(&mut self, gadget: &Gadget, placement: &Placement, all: &[Value]) {
        let layout = &self.plan.layout;
        let shape = gadget.shape();
        let mut left = all;
        for slot in &placement.slots {
            let kind = &layout.kinds[slot.kind];
            let (first, place) = (kind.rows.start, kind.parts[slot.part].place);
            let count = kind.rows.len().min(left.len() / shape.routed());
            let (here, later) = left.split_at(count * shape.routed());
            left = later;
            let rows = &mut self.cells[first * layout.wires..][..count * layout.wires];
            let (values, forge) = (&self.values, self.forge);
            let rows = rows.par_chunks_exact_mut(layout.wires);
            rows.zip(here.par_chunks_exact(shape.routed())).enumerate().for_each(|(i, (row, wiring))| {
                inputs(row, place, &wiring[..shape.inputs], values);
                assign(gadget, &[], row, place);
                forge(first + i, place, row);
            });
            for (i, wiring) in here.chunks_exact(shape.routed()).enumerate() {
                self.outputs(first + i, place, shape, wiring);
            }
        }
    }

    /// All instances of a block, one after the other.
    fn chained_instances(&mut self, gadget: &Gadget, placement: &Placement, all: &[Value]) {
        let layout = &self.plan.layout;
        let shape = gadget.shape();
        for (i, wiring) in all.chunks_exact(shape.routed()).enumerate() {
            let (row, place) = layout.locate(placement, i);
            let cells = &mut self.cells[row * layout.wires..][..layout.wires];
            inputs(cells, place, &wiring[..shape.inputs], &self.values);
            assign(gadget, &[], cells, place);
            (self.forge)(row, place, cells);
            self.outputs(row, place, shape, wiring);
        }
    }

    /// The tiles of a product of `width` columns. Those of one band of rows of the matrix depend on one another: what a tile
    /// adds to is what the one before gives.
    fn tiles(&mut self, block: usize, width: usize) {
        let layout = &self.plan.layout;
        let tiles = &self.plan.tiles;
        let (Some(shape), Some(first)) = (layout.tile, tiles.first[block]) else { return };
        let end = tiles.first[block + 1..].iter().flatten().next().copied().unwrap_or(tiles.tiles.len());
        let band = width.div_ceil(shape.width);
        let wiring = |row: usize| wiring(&tiles.wiring, shape.routed(), row);
        let (values, forge) = (&self.values, self.forge);
        let rows = &mut self.cells[first * layout.wires..end * layout.wires];
        rows.par_chunks_mut(band * layout.wires).enumerate().for_each(|(index, rows)| {
            let mut constants = vec![F::ZERO; shape.width * shape.height];
            let mut sums: Option<Vec<F>> = None;
            for (i, cells) in rows.chunks_exact_mut(layout.wires).enumerate() {
                let row = first + index * band + i;
                tiles.tiles[row].write(shape, &mut constants, from_signed);
                let part = tile_part(layout, row);
                let gadget = part.gadget.shape();
                inputs(cells, part.place, &wiring(row)[..gadget.inputs], values);
                let routed = &mut cells[part.place.routed..][..gadget.inputs];
                if let Some(sums) = sums {
                    routed[shape.width..].copy_from_slice(&sums);
                }
                assign(&part.gadget, &constants, cells, part.place);
                forge(row, part.place, cells);
                sums = Some(cells[part.place.routed + gadget.inputs..][..shape.height].to_vec());
            }
        });
        for row in first..end {
            let part = tile_part(layout, row);
            self.outputs(row, part.place, part.gadget.shape(), wiring(row));
        }
    }

    /// Stores the values that an instance gives.
    fn outputs(&mut self, row: usize, place: Place, shape: Shape, wiring: &[Value]) {
        let start = row * self.plan.layout.wires + place.routed + shape.inputs;
        for (&cell, &value) in self.cells[start..].iter().zip(&wiring[shape.inputs..shape.routed()]) {
            self.values[value as usize] = cell;
        }
    }

    fn permutation(&mut self, poseidon: &PoseidonWires, row: usize, values: &[Value]) {
        let input = std::array::from_fn(|i| self.values[values[i] as usize]);
        let wires = poseidon.fill(input);
        let cells = &mut self.cells[row * self.plan.layout.wires..][..self.plan.layout.wires];
        cells[..POSEIDON_WIRES].copy_from_slice(&wires);
        let place = Place { routed: 0, advice: POSEIDON_ROUTED, digits: POSEIDON_WIRES, constant: 0 };
        (self.forge)(row, place, cells);
        for i in 0..SPONGE_WIDTH {
            self.values[values[SPONGE_WIDTH + i] as usize] = cells[SPONGE_WIDTH + i];
        }
    }

    /// Parts that no instance is in must hold all the same.
    fn idle(&mut self) {
        let layout = &self.plan.layout;
        for (kind_index, kind) in layout.kinds.iter().enumerate() {
            for (part_index, part) in kind.parts.iter().enumerate() {
                let slot = crate::plan::Slot { kind: kind_index, part: part_index };
                let used = layout.used_rows(slot);
                let inputs = part.gadget.idle_inputs();
                let shape = part.gadget.shape();
                let mut outputs = vec![F::ZERO; shape.outputs];
                let (mut advice, mut digits) = (vec![F::ZERO; shape.advice], vec![F::ZERO; shape.digits]);
                let own = [advice.as_mut_slice(), &mut digits];
                part.gadget.assign(&vec![F::ZERO; shape.constants], &inputs, &mut outputs, own);
                for row in kind.rows.start + used..kind.rows.end {
                    let cells = &mut self.cells[row * layout.wires..][..layout.wires];
                    cells[part.place.routed..][..shape.inputs].copy_from_slice(&inputs);
                    cells[part.place.routed + shape.inputs..][..shape.outputs].copy_from_slice(&outputs);
                    cells[part.place.advice..][..shape.advice].copy_from_slice(&advice);
                    cells[part.place.digits..][..shape.digits].copy_from_slice(&digits);
                }
            }
        }
    }

    /// The digest of the public inputs, and randomness in the other wires of its row: should the permutation argument
    /// ever divide by zero, the next attempt will not.
    fn public_row(&mut self, randomness: &mut ChaCha20Rng) {
        let cells = &mut self.cells[self.plan.layout.public_row * self.plan.layout.wires..][..self.plan.layout.wires];
        let (digest, rest) = cells.split_at_mut(DIGEST);
        for (cell, value) in digest.iter_mut().zip(self.plan.program.public_hash) {
            *cell = self.values[value as usize];
        }
        rest.fill_with(|| F::sample(randomness));
    }

    fn blinding(&mut self, randomness: &mut ChaCha20Rng) {
        let layout = &self.plan.layout;
        let start = layout.blinding_row * layout.wires;
        let end = start + layout.blinding.rows() * layout.wires;
        self.cells[start..end].fill_with(|| F::sample(randomness));
        for ((row, column), (tied_row, tied_column)) in blinding_ties(layout) {
            self.cells[tied_row * layout.wires + tied_column] = self.cells[row * layout.wires + column];
        }
        let masks = layout.wires - layout.masks;
        for row in self.cells.chunks_exact_mut(layout.wires) {
            row[masks..].fill_with(|| F::sample(randomness));
        }
    }
}

/// The tile of a row: the last part of each kind.
fn tile_part(layout: &Layout, row: usize) -> &Part {
    let kind = layout.kinds.iter().find(|kind| kind.rows.contains(&row));
    // There are no tiles but in rows of our own kinds, and if there are tiles, every kind has one.
    kind.and_then(|kind| kind.parts.last()).expect("a tile lies in a row that has one")
}

/// Fills the input wires of an instance in `row`.
fn inputs(row: &mut [F], place: Place, wiring: &[Value], values: &[F]) {
    for (cell, &value) in row[place.routed..].iter_mut().zip(wiring) {
        *cell = values[value as usize];
    }
}

/// Fills the other wires of an instance in `row`, whose inputs are there.
fn assign(gadget: &Gadget, constants: &[F], row: &mut [F], place: Place) {
    let shape = gadget.shape();
    let (row, digits) = row.split_at_mut(place.digits);
    let (routed, advice) = row.split_at_mut(place.advice);
    let (inputs, outputs) = routed[place.routed..][..shape.routed()].split_at_mut(shape.inputs);
    gadget.assign(constants, inputs, outputs, [&mut advice[..shape.advice], &mut digits[..shape.digits]]);
}

/// The wires of plonky2's Poseidon gate, as its own generator fills them.
pub(super) struct PoseidonWires {
    representatives: Vec<usize>,
}

impl PoseidonWires {
    pub(super) fn new() -> Self {
        Self { representatives: (0..POSEIDON_WIRES).collect() }
    }

    pub(super) fn fill(&self, input: [F; SPONGE_WIDTH]) -> [F; POSEIDON_WIRES] {
        let mut wires = [F::ZERO; POSEIDON_WIRES];
        let mut witness = PartitionWitness::new(POSEIDON_WIRES, 1, &self.representatives);
        let swap = (2 * SPONGE_WIDTH, F::ZERO);
        for (column, value) in input.into_iter().enumerate().chain([swap]) {
            wires[column] = value;
            // Each wire is its own representative and set once.
            witness.set_target(Target::wire(0, column), value).expect("the wire is free");
        }
        let mut generated = GeneratedValues::empty();
        for generator in PoseidonGate::<F, 2>::new().generators(0, &[]) {
            generator.0.run(&witness, &mut generated);
        }
        for (target, value) in generated.target_values {
            if let Target::Wire(wire) = target {
                wires[wire.column] = value;
            }
        }
        wires
    }
}
