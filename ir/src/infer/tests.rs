use super::*;
use crate::testing::{fixed, fixed_input, integers, real, real_input};
use crate::{ChannelBound, Weights, channel_bounds, op};

fn image(shape: &[usize], lo: i64, hi: i64) -> Fact {
    infer(&fixed_input(shape, lo, hi), &[]).unwrap()
}

fn conv(shape: [usize; 4]) -> Op {
    let count: usize = shape.iter().product();
    Op::Conv2d(op::Conv2d { kernel: fixed(&shape, &vec![1; count], 1.0), bias: None, ..op::Conv2d::default() })
}

fn dense(shape: [usize; 2], weights: &[i64], bias: Option<Weights>) -> Op {
    Op::Dense(op::Dense { weights: fixed(&shape, weights, 1.0), bias })
}

fn message(op: &Op, operand: &Fact) -> String {
    infer(op, &[operand]).unwrap_err().to_string()
}

#[test]
fn a_channel_has_the_exact_ends_that_its_weights_allow() {
    let op = dense([2, 2], &[3, -2, 0, 1], Some(fixed(&[2], &[10, -1], 1.0)));
    let fact = infer(&op, &[&image(&[2], -5, 4)]).unwrap();
    // First channel: 3·-5 - 2·4 + 10 and 3·4 - 2·-5 + 10; second: -5 - 1 and 4 - 1.
    assert_eq!(fact.to_string(), "[2] fixed(scale 1, -13..=32)");
    let bounds = channel_bounds(&integers(&[2, 2], &[3, -2, 0, 1]), Some(&integers(&[2], &[10, -1])), (-5, 4));
    let expected = [(-13, 32, 35), (-6, 3, 6)];
    let expected = expected.map(|(lo, hi, magnitude)| ChannelBound { lo, hi, magnitude });
    assert_eq!(bounds, expected);
}

#[test]
fn channel_bounds_take_any_tensor() {
    let none: Option<&ndarray::ArrayD<i64>> = None;
    assert_eq!(channel_bounds(&integers(&[0, 3], &[]), none, (0, 1)), []);
    let bound = |lo, hi, magnitude| ChannelBound { lo, hi, magnitude };
    let scalar = channel_bounds(&integers(&[], &[-7]), none, (0, 2));
    assert_eq!(scalar, [bound(-14, 0, 14)]);
    let extreme = channel_bounds(&integers(&[1, 4], &[i64::MIN; 4]), Some(&integers(&[0], &[])), (i64::MIN, i64::MAX));
    assert_eq!(extreme[0].magnitude, i128::MAX);
}

#[test]
fn scales_multiply_and_a_bias_must_have_the_product() {
    let input =
        Op::Input(op::Input { shape: vec![1], number: Number::Fixed { scale: 0.25, lo: 0, hi: 1 }, rounds: false });
    let operand = infer(&input, &[]).unwrap();
    let op = |bias_scale| {
        Op::Dense(op::Dense { weights: fixed(&[1, 1], &[1], 0.5), bias: Some(fixed(&[1], &[1], bias_scale)) })
    };
    assert_eq!(infer(&op(0.125), &[&operand]).unwrap().scale(), Some(0.125));
    assert_eq!(message(&op(1.0), &operand), "bias has scale 1, the products have scale 0.125");
}

#[test]
fn shapes_of_rectangular_kernels_and_windows() {
    let operand = image(&[7, 9, 2], 0, 1);
    let fact = infer(&conv([3, 2, 4, 2]), &[&operand]).unwrap();
    assert_eq!(fact.to_string(), "[6, 6, 3] fixed(scale 1, 0..=16)");
    let pool = Op::MaxPool(op::MaxPool::tiles([3, 2], false));
    assert_eq!(infer(&pool, &[&fact]).unwrap().shape, [2, 3, 3]);
    assert_eq!(infer(&Op::Flatten, &[&fact]).unwrap().shape, [108]);
}

#[test]
fn relu_moves_both_ends_up_to_zero() {
    let clamped = |lo, hi| infer(&Op::Relu, &[&image(&[1], lo, hi)]).unwrap().interval();
    assert_eq!(clamped(-5, 4), Some((0, 4)));
    assert_eq!(clamped(-5, -2), Some((0, 0)));
    assert_eq!(clamped(2, 3), Some((2, 3)));
}

#[test]
fn normalize_knows_the_sign_of_its_input() {
    let op = Op::Normalize(op::Normalize { fraction_bits: 3 });
    let normalized = |lo, hi| infer(&op, &[&image(&[2], lo, hi)]).unwrap().interval();
    assert_eq!(normalized(-5, 4), Some((-8, 8)));
    assert_eq!(normalized(0, 4), Some((0, 8)));
    assert_eq!(normalized(-4, 0), Some((-8, 0)));
    assert_eq!(normalized(0, 0), Some((0, 0)));
}

