//! Every gadget under plonky2's gate tests and under mutation of each wire of an honest row.

use super::RowGate;
use super::adversary::{gate_of, honest_row};
use super::hash::Blake3Config;
use crate::gadget::field::{D, F, from_signed, to_signed};
use crate::gadget::*;
use ndarray::{Array4, ArrayD};
use plonky2::field::types::{Field, Sample};
use plonky2::gates::gate::Gate;
use plonky2::gates::gate_testing::{test_eval_fns, test_low_degree};
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::vars::EvaluationVars;
use proptest::prelude::*;
use zknn_ir::eval::eval_fixed;
use zknn_ir::{Graph, Number, Op, op};

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

#[test]
fn add() {
    check(Add::new(2), &[], &[vec![0, 0], vec![-5, 5], vec![1 << 61, 1 << 61], vec![-(1 << 62), 1]]);
    check(Add::new(5), &[], &[vec![1, -2, 3, -4, 5]]);
    assert_eq!(outputs_of(Add::new(3), &[7, -9, 1].map(from_signed)), [-1]);
}

#[test]
fn product() {
    check(Product, &[], &[vec![0, 0], vec![-5, 5], vec![1 << 31, 1 << 31], vec![-(1 << 62), 1]]);
    assert_eq!(outputs_of(Product, &[7, -9].map(from_signed)), [-63]);
}

#[test]
fn argmax() {
    check(Argmax::new(4, 1000), &[], &[vec![-5, 500, 7, -500], vec![3, 3, 2, 3], vec![0, 0, 0, 1], vec![9, 8, 7, 6]]);
    check(Argmax::new(1, 0), &[], &[vec![7], vec![-7]]);
    check(Argmax::new(3, 1 << 62), &[], &[vec![-(1 << 61), 0, 1 << 61]]);
    for (values, index) in [([4, 9, 9], 1), ([9, 9, 9], 0), ([-3, -2, -1], 2)] {
        assert_eq!(outputs_of(Argmax::new(3, 20), &values.map(from_signed)), [index]);
    }
}

/// The values and indices of groups of ten, and the greatest told as well.
#[test]
fn argmax_of_groups() {
    let rows = [vec![-5, 500, 7, 3, 9, 0], vec![3, 3, 2, 0, 1, 2], vec![9, 8, 9, 9, 9, 9]];
    check(Argmax::new(3, 1000).of_groups(10), &[], &rows);
    check(Argmax::new(3, 1000).of_groups(10).with_maximum(), &[], &rows);
    check(Argmax::new(4, 1000).with_maximum(), &[], &[vec![-5, 500, 7, -500], vec![3, 3, 2, 3]]);
    assert_eq!(outputs_of(Argmax::new(3, 20).of_groups(10), &[4, 9, 9, 1, 2, 3].map(from_signed)), [12]);
    let told = Argmax::new(3, 20).of_groups(10).with_maximum();
    assert_eq!(outputs_of(told, &[4, 8, 9, 1, 2, 3].map(from_signed)), [23, 9]);
    assert_eq!(outputs_of(Argmax::new(2, 20).with_maximum(), &[-4, -9].map(from_signed)), [0, -4]);
}

#[test]
fn strike() {
    for place in [0, 3] {
        check(Strike::new(100), &[from_signed(place)], &[vec![7, 3], vec![7, 0], vec![-7, 2], vec![0, 0]]);
    }
    check(Strike::new(1 << 62), &[from_signed(1)], &[vec![1 << 61, 1], vec![-(1 << 61), 1]]);
}

/// Another index for a tie, and one for a value that is not the greatest, each with all that goes with it.
#[test]
fn argmax_has_one_index_only() {
    let gadget = Gadget::from(Argmax::new(3, 100));
    let honest = honest_row(&gadget, &[], &[9, 9, 4].map(from_signed));
    assert!(is_satisfied(&gate_of(&gadget), &[], &honest));
    // The same row for inputs under which the other index would be right.
    for (other, index) in [([8, 9, 4], 1), ([3, 3, 4], 2)] {
        let mut forged = honest_row(&gadget, &[], &other.map(from_signed));
        assert_eq!(forged[3], F::from_canonical_usize(index));
        forged[..3].copy_from_slice(&honest[..3]);
        assert!(!is_satisfied(&gate_of(&gadget), &[], &forged));
    }
}

