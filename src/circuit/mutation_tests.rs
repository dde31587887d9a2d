//! The adversary against every gadget, and proof that it would notice a missing constraint.

use super::adversary::{Adversary, gate_of, honest_row};
use super::{Secrets, Witness};
use crate::gadget::field::{D, Ext, F, from_signed};
use crate::gadget::*;
use crate::plan::security::{HashKind, Scheme};
use crate::plan::{POSEIDON_CONSTRAINTS, POSEIDON_ROUTED, POSEIDON_WIRES, Plan, SPONGE_WIDTH, Visibility};
use ndarray::Array4;
use plonky2::field::types::{Field, Field64, Sample};
use plonky2::gates::gate::Gate;
use plonky2::gates::poseidon::PoseidonGate;
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::vars::EvaluationVars;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeSet;

/// A gadget with row constants and the inputs of some honest rows.
struct Specimen {
    gadget: Gadget,
    constants: Vec<F>,
    rows: Vec<Vec<i64>>,
    /// Inputs that it must refuse: of one constraint alone it is known by nothing else that it is missing.
    refused: Vec<Vec<i64>>,
    /// Constraints that follow from the others for this one, so that without any one of them it is as sound.
    implied: &'static [usize],
}

fn specimen(gadget: impl Into<Gadget>, rows: &[Vec<i64>]) -> Specimen {
    Specimen { gadget: gadget.into(), constants: Vec::new(), rows: rows.to_vec(), refused: Vec::new(), implied: &[] }
}

fn requantize(clamp: (i64, i64), quotients: (i64, i64), implied: &'static [usize]) -> Specimen {
    let gadget = Requantize::new(4, clamp, quotients).expect("narrow enough");
    // Between the ends, beyond each by much and by one, a tie, a multiplier of nothing.
    let rows = [[100, 5], [-100, 5], [3000, 5], [-3000, 5], [96, 1], [-24, 1], [8, 1], [7, 0]];
    let (least, greatest) = quotients;
    let can_occur = |[x, multiplier]: &[i64; 2]| (least..=greatest).contains(&((x * multiplier + 8) >> 4));
    let rows: Vec<_> = rows.into_iter().filter(can_occur).map(Vec::from).collect();
    Specimen { implied, ..specimen(gadget, &rows) }
}

/// One without a multiplier.
fn by_one(clamp: (i64, i64), quotients: (i64, i64), implied: &'static [usize]) -> Specimen {
    let gadget = Requantize::new(4, clamp, quotients).expect("narrow enough").by_one();
    let (least, greatest) = quotients;
    let rows = [500, -500, 15000, -15000, 96, -24, 8, 7, 0].into_iter();
    let rows: Vec<_> = rows.filter(|x| (least..=greatest).contains(&((x + 8) >> 4))).map(|x| vec![x]).collect();
    Specimen { implied, ..specimen(gadget, &rows) }
}

/// One that has no result for quotients beyond some ends.
fn strict(clamp: (i64, i64), strict: [bool; 2], implied: &'static [usize]) -> Specimen {
    let gadget = Requantize::strict(4, clamp, (-4000, 4000), strict).expect("narrow enough");
    let (lo, hi) = clamp;
    let beyond = [[(lo - 1) << 4, 1], [-16000, 2], [(hi + 1) << 4, 1], [16000, 2]];
    let (refused, rows): (Vec<_>, Vec<_>) =
        beyond.into_iter().partition(|&[x, _]| if x < 0 { strict[0] } else { strict[1] });
    let rows: Vec<_> = rows.into_iter().chain([[lo << 4, 1], [hi << 4, 1], [7, 1], [-9, 3]]).map(Vec::from).collect();
    Specimen { implied, refused: refused.into_iter().map(Vec::from).collect(), ..specimen(gadget, &rows) }
}