#[test]
fn real_numbers_have_shapes_only() {
    let operand = infer(&real_input(&[2]), &[]).unwrap();
    let op = Op::Dense(op::Dense { weights: real(&[1, 2], &[1e300, 1e300]), bias: Some(real(&[1], &[0.5])) });
    let fact = infer(&op, &[&operand]).unwrap();
    assert_eq!(fact.to_string(), "[1] real");
    let normalized = infer(&Op::Normalize(op::Normalize { fraction_bits: 9 }), &[&fact]).unwrap();
    assert_eq!(normalized.number, Number::Real);
}

#[test]
fn kernels_that_do_not_fit_are_named() {
    let operand = image(&[4, 4, 4], 0, 1);
    insta::assert_snapshot!(message(&conv([1, 3, 3, 3]), &operand), @"kernel has 3 input channels, its input has 4");
    insta::assert_snapshot!(message(&conv([1, 5, 3, 4]), &operand), @"kernel of 5 by 3 does not fit into an input of 4 by 4");
    insta::assert_snapshot!(message(&conv([1, 3, 5, 4]), &operand), @"kernel of 3 by 5 does not fit into an input of 4 by 4");
    insta::assert_snapshot!(message(&conv([1, 0, 3, 4]), &operand), @"the kernel of conv2d needs axes of length 1 or more, its shape is [1, 0, 3, 4]");
    insta::assert_snapshot!(message(&conv([1, 3, 3, 4]), &image(&[4, 4], 0, 1)), @"the input of conv2d has rank 2, it must have rank 3");
    let flat = Op::Conv2d(op::Conv2d { kernel: fixed(&[2], &[1, 1], 1.0), bias: None, ..op::Conv2d::default() });
    insta::assert_snapshot!(message(&flat, &operand), @"the kernel of conv2d has rank 1, it must have rank 4");
}

#[test]
fn matrices_and_biases_that_do_not_fit_are_named() {
    let operand = image(&[2], 0, 1);
    let with_bias = |bias| dense([1, 2], &[1, 1], Some(bias));
    insta::assert_snapshot!(message(&dense([1, 3], &[1; 3], None), &operand), @"weights take 3 inputs, their input has 2");
    insta::assert_snapshot!(message(&dense([1, 2], &[1; 2], None), &image(&[2, 1, 1], 0, 1)), @"the input of dense has rank 3, it must have rank 1");
    insta::assert_snapshot!(message(&with_bias(fixed(&[2], &[1, 1], 1.0)), &operand), @"bias has length 2, the number of output channels is 1");
    insta::assert_snapshot!(message(&with_bias(fixed(&[1, 1], &[1], 1.0)), &operand), @"the bias of dense has rank 2, it must have rank 1");
    insta::assert_snapshot!(message(&with_bias(real(&[1], &[1.0])), &operand), @"the bias of dense must be fixed-point like its input, not real");
}

#[test]
fn windows_beyond_the_edges_are_named() {
    let operand = image(&[4, 6, 1], 0, 1);
    let tiles = |window| Op::MaxPool(op::MaxPool::tiles(window, false));
    insta::assert_snapshot!(message(&tiles([8, 2]), &operand), @"windows of 8 by 2 do not each hold some of an input of 4 by 6");
    insta::assert_snapshot!(message(&tiles([0, 2]), &operand), @"windows of 0 by 2 with stride [0, 2] are empty, or do not move");
    insta::assert_snapshot!(message(&tiles([2, 2]), &image(&[4], 0, 1)), @"the input of max_pool has rank 1, it must have rank 3");
    let pool = |stride, before, after| {
        let pool = op::MaxPool { window: [3, 2], relu: false, stride, before, after };
        infer(&Op::MaxPool(pool), &[&operand]).map(|fact| fact.shape)
    };
    // What is left is cut off; windows may overlap, and reach over the edges.
    assert_eq!(pool([3, 2], [0, 0], [0, 0]).unwrap(), [1, 3, 1]);
    assert_eq!(pool([1, 1], [0, 0], [0, 0]).unwrap(), [2, 5, 1]);
    assert_eq!(pool([2, 1], [1, 1], [1, 1]).unwrap(), [2, 7, 1]);
    assert!(pool([0, 1], [0, 0], [0, 0]).is_err());
    // The first window, or the last, would hold nothing.
    assert!(pool([1, 1], [3, 0], [0, 0]).is_err() && pool([1, 1], [0, 2], [0, 0]).is_err());
    assert!(pool([1, 1], [0, 0], [3, 0]).is_err() && pool([1, 1], [0, 0], [0, 2]).is_err());
    assert!(pool([1, 1], [0, 0], [usize::MAX, 0]).is_err());
}

