//! Filling the wires. Every value is computed where it is stated; plonky2's generators are not used.

use super::columns::blinding_ties;
use super::wipe::wipe;
use crate::gadget::Gadget;
use crate::gadget::field::{F, from_signed, to_signed};
use crate::plan::{
    Block, DIGEST, POSEIDON_ROUTED, POSEIDON_WIRES, Place, Placement, Plan, SPONGE_WIDTH, Segment, Tensor, Value,
    wiring,
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
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroize;

/// All wires of a circuit. They are overwritten when it is dropped.
pub struct Witness {
    /// The wires row by row.
    pub cells: Vec<F>,
    /// Columns.
    pub wires: usize,
    /// The public inputs: what is disclosed of the output, and of the input.
    pub public: Vec<F>,
    /// The salts of the commitments to inputs and outputs, whether they are used or not.
    salts: [Vec<[F; DIGEST]>; 2],
    /// The elements of all outputs.
    outputs: Vec<i64>,
}

/// The secrets that a proof is made with, apart from the input. The salts are overwritten when they are dropped.
pub struct Secrets {
    /// The salt of the commitment to each input, in their order. Where there is none, a new one is drawn.
    pub salts: Vec<Option<[F; DIGEST]>>,
    /// Where other salts come from, and blinding.
    pub randomness: ChaCha20Rng,
}

impl Secrets {
    /// Fresh ones, from the operating system.
    pub fn fresh() -> Self {
        Self::with_salts(Vec::new())
    }

    /// Fresh ones, but for these salts of commitments to inputs.
    pub fn with_salts(salts: Vec<Option<[F; DIGEST]>>) -> Self {
        Self { salts, randomness: ChaCha20Rng::from_entropy() }
    }

    /// The next salt for an input, or for an output.
    fn salt(&mut self, input: Option<usize>) -> [F; DIGEST] {
        let given = input.and_then(|input| self.salts.get(input).copied().flatten());
        given.unwrap_or_else(|| std::array::from_fn(|_| F::sample(&mut self.randomness)))
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.salts.iter_mut().flatten().for_each(|salt| wipe(salt));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        wipe(&mut self.cells);
        self.salts.iter_mut().flatten().for_each(|salt| wipe(salt));
        self.outputs.zeroize();
    }
}

impl Witness {
    /// The wires of `plan` for `input`, one integer an element, one input after the other.
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
        let values = Table::new(plan.program.values);
        let mut filling = Filling { plan, values, cells, forge };
        let inputs = plan.program.inputs.iter().flat_map(|tensor| tensor.elements.iter());
        for (&value, &element) in inputs.zip(input) {
            filling.values.set(value, from_signed(element));
        }
        let program = &plan.program;
        let inputs = program.inputs.iter().enumerate().map(|(input, tensor)| (tensor, secrets.salt(Some(input))));
        let inputs: Vec<(&Tensor, [F; DIGEST])> = inputs.collect();
        let outputs: Vec<(&Tensor, [F; DIGEST])> =
            program.outputs.iter().map(|tensor| (tensor, secrets.salt(None))).collect();
        for (tensor, salt) in inputs.iter().chain(&outputs) {
            for (value, &element) in tensor.salt.clone().zip(salt) {
                filling.values.set(value, element);
            }
        }
        let salts = [inputs, outputs].map(|salted| salted.into_iter().map(|(_, salt)| salt).collect());
        filling.blocks();
        filling.idle();
        filling.public_row(&mut secrets.randomness);
        filling.blinding(&mut secrets.randomness);
        let public = program.public.iter().map(|&value| filling.values.get(value)).collect();
        let outputs = program.outputs.iter().flat_map(|tensor| tensor.elements.iter());
        let outputs = outputs.map(|&value| to_signed(filling.values.get(value))).collect();
        let cells = mem::take(&mut filling.cells);
        Self { cells, wires: layout.wires, public, salts, outputs }
    }

    /// The wires of one row.
    pub fn row(&self, row: usize) -> &[F] {
        &self.cells[row * self.wires..][..self.wires]
    }

    /// The salts of the commitments to each input, and of those to each output, used or not.
    pub fn salts(&self) -> (&[[F; DIGEST]], &[[F; DIGEST]]) {
        let [inputs, outputs] = &self.salts;
        (inputs, outputs)
    }

    /// The model's outputs, one after the other.
    pub fn outputs(&self) -> impl Iterator<Item = i64> + '_ {
        self.outputs.iter().copied()
    }
}

/// What a dishonest prover does to an instance.
type Forge<'a> = &'a (dyn Fn(usize, Place, &mut [F]) + Sync);

struct Filling<'a> {
    plan: &'a Plan,
    values: Table,
    cells: Vec<F>,
    forge: Forge<'a>,
}