/// Every gadget, in each of its forms.
fn specimens() -> Vec<Specimen> {
    let kernel = Array4::from_shape_fn((2, 2, 2, 1), |(o, y, x, _)| (3 * o + 2 * y + x) as i64 - 2);
    let kernel = Kernel::new(kernel);
    let conv = || Conv::new(kernel.clone(), vec![1, -2]);
    let block = || Conv::new(kernel.clone().at_block([2, 2]), vec![1, -2]);
    let groups = kernel.clone().in_groups(2).with_steps([2, 1], [1, 2]).at_block([1, 2]);
    let patch = |n: i64| (0..n).map(|i| i * 53 % 11 - 5).collect::<Vec<i64>>();
    let tile = DenseTile { width: 3, height: 2 };
    let weights = [1, -2, 3, 4, 5, -6].map(from_signed).to_vec();
    // Rounding with room in all limbs for a change: where the quotient is one, where `q S` has seven limbs, and where
    // the remainder has.
    let (ones, threes) = (0o11111111, 0o33333333);
    let small_quotient = vec![0, 1 << 20, 0, 0, ones, ones, ones, ones, ones, 0o311111];
    let wide = vec![1234567, 7654321, 9999, 1, 12345678, 7654321, 11111111, 9876543, 5555555, 1027];
    let wide_remainder = vec![0, 16567500, 0, 0, threes, threes, threes, threes, threes, 16777000];
    let fifth = vec![3, 0, 0, 0, 25, 0, 0, 0, 0, 0];
    let flipped = vec![76, 0, 0, 1, 40000, 12, 0, 0, 0, 0];
    vec![
        specimen(Constants(vec![0, 1, -5, 1 << 40]), &[vec![]]),
        Specimen {
            refused: vec![vec![5, 0, 0], vec![0, 5, 0], vec![0, 0, 5]],
            // Digits below five are below eight.
            implied: &[7, 8, 9],
            ..specimen(PackInput::new(-5, 4, 3), &[vec![-5, 4, 0], vec![1, -2, 3]])
        },
        specimen(PackInput::new(-5, 5, 2), &[vec![-5, 5], vec![0, 1]]),
        specimen(PackInput::new(0, 255, 2), &[vec![0, 255], vec![77, 100]]),
        specimen(conv(), &[patch(4)]),
        specimen(conv().adding(), &[patch(6)]),
        specimen(block(), &[patch(9)]),
        specimen(Conv::new(groups, vec![1, -2]).adding(), &[patch(2 * 4 * 2 + 4)]),
        specimen(block().with_max(true, 1000), &[patch(9)]),
        Specimen { constants: weights, ..specimen(tile, &[vec![7, -8, 9, 100, -100]]) },
        Specimen {
            constants: [1, -2, 3, 100].map(from_signed).to_vec(),
            ..specimen(Filter::new(3, 2), &[vec![7, -8, 9, 100, -100, 0], vec![0; 6]])
        },
        specimen(Max::new(1, true, 1 << 40), &[vec![-1], vec![1 << 39], vec![7]]),
        specimen(Max::new(4, true, 1000), &[vec![-5, -6, -7, -500], vec![300, 500, 499, -400]]),
        specimen(Max::new(9, false, 100), &[vec![-1, -2, -3, -4, -5, -6, 50, 49, 20]]),
        specimen(Max::new(3, false, 1 << 62), &[vec![-(1 << 61), 1 << 61, 12345]]),
        specimen(Add::new(2), &[vec![0, 0], vec![-5, 77], vec![1 << 61, 1 << 61]]),
        specimen(Add::new(5), &[vec![1, -2, 3, -4, 5]]),
        specimen(Product, &[vec![0, 0], vec![-5, 77], vec![1 << 31, -(1 << 31)]]),
        specimen(Argmax::new(3, 1000).with_maximum(), &[vec![-5, 500, 7], vec![3, 4, 5], vec![5, 3, 4], vec![9, 8, 7]]),
        specimen(
            Argmax::new(3, 1000).of_groups(10),
            &[vec![-5, 500, 7, 3, 9, 0], vec![3, 4, 5, 0, 1, 2], vec![5, 3, 4, 9, 9, 9], vec![9, 8, 7, 1, 2, 3]],
        ),
        specimen(
            Argmax::new(3, 1000).of_groups(4).with_maximum(),
            &[vec![-5, 500, 7, 3, 2, 1], vec![3, 4, 5, 0, 1, 2], vec![5, 3, 4, 1, 1, 1], vec![9, 8, 7, 0, 0, 3]],
        ),
        Specimen {
            constants: vec![from_signed(3)],
            ..specimen(Strike::new(100), &[vec![7, 3], vec![7, 0], vec![0, 4]])
        },
        specimen(NormSquare, &[vec![0; 6], vec![-77, 1, 2, 3, 4, 5], vec![1 << 62, 0, 0, 0, 0, 0]]),
        specimen(NormTotal, &[vec![0; 5], vec![1, 0, 0, 0, 0], vec![1 << 61, 1 << 61, 1 << 60, 1 << 51, 1 << 42]]),
        Specimen {
            implied: NORM_ROUND_IMPLIED,
            ..specimen(NormRound, &[fifth, flipped, small_quotient, wide, wide_remainder])
        },
        requantize((-128, 127), (-4000, 4000), &[]),
        requantize((-100, 26), (-4000, 4000), &[]),
        requantize((0, 255), (-4000, 200), &[]),
        requantize((-4000, 255), (-4000, 4000), &[]),
        requantize((-9999, 9999), (-4000, 4000), &[]),
        // A single result is at either end.
        requantize((5, 5), (-4000, 4000), &[2, 3]),
        by_one((-128, 127), (-4000, 4000), &[]),
        by_one((0, 255), (-4000, 200), &[]),
        by_one((-9999, 9999), (-4000, 4000), &[]),
        strict((-128, 127), [true; 2], &[]),
        strict((-100, 26), [true; 2], &[]),
        strict((-100, 26), [true, false], &[]),
        strict((0, 255), [false, true], &[]),
        // Of one value the index is 0, and that it is the maximum is stated twice.
        Specimen { implied: &[0, 2, 3], ..specimen(Argmax::new(1, 0), &[vec![7]]) },
        specimen(
            Argmax::new(4, 1000),
            &[vec![-5, 500, 7, -500], vec![3, 3, 2, 3], vec![0, 0, 0, 1], vec![9, 8, 7, 6], vec![3, 4, 5, 2]],
        ),
        specimen(
            Argmax::new(3, 1 << 62),
            &[vec![-(1 << 61), 12345, 1 << 61], vec![3, 4, 5], vec![5, 3, 4], vec![9, 8, 7]],
        ),
    ]
}