#[test]
fn inputs_that_cannot_be_are_named() {
    let error = |op: &Op| infer(op, &[]).unwrap_err().to_string();
    insta::assert_snapshot!(error(&fixed_input(&[], 0, 1)), @"the shape of input needs axes of length 1 or more, its shape is []");
    insta::assert_snapshot!(error(&fixed_input(&[2, 0], 0, 1)), @"the shape of input needs axes of length 1 or more, its shape is [2, 0]");
    insta::assert_snapshot!(error(&fixed_input(&[usize::MAX, 2], 0, 1)), @"a tensor of shape [18446744073709551615, 2] has more than 268435456 elements");
    insta::assert_snapshot!(error(&fixed_input(&[1], 1, 0)), @"interval 1..=0 is empty");
    insta::assert_snapshot!(error(&fixed_input(&[1], i64::MIN, 0)), @"input spans -9223372036854775808..=0 and needs magnitudes up to 9223372036854775808, beyond ±2^62");
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let number = Number::Fixed { scale, lo: 0, hi: 1 };
        let op = Op::Input(op::Input { shape: vec![1], number, rounds: false });
        assert!(matches!(infer(&op, &[]), Err(InferError::BadScale { .. })));
    }
}

#[test]
fn normalize_has_its_limits() {
    let op = |fraction_bits| Op::Normalize(op::Normalize { fraction_bits });
    let operand = image(&[4097], 0, 1);
    insta::assert_snapshot!(message(&op(24), &operand), @"normalize takes at most 4096 elements, got 4097");
    insta::assert_snapshot!(message(&op(0), &image(&[1], 0, 1)), @"fraction_bits must lie in 1..=24, got 0");
    insta::assert_snapshot!(message(&op(25), &image(&[1], 0, 1)), @"fraction_bits must lie in 1..=24, got 25");
    insta::assert_snapshot!(message(&op(24), &image(&[1, 1], 0, 1)), @"the input of normalize has rank 2, it must have rank 1");
}

#[test]
fn numbers_do_not_mix() {
    let reals = infer(&real_input(&[1]), &[]).unwrap();
    let op = dense([1, 1], &[1], None);
    insta::assert_snapshot!(message(&op, &reals), @"the weights of dense must be real like its input, not fixed-point");
    let op = Op::Dense(op::Dense { weights: real(&[1, 1], &[f64::NAN]), bias: None });
    insta::assert_snapshot!(message(&op, &reals), @"the weights of dense must be finite, element 0 is not");
}

#[test]
fn the_number_of_operands_is_checked() {
    let operand = image(&[1], 0, 1);
    let count = |op: &Op, operands: &[&Fact]| infer(op, operands).unwrap_err().to_string();
    insta::assert_snapshot!(count(&Op::Relu, &[]), @"relu has 0 operands, it takes 1");
    insta::assert_snapshot!(count(&Op::Flatten, &[&operand, &operand]), @"flatten has 2 operands, it takes 1");
    insta::assert_snapshot!(count(&fixed_input(&[1], 0, 1), &[&operand]), @"input has 1 operands, it takes 0");
}

#[test]
fn partial_sums_count_and_not_only_the_result() {
    let half = 1i64 << 61;
    let operand = image(&[2], 1, 1);
    // The result is zero whatever happens, and 2^62 on the way is just allowed.
    let balanced = dense([1, 2], &[half, -half], None);
    assert_eq!(infer(&balanced, &[&operand]).unwrap().interval(), Some((0, 0)));
    let op = dense([2, 2], &[0, 0, half, -half - 1], None);
    assert_eq!(
        infer(&op, &[&operand]),
        Err(InferError::Overflow { op: "dense", channel: Some(1), lo: -1, hi: -1, magnitude: (1 << 62) + 1 })
    );
    let biased = dense([1, 2], &[half, -half], Some(fixed(&[1], &[1], 1.0)));
    insta::assert_snapshot!(message(&biased, &operand), @"dense channel 0 spans 1..=1 and needs magnitudes up to 4611686018427387905, beyond ±2^62");
}

#[test]
fn a_result_may_not_be_larger_than_a_tensor_may_be() {
    let operand = image(&[1 << 14, 1 << 10, 1], 0, 0);
    let op = conv([32, 1, 1, 1]);
    assert_eq!(infer(&op, &[&operand]), Err(InferError::TooManyElements { shape: vec![1 << 14, 1 << 10, 32] }));
}
