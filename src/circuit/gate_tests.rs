//! Every gadget under plonky2's gate tests and under mutation of each wire of an honest row.

use super::adversary::{gate_of, honest_row};
use super::hash::Blake3Config;
use super::row_gate::RowGate;
use crate::gadget::field::{D, F, from_signed, to_signed};
use crate::gadget::*;
use ndarray::{Array4, ArrayD};
use plonky2::field::types::{Field, Sample};
use plonky2::gates::gate::Gate;
use plonky2::gates::gate_testing::{test_eval_fns, test_low_degree};
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::vars::EvaluationVars;
use zknn_ir::eval::eval_fixed;
use zknn_ir::{Graph, Number, Op};

fn is_satisfied(gate: &RowGate, constants: &[F], wires: &[F]) -> bool {
    let lift = |values: &[F]| values.iter().map(|&v| v.into()).collect::<Vec<_>>();
    let (local_wires, local_constants) = (lift(wires), lift(constants));
    let vars = EvaluationVars {
        local_constants: &local_constants,
        local_wires: &local_wires,
        public_inputs_hash: &HashOut::ZERO,
    };
    gate.eval_unfiltered(vars).iter().all(Field::is_zero)
}

/// Runs both of plonky2's gate tests, and changes every wire of each honest row. Some constraint must notice, unless a
/// change of an input makes just another honest row.
fn check(gadget: impl Into<Gadget>, constants: &[F], rows: &[Vec<i64>]) {
    let gadget = gadget.into();
    let gate = gate_of(&gadget);
    assert_eq!(gate.num_constants(), constants.len());
    test_low_degree::<F, _, D>(gate.clone());
    test_eval_fns::<F, Blake3Config, _, D>(gate.clone()).expect("the back ends agree");
    for inputs in rows {
        let inputs: Vec<F> = inputs.iter().map(|&x| from_signed(x)).collect();
        let wires = honest_row(&gadget, constants, &inputs);
        assert!(is_satisfied(&gate, constants, &wires), "{} rejects an honest row", gadget.name());
        for wire in 0..wires.len() {
            let changes = [F::ONE, F::NEG_ONE, F::from_canonical_u64(8), F::TWO.inverse(), F::rand()];
            for change in changes {
                let mut forged = wires.clone();
                forged[wire] += change;
                let is_honest = || honest_row(&gadget, constants, &forged[..inputs.len()]) == forged;
                assert!(
                    !is_satisfied(&gate, constants, &forged) || (wire < inputs.len() && is_honest()),
                    "{}: wire {wire} can be changed by {change:?}",
                    gadget.name()
                );
            }
        }
    }
}

fn outputs_of(gadget: impl Into<Gadget>, inputs: &[F]) -> Vec<i64> {
    let gadget = gadget.into();
    let shape = gadget.shape();
    let row = honest_row(&gadget, &[], inputs);
    row[shape.inputs..shape.routed()].iter().map(|&x| to_signed(x)).collect()
}

#[test]
fn constants() {
    check(Constants(vec![0, 1, -5, 1 << 40]), &[], &[vec![]]);
}

#[test]
fn pack_input() {
    check(PackInput::new(-5, 4, 3), &[], &[vec![-5, 4, 0], vec![1, 2, 3]]);
    check(PackInput::new(-5, 5, 2), &[], &[vec![-5, 5], vec![0, 1]]);
    check(PackInput::new(0, 255, 7), &[], &[vec![0, 255, 1, 2, 3, 128, 64]]);
    check(PackInput::new(7, 7, 1), &[], &[vec![7]]);
    assert_eq!(PackInput::capacity(-5, 4), 18);
    assert_eq!(PackInput::capacity(0, 255), 7);
    assert_eq!(PackInput::capacity(0, (1 << 62) - 1), 1);
}

#[test]
fn pack_input_refuses_what_is_out_of_range() {
    for (lo, hi) in [(-5, 4), (-5, 5), (0, 255)] {
        let gadget = Gadget::from(PackInput::new(lo, hi, 1));
        for outside in [lo - 1, hi + 1, hi + 1000, i64::MIN / 4] {
            let wires = honest_row(&gadget, &[], &[from_signed(outside)]);
            assert!(!is_satisfied(&gate_of(&gadget), &[], &wires), "{outside} passes as {lo}..={hi}");
        }
    }
}

#[test]
fn max() {
    check(Max::new(4, true, 1000), &[], &[vec![-5, -6, -7, -500], vec![3, 500, 499, -500], vec![0, 0, 0, -1]]);
    check(Max::new(1, true, 1 << 40), &[], &[vec![-1], vec![1 << 40], vec![7]]);
    check(Max::new(3, false, 1 << 62), &[], &[vec![-(1 << 61), 1 << 61, 0]]);
    check(Max::new(9, true, 100), &[], &[vec![-1, -2, -3, -4, -5, -6, 50, 49, 0]]);
    check(Max::new(16, false, 100), &[], &[(0..16).map(|i| i * 5 - 40).collect()]);
}

