//! False proofs, one for each class of statement: everything but one instance, or one tie, is as it should be, so that
//! nothing else could tell; made with the real prover and refused by the real verifier.

use super::adversary::honest_row;
use super::checker_tests::{input, plans};
use super::hash::Blake3Config;
use super::verifier_view::secrets;
use super::witness::PoseidonWires;
use super::*;
use crate::gadget::Gadget;
use crate::gadget::field::F;
use crate::plan::{DIGEST, POSEIDON_ROUTED, Place, Plan, SPONGE_WIDTH, Slot};
use plonky2::field::types::Field;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use std::collections::BTreeSet;

/// A circuit with its prover and its verifier.
struct Trial<'a> {
    plan: &'a Plan,
    checker: Checker<'a>,
    prover: Prover<Blake3Config>,
    key: Key<Blake3Config>,
    input: Vec<i64>,
}

/// An instance of a gadget.
#[derive(Clone, Copy)]
struct Instance<'a> {
    row: usize,
    place: Place,
    gadget: &'a Gadget,
    owner: Owner,
}

/// Of each class of instances so many are tried.
const INSTANCES: usize = 3;
/// And so many of the outputs or inputs of each.
const WIRES: usize = 6;

impl<'a> Trial<'a> {
    fn new(plan: &'a Plan) -> Self {
        let prover = Prover::<Blake3Config>::new(plan);
        let key = Key::new(&shape_of(plan), prover.cap(), &Binding::default());
        let trial = Self { plan, checker: Checker::new(plan), prover, key, input: input(plan) };
        let honest = trial.proof(&trial.witness(&|_, _, _| {}));
        assert!(trial.key.verify(&honest).is_ok(), "an honest proof is refused");
        trial
    }

    fn witness(&self, forge: &(dyn Fn(usize, Place, &mut [F]) + Sync)) -> Witness {
        Witness::forged(self.plan, &self.input, secrets(6), forge)
    }

    fn proof(&self, witness: &Witness) -> Vec<u8> {
        self.prover
            .prove(witness, &Binding::default(), &mut Timings::default())
            .expect("a proof is made, true or false")
    }

    /// Whether the witness breaks something, and only what `is_lie` says.
    fn breaks_only(&self, witness: &Witness, is_lie: impl Fn(&Violation) -> bool) -> bool {
        let violations = self.checker.check(witness);
        !violations.is_empty() && violations.iter().all(is_lie)
    }

    #[track_caller]
    fn refuses(&self, witness: &Witness, name: &str) {
        let verdict = self.key.verify(&self.proof(witness));
        assert!(matches!(verdict, Err(VerifyError::Rejected(_))), "a false {name} is proved: {verdict:?}");
    }

    /// Some instances of each gadget in the plan.
    fn instances(&self) -> Vec<Instance<'a>> {
        let mut all: Vec<Instance> = Vec::new();
        for (kind, rows) in self.plan.layout.kinds.iter().enumerate() {
            for (part, placed) in rows.parts.iter().enumerate() {
                let of_row = |row| {
                    let owner = self.checker.sites().owner(row, Slot { kind, part });
                    Instance { row, place: placed.place, gadget: &placed.gadget, owner }
                };
                let is_used = |spot: &Instance| matches!(spot.owner, Owner::Instance { .. });
                all.extend(rows.rows.clone().map(of_row).filter(is_used).take(INSTANCES));
            }
        }
        all
    }

    /// The rows of a block of Poseidon permutations.
    fn permutations(&self, label: &str) -> Vec<usize> {
        let is_of_block =
            |row: &usize| self.checker.sites().name(self.checker.sites().permutation(*row)).starts_with(label);
        self.plan.layout.poseidon.clone().filter(is_of_block).collect()
    }
}

fn is_constraint_of(owner: Owner) -> impl Fn(&Violation) -> bool {
    move |violation| matches!(violation, Violation::Constraint { owner: other, .. } if *other == owner)
}

fn is_copy_of(row: usize, column: usize) -> impl Fn(&Violation) -> bool {
    move |violation| {
        let Violation::Copy { cells } = violation else { return false };
        cells.iter().any(|site| (site.row, site.column) == (row, column))
    }
}

/// Another output, and all that follows from it.
#[test]
fn a_false_output_of_any_gadget_is_refused() {
    let mut refused = BTreeSet::new();
    for plan in plans() {
        let trial = Trial::new(&plan);
        for Instance { row, place, gadget, owner } in trial.instances() {
            let shape = gadget.shape();
            for output in (0..shape.outputs).rev().take(WIRES) {
                if refused.contains(gadget.name()) {
                    break;
                }
                let column = place.routed + shape.inputs + output;
                let lie = trial.witness(&|at, part, cells| {
                    if (at, part) == (row, place) {
                        cells[column] += F::ONE;
                    }
                });
                if trial.breaks_only(&lie, is_constraint_of(owner)) {
                    trial.refuses(&lie, gadget.name());
                    refused.insert(gadget.name());
                }
            }
        }
    }
    assert_eq!(refused, Gadget::NAMES.iter().copied().collect());
}