impl Specimen {
    fn honest_rows(&self) -> Vec<Vec<F>> {
        self.computed(&self.rows)
    }

    /// What the gadget computes from these inputs.
    fn computed(&self, inputs: &[Vec<i64>]) -> Vec<Vec<F>> {
        let elements = |row: &Vec<i64>| row.iter().map(|&x| from_signed(x)).collect::<Vec<F>>();
        inputs.iter().map(|row| honest_row(&self.gadget, &self.constants, &elements(row))).collect()
    }

    /// The wires that the adversary starts from: all but the inputs.
    fn own_wires(&self) -> std::ops::Range<usize> {
        self.gadget.shape().inputs..self.gadget.shape().wires()
    }
}

/// Changes to start from: steps, a digit's carry either way, half of the field, an eighth, anything.
fn changes(random: &mut ChaCha20Rng) -> [F; 8] {
    let half = F::from_canonical_u64(F::ORDER / 2);
    let eighth = F::from_canonical_u64(8);
    [F::ONE, -F::ONE, F::TWO, -F::TWO, eighth, -eighth, half, F::from_canonical_u64(random.gen_range(1..F::ORDER))]
}

#[test]
fn every_gadget_has_a_specimen() {
    let have: BTreeSet<&str> = specimens().iter().map(|specimen| specimen.gadget.name()).collect();
    assert_eq!(have, Gadget::NAMES.iter().copied().collect(), "add the new gadget to the specimens");
}

