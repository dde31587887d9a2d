//! What the verifier is given holds each cell, ties each cell, and states each constraint that the plan says.

use super::checker_tests::{input, plans};
use super::verifier_view::{VerifierView, secrets};
use super::*;
use crate::gadget::field::{D, F};
use crate::plan::security::{HashKind, Level, Scheme};
use crate::plan::{DIGEST, POSEIDON_CONSTRAINTS, Plan, Visibility, total};
use plonky2::field::types::{Field, Sample};
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use plonky2_maybe_rayon::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

/// The reference CNN's, with the default options.
fn reference() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let (model, _) = crate::nn::reference::reference_cnn();
        let graph = crate::lower_exact(&model, (-5, 4), &mut |_, _| {}).expect("integers");
        let scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, level: Level::Conjectured };
        Plan::new(&graph, Visibility::Committed, scheme).expect("a plan")
    })
}

/// Whether some statement determines the cell, or reads it in the row of the public inputs.
fn is_held(site: Site) -> bool {
    matches!(site.role, Role::Advice | Role::Output) || (site.owner == Owner::PublicInputs && site.role == Role::Input)
}

/// Changes these columns of a row, one at a time, and counts those that are held; each must be noticed.
fn hold(view: &VerifierView, checker: &Checker, row: usize, honest: &Witness, columns: &[usize]) -> usize {
    let hash = PoseidonHash::hash_no_pad(&honest.public);
    let mut wires = honest.row(row).to_vec();
    assert!(view.holds(row, &wires, &hash), "honest row {row} does not hold");
    let mut random = ChaCha20Rng::seed_from_u64(row as u64);
    let sites = columns.iter().map(|&column| checker.sites().site(row, column)).filter(|&site| is_held(site));
    let mut held = 0;
    for site in sites {
        for change in [F::ONE, F::sample(&mut random)] {
            wires[site.column] += change;
            let name = checker.sites().name(site.owner);
            assert!(!view.holds(row, &wires, &hash), "{name}: {} {} of row {row} is loose", site.role, site.index);
            wires[site.column] -= change;
        }
        held += 1;
    }
    held
}

/// Every cell that a statement determines is held by what the verifier evaluates in its row: all of small circuits.
#[test]
fn every_determined_cell_is_held() {
    for plan in plans() {
        let (view, checker) = (VerifierView::new(&plan), Checker::new(&plan));
        let honest = Witness::new(&plan, &input(&plan), secrets(1));
        let columns: Vec<usize> = (0..plan.layout.wires).collect();
        let rows = (0..view.rows()).into_par_iter();
        let held: usize = rows.map(|row| hold(&view, &checker, row, &honest, &columns)).sum();
        let of_kinds = plan.layout.kinds.iter().map(|kind| {
            let shape = total(&kind.parts);
            kind.rows.len() * (shape.outputs + shape.own())
        });
        let of_poseidon = plan.layout.poseidon.len() * POSEIDON_CONSTRAINTS;
        // One constraint of Poseidon's holds the swap, an input; the others hold a wire each.
        assert_eq!(held, of_kinds.sum::<usize>() + of_poseidon - plan.layout.poseidon.len() + DIGEST);
    }
}

/// The same of the reference CNN: a sample of the cells of a sample of rows, the first and the last row of each kind among
/// them.
#[test]
fn a_sample_of_determined_cells_of_the_reference_cnn_is_held() {
    const ROWS: usize = 2;
    const CELLS: usize = 16;
    let plan = reference();
    let (view, checker) = (VerifierView::new(plan), Checker::new(plan));
    let mut random = ChaCha20Rng::seed_from_u64(2);
    let input = (0..plan.program.inputs[0].elements.len()).map(|_| random.gen_range(-5..=4)).collect::<Vec<i64>>();
    let honest = Witness::new(plan, &input, secrets(3));
    let mut rows: Vec<usize> = vec![plan.layout.public_row];
    for kind in plan.layout.kinds.iter().map(|kind| &kind.rows).chain([&plan.layout.poseidon]) {
        rows.extend([kind.start, kind.end - 1]);
        rows.extend((0..ROWS).map(|_| random.gen_range(kind.clone())));
    }
    for row in rows {
        let held = |&column: &usize| is_held(checker.sites().site(row, column));
        let columns: Vec<usize> = (0..plan.layout.wires).filter(held).collect();
        let columns: Vec<usize> = columns.choose_multiple(&mut random, CELLS).copied().collect();
        assert!(hold(&view, &checker, row, &honest, &columns) >= DIGEST, "row {row}");
    }
}

