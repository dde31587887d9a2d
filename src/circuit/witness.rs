//! Filling the wires. Every value is computed where it is stated; plonky2's generators are not used.

use super::columns::blinding_pairs;
use crate::gadget::Gadget;
use crate::gadget::field::{F, from_signed, to_signed};
use crate::plan::{DIGEST, Kind, POSEIDON_WIRES, Place, Plan, SPONGE_WIDTH, Value, wiring};
use plonky2::field::types::{Field, Sample};
use plonky2::gates::gate::Gate;
use plonky2::gates::poseidon::PoseidonGate;
use plonky2::iop::generator::GeneratedValues;
use plonky2::iop::target::Target;
use plonky2::iop::witness::{PartitionWitness, WitnessWrite};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// All wires of a circuit.
pub struct Witness {
    /// The wires row by row.
    pub cells: Vec<F>,
    /// Columns.
    pub wires: usize,
    /// The public inputs: the output, and what is disclosed of the input.
    pub public: Vec<F>,
    /// How many of them are the output.
    output: usize,
}

/// The secrets that a proof is made with, apart from the input.
pub struct Secrets {
    /// The salt of the commitment.
    pub salt: [F; DIGEST],
    /// Where blinding comes from.
    pub randomness: ChaCha20Rng,
}

impl Secrets {
    /// Fresh ones, from the operating system.
    pub fn fresh() -> Self {
        Self { salt: F::rand_array(), randomness: ChaCha20Rng::from_entropy() }
    }
}

impl Witness {
    /// The wires of `plan` for `input`, one integer an element.
    ///
    /// An input outside its range gives a witness that no proof can be made of.
    pub fn new(plan: &Plan, input: &[i64], secrets: Secrets) -> Self {
        Self::forged(plan, input, secrets, &mut |_, _, _| {})
    }

    /// As [`Witness::new`], but each instance, once it is computed, may be changed by `forge`, which is given its row,
    /// its place, and the row's wires. What depends on its outputs is computed from what is then there.
    pub(super) fn forged(plan: &Plan, input: &[i64], mut secrets: Secrets, forge: Forge<'_>) -> Self {
        let layout = &plan.layout;
        let (values, cells) = (vec![F::ZERO; plan.values()], vec![F::ZERO; layout.rows() * layout.wires]);
        let mut filling = Filling { plan, values, cells, forge };
        for (value, &element) in plan.program.input.clone().zip(input) {
            filling.values[value as usize] = from_signed(element);
        }
        for (value, salt) in plan.program.salt.clone().zip(secrets.salt) {
            filling.values[value as usize] = salt;
        }
        filling.blocks();
        filling.idle();
        filling.public_row(&mut secrets.randomness);
        filling.blinding(&mut secrets.randomness);
        let public = plan.program.public.iter().map(|&value| filling.values[value as usize]).collect();
        Self { cells: filling.cells, wires: layout.wires, public, output: plan.program.output.len() }
    }

    /// The wires of one row.
    pub fn row(&self, row: usize) -> &[F] {
        &self.cells[row * self.wires..][..self.wires]
    }

    /// The model's output.
    pub fn outputs(&self) -> impl Iterator<Item = i64> + '_ {
        self.public[..self.output].iter().map(|&y| to_signed(y))
    }
}

/// What a dishonest prover does to an instance.
type Forge<'a> = &'a mut dyn FnMut(usize, Place, &mut [F]);

struct Filling<'a> {
    plan: &'a Plan,
    values: Vec<F>,
    cells: Vec<F>,
    forge: Forge<'a>,
}