/// Combined constraints are those that are stated, at any wires: of every gadget that is said to be linear, and those of degree
/// one are.
#[test]
fn combined_constraints_are_the_constraints() {
    let mut combined = 0;
    for Specimen { gadget, constants, .. } in specimens() {
        let shape = gadget.shape();
        assert!(gadget.is_linear() == (shape.degree == 1 && shape.constants == 0), "{}", gadget.name());
        if !gadget.is_linear() {
            continue;
        }
        assert_eq!(shape.own(), 0, "{}: wires that the sum would leave out", gadget.name());
        for _ in 0..5 {
            let wires = F::rand_vec(shape.wires());
            let (first, step) = (F::rand(), F::rand());
            let mut factors = vec![F::ZERO; shape.routed()];
            let constant = gadget.combine(first, step, &mut factors);
            let sum = factors.iter().zip(&wires).fold(constant, |sum, (&factor, &wire)| sum + factor * wire);
            let [local_wires, local_constants] =
                [&wires, &constants].map(|values| values.iter().map(|&value| value.into()).collect::<Vec<Ext>>());
            let vars = EvaluationVars {
                local_constants: &local_constants,
                local_wires: &local_wires,
                public_inputs_hash: &HashOut::ZERO,
            };
            let stated = gate_of(&gadget).eval_unfiltered(vars);
            assert_eq!(stated.len(), shape.constraints);
            let expected = stated.iter().rev().fold(Ext::ZERO, |sum, &constraint| sum * step.into() + constraint);
            assert_eq!(Ext::from(sum), expected * first.into(), "{}", gadget.name());
        }
        combined += 1;
    }
    assert!(combined >= 6, "{combined}");
}

#[test]
fn every_own_wire_is_bound_by_some_constraint() {
    for specimen in specimens() {
        let adversary = Adversary::new(&specimen.gadget, &specimen.constants);
        assert_eq!(adversary.unbound(specimen.gadget.shape().wires()), [0; 0], "{}", specimen.gadget.name());
    }
}

#[test]
fn the_inputs_of_a_gadget_leave_one_row() {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let (mut mutations, mut tried, mut wires) = (0, 0, 0);
    for specimen in specimens() {
        let name = specimen.gadget.name();
        let mut adversary = Adversary::new(&specimen.gadget, &specimen.constants);
        for honest in specimen.honest_rows() {
            assert!(adversary.accepts(&honest), "{name}: an honest row is rejected");
            for wire in specimen.own_wires() {
                for change in changes(&mut random) {
                    let forged = adversary.forge(&honest, wire, change);
                    assert!(forged.is_none(), "{name}: wire {wire} can be changed by {change:?}: {forged:?}");
                    mutations += 1;
                }
            }
            mutations += swap_wires(&mut adversary, &specimen, &honest, &mut random);
            wires += specimen.own_wires().len();
        }
        tried += adversary.tried;
    }
    println!("{mutations} mutations of {wires} wires, {tried} rows");
    assert!(mutations > 10_000);
}

/// Swaps two wires of different values.
fn swap_wires(adversary: &mut Adversary, specimen: &Specimen, honest: &[F], random: &mut ChaCha20Rng) -> usize {
    let mut swapped = 0;
    for _ in 0..200 {
        let (a, b) = (random.gen_range(specimen.own_wires()), random.gen_range(specimen.own_wires()));
        if honest[a] != honest[b] {
            let mut row = honest.to_vec();
            row.swap(a, b);
            assert!(!adversary.accepts(&row), "{}: wires {a} and {b} can be swapped", specimen.gadget.name());
            swapped += 1;
        }
    }
    swapped
}

/// No value has two forms in limbs or digits, one of which stands for `p` more.
#[test]
fn no_value_has_other_limbs() {
    for specimen in specimens() {
        let mut adversary = Adversary::new(&specimen.gadget, &specimen.constants);
        for honest in specimen.honest_rows() {
            for constraint in 0..specimen.gadget.shape().constraints {
                let forged = adversary.forge_limbs(&honest, constraint);
                assert!(forged.is_none(), "{}: limbs of constraint {constraint}: {forged:?}", specimen.gadget.name());
            }
        }
    }
}

/// Without one of the checks of their widest limbs some values have.
#[test]
fn other_limbs_are_found_where_a_digit_is_not_checked() {
    for gadget in [Gadget::from(NormSquare), Gadget::from(NormTotal)] {
        let shape = gadget.shape();
        let honest = honest_row(&gadget, &[], &vec![F::ZERO; shape.inputs]);
        let mut adversary = Adversary::new(&gadget, &[]);
        let is_found = |dropped: usize| {
            adversary.dropped = Some(dropped);
            (0..shape.constraints).any(|constraint| adversary.forge_limbs(&honest, constraint).is_some())
        };
        let digits = shape.constraints..shape.constraints + shape.digits;
        assert!(digits.into_iter().any(is_found), "{}: it would not notice", gadget.name());
    }
}

