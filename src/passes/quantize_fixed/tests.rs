use ndarray::{ArrayD, Axis, IxDyn};

use super::super::Fit;
use super::super::testing::{after_with, error_with};
use super::*;

fn context(bits: u32, calibration: Option<(&[usize], &[f64])>) -> Context {
    let batch = |(shape, data): (&[usize], &[f64])| ArrayD::from_shape_vec(IxDyn(shape), data.to_vec()).unwrap();
    let calibration: Vec<ArrayD<f64>> = calibration.map(batch).into_iter().collect();
    Context::of_one((-4, 4), Some(FixedPoint::new(bits, calibration.into())))
}

const CNN: &str = "
    %0 = input : [2, 2, 1] real
    %1 = conv2d %0 kernel=real[2, 1, 1, 1] [0.5, -0.25] bias=real[2] [0.125, 0.0] layer=0
    %2 = max_pool %1 window=[2, 2] relu layer=1
    %3 = flatten %2 layer=2
    %4 = dense %3 weights=real[2, 2] [0.3, -0.1, 0.02, 0.01] bias=real[2] [0.5, -0.5] layer=3
    %5 = argmax %4 axis=0 layer=4
    output %5
";

#[test]
fn ranges_are_those_that_weights_allow() {
    insta::assert_snapshot!(after_with(run, &context(8, None), CNN));
}

#[test]
fn ranges_are_those_that_calibration_finds() {
    let calibration: (&[usize], &[f64]) = (&[2, 2, 2, 1], &[0.0, 1.0, 2.0, -1.0, -2.0, 0.0, 0.0, 1.0]);
    insta::assert_snapshot!(after_with(run, &context(8, Some(calibration)), CNN));
}

#[test]
fn dead_channels_and_dead_layers_do_no_harm() {
    insta::assert_snapshot!(after_with(
        run,
        &context(8, None),
        "
        %0 = input : [1] real
        %1 = dense %0 weights=real[2, 1] [0.0, 0.5] bias=real[2] [0.25, 0.0] layer=0
        %2 = dense %1 weights=real[1, 2] [0.0, 0.0] layer=1
        %3 = relu %2 layer=2
        %4 = dense %3 weights=real[1, 1] [1.5] layer=3
        output %4
    "
    ));
}

#[test]
fn tensors_end_to_end_have_one_scale() {
    // Two branches that end up together are told at the scale of the greater one; an input keeps few bits.
    insta::assert_snapshot!(after_with(
        run,
        &context(8, None),
        "
        %0 = input : [1, 1, 2] real
        %1 = conv2d %0 kernel=real[1, 1, 1, 2] [0.5, 0.25] layer=0
        %2 = conv2d %0 kernel=real[1, 1, 1, 2] [3.0, 1.5] layer=1
        %3 = concat %1 %2 axis=2 layer=2
        %4 = concat %3 %0 axis=2 layer=3
        %5 = conv2d %4 kernel=real[1, 1, 1, 4] [0.5, 0.25, 1.0, 2.0] layer=4
        %6 = concat %5 %1 axis=2 layer=5
        output %6
    "
    ));
}

#[test]
fn what_is_fixed_stays_as_it_is() {
    let text = "%0 = input : [1] fixed(scale 1, 0..=1)\noutput %0\n";
    assert_eq!(after_with(run, &context(8, None), text), text);
}

#[test]
fn sums_that_no_multiplier_leaves_room_for_are_named() {
    // Weights of one magnitude would take one bit.
    let weights = format!("0.75, {}", vec!["0.5"; 19_999].join(", "));
    let text = |bits: u32| {
        let text = format!(
            "%0 = input : [20000] real
            %1 = dense %0 weights=real[1, 20000] [{weights}] layer=7
            output %1"
        );
        (context(bits, None), text)
    };
    let (narrow, graph) = text(12);
    after_with(run, &narrow, &graph);
    let (wide, graph) = text(16);
    let error = error_with(run, &Context { inputs: vec![(-(1 << 31), 1 << 31).into()], ..wide }, &graph);
    insta::assert_snapshot!(error);
}