impl Filling<'_> {
    fn blocks(&mut self) {
        let plan = self.plan;
        let mut placements = plan.layout.placements.iter();
        let mut poseidon_row = plan.layout.poseidon.start;
        let poseidon = PoseidonWires::new();
        for (index, block) in plan.program.blocks.iter().enumerate() {
            match &block.kind {
                Kind::Gadget(gadget) => {
                    // Placements are in the order of their blocks, one for each block of gadgets.
                    let placement = placements.next().expect("every block of gadgets has a place");
                    let routed = gadget.shape().routed();
                    for i in 0..block.wiring.len() / routed {
                        let (row, place) = plan.layout.locate(placement, i);
                        self.instance(gadget, &[], row, place, wiring(&block.wiring, routed, i));
                    }
                }
                Kind::Poseidon => {
                    for values in block.wiring.chunks(crate::plan::POSEIDON_ROUTED) {
                        self.permutation(&poseidon, poseidon_row, values);
                        poseidon_row += 1;
                    }
                }
                Kind::MatVec(_) => self.tiles(index),
            }
        }
    }

    /// Computes one instance from the values at its inputs, and stores the values at its outputs.
    fn instance(&mut self, gadget: &Gadget, constants: &[F], row: usize, place: Place, values: &[Value]) {
        let shape = gadget.shape();
        let cells = &mut self.cells[row * self.plan.layout.wires..][..self.plan.layout.wires];
        let (inputs, outputs) = values.split_at(shape.inputs);
        let (routed, advice) = cells.split_at_mut(place.advice);
        let (input_cells, output_cells) = routed[place.routed..][..shape.routed()].split_at_mut(shape.inputs);
        for (cell, &value) in input_cells.iter_mut().zip(inputs) {
            *cell = self.values[value as usize];
        }
        gadget.assign(constants, input_cells, output_cells, &mut advice[..shape.advice]);
        (self.forge)(row, place, cells);
        for (cell, &value) in cells[place.routed + shape.inputs..].iter().zip(outputs) {
            self.values[value as usize] = *cell;
        }
    }

    fn tiles(&mut self, block: usize) {
        let tiles = &self.plan.tiles;
        let (Some(shape), Some(first)) = (self.plan.layout.tile, tiles.first[block]) else { return };
        let end = tiles.first[block + 1..].iter().flatten().next().copied().unwrap_or(tiles.tiles.len());
        let mut constants = vec![F::ZERO; shape.width * shape.height];
        for kind in &self.plan.layout.kinds {
            let Some(part) = kind.parts.last() else { continue };
            for row in kind.rows.start.max(first)..kind.rows.end.min(end) {
                for (k, constant) in constants.iter_mut().enumerate() {
                    *constant = from_signed(tiles.tiles[row].weight(k / shape.width, k % shape.width));
                }
                self.instance(&part.gadget, &constants, row, part.place, wiring(&tiles.wiring, shape.routed(), row));
            }
        }
    }

    fn permutation(&mut self, poseidon: &PoseidonWires, row: usize, values: &[Value]) {
        let input = std::array::from_fn(|i| self.values[values[i] as usize]);
        let wires = poseidon.fill(input);
        self.cells[row * self.plan.layout.wires..][..POSEIDON_WIRES].copy_from_slice(&wires);
        for i in 0..SPONGE_WIDTH {
            self.values[values[SPONGE_WIDTH + i] as usize] = wires[SPONGE_WIDTH + i];
        }
    }

    /// Parts that no instance is in must hold all the same.
    fn idle(&mut self) {
        let layout = &self.plan.layout;
        for (kind_index, kind) in layout.kinds.iter().enumerate() {
            for (part_index, part) in kind.parts.iter().enumerate() {
                let slot = crate::plan::Slot { kind: kind_index, part: part_index };
                let used = layout.used_rows(&self.plan.program, slot);
                let inputs = part.gadget.idle_inputs();
                let shape = part.gadget.shape();
                let mut outputs = vec![F::ZERO; shape.outputs];
                let mut advice = vec![F::ZERO; shape.advice];
                part.gadget.assign(&vec![F::ZERO; shape.constants], &inputs, &mut outputs, &mut advice);
                for row in kind.rows.start + used..kind.rows.end {
                    let cells = &mut self.cells[row * layout.wires..][..layout.wires];
                    cells[part.place.routed..][..shape.inputs].copy_from_slice(&inputs);
                    cells[part.place.routed + shape.inputs..][..shape.outputs].copy_from_slice(&outputs);
                    cells[part.place.advice..][..shape.advice].copy_from_slice(&advice);
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
        for (first, second) in blinding_pairs(layout) {
            let from = first * layout.wires;
            self.cells.copy_within(from..from + layout.routed, second * layout.wires);
        }
    }
}

/// The wires of plonky2's Poseidon gate, as its own generator fills them.
struct PoseidonWires {
    representatives: Vec<usize>,
}

impl PoseidonWires {
    fn new() -> Self {
        Self { representatives: (0..POSEIDON_WIRES).collect() }
    }

    fn fill(&self, input: [F; SPONGE_WIDTH]) -> [F; POSEIDON_WIRES] {
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
