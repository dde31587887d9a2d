//! Whole circuits under change: what a cell is for decides whether a change of it may pass.

use super::*;
use crate::gadget::field::F;
use crate::plan::security::{HashKind, Scheme};
use crate::plan::{Claims, Each, OutputVisibility, Plan, Visibility};
use plonky2::field::types::{Field, Field64};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

const DENSE: &str = "
%0 = input : [3] fixed(scale 1, -5..=4)
%1 = dense %0 weights=fixed[2, 3] scale 1 [1, -2, 3, 4, 5, -6] bias=fixed[2] scale 1 [7, -8]
%2 = relu %1
output %2
";

const CNN: &str = "
%0 = input : [6, 6, 1] fixed(scale 1, -5..=5)
%1 = conv2d %0 kernel=fixed[2, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
%2 = max_pool %1 window=[2, 2] relu
%3 = conv2d %2 kernel=fixed[2, 1, 1, 2] scale 1 [1, -2, 3, 4]
%4 = flatten %3
%5 = dense %4 weights=fixed[3, 8] scale 1 [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9, 1, 0, 2, 0, 3, 0]
%6 = normalize %5 fraction_bits=24
output %6
";

const POOLS: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, 0..=255)
%1 = max_pool %0 window=[2, 2]
%2 = conv2d %1 kernel=fixed[1, 1, 1, 1] scale 1 [3]
output %2
";

/// Requantization of both ends, of one end, and of none, and a class.
const FIXED: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=5)
%1 = conv2d %0 kernel=fixed[2, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
%2 = max_pool %1 window=[2, 2]
%3 = requantize %2 multipliers=[77, 99] shift=4 clamp=-100..=26 scale 1
%4 = flatten %3
%5 = dense %4 weights=fixed[3, 2] scale 1 [1, 2, -3, 4, 5, -6]
%6 = requantize %5 multipliers=[300, 200, 100] shift=9 clamp=0..=255 scale 1
%7 = requantize %6 multipliers=[3, 2, 1] shift=1 clamp=-9999..=9999 scale 1
%8 = argmax %7 axis=0
output %8
";

/// Sums of two and of many, of a value read twice, and borders that convolutions, max-pools and sums read.
const RESIDUAL: &str = "
%0 = input : [3, 3, 1] fixed(scale 1, -5..=5)
%1 = pad %0 before=[1, 1, 0] after=[1, 1, 0]
%2 = conv2d %1 kernel=fixed[1, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9]
%3 = add %2 %0
%4 = add %3 %0 %0 %2 %3 %0 %2 %3 %0 %2
%5 = pad %4 before=[1, 0, 0] after=[0, 1, 0]
%6 = max_pool %5 window=[2, 2]
%7 = add %6 %6
%8 = flatten %7
%9 = pad %8 before=[1] after=[1]
%10 = dense %9 weights=fixed[2, 6] scale 1 [1, 2, -3, 4, 5, -6, 7, 8, 9, 10, 11, 12]
output %10
";

/// Every view, behind and in front of what computes, of a value that several read, and of an input and an output.
const VIEWS: &str = "
%0 = input : [2, 3, 2] fixed(scale 1, -5..=5)
%1 = transpose %0 axes=[1, 0, 2]
%2 = gather %1 axis=0 indices=[2, 0, 0, 1]
%3 = pad %1 before=[1, 0, 0] after=[0, 0, 0] between=[2, 0, 0]
%4 = concat %3 %2 axis=0
%5 = conv2d %4 kernel=fixed[1, 2, 2, 2] scale 1 [1, -2, 3, -4, 5, -6, 7, -8] stride=[3, 1]
%6 = relu %5
%7 = reshape %6 shape=[2, 2]
%8 = transpose %7 axes=[1, 0]
%9 = add %7 %8
%10 = concat %9 %7 %9 axis=1
output %10 %2
";

/// Products, also of a value with itself, and factors, offsets and maxima beside them.
const PRODUCTS: &str = "
%0 = input : [2, 2, 3] fixed(scale 1, -5..=5)
%1 = multiply %0 %0
%2 = affine %1 weights=fixed[3] scale 1 [2, -3, 1] bias=fixed[3] scale 1 [5, 0, -7]
%3 = maximum %2 %1 %0
%4 = multiply %3 %0
%5 = affine %4 weights=fixed[3] scale 1 [1, 0, -1]
%6 = maximum %5 %4
output %6
";

/// Indices along either axis, of one and of several, and a window and a list that can be compared in groups.
const RANKS: &str = "
%0 = input : [3, 7, 1] fixed(scale 1, -5..=5)
%1 = argmax %0 axis=0
%2 = top_k %0 axis=1 count=3
%3 = max_pool %0 window=[3, 7] relu
%4 = flatten %0
%5 = top_k %4 axis=0 count=2
output %1 %2 %3 %5
";

/// Two inputs and three outputs, one of which is an input, and one of which another operation reads.
const ENDS: &str = "
%0 = input : [2, 2, 1] fixed(scale 1, -3..=4)
%1 = input : [4] fixed(scale 1, 0..=9)
%2 = flatten %0
%3 = add %2 %1
%4 = relu %3
%5 = add %4 %2
output %5 %4 %0
";

fn plan(text: &str, claims: impl Into<Claims>, zero_knowledge: bool) -> Plan {
    let graph = zknn_ir::parse(text).expect("a graph");
    Plan::new(&graph, claims, Scheme { zero_knowledge, hash: HashKind::Blake3, ..Scheme::default() }).expect("a plan")
}

const COMMITTED: Claims = Claims {
    inputs: Each::Same(Visibility::Committed),
    outputs: Each::Same(OutputVisibility::Committed),
    unsaturated: false,
};

/// Every gate and lowering between them.
pub(super) fn plans() -> Vec<Plan> {
    let scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, ..Scheme::default() };
    let cnn = zknn_ir::parse(CNN).expect("a graph");
    let mut plans = Plan::with_every_candidate(&cnn, Visibility::Public, scheme);
    let ranks = zknn_ir::parse(RANKS).expect("a graph");
    plans.extend(Plan::with_every_candidate(&ranks, Visibility::Public, scheme));
    plans.extend([
        plan(DENSE, Visibility::Private, false),
        plan(CNN, Visibility::Committed, true),
        plan(POOLS, Visibility::Committed, false),
        plan(FIXED, Visibility::Committed, false),
        plan(RESIDUAL, Visibility::Public, true),
        plan(VIEWS, COMMITTED, true),
        plan(PRODUCTS, COMMITTED, true),
        plan(DENSE, COMMITTED, false),
        plan(CNN, COMMITTED, false),
        plan(ENDS, COMMITTED, false),
        plan(ENDS, Visibility::Public, true),
    ]);
    plans
}

