//! Whole circuits under lies that hang together: whole instances computed for other inputs, digits in each other's
//! place, and every advice cell there is.

use super::checker_tests::{input, plans};
use super::*;
use crate::gadget::Gadget;
use crate::gadget::field::F;
use crate::plan::{POSEIDON_ROUTED, POSEIDON_WIRES, Place, Plan, Slot};
use plonky2::field::types::{Field, Field64};
use plonky2_maybe_rayon::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Instances of each block, and of parts that no instance is in, that are forged in each way.
const SAMPLE: usize = 6;

/// Changes of an input that a lie is computed from: units, a bit of every height that a shift or a limb could be lost
/// at, half of the field, anything.
fn steps(random: &mut ChaCha20Rng) -> Vec<F> {
    let bits = [0, 1, 4, 9, 16, 24, 48].map(|bit| F::from_canonical_u64(1 << bit));
    let others = [F::from_canonical_u64(F::ORDER / 2), F::from_canonical_u64(random.gen_range(1..F::ORDER))];
    bits.into_iter().flat_map(|bit| [bit, -bit]).chain(others).collect()
}

/// A part of a row, with its owner.
struct Spot<'a> {
    row: usize,
    place: Place,
    gadget: &'a Gadget,
    owner: Owner,
}

/// A sample of the parts of all rows, some of every owner.
fn spots<'a>(checker: &Checker, plan: &'a Plan, random: &mut ChaCha20Rng) -> Vec<Spot<'a>> {
    let mut by_owner: BTreeMap<String, Vec<Spot>> = BTreeMap::new();
    for (kind, rows) in plan.layout.kinds.iter().enumerate() {
        for (part, placed) in rows.parts.iter().enumerate() {
            for row in rows.rows.clone() {
                let owner = checker.sites().owner(row, Slot { kind, part });
                let group = match owner {
                    Owner::Instance { block, .. } => format!("block {block}"),
                    _ => format!("kind {kind} part {part}"),
                };
                let spot = Spot { row, place: placed.place, gadget: &placed.gadget, owner };
                by_owner.entry(group).or_default().push(spot);
            }
        }
    }
    by_owner
        .into_values()
        .flat_map(|mut spots| {
            spots.shuffle(random);
            spots.truncate(SAMPLE);
            spots
        })
        .collect()
}

impl Spot<'_> {
    /// What the gadget computes from the row's inputs, the one at `changed` moved by `step`.
    fn recomputed(&self, constants: &[F], row: &[F], changed: usize, step: F) -> [Vec<F>; 4] {
        let shape = self.gadget.shape();
        let mut inputs = row[self.place.routed..][..shape.inputs].to_vec();
        inputs[changed] += step;
        let [mut outputs, mut advice, mut digits] =
            [shape.outputs, shape.advice, shape.digits].map(|count| vec![F::ZERO; count]);
        let constants = &constants[self.place.constant..][..shape.constants];
        self.gadget.assign(constants, &inputs, &mut outputs, [&mut advice, &mut digits]);
        [inputs, outputs, advice, digits]
    }

    fn write(&self, row: &mut [F], [inputs, outputs, advice, digits]: &[Vec<F>; 4]) {
        let routed = self.place.routed;
        row[routed..][..inputs.len()].copy_from_slice(inputs);
        row[routed + inputs.len()..][..outputs.len()].copy_from_slice(outputs);
        row[self.place.advice..][..advice.len()].copy_from_slice(advice);
        row[self.place.digits..][..digits.len()].copy_from_slice(digits);
    }

    fn breaks(&self, violations: &[Violation]) -> bool {
        violations
            .iter()
            .any(|violation| matches!(violation, Violation::Constraint { owner, .. } if *owner == self.owner))
    }
}

