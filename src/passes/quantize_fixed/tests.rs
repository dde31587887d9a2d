use ndarray::{ArrayD, IxDyn};

use super::super::testing::{after_with, error_with};
use super::*;

fn context(bits: u32, calibration: Option<(&[usize], &[f64])>) -> Context {
    let batch = |(shape, data): (&[usize], &[f64])| ArrayD::from_shape_vec(IxDyn(shape), data.to_vec()).unwrap();
    let calibration = calibration.map(batch).into_iter().collect();
    Context::of_one((-4, 4), Some(FixedPoint { bits, calibration }))
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
            %2 = dense %1 weights=real[1, 1] [1.5] layer=8
            output %2"
        );
        (context(bits, None), text)
    };
    let (narrow, graph) = text(12);
    after_with(run, &narrow, &graph);
    let (wide, graph) = text(16);
    let error = error_with(run, &Context { inputs: vec![(-(1 << 31), 1 << 31).into()], ..wide }, &graph);
    insta::assert_snapshot!(error);
}