/// Inputs that hardly differ: what rounded weights lose is the same for all of them, and biases make up for it, with groups of
/// channels and without, where there was a bias and where there was none.
#[test]
fn biases_make_up_for_what_rounded_weights_lose_of_means() {
    let weights = |count: usize| -> String {
        // One weight of each row is so great that the others have few bits.
        let row = if count == 4 * 27 { 27 } else { 96 };
        let is_great = |at: usize| at.is_multiple_of(row);
        let any = |at: usize| ((at * at * 7 + at * 3 + 1) % 1009) as f64 / 1009.0 - 0.4;
        let weight = |at: usize| format!("{:?}", if is_great(at) { 8.0 } else { any(at) });
        (0..count).map(weight).collect::<Vec<_>>().join(", ")
    };
    // Integers, which are told as they are.
    let number = |at: &IxDyn| 1.0 + ((at[1] * 24 + at[2] * 6 + at[3]) % 3 + at[0] % 2) as f64;
    let inputs = ArrayD::from_shape_fn(vec![8, 4, 4, 6], |at| number(&at));
    let (kernel, dense) = (weights(4 * 27), weights(4 * 96));
    for text in [
        format!("%1 = conv2d %0 kernel=real[4, 3, 3, 3] [{kernel}] groups=2"),
        format!("%1 = conv2d %0 kernel=real[4, 3, 3, 3] [{kernel}] bias=real[4] [0.5, -0.5, 0.25, 0.0] groups=2"),
        format!("%2 = flatten %0\n%1 = dense %2 weights=real[4, 96] [{dense}]"),
    ] {
        let text = format!("%0 = input : [4, 4, 6] real\n{text}\noutput %1");
        let lost = |calibration: Vec<ArrayD<f64>>| {
            let reals = zknn_ir::parse(&text).unwrap();
            let mut context = Context::of_one((-4, 4), Some(FixedPoint::new(8, calibration.into())));
            let mut program = reals.clone();
            super::super::observe::run(&mut program, &mut context).unwrap();
            run(&mut program, &mut context).unwrap();
            let integers = crate::input::integers_of_batches(&program, std::slice::from_ref(&inputs)).unwrap();
            let expected = zknn_ir::eval::eval_real_batch(&reals, &[inputs.clone()][..]).unwrap();
            let values = zknn_ir::eval::eval_fixed_batch(&program, &integers[..]).unwrap();
            let scale = program.node(program.output()).fact.scale().unwrap();
            let got = values.output().mapv(|integer| integer as f64 * scale);
            let off = (&got - expected.output()).mean_axis(Axis(0)).unwrap();
            off.iter().fold(0.0, |most: f64, off| most.max(off.abs()))
        };
        // Without calibration inputs there are no means.
        let (with, without) = (lost(vec![inputs.clone()]), lost(Vec::new()));
        assert!(with < 0.3 * without && with < 0.01, "{with} and {without}");
    }
}

/// A number that is many times as large as a million others.
#[test]
fn ranges_may_be_fitted_to_the_mean_square_error() {
    let number = |at: &IxDyn| if at[0] + at[1] == 0 { 4.0 } else { ((at[0] * 77 + at[1] * 5) % 128) as f64 / 128.0 };
    let inputs = ArrayD::from_shape_fn(vec![256, 4096], |at| number(&at));
    let text = "%0 = input : [4096] real\n%1 = multiply %0 %0\n%2 = multiply %1 %1\noutput %2";
    let of_squares = |fit: Fit| {
        let fixed = FixedPoint { fit, ..FixedPoint::new(8, vec![inputs.clone()].into()) };
        let mut context = Context::of_one((-4, 4), Some(fixed));
        let mut graph = zknn_ir::parse(text).unwrap();
        super::super::observe::run(&mut graph, &mut context).unwrap();
        run(&mut graph, &mut context).unwrap();
        let requantizes = graph.topological().into_iter().filter_map(|id| match &graph.node(id).op {
            Op::Requantize(op) => Some(op.clone()),
            _ => None,
        });
        requantizes.collect::<Vec<_>>()[0].clone()
    };
    let (greatest, squares) = (of_squares(Fit::Greatest), of_squares(Fit::MeanSquare));
    assert!(squares.scale < 0.7 * greatest.scale, "{} and {}", squares.scale, greatest.scale);
    assert!(squares.saturates_above && squares.hi == greatest.hi);
}