/// Outputs and digits that are right for another input are noticed in the row that has this one. Where they are what
/// they were, the statement is too.
#[test]
fn results_of_other_inputs_are_noticed() {
    let mut random = ChaCha20Rng::seed_from_u64(6);
    let (mut lies, mut same) = (BTreeMap::<&str, usize>::new(), 0);
    for plan in plans() {
        let checker = Checker::new(&plan);
        let honest = Witness::new(&plan, &input(&plan), Secrets::fresh());
        for spot in spots(&checker, &plan, &mut random).iter().filter(|spot| spot.gadget.shape().inputs > 0) {
            let constants = checker.constants(spot.row);
            for step in steps(&mut random) {
                let changed = random.gen_range(0..spot.gadget.shape().inputs);
                let mut lie = spot.recomputed(&constants, honest.row(spot.row), changed, step);
                lie[0][changed] -= step;
                let mut row = honest.row(spot.row).to_vec();
                spot.write(&mut row, &lie);
                if row == honest.row(spot.row) {
                    same += 1;
                    continue;
                }
                let name = checker.sites().name(spot.owner);
                assert!(spot.breaks(&checker.row(spot.row, &row, &honest.public)), "{name}: {changed} by {step:?}");
                *lies.entry(spot.gadget.name()).or_default() += 1;
            }
        }
    }
    println!("{lies:?}; {same} changed nothing");
    assert_eq!(lies.len(), Gadget::NAMES.len() - 1, "only constants have no inputs");
}

/// An instance that is moved to another input altogether satisfies its own constraints, and all that follow from it
/// can be made to: only the copy constraints of what it reads tell.
#[test]
fn other_inputs_are_noticed_by_the_copies() {
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let (mut told_by_copies_alone, mut lies) = (BTreeSet::new(), 0);
    for plan in plans() {
        let checker = Checker::new(&plan);
        let is_instance = |spot: &Spot| matches!(spot.owner, Owner::Instance { .. });
        let spots = spots(&checker, &plan, &mut random);
        for spot in spots.iter().filter(|spot| is_instance(spot) && spot.gadget.shape().inputs > 0) {
            let constants = checker.constants(spot.row);
            for step in [F::ONE, -F::ONE, F::from_canonical_u64(1 << 9)] {
                let changed = random.gen_range(0..spot.gadget.shape().inputs);
                let forged = Witness::forged(&plan, &input(&plan), Secrets::fresh(), &|row, place, cells| {
                    if (row, place) == (spot.row, spot.place) {
                        let lie = spot.recomputed(&constants, cells, changed, step);
                        spot.write(cells, &lie);
                    }
                });
                let violations = checker.check(&forged);
                let input = (spot.row, spot.place.routed + changed);
                let is_copy_of_it = |violation: &Violation| {
                    let Violation::Copy { cells } = violation else { return false };
                    cells.iter().any(|site| (site.row, site.column) == input)
                };
                let name = checker.sites().name(spot.owner);
                assert!(violations.iter().any(is_copy_of_it), "{name}: input {changed} by {step:?}");
                if violations.iter().all(is_copy_of_it) {
                    told_by_copies_alone.insert(spot.gadget.name());
                }
                lies += 1;
            }
        }
    }
    println!("{lies} lies; by copies alone: {told_by_copies_alone:?}");
    // The rest only take inputs that pass a check of their own.
    for name in [
        "Conv",
        "DenseTile",
        "Max",
        "NormSquare",
        "PackInput",
        "Requantize",
        "Argmax",
        "Add",
        "Filter",
        "Product",
        "Strike",
    ] {
        assert!(told_by_copies_alone.contains(name), "{name}: {told_by_copies_alone:?}");
    }
}