#[test]
fn requantize() {
    let gadget = |shift, clamp, quotients| Requantize::new(shift, clamp, quotients).expect("narrow enough");
    // Both ends, one end, none; ranges with a digit form of their own, and without.
    let rows = [vec![1000, 5], vec![-1000, 5], vec![3, 4], vec![-1, 8], vec![0, 7], vec![1 << 14, 1], vec![-24, 1]];
    check(gadget(4, (-128, 127), (-4000, 4000)), &[], &rows);
    check(gadget(4, (-100, 26), (-4000, 4000)), &[], &rows);
    check(gadget(4, (0, 255), (-4000, 4000)), &[], &rows);
    check(gadget(4, (-4000, 255), (-4000, 4000)), &[], &rows);
    check(gadget(4, (-9999, 9999), (-4000, 4000)), &[], &rows);
    check(gadget(4, (5, 5), (-4000, 4000)), &[], &[vec![1000, 5], vec![-1000, 5], vec![80, 1]]);
    check(gadget(1, (0, 1), (0, 0)), &[], &[vec![0, 1]]);
    check(gadget(40, (-128, 127), (-(1 << 21), 1 << 21)), &[], &[vec![1 << 40, 1 << 21], vec![-(1 << 40), 1 << 21]]);
    check(gadget(61, (-9, 9), (-1, 1)), &[], &[vec![1 << 30, 1 << 31], vec![-(1 << 30), 1 << 31], vec![-1, 1]]);
}

#[test]
fn requantize_is_the_interpreters() {
    for (shift, lo, hi) in [(1, -3, 2), (3, 0, 15), (5, -8, 7), (7, -100, 100)] {
        let multipliers = vec![1, 13, 100];
        let op = zknn_ir::Requantize { multipliers, shift, lo, hi, scale: 1.0, ..Default::default() };
        let (least, greatest) = op.quotients((-50, 50));
        let gadget = Requantize::new(shift, (lo, hi), (least as i64, greatest as i64)).expect("narrow enough");
        let gate = gate_of(&gadget.clone().into());
        for x in -50..=50 {
            for (channel, &multiplier) in op.multipliers.iter().enumerate() {
                let row = honest_row(&gadget.clone().into(), &[], &[x, multiplier].map(from_signed));
                assert!(is_satisfied(&gate, &[], &row), "{x} · {multiplier} / 2^{shift} in {lo}..={hi}");
                assert_eq!(to_signed(row[2]), op.apply(channel, x));
            }
        }
    }
}

proptest! {
    /// Whatever the operation, its gadget accepts what the interpreter computes, and no result next to it.
    #[test]
    fn requantize_agrees_with_the_interpreter(
        (shift, ends, bounds) in (1..40u32, [-(1i64 << 12)..1 << 12, -(1i64 << 12)..1 << 12], [-(1i64 << 22)..1 << 22, -(1i64 << 22)..1 << 22]),
        multiplier in 0..1i64 << 20,
        position in 0.0..=1.0,
    ) {
        let [lo, hi] = [ends[0].min(ends[1]), ends[0].max(ends[1])];
        let interval = (bounds[0].min(bounds[1]), bounds[0].max(bounds[1]));
        let x = interval.0 + ((interval.1 - interval.0) as f64 * position) as i64;
        let op = zknn_ir::Requantize { multipliers: vec![multiplier], shift, lo, hi, scale: 1.0, ..Default::default() };
        let (least, greatest) = op.quotients(interval);
        let gadget = Requantize::new(shift, (lo, hi), (least as i64, greatest as i64)).expect("narrow enough");
        let gadget = Gadget::from(gadget);
        let gate = gate_of(&gadget);
        let row = honest_row(&gadget, &[], &[x, multiplier].map(from_signed));
        prop_assert!(is_satisfied(&gate, &[], &row));
        prop_assert_eq!(to_signed(row[2]), op.apply(0, x));
        for change in [F::ONE, F::NEG_ONE] {
            let mut forged = row.clone();
            forged[2] += change;
            prop_assert!(!is_satisfied(&gate, &[], &forged));
        }
    }
}

/// What another quotient, another excess or another sign would need.
#[test]
fn requantize_has_one_result_only() {
    let gadget = Gadget::from(Requantize::new(4, (-128, 127), (-4000, 4000)).expect("narrow enough"));
    let gate = gate_of(&gadget);
    for (x, other) in [(800, 816), (-800, -784), (1 << 14, 1 << 13), (-(1 << 14), 1 << 14)] {
        let mut forged = honest_row(&gadget, &[], &[other, 1].map(from_signed));
        assert!(is_satisfied(&gate, &[], &forged));
        forged[0] = from_signed(x);
        assert!(!is_satisfied(&gate, &[], &forged));
        // The product too, and with it a remainder out of range.
        forged[3] = from_signed(x);
        assert!(!is_satisfied(&gate, &[], &forged), "{x} passes for {other}");
    }
    // A quotient beyond what was promised has no row.
    for x in [1 << 40, -(1 << 40), i64::MIN / 4] {
        assert!(!is_satisfied(&gate, &[], &honest_row(&gadget, &[], &[x, 1].map(from_signed))));
    }
}