fn witness(plan: &Plan) -> Witness {
    Witness::new(plan, &input(plan), Secrets::fresh())
}

pub(super) fn input(plan: &Plan) -> Vec<i64> {
    let count: usize = plan.program.inputs.iter().map(|input| input.elements.len()).sum();
    (0..count as i64).map(|i| (i * 7 + 3) % 5).collect()
}

/// What a change of a cell is judged by: whose it is, and what it is there.
fn class(checker: &Checker, plan: &Plan, site: Site) -> String {
    let owner = match site.owner {
        Owner::Instance { block, .. } => {
            plan.program.blocks[block].demand.gadget().map_or("Poseidon", |gadget| gadget.name()).into()
        }
        other => checker.sites().name(other),
    };
    format!("{owner} {}", site.role)
}

/// Whether a change of this one cell may pass, as no statement is about it: cells that no constraint reads, and the
/// inputs of a part that no instance is in. Such a cell must be tied to no other.
fn is_free(checker: &Checker, site: Site) -> bool {
    let may = site.role == Role::Free || matches!((site.owner, site.role), (Owner::Idle { .. }, Role::Input));
    may && checker.cycle(site.row, site.column).len() == 1
}

/// What a witness breaks when these cells are changed: in their rows, and where they are copied.
fn broken_by(checker: &Checker, witness: &mut Witness, cells: &[(usize, usize)], routed: usize, change: F) -> bool {
    let wires = witness.wires;
    cells.iter().for_each(|&(row, column)| witness.cells[row * wires + column] += change);
    let broken = cells.iter().any(|&(row, column)| {
        (column < routed && checker.copy(witness, row, column).is_some())
            || !checker.row(row, witness.row(row), &witness.public).is_empty()
    });
    cells.iter().for_each(|&(row, column)| witness.cells[row * wires + column] -= change);
    broken
}

fn changes(random: &mut ChaCha20Rng) -> [F; 4] {
    let half = F::from_canonical_u64(F::ORDER / 2);
    [F::ONE, -F::ONE, half, F::from_canonical_u64(random.gen_range(1..F::ORDER))]
}

/// Changes one cell alone, then the cell with all that are tied to it.
fn mutate(checker: &Checker, plan: &Plan, witness: &mut Witness, cell: (usize, usize), random: &mut ChaCha20Rng) {
    let site = checker.sites().site(cell.0, cell.1);
    let cycle = checker.cycle(cell.0, cell.1);
    // Tied cells of blinding may change together.
    let is_blinding = site.owner == Owner::Blinding;
    for change in changes(random) {
        let name = || format!("{} {} by {change:?}", class(checker, plan, site), site.index);
        let alone = broken_by(checker, witness, &[cell], plan.layout.routed, change);
        assert!(alone || is_free(checker, site), "{} passes", name());
        assert!(!alone || site.role != Role::Free || cycle.len() > 1, "{}: is it read?", name());
        if cycle.len() > 1 {
            let together = broken_by(checker, witness, &cycle, plan.layout.routed, change);
            assert!(together != is_blinding, "{}, wherever it is copied: {together}", name());
        }
    }
}