/// Every advice cell of every row, instance or not, and each in several ways; and neighbours in each other's place.
#[test]
fn every_advice_cell_is_held() {
    for plan in plans() {
        let checker = Checker::new(&plan);
        let honest = Witness::new(&plan, &input(&plan), Secrets::fresh());
        let (changed, swaps) = (0..plan.layout.blinding_row)
            .into_par_iter()
            .map(|row| hold_row(&checker, &honest, row))
            .reduce(|| (0, 0), |(a, b), (c, d)| (a + c, b + d));
        let of_kinds = plan.layout.kinds.iter().map(|kind| {
            let advice: usize = kind.parts.iter().map(|part| part.gadget.shape().own()).sum();
            advice * kind.rows.len()
        });
        let total = of_kinds.sum::<usize>() + plan.layout.poseidon.len() * (POSEIDON_WIRES - POSEIDON_ROUTED);
        assert_eq!(changed, total, "some advice cells were left out");
        println!("{changed} of {total} advice cells: {} %; {swaps} swaps", 100 * changed / total);
    }
}

/// Changes each advice cell of a row; how many there were, and how many could be swapped with the next.
fn hold_row(checker: &Checker, honest: &Witness, row: usize) -> (usize, usize) {
    let mut random = ChaCha20Rng::seed_from_u64(row as u64);
    let mut cells = honest.row(row).to_vec();
    let breaks = |cells: &[F]| !checker.row(row, cells, &honest.public).is_empty();
    let sites: Vec<Site> = (0..cells.len()).map(|column| checker.sites().site(row, column)).collect();
    let (mut changed, mut swaps) = (0, 0);
    for column in (0..cells.len()).filter(|&column| sites[column].role == Role::Advice) {
        let (before, name) = (cells[column], || checker.sites().name(sites[column].owner));
        let half = F::from_canonical_u64(F::ORDER / 2);
        for change in [F::ONE, -F::ONE, half, F::from_canonical_u64(random.gen_range(2..F::ORDER - 1))] {
            cells[column] = before + change;
            assert!(breaks(&cells), "{} advice {} by {change:?}", name(), sites[column].index);
        }
        cells[column] = before;
        changed += 1;
        let has_next =
            sites.get(column + 1).is_some_and(|next| next.owner == sites[column].owner && next.role == Role::Advice);
        if has_next && before != cells[column + 1] {
            cells.swap(column, column + 1);
            assert!(breaks(&cells), "{} advice {} and the next swapped", name(), sites[column].index);
            cells.swap(column, column + 1);
            swaps += 1;
        }
    }
    (changed, swaps)
}

/// What is said of a public input in the proof is what the circuit computed.
#[test]
fn another_public_input_is_noticed() {
    for plan in plans() {
        let checker = Checker::new(&plan);
        for index in 0..plan.program.public.len() {
            let mut forged = Witness::new(&plan, &input(&plan), Secrets::fresh());
            forged.public[index] += F::ONE;
            let is_digest =
                |violation: &Violation| matches!(violation, Violation::Constraint { owner: Owner::PublicInputs, .. });
            let violations = checker.check(&forged);
            assert!(!violations.is_empty() && violations.iter().all(is_digest));
        }
    }
}

/// An input beyond either end of its range is noticed where the range is checked, and there first.
#[test]
fn inputs_out_of_range_are_noticed() {
    for plan in plans() {
        let checker = Checker::new(&plan);
        let mut end = 0;
        for (position, tensor) in plan.program.inputs.iter().enumerate() {
            end += tensor.elements.len();
            let name = format!("%{position} input");
            let of_input = plan.program.blocks.iter().filter(|block| block.demand.label == name);
            let mut ranges = of_input.filter_map(|block| match block.demand.gadget()?.as_ref() {
                Gadget::PackInput(gadget) => Some(gadget.range()),
                _ => None,
            });
            let (lo, hi) = ranges.next().expect("the input is packed");
            for outside in [lo - 1, hi + 1, hi + 1000, i64::MIN / 4] {
                let mut values = input(&plan);
                values[end - 1] = outside;
                let violations = checker.check(&Witness::new(&plan, &values, Secrets::fresh()));
                let is_range_check = |violation: &Violation| checker.describe(violation).starts_with(&name);
                assert!(violations.iter().any(is_range_check), "{outside} passes as {lo}..={hi}");
            }
        }
    }
}