#[test]
fn requantize_refuses_what_the_field_cannot_tell_apart() {
    assert!(Requantize::new(0, (0, 1), (0, 1)).is_none());
    assert!(Requantize::new(62, (0, 1), (0, 0)).is_none());
    assert!(Requantize::new(1, (1, 0), (0, 1)).is_none());
    assert!(Requantize::new(1, (0, 1), (1, 0)).is_none());
    assert!(Requantize::new(30, (-128, 127), (-(1 << 32) - 2, 0)).is_none());
    assert!(Requantize::new(30, (-(1 << 32), 1 << 32), (-(1 << 32), 1 << 32)).is_none());
    assert!(Requantize::new(30, (i64::MIN, i64::MAX), (-1, 1)).is_none());
}

/// Every result near the range with every choice of digits is tried, in small instances: for each input one row is accepted.
#[test]
fn requantize_has_one_row_for_each_input() {
    let radix = u64::from(DIGIT_RADIX);
    let of_all = [(1, 0, 3), (2, -1, 2), (3, 0, 7), (4, 0, 1)].map(|(shift, lo, hi)| (shift, lo, hi, 0));
    // Where a quotient beyond the range has no result; eleven results have no digits of their own.
    let of_some = [(1, 0, 3, 5), (3, 0, 7, 2), (2, -5, 5, 4), (1, -5, 5, 700)];
    for (shift, lo, hi, beyond) in of_all.into_iter().chain(of_some) {
        let gadget = Requantize::strict(shift, (lo, hi), (lo - beyond, hi + beyond), [beyond > 0; 2]);
        let gadget = Gadget::from(gadget.expect("narrow enough"));
        let (gate, shape) = (gate_of(&gadget), gadget.shape());
        assert_eq!((shape.routed(), shape.advice), (3, 1), "inputs, the result, and the product");
        let places = 0..shape.digits as u32;
        let is_accepted = |x: i64, y: i64, digits: u64| {
            let digits = places.clone().map(|place| F::from_canonical_u64(digits / radix.pow(place) % radix));
            let row: Vec<F> = [x, 1, y, x].map(from_signed).into_iter().chain(digits).collect();
            is_satisfied(&gate, &[], &row)
        };
        // Exactly those that are rounded to a result in the range.
        let half = 1 << (shift - 1);
        let around = beyond.min(9);
        for x in ((lo - around) << shift) - half..((hi + around + 1) << shift) - half {
            let rows = (lo - 9..=hi + 9).flat_map(|y| (0..radix.pow(places.end)).map(move |digits| (y, digits)));
            let accepted: Vec<i64> = rows.filter(|&(y, digits)| is_accepted(x, y, digits)).map(|(y, _)| y).collect();
            let quotient = (x + half) >> shift;
            let expected: Vec<i64> = (lo..=hi).contains(&quotient).then_some(quotient).into_iter().collect();
            assert_eq!(accepted, expected, "{x} / 2^{shift} in {lo}..={hi}");
        }
    }
}

/// Instances that nobody uses hold, even where zero is no quotient.
#[test]
fn idle_rows_hold() {
    let requantize = |clamp, quotients| Gadget::from(Requantize::new(9, clamp, quotients).expect("narrow enough"));
    let gadgets = [
        requantize((-128, 127), (-4000, 4000)),
        requantize((-128, 127), (300, 4000)),
        requantize((-128, 127), (-4000, -300)),
        requantize((-9999, 9999), (5, 6)),
        Argmax::new(5, 77).into(),
    ];
    for gadget in gadgets {
        let row = honest_row(&gadget, &[], &gadget.idle_inputs());
        assert!(is_satisfied(&gate_of(&gadget), &[], &row), "{gadget:?}");
        assert!(gadget.is_consistent());
    }
}

fn small_kernel() -> Kernel {
    Kernel::new(Array4::from_shape_fn((2, 3, 2, 2), |(o, y, x, c)| (o + 2 * y + 3 * x + 5 * c) as i64 % 7 - 3))
}

fn small_conv() -> Conv {
    Conv::new(small_kernel(), vec![1, -2])
}