/// Every cell that a statement reads is tied to exactly one that a statement determines, or is an element of the input or of
/// the salt; and to no other cell.
#[test]
fn every_read_cell_is_tied_to_one_that_is_determined() {
    for plan in plans().iter().chain([reference()]) {
        let (view, checker) = (VerifierView::new(plan), Checker::new(plan));
        let mut given = 0;
        for cycle in view.cycles() {
            let sites: Vec<Site> = cycle.iter().map(|&(row, column)| checker.sites().site(row, column)).collect();
            let is_used = |site: &&Site| {
                let is_statement = matches!(site.owner, Owner::Instance { .. } | Owner::PublicInputs);
                is_statement && matches!(site.role, Role::Input | Role::Output)
            };
            let used: Vec<&Site> = sites.iter().filter(is_used).collect();
            let Some(first) = used.first() else { continue };
            let name = || format!("{} {} {}", checker.sites().name(first.owner), first.role, first.index);
            assert_eq!(used.len(), sites.len(), "{} is tied to a cell that no statement reads", name());
            match used.iter().filter(|site| site.role == Role::Output).count() {
                0 => given += 1,
                outputs => assert_eq!(outputs, 1, "{} is determined more than once", name()),
            }
        }
        // More would be cells that somebody reads and nobody determines.
        let (inputs, outputs) = (&plan.program.inputs, &plan.program.outputs);
        let salts: usize = inputs.iter().chain(outputs).map(|tensor| tensor.salt.len()).sum();
        let elements: usize = inputs.iter().map(|input| input.elements.len()).sum();
        assert_eq!(given, elements + salts, "cells that nothing determines");
    }
}

/// At random wires as many constraints are broken in each row as the plan states for it: none is switched off, none falls
/// together with another, and rows of blinding have none.
#[test]
fn every_row_has_the_constraints_that_the_plan_states() {
    for plan in plans().iter().chain([reference()]) {
        let view = VerifierView::new(plan);
        let layout = &plan.layout;
        let stated = |row: usize| {
            if let Some(kind) = layout.kinds.iter().find(|kind| kind.rows.contains(&row)) {
                let shape = total(&kind.parts);
                return shape.constraints + shape.digits;
            }
            if layout.poseidon.contains(&row) {
                POSEIDON_CONSTRAINTS
            } else {
                DIGEST * usize::from(row == layout.public_row)
            }
        };
        (0..view.rows()).into_par_iter().for_each(|row| {
            let mut random = ChaCha20Rng::seed_from_u64(row as u64);
            let mut sample = |count: usize| (0..count).map(|_| F::sample(&mut random)).collect::<Vec<F>>();
            let (wires, hash) = (sample(layout.wires), sample(DIGEST));
            let hash = HashOut { elements: [hash[0], hash[1], hash[2], hash[3]] };
            let broken = view.constraints(row, &wires, &hash).iter().filter(|value| !value.is_zero()).count();
            assert_eq!(broken, stated(row), "row {row}");
        });
    }
}

/// What is tied in rows of blinding: in each seam before a chunk of the permutation argument, as the number of the chunk in its
/// row, how many rows have all wires of the seam tied across it.
fn seams(view: &VerifierView, is_blinding: impl Fn(usize) -> bool) -> Vec<usize> {
    let (routed, chunk) = (view.common().config.num_routed_wires, view.common().quotient_degree_factor);
    let mut ties = BTreeMap::<usize, usize>::new();
    for cycle in view.cycles().iter().filter(|cycle| cycle.len() == 2 && cycle.iter().all(|cell| is_blinding(cell.0))) {
        let place = |&(row, column): &(usize, usize)| row * routed + column;
        let (first, second) = (place(&cycle[0]).min(place(&cycle[1])), place(&cycle[0]).max(place(&cycle[1])));
        let next = (first / chunk + 1) * chunk;
        if (next..next + chunk).contains(&second) {
            *ties.entry(next / chunk).or_default() += 1;
        }
    }
    let mut rows = vec![0; routed / chunk];
    let complete = ties.iter().filter(|(_, count)| **count == chunk / 2);
    complete.for_each(|(seam, _)| rows[seam % (routed / chunk)] += 1);
    rows
}

/// There is blinding for every value that a proof tells of the wires, of the partial products and of Z: it opens each at its
/// queries and at a point of the extension, and Z, which the quotient gives away besides, at the points after these too.
#[test]
fn there_is_blinding_for_all_that_is_disclosed() {
    /// More rows than values, so that the ratios of several challenge sets are jointly random.
    const SPARE: usize = 3;
    for plan in plans().iter().chain([reference()]).filter(|plan| plan.layout.scheme.zero_knowledge) {
        let view = VerifierView::new(plan);
        let (config, layout) = (&view.common().config, &plan.layout);
        let disclosed = config.fri_config.num_query_rounds + D;
        let (first, second) =
            (Witness::new(plan, &input(plan), secrets(7)), Witness::new(plan, &input(plan), secrets(8)));
        let differs = |row: usize, column: usize| first.row(row)[column] != second.row(row)[column];
        let is_blinding = |row: usize| row > layout.public_row && (0..layout.wires).all(|column| differs(row, column));
        let rows: Vec<usize> = (0..view.rows()).filter(|&row| is_blinding(row)).collect();
        let tied: HashSet<usize> =
            view.cycles().into_iter().filter(|cycle| cycle.len() > 1).flatten().map(|(row, _)| row).collect();
        assert!(rows.iter().filter(|row| !tied.contains(row)).count() >= disclosed, "rows that are tied to nothing");

        let seams = seams(&view, |row| rows.contains(&row));
        let (between_rows, within) = seams.split_first().expect("chunks");
        assert!(*between_rows >= 2 * disclosed + SPARE, "{between_rows} rows are tied to the next");
        assert!(within.iter().all(|&rows| rows >= disclosed + SPARE), "{within:?} rows are tied at a seam");

        let masks = (0..layout.wires).filter(|&column| (0..view.rows()).all(|row| differs(row, column)));
        assert!(masks.count() >= config.num_challenges + D, "columns that are random in all rows");
    }
}
