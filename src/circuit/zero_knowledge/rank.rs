//! As many independent forms in what is random as values that a proof tells: for each oracle, in circuits of every gadget.
//!
//! The values of each oracle are forms in cells of its own: those of the wires in cells tied to no other; those of `Z` in
//! cells tied across a seam at the end of a row, those of each partial product in cells tied across a seam of its own; those
//! of the quotient and those of the combination in columns that are random in all rows. So the ranks of the oracles add up
//! to that of all together.

use super::algebra::Coverage;
use super::subject::Subject;
use super::{BLINDED, CLASSIFYING, NORMALIZING, TOY, plan};
use crate::plan::security::{HashKind, Level, MAX_BLINDED_SETS, Oracle, SEAM_MARGIN, Scheme};
use crate::plan::{Plan, Visibility};

/// A plan that takes this many challenge sets, whether it needs them or not.
fn with_sets(text: &str, visibility: Visibility, hash: HashKind, sets: usize) -> Plan {
    let scheme = Scheme { hash, ..BLINDED };
    let mut plan = plan(text, visibility, scheme);
    let layout = &mut plan.layout;
    let unmasked = layout.wires - layout.masks;
    (layout.challenges, layout.masks) = (sets, scheme.mask_wires(sets));
    layout.wires = unmasked + layout.masks;
    plan
}

/// Oracle by oracle, without the seams of as many rows as there are to spare.
fn coverage(subject: &Subject) -> [(&'static str, Coverage); 5] {
    let seams = subject.seams();
    [
        ("wires", subject.wires()),
        ("Z", subject.z(&seams, SEAM_MARGIN)),
        ("partial products", subject.partial_products(&seams, SEAM_MARGIN)),
        ("quotient", subject.quotient()),
        ("combination", subject.combination()),
    ]
}

/// Of which oracles more is told than is random.
fn bare(subject: &Subject) -> Vec<&'static str> {
    let all = coverage(subject).into_iter();
    all.filter(|(_, coverage)| coverage.random < coverage.told).map(|(oracle, _)| oracle).collect()
}

#[test]
fn all_that_is_told_is_random() {
    for (text, visibility) in [
        (TOY, Visibility::Committed),
        (TOY, Visibility::Private),
        (NORMALIZING, Visibility::Public),
        (CLASSIFYING, Visibility::Committed),
    ] {
        for hash in [HashKind::Blake3, HashKind::Poseidon] {
            for sets in 1..=MAX_BLINDED_SETS {
                let subject = Subject::new(&with_sets(text, visibility, hash, sets));
                for (oracle, coverage) in coverage(&subject) {
                    println!("{visibility:?} {hash:?}, {sets} sets, {oracle}: {coverage:?}");
                    assert_eq!(coverage.told, coverage.random, "{visibility:?} {hash:?}, {sets} sets: {oracle}");
                }
            }
        }
    }
}

/// The values that are told of each polynomial are as many as the list says that blinding is counted by.
#[test]
fn as_many_values_are_told_as_the_list_says() {
    let sets = 2;
    let subject = Subject::new(&with_sets(TOY, Visibility::Private, HashKind::Blake3, sets));
    let common = &subject.reader.common;
    let columns = [
        (Oracle::Wires, common.config.num_wires - subject.masks.len()),
        (Oracle::Z, sets),
        (Oracle::PartialProducts, sets * common.num_partial_products),
        // With the masks, less the last chunk of each.
        (Oracle::QuotientChunks, sets * common.quotient_degree_factor),
    ];
    for ((oracle, columns), (name, coverage)) in columns.into_iter().zip(coverage(&subject)) {
        assert_eq!(coverage.told, columns * oracle.disclosed().values(BLINDED.queries()), "{name}");
    }
}

fn subject() -> Subject {
    Subject::new(&with_sets(CLASSIFYING, Visibility::Private, HashKind::Blake3, MAX_BLINDED_SETS))
}

/// One row that is random in all wires less, each in turn.
#[test]
fn without_any_single_row_wires_are_bare() {
    let mut subject = subject();
    for row in subject.single.clone() {
        subject.single.remove(&row);
        let wires = subject.wires();
        assert!(wires.random < wires.told, "row {row}");
        subject.single.insert(row);
    }
}

#[test]
fn without_any_mask_the_quotient_or_the_combination_is_bare() {
    let masks = subject().masks;
    assert_eq!(masks.len(), BLINDED.mask_wires(MAX_BLINDED_SETS));
    for mask in masks {
        let mut subject = subject();
        let oracle = if subject.gates_reading(mask).is_empty() { "combination" } else { "quotient" };
        subject.masks.retain(|&other| other != mask);
        assert_eq!(bare(&subject), [oracle], "column {mask}");
    }
}

/// One seam of `Z` less, each in turn. Partial products have more to spare: they are told at half as many points.
#[test]
fn without_any_seam_z_is_bare() {
    let subject = subject();
    let seams = subject.seams();
    for &row in seams[&0].keys() {
        let mut fewer = seams.clone();
        fewer.entry(0).or_default().remove(&row);
        let z = subject.z(&fewer, SEAM_MARGIN);
        assert!(z.random < z.told, "row {row}");
    }
    let spare =
        Oracle::Z.disclosed().values(BLINDED.queries()) - Oracle::PartialProducts.disclosed().values(BLINDED.queries());
    let partial_products = subject.partial_products(&seams, SEAM_MARGIN + spare + 1);
    assert_eq!(partial_products.random, partial_products.told);
    let partial_products = subject.partial_products(&seams, SEAM_MARGIN + spare + 2);
    assert!(partial_products.random < partial_products.told);
}

/// As many chained rows as format 1 had make 32 values of `Z` random, of the 62 that are told.
#[test]
fn with_the_chained_rows_of_format_1_z_is_bare() {
    let mut plan = with_sets(TOY, Visibility::Private, HashKind::Blake3, 1);
    plan.layout.blinding.chained = 33;
    let subject = Subject::new(&plan);
    assert!(bare(&subject).contains(&"Z"));
    let told = Oracle::Z.disclosed().values(BLINDED.queries());
    assert_eq!(subject.z(&subject.seams(), 0), Coverage { told, random: 32 });
}

/// The bound of `docs/zero-knowledge.md` on how far the disclosed values of `Z` are from uniformly random, for `spare` seams more
/// than values of each: the logarithm of the distance, to base two.
fn distance_bits(values: usize, spare: usize, sets: usize) -> f64 {
    let p = 2f64.powi(64);
    let points = 2.0 * sets as f64;
    let divergence = points.powi(6) * p.powi(sets as i32 - 4) + points / p;
    let choices: f64 = (0..spare).map(|i| ((values + spare - i) as f64 / (i + 1) as f64).log2()).sum();
    let all = (values as f64 * divergence.ln_1p()).exp_m1().log2();
    (choices + spare as f64 * (points * points / p).log2() + all) / 2.0 - 1.0
}

#[test]
fn seams_are_close_to_uniform() {
    for level in [Level::Conjectured, Level::Proven] {
        let values = Oracle::Z.disclosed().values(Scheme { level, ..BLINDED }.queries());
        for sets in 1..=MAX_BLINDED_SETS {
            assert!(distance_bits(values, SEAM_MARGIN, sets) < -100.0, "{sets} sets");
        }
        assert!(distance_bits(values, 0, MAX_BLINDED_SETS) > -30.0, "the margin is there for a reason");
        assert!(distance_bits(values, SEAM_MARGIN, MAX_BLINDED_SETS + 1) > 0.0, "four wires are too few for four sets");
    }
}