/// From so many wires near a dropped constraint the adversary starts.
const NEAR: usize = 12;

/// Range checks of the slack's carries in [`NormRound`]. Alone, each is implied by the limbs and the next carry: a carry
/// is `2^24` times the next less a column of limbs, which no field element outside the check can be. Without two in a
/// row this would be so no more.
const NORM_ROUND_IMPLIED: &[usize] = &[49, 51, 53, 55, 57, 59];

/// The adversary is worth nothing if it succeeds at nothing: with any one constraint dropped it must.
#[test]
fn any_dropped_constraint_is_noticed() {
    let mut random = ChaCha20Rng::seed_from_u64(2);
    let mut missed = Vec::new();
    for specimen in specimens() {
        let mut adversary = Adversary::new(&specimen.gadget, &specimen.constants);
        let (rows, refused) = (specimen.honest_rows(), specimen.computed(&specimen.refused));
        assert!(!refused.iter().any(|row| adversary.accepts(row)), "{}", specimen.gadget.name());
        let shape = specimen.gadget.shape();
        for dropped in 0..shape.constraints + shape.digits {
            adversary.dropped = Some(dropped);
            let near: Vec<usize> = adversary.wires_near(dropped).into_iter().take(NEAR).collect();
            let noticed = rows.iter().any(|honest| {
                let mut by = |change| near.iter().any(|&wire| adversary.forge(honest, wire, change).is_some());
                changes(&mut random).into_iter().take(2).any(&mut by)
                    || adversary.forge_digit(honest, dropped).is_some()
            }) || refused.iter().any(|row| adversary.accepts(row));
            let name = specimen.gadget.name();
            if noticed == specimen.implied.contains(&dropped) {
                missed.push(format!("{name} {:?}: constraint {dropped}", specimen.gadget));
            }
        }
    }
    assert_eq!(missed, [""; 0]);
}

/// The proof system's own gate: a change of any wire, followed through all rounds that come after it, is noticed by the
/// constraint that is the wire's own, and by no other. The first constraint is left out: it says that the swap is 0 or 1,
/// and a copy constraint says that it is 0.
#[test]
fn each_constraint_of_poseidon_holds_a_wire() {
    let graph = zknn_ir::parse("%0 = input : [3] fixed(scale 1, -5..=4)\noutput %0\n").expect("a graph");
    let scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, ..Scheme::default() };
    let plan = Plan::new(&graph, Visibility::Committed, scheme).expect("a plan");
    let witness = Witness::new(&plan, &[1, -5, 4], Secrets::fresh());
    let honest = &witness.row(plan.layout.poseidon.start)[..POSEIDON_WIRES];
    let constraints = |wires: &[F]| {
        let local_wires: Vec<Ext> = wires.iter().map(|&wire| wire.into()).collect();
        let hash = &HashOut::ZERO;
        let vars = EvaluationVars { local_constants: &[], local_wires: &local_wires, public_inputs_hash: hash };
        PoseidonGate::<F, D>::new().eval_unfiltered(vars)
    };
    // The last of them hold the outputs, which lie before the advice.
    let outputs = POSEIDON_CONSTRAINTS - SPONGE_WIDTH;
    let own = |c: usize| if c < outputs { POSEIDON_ROUTED + c - 1 } else { SPONGE_WIDTH + c - outputs };
    for changed in 1..POSEIDON_CONSTRAINTS {
        let mut row = honest.to_vec();
        row[own(changed)] += F::ONE;
        for later in changed + 1..POSEIDON_CONSTRAINTS {
            // Every constraint is linear in its own wire.
            let here = constraints(&row)[later];
            row[own(later)] += F::ONE;
            let slope = constraints(&row)[later] - here;
            row[own(later)] -= F::ONE + (here / slope).0[0];
        }
        let broken = constraints(&row).into_iter().enumerate().filter(|(_, value)| !value.is_zero());
        assert_eq!(broken.map(|(c, _)| c).collect::<Vec<_>>(), [changed]);
    }
}