#[test]
fn an_honest_witness_breaks_nothing() {
    for plan in plans() {
        let checker = Checker::new(&plan);
        let violations = checker.check(&witness(&plan));
        assert_eq!(violations, [], "{}", checker.describe(&violations[0]));
    }
}

/// Every cell of the smallest circuit.
#[test]
fn every_cell_of_a_small_circuit() {
    let plan = plan(DENSE, Visibility::Private, false);
    let (checker, mut witness) = (Checker::new(&plan), witness(&plan));
    let mut random = ChaCha20Rng::seed_from_u64(3);
    let mut cells = 0;
    for row in 0..plan.layout.rows() {
        for column in 0..plan.layout.wires {
            mutate(&checker, &plan, &mut witness, (row, column), &mut random);
            cells += 1;
        }
    }
    println!("{cells} cells of {} rows", plan.layout.rows());
}

/// A sample of every class of cells, in circuits with every gate and lowering.
#[test]
fn cells_of_every_class() {
    const SAMPLE: usize = 24;
    let mut random = ChaCha20Rng::seed_from_u64(4);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for plan in plans() {
        let (checker, mut witness) = (Checker::new(&plan), witness(&plan));
        let mut classes: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for row in 0..plan.layout.rows() {
            for column in 0..plan.layout.wires {
                let name = class(&checker, &plan, checker.sites().site(row, column));
                classes.entry(name).or_default().push((row, column));
            }
        }
        for (name, cells) in classes {
            for &cell in cells.choose_multiple(&mut random, SAMPLE) {
                mutate(&checker, &plan, &mut witness, cell, &mut random);
                *seen.entry(name.clone()).or_default() += 1;
            }
        }
    }
    println!("{seen:#?}");
    for gadget in crate::gadget::Gadget::NAMES {
        for role in ["input", "output", "advice"] {
            let has = |name: &str| seen.contains_key(&format!("{name} {role}"));
            let lacks = matches!(
                (*gadget, role),
                ("Constants", "input" | "advice") | ("DenseTile" | "Add" | "Filter" | "Product", "advice")
            );
            assert!(lacks || has(gadget), "no {role} of {gadget} was changed");
        }
    }
}

/// A lie about any output, with all that follows computed from it, is noticed where it was told, and only there.
#[test]
fn a_lie_is_noticed_where_it_was_told() {
    let mut random = ChaCha20Rng::seed_from_u64(5);
    let mut lies = 0;
    for plan in plans() {
        let checker = Checker::new(&plan);
        for _ in 0..12 {
            let target = random.gen_range(0..plan.layout.blinding_row.min(40));
            let Some(kind) = checker.sites().kind(target) else { continue };
            let parts = &plan.layout.kinds[kind].parts;
            let part = random.gen_range(0..parts.len());
            let shape = parts[part].gadget.shape();
            let output = parts[part].place.routed + shape.inputs + random.gen_range(0..shape.outputs);
            let told = AtomicBool::new(false);
            let forged = Witness::forged(&plan, &input(&plan), Secrets::fresh(), &|row, place, cells| {
                if (row, place) == (target, parts[part].place) {
                    cells[output] += F::ONE;
                    told.store(true, Ordering::Relaxed);
                }
            });
            if !told.into_inner() {
                continue;
            }
            let liar = checker.sites().site(target, output).owner;
            let violations = checker.check(&forged);
            let at = |violation: &Violation| match violation {
                Violation::Constraint { owner, .. } => Some(*owner),
                Violation::Copy { .. } => None,
            };
            assert!(violations.iter().any(|violation| at(violation) == Some(liar)), "{}", checker.sites().name(liar));
            lies += 1;
        }
    }
    assert!(lies > 10, "{lies}");
}

#[test]
fn violations_are_told_by_layer_element_and_wire() {
    let plan = plan(DENSE, Visibility::Private, false);
    let (checker, mut witness) = (Checker::new(&plan), witness(&plan));
    let relu = plan.layout.placements.last().expect("the relu is last");
    let (row, place) = plan.layout.locate(relu, 1);
    let wires = witness.wires;
    witness.cells[row * wires + place.routed + 1] += F::ONE;
    let told: Vec<String> = checker.check(&witness).iter().map(|violation| checker.describe(violation)).collect();
    insta::assert_snapshot!(told.join("\n"));
}