impl Filling<'_> {
    fn blocks(&mut self) {
        let plan = self.plan;
        let mut placements = plan.layout.placements.iter().peekable();
        let mut poseidon_row = plan.layout.poseidon.start;
        let poseidon = PoseidonWires::new();
        for (index, block) in plan.program.blocks.iter().enumerate() {
            let placement = placements.next_if(|placement| placement.block == index);
            if let Some((gadget, placement)) = block.demand.gadget().zip(placement) {
                self.instances(gadget, placement, block);
            }
            if block.demand.permutations() > 0 {
                for values in block.wiring.chunks(POSEIDON_ROUTED) {
                    self.permutation(&poseidon, poseidon_row, values);
                    poseidon_row += 1;
                }
            }
        }
    }

    /// All instances of a block. Those of one run come one after the other, as each may read what those before it give;
    /// runs do not depend on one another.
    fn instances(&mut self, gadget: &Gadget, placement: &Placement, block: &Block) {
        let (layout, run, shape) = (&self.plan.layout, block.demand.run, gadget.shape());
        let (values, forge) = (&self.values, self.forge);
        for &Segment { slot, ref rows, first } in &placement.segments {
            let place = layout.part(slot).place;
            let cells = &mut self.cells[rows.start * layout.wires..rows.end * layout.wires];
            split_into_runs(cells, layout.wires, first, run).into_par_iter().for_each(|(start, cells)| {
                let mut constants = vec![F::ZERO; shape.constants];
                for (instance, row) in (start..).zip(cells.chunks_exact_mut(layout.wires)) {
                    let (inputs, outputs) = wiring(&block.wiring, shape.routed(), instance).split_at(shape.inputs);
                    for (cell, &value) in row[place.routed..].iter_mut().zip(inputs) {
                        *cell = values.get(value);
                    }
                    block.demand.constants.write(instance, &mut constants, from_signed);
                    assign(gadget, &constants, row, place);
                    forge(rows.start + instance - first, place, row);
                    for (&cell, &value) in row[place.routed + shape.inputs..].iter().zip(outputs) {
                        values.set(value, cell);
                    }
                }
            });
        }
    }

    fn permutation(&mut self, poseidon: &PoseidonWires, row: usize, values: &[Value]) {
        let input = std::array::from_fn(|i| self.values.get(values[i]));
        let wires = poseidon.fill(input);
        let cells = &mut self.cells[row * self.plan.layout.wires..][..self.plan.layout.wires];
        cells[..POSEIDON_WIRES].copy_from_slice(&wires);
        let place = Place { routed: 0, advice: POSEIDON_ROUTED, digits: POSEIDON_WIRES, constant: 0 };
        (self.forge)(row, place, cells);
        for i in 0..SPONGE_WIDTH {
            self.values.set(values[SPONGE_WIDTH + i], cells[SPONGE_WIDTH + i]);
        }
    }

    /// Parts that no instance is in must hold all the same.
    fn idle(&mut self) {
        let layout = &self.plan.layout;
        for (kind, used) in layout.kinds.iter().zip(layout.used_rows()) {
            for (part, used) in kind.parts.iter().zip(used).filter(|(_, used)| *used < kind.rows.len()) {
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
            *cell = self.values.get(value);
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

/// The rows of instances from `first` on, in pieces that lie in one run each, with the first instance of each.
fn split_into_runs(mut cells: &mut [F], width: usize, first: usize, run: usize) -> Vec<(usize, &mut [F])> {
    let mut pieces = Vec::new();
    let mut instance = first;
    while !cells.is_empty() {
        let count = (run - instance % run).min(cells.len() / width);
        let (piece, rest) = mem::take(&mut cells).split_at_mut(count * width);
        pieces.push((instance, piece));
        (cells, instance) = (rest, instance + count);
    }
    pieces
}

/// The values of a program, which instances side by side give and read.
struct Table(Vec<AtomicU64>);

impl Table {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    // No value is read before the instance that gives it is done, and its thread joined: that orders the two.
    fn get(&self, value: Value) -> F {
        F::from_noncanonical_u64(self.0[value as usize].load(Ordering::Relaxed))
    }

    fn set(&self, value: Value, element: F) {
        self.0[value as usize].store(element.0, Ordering::Relaxed);
    }
}

/// It is overwritten.
impl Drop for Table {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|value| value.get_mut().zeroize());
    }
}

/// Fills the other wires of an instance in `row`, whose inputs are there.
fn assign(gadget: &Gadget, constants: &[F], row: &mut [F], place: Place) {
    let shape = gadget.shape();
    // As layouts have them: routed wires, digits, advice.
    let (row, advice) = row.split_at_mut(place.advice);
    let (routed, digits) = row.split_at_mut(place.digits);
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