fn small_conv() -> Conv {
    let kernel = Array4::from_shape_fn((2, 3, 2, 2), |(o, y, x, c)| (o + 2 * y + 3 * x + 5 * c) as i64 % 7 - 3);
    Conv::new(kernel, vec![1, -2])
}

#[test]
fn conv() {
    let inputs: Vec<i64> = (0..12).map(|i| i * 37 % 11 - 5).collect();
    check(small_conv(), &[], &[inputs]);
    let inputs: Vec<i64> = (0..4 * 3 * 2).map(|i| i * 53 % 11 - 5).collect();
    check(small_conv().with_max([2, 2], true, 1000), &[], &[inputs]);
}

#[test]
fn conv_with_large_weights() {
    let kernel = Array4::from_elem((1, 1, 1, 2), 1 << 30);
    check(Conv::new(kernel, vec![0]), &[], &[vec![3, -4]]);
}

#[test]
fn dense_tile() {
    let tile = DenseTile { width: 3, height: 2 };
    let constants: Vec<F> = [1, -2, 3, 4, 5, -6].map(from_signed).to_vec();
    check(tile, &constants, &[vec![7, -8, 9, 100, -100]]);
}

/// The pipeline of the three normalization gadgets on one vector.
fn normalize(x: &[i64]) -> Vec<i64> {
    let mut sums = vec![F::ZERO; 5];
    let mut parts = Vec::new();
    for &x in x {
        let inputs = [&[from_signed(x)], sums.as_slice()].concat();
        let row = honest_row(&NormSquare.into(), &[], &inputs);
        assert!(is_satisfied(&gate_of(&NormSquare.into()), &[], &row));
        parts.push(row[6..10].to_vec());
        sums = row[10..15].to_vec();
    }
    let row = honest_row(&NormTotal.into(), &[], &sums);
    assert!(is_satisfied(&gate_of(&NormTotal.into()), &[], &row));
    let total = &row[5..11];
    let round = |part: &Vec<F>| {
        let row = honest_row(&NormRound.into(), &[], &[part, total].concat());
        assert!(is_satisfied(&gate_of(&NormRound.into()), &[], &row), "{x:?}");
        to_signed(row[10])
    };
    parts.iter().map(round).collect()
}

fn by_interpreter(x: &[i64]) -> Vec<i64> {
    let mut graph = Graph::new();
    let number = Number::Fixed { scale: 1.0, lo: -(1 << 62), hi: 1 << 62 };
    let input = graph.add(Op::Input { shape: vec![x.len()], number }, &[], None).expect("an input");
    let output = graph.add(Op::Normalize { fraction_bits: FRACTION_BITS }, &[input], None).expect("a vector");
    graph.set_output(output);
    let values = eval_fixed(&graph, &ArrayD::from_shape_vec(vec![x.len()], x.to_vec()).expect("a vector"));
    values.expect("in range").output().iter().copied().collect()
}

#[test]
fn normalize_is_the_interpreters() {
    let vectors: &[&[i64]] = &[
        &[-9404869, -11033050, -34374361, -20396580, 70483360],
        &[0, 0, 0],
        &[1],
        &[-1],
        &[3, 4],
        &[1 << 62, -(1 << 62), 1, 0],
        &[1, 1 << 62],
        &[(1 << 24) - 1, -(1 << 24), 1 << 48],
        &[-(1 << 48), -(1 << 24), (1 << 24) + 1],
        // A tie: 2^24 · 1 / 2^25 is a half, away from zero.
        &[1, 1, 1, 1, (1 << 25) - 1],
    ];
    for x in vectors {
        assert_eq!(normalize(x), by_interpreter(x), "{x:?}");
    }
}

#[test]
fn norm_square() {
    check(NormSquare, &[], &[vec![0, 1, 2, 3, 4, 5], vec![-77, 0, 0, 0, 0, 0], vec![1 << 62, 0, 0, 0, 0, 0]]);
    check(NormSquare, &[], &[vec![-(1 << 62), 9, 9, 9, 9, 9], vec![-(1 << 24), 0, 0, 0, 0, 0]]);
}

#[test]
fn norm_total() {
    check(NormTotal, &[], &[vec![0; 5], vec![1, 0, 0, 0, 0], vec![1 << 61, 1 << 61, 1 << 61, 1 << 51, 1 << 42]]);
}

#[test]
fn norm_round() {
    let rows = [vec![3, 0, 0, 0, 25, 0, 0, 0, 0, 0], vec![76, 0, 0, 1, 40000, 12, 0, 0, 0, 0]];
    check(NormRound, &[], &rows);
    assert_eq!(outputs_of(NormRound, &rows[0].iter().map(|&x| from_signed(x)).collect::<Vec<_>>()), [10066330]);
}