/// Each group by itself, with strides and dilations, at a block of positions whose patches overlap or leave lines out.
#[test]
fn conv_of_groups() {
    let kernel = small_kernel().in_groups(2).with_steps([2, 1], [1, 2]).at_block([2, 2]);
    assert_eq!(kernel.patch(), [5, 4, 4]);
    assert_eq!((kernel.lines(0), kernel.lines(1)), (vec![0, 1, 2, 3, 4], vec![0, 1, 2, 3]));
    let conv = Gadget::from(Conv::new(kernel, vec![1, -2]).adding());
    let inputs = (0..conv.shape().inputs as i64).map(|i| i * 29 % 17 - 8).collect();
    check(conv, &[], &[inputs]);
}

/// The image itself, position by position, is what the gadget is held to: for every stride, dilation, number of groups and
/// block, by loops that know of no patch.
#[test]
fn a_block_is_its_positions() {
    let kernel = Array4::from_shape_fn((4, 3, 2, 2), |(o, y, x, c)| (5 * o + 2 * y + 3 * x + 7 * c) as i64 % 11 - 5);
    let image = |y: usize, x: usize, c: usize| (y * 31 + x * 17 + c * 5) as i64 % 23 - 11;
    for groups in [1, 2, 4] {
        for ([sh, sw], [dh, dw]) in [([1, 1], [1, 1]), ([2, 3], [1, 1]), ([1, 2], [3, 1]), ([4, 1], [1, 2])] {
            for block in [[1, 1], [2, 2], [1, 3], [3, 1]] {
                let gadget =
                    Kernel::new(kernel.clone()).in_groups(groups).with_steps([sh, sw], [dh, dw]).at_block(block);
                let [rows, columns] = [gadget.lines(0), gadget.lines(1)];
                let patch = rows.iter().flat_map(|&y| columns.iter().map(move |&x| (y, x)));
                let inputs = patch.flat_map(|(y, x)| (0..2 * groups).map(move |c| from_signed(image(y, x, c))));
                let outputs = outputs_of(Conv::new(gadget, vec![1, -2, 3, 0]), &inputs.collect::<Vec<_>>());
                let mut outputs = outputs.into_iter();
                for (down, right) in (0..block[0]).flat_map(|down| (0..block[1]).map(move |right| (down, right))) {
                    for (o, bias) in [1, -2, 3, 0].into_iter().enumerate() {
                        let group = o / (4 / groups);
                        let mut expected = bias;
                        for ((_, y, x, c), weight) in kernel.indexed_iter().filter(|((of, ..), _)| *of == o) {
                            expected += weight * image(down * sh + y * dh, right * sw + x * dw, 2 * group + c);
                        }
                        assert_eq!(outputs.next(), Some(expected), "{groups} {sh} {sw} {dh} {dw} {block:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn conv() {
    let inputs: Vec<i64> = (0..12).map(|i| i * 37 % 11 - 5).collect();
    check(small_conv(), &[], &[inputs]);
    let inputs: Vec<i64> = (0..4 * 3 * 2).map(|i| i * 53 % 11 - 5).collect();
    let block = || Conv::new(small_kernel().at_block([2, 2]), vec![1, -2]);
    let rows = [inputs];
    check(block().with_max(true, 1000), &[], &rows);
    check(block(), &[], &rows);
    let adding = Gadget::from(small_conv().adding());
    let inputs = (0..adding.shape().inputs as i64).map(|i| i * 3 - 20).collect();
    check(adding, &[], &[inputs]);
}

#[test]
fn conv_with_large_weights() {
    let kernel = Array4::from_elem((1, 1, 1, 2), 1 << 30);
    check(Conv::new(Kernel::new(kernel), vec![0]), &[], &[vec![3, -4]]);
}

#[test]
fn dense_tile() {
    let tile = DenseTile { width: 3, height: 2 };
    let constants: Vec<F> = [1, -2, 3, 4, 5, -6].map(from_signed).to_vec();
    check(tile, &constants, &[vec![7, -8, 9, 100, -100]]);
}

#[test]
fn filter() {
    let constants: Vec<F> = [1, -2, 3, 100].map(from_signed).to_vec();
    check(Filter::new(3, 2), &constants, &[vec![7, -8, 9, 100, -100, 0]]);
    let outputs: Vec<F> =
        honest_row(&Filter::new(3, 2).into(), &constants, &[1, 0, 0, 0, 1, 2].map(from_signed))[6..8].to_vec();
    assert_eq!(outputs, [101, 104].map(from_signed));
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
    let input =
        graph.add(Op::Input(op::Input { shape: vec![x.len()], number, rounds: false }), &[], None).expect("an input");
    let output =
        graph.add(Op::Normalize(op::Normalize { fraction_bits: FRACTION_BITS }), &[input], None).expect("a vector");
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