/// An instance that is right for another input than the one it is tied to.
#[test]
fn an_instance_of_another_input_is_refused() {
    let mut refused = BTreeSet::new();
    for plan in plans() {
        let trial = Trial::new(&plan);
        for Instance { row, place, gadget, .. } in trial.instances() {
            let (shape, constants) = (gadget.shape(), trial.checker.constants(row));
            for input in (0..shape.inputs).take(WIRES) {
                if refused.contains(gadget.name()) {
                    break;
                }
                let lie = trial.witness(&|at, part, cells| {
                    if (at, part) == (row, place) {
                        let mut inputs = cells[place.routed..][..shape.inputs].to_vec();
                        inputs[input] += F::ONE;
                        let wires = honest_row(gadget, &constants[place.constant..][..shape.constants], &inputs);
                        let (routed, own) = wires.split_at(shape.routed());
                        cells[place.routed..][..routed.len()].copy_from_slice(routed);
                        cells[place.advice..][..shape.advice].copy_from_slice(&own[..shape.advice]);
                        cells[place.digits..][..shape.digits].copy_from_slice(&own[shape.advice..]);
                    }
                });
                if trial.breaks_only(&lie, is_copy_of(row, place.routed + input)) {
                    trial.refuses(&lie, gadget.name());
                    refused.insert(gadget.name());
                }
            }
        }
    }
    // Of rounding, one input alone can't change: the others must fit it.
    for name in ["Argmax", "Conv", "DenseTile", "Filter", "Max", "NormSquare", "NormTotal", "PackInput", "Requantize"] {
        assert!(refused.contains(name), "no false {name} was hidden: {refused:?}");
    }
}

/// A commitment to another input: another output of the permutation that gives it, another capacity, and one whose halves
/// are swapped.
#[test]
fn a_false_permutation_is_refused() {
    let plans = plans();
    let is_committed = |plan: &&Plan| !plan.program.inputs[0].salt.is_empty();
    for plan in plans.iter().filter(is_committed) {
        let trial = Trial::new(plan);
        let row = *trial.permutations("input commitment").last().expect("there is a commitment");
        let owner = trial.checker.sites().permutation(row);
        let at_row = |change: &(dyn Fn(&mut [F]) + Sync)| {
            trial.witness(&|at, _, cells| {
                if at == row {
                    change(cells);
                }
            })
        };
        let honest = trial.witness(&|_, _, _| {}).public.clone();

        let lie = at_row(&|cells| cells[SPONGE_WIDTH] += F::ONE);
        assert!(lie.public != honest && trial.breaks_only(&lie, is_constraint_of(owner)));
        trial.refuses(&lie, "output of Poseidon");

        let poseidon = PoseidonWires::new();
        let of_state = |state: &[F]| poseidon.fill(std::array::from_fn(|i| state[i]));
        let capacity = SPONGE_WIDTH - 1;
        let lie = at_row(&|cells| {
            cells[capacity] += F::ONE;
            let wires = of_state(&cells[..SPONGE_WIDTH]);
            cells[..wires.len()].copy_from_slice(&wires);
        });
        assert!(lie.public != honest && trial.breaks_only(&lie, is_copy_of(row, capacity)));
        trial.refuses(&lie, "capacity of Poseidon");

        let swap = 2 * SPONGE_WIDTH;
        let lie = at_row(&|cells| {
            let message = cells[..SPONGE_WIDTH].to_vec();
            let mut swapped = message.clone();
            swapped[..2 * DIGEST].rotate_left(DIGEST);
            let wires = of_state(&swapped);
            cells[..wires.len()].copy_from_slice(&wires);
            cells[..SPONGE_WIDTH].copy_from_slice(&message);
            cells[swap] = F::ONE;
            for i in 0..DIGEST {
                cells[POSEIDON_ROUTED + i] = message[DIGEST + i] - message[i];
            }
        });
        assert!(lie.public != honest && trial.breaks_only(&lie, is_copy_of(row, swap)));
        trial.refuses(&lie, "swap of Poseidon");
    }
}

/// Another output in the proof than the one that the circuit computed: with the circuit's digest, and with its own.
#[test]
fn a_false_public_input_is_refused() {
    for plan in plans() {
        let trial = Trial::new(&plan);
        let mut lie = trial.witness(&|_, _, _| {});
        lie.public[0] += F::ONE;
        assert!(trial.breaks_only(&lie, is_constraint_of(Owner::PublicInputs)));
        trial.refuses(&lie, "public input");

        let start = plan.layout.public_row * lie.wires;
        lie.cells[start..][..DIGEST].copy_from_slice(&PoseidonHash::hash_no_pad(&lie.public).elements);
        let is_tie = |violation: &Violation| (0..DIGEST).any(|i| is_copy_of(plan.layout.public_row, i)(violation));
        assert!(trial.breaks_only(&lie, is_tie));
        trial.refuses(&lie, "digest of the public inputs");
    }
}
