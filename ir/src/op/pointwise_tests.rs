//! Factors, products, maxima, ends and ranks, by hand and against other operations.

use super::tests::{alone, fact, message, tensor};
use super::*;
use crate::eval::{eval_fixed, eval_real};
use crate::{Number, Weights, infer, parse, print};
use ndarray::{ArcArray, ArrayD, IxDyn};
use proptest::prelude::*;

fn weights(shape: &[usize], data: &[i64], scale: f64) -> Weights {
    Weights::Fixed { data: ArcArray::from_shape_vec(IxDyn(shape), data.to_vec()).unwrap(), scale }
}

fn affine(factors: &[i64], offsets: &[i64]) -> Op {
    let length = [factors.len()];
    Op::Affine(Affine { weights: weights(&length, factors, 0.5), bias: Some(weights(&length, offsets, 0.125)) })
}

fn real(shape: &[usize]) -> Fact {
    Fact { shape: shape.to_vec(), number: Number::Real }
}

#[test]
fn intervals_are_exact() {
    let x = fact(&[2, 2], 0.25, -3, 9);
    assert_eq!(infer(&affine(&[2, -1], &[10, 0]), &[&x]), Ok(fact(&[2, 2], 0.125, -9, 28)));
    let y = fact(&[2, 2], 0.25, -10, -4);
    assert_eq!(infer(&Op::Multiply, &[&x, &y]), Ok(fact(&[2, 2], 0.0625, -90, 30)));
    assert_eq!(infer(&Op::Maximum, &[&x, &y]), Ok(fact(&[2, 2], 0.25, -3, 9)));
    assert_eq!(infer(&Op::Maximum, &[&y, &y, &fact(&[2, 2], 0.25, -7, -5)]), Ok(fact(&[2, 2], 0.25, -7, -4)));
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let x = fact(&[2, 2], 1.0, -3, 9);
    insta::assert_snapshot!(message(&affine(&[1, 2, 3], &[0, 0, 0]), &[&x]), @"weights take 3 inputs, their input has 2");
    insta::assert_snapshot!(message(&Op::Multiply, &[&x, &fact(&[4], 1.0, 0, 1)]), @"operand 1 of multiply has shape [4], the first has [2, 2]");
    insta::assert_snapshot!(message(&Op::Multiply, &[&x, &real(&[2, 2])]), @"operand 1 of multiply and the first are not both real or both fixed-point");
    insta::assert_snapshot!(message(&Op::Maximum, &[&x, &fact(&[2, 2], 0.5, 0, 1)]), @"operand 1 of maximum has scale 0.5, the first has 1");
    let half = fact(&[1], 1.0, -(1 << 31), 1 << 31);
    assert_eq!(infer(&Op::Multiply, &[&half, &half]), Ok(fact(&[1], 1.0, -(1 << 62), 1 << 62)));
    insta::assert_snapshot!(message(&Op::Multiply, &[&half, &fact(&[1], 1.0, 0, (1 << 31) + 1)]), @"multiply spans -4611686020574871552..=4611686020574871552 and needs magnitudes up to 4611686020574871552, beyond ±2^62");
}

#[test]
fn clip_is_of_real_numbers_and_has_two_ends() {
    let clip = Clip::new(Some(-1.0), Some(2.5));
    let graph = alone(Op::Clip(clip.clone()), &[real(&[4])]);
    let values = eval_real(&graph, &ndarray::arr1(&[-7.0, -0.5, 2.0, 9.0]).into_dyn()).unwrap();
    assert_eq!(values.output(), &ndarray::arr1(&[-1.0, -0.5, 2.0, 2.5]).into_dyn());
    assert_eq!(clip.given(), [Some(-1.0), Some(2.5)]);
    let open = Clip::new(None, Some(0.0));
    assert_eq!((open.given(), open.class()), ([None, Some(0.0)], Class::Monotone { keeps_zero: true }));
    assert_eq!(Clip::new(Some(0.5), None).class(), Class::Monotone { keeps_zero: false });
    insta::assert_snapshot!(message(&Op::Clip(clip), &[&fact(&[4], 1.0, 0, 1)]), @"clip takes real numbers, its input is fixed-point");
    insta::assert_snapshot!(message(&Op::Clip(Clip::new(Some(1.0), Some(0.0))), &[&real(&[4])]), @"clip takes two ends, of which the first is not above the second, got 2");
    insta::assert_snapshot!(message(&Op::Clip(Clip::new(Some(f64::NAN), None)), &[&real(&[4])]), @"the ends of clip must be finite, element 0 is not");
}

#[test]
fn quantize_rounds_halves_to_the_even_multiple_and_saturates() {
    let quantize = |lo, hi, scale| Op::Quantize(Quantize { lo, hi, scale });
    let graph = alone(quantize(-128, 127, 0.5), &[real(&[8])]);
    let x = ndarray::arr1(&[0.25, 0.75, -0.25, -0.75, 1.1, 63.9, -64.3, 0.0]).into_dyn();
    let values = eval_real(&graph, &x).unwrap();
    assert_eq!(values.output(), &ndarray::arr1(&[0.0, 1.0, 0.0, -1.0, 1.0, 63.5, -64.0, 0.0]).into_dyn());
    // With a zero point of -128, the type's least integer is zero.
    let graph = alone(quantize(0, 255, 0.1f32.into()), &[real(&[3])]);
    let values = eval_real(&graph, &ndarray::arr1(&[-3.0, 0.25, 99.0]).into_dyn()).unwrap();
    assert_eq!(values.output(), &ndarray::arr1(&[0.0, 2.0, 255.0]).mapv(|level| level * f64::from(0.1f32)).into_dyn());
    assert_eq!(quantize(1, 3, 1.0).class(), Class::Monotone { keeps_zero: false });

    let x = real(&[4]);
    insta::assert_snapshot!(message(&quantize(-1, 1, 0.5), &[&fact(&[4], 1.0, 0, 1)]), @"quantize takes real numbers, its input is fixed-point");
    insta::assert_snapshot!(message(&quantize(1, 0, 0.5), &[&x]), @"interval 1..=0 is empty");
    insta::assert_snapshot!(message(&quantize(0, 1, 0.0), &[&x]), @"the scale of the result of quantize must be positive and finite, it is 0");
    insta::assert_snapshot!(message(&quantize(0, (1 << 24) + 1, 1.0), &[&x]), @"quantize gives multiples from 0 to 16777217, they must stay within ±2^24");
}

#[test]
fn scaled_weights_are_real_numbers_and_have_a_scale_for_each_output_channel() {
    let dense = |scales: &[f64]| {
        let data = ndarray::arr2(&[[1, -2], [3, 4]]).into_dyn().into_shared();
        let bias = Weights::Scaled { data: ndarray::arr1(&[5, 6]).into_dyn().into_shared(), scales: vec![1.0, 2.0] };
        Op::Dense(Dense { weights: Weights::Scaled { data, scales: scales.to_vec() }, bias: Some(bias) })
    };
    let graph = alone(dense(&[0.5, 0.25]), &[real(&[2])]);
    let values = eval_real(&graph, &ndarray::arr1(&[1.0, 10.0]).into_dyn()).unwrap();
    assert_eq!(values.output(), &ndarray::arr1(&[-4.5, 22.75]).into_dyn());
    let text = print(&graph);
    assert_eq!(print(&parse(&text).unwrap()), text);
    insta::assert_snapshot!(text, @"
    %0 = input : [2] real
    %1 = dense %0 weights=scaled[2, 2] scales [0.5, 0.25] [1, -2, 3, 4] bias=scaled[2] scales [1.0, 2.0] [5, 6] : [2] real
    output %1
    ");
    insta::assert_snapshot!(message(&dense(&[0.5]), &[&real(&[2])]), @"dense has 1 scales for its weights, the number of output channels is 2");
    insta::assert_snapshot!(message(&dense(&[0.5, 0.0]), &[&real(&[2])]), @"the scale of the weights of dense must be positive and finite, it is 0");
    insta::assert_snapshot!(message(&dense(&[0.5, 0.5]), &[&fact(&[2], 1.0, 0, 1)]), @"the bias of dense must be fixed-point like its input, not real");
}

#[test]
fn ranks_by_hand() {
    let graph = alone(Op::TopK(TopK { axis: 0, count: 3 }), &[fact(&[5, 2], 1.0, -9, 9)]);
    let x = tensor(&[5, 2], &[4, 1, 9, 1, 9, -2, -3, 1, 4, 5]);
    let values = eval_fixed(&graph, &x).unwrap();
    assert_eq!(values.output(), &tensor(&[3, 2], &[1, 4, 2, 0, 0, 1]));
    assert_eq!(graph.node(graph.output()).fact, fact(&[3, 2], 1.0, 0, 4));
    let x = fact(&[5, 2], 1.0, -9, 9);
    insta::assert_snapshot!(message(&Op::TopK(TopK { axis: 1, count: 3 }), &[&x]), @"top_k takes the greatest 3 along axis 1, which has length 2");
    insta::assert_snapshot!(message(&Op::Argmax(Argmax { axis: 2 }), &[&x]), @"argmax goes along axis 2 of an input with 2 axes, counted from zero");
}

proptest! {
    /// Factors and offsets are a depthwise convolution of one by one.
    #[test]
    fn affine_is_a_depthwise_convolution(
        factors in prop::collection::vec(-50i64..=50, 1..4),
        offsets in prop::collection::vec(-50i64..=50, 3),
        [height, width] in [1usize..4, 1usize..4],
        data in prop::collection::vec(-1000i64..=1000, 1..30),
    ) {
        let channels = factors.len();
        let given = fact(&[height, width, channels], 0.25, -1000, 1000);
        let Op::Affine(op) = affine(&factors, &offsets[..channels]) else { unreachable!() };
        let kernel = weights(&[channels, 1, 1, 1], &factors, 0.5);
        let conv = Conv2d { kernel, bias: op.bias.clone(), groups: channels, ..Conv2d::default() };
        let (ours, other) = (alone(Op::Affine(op), std::slice::from_ref(&given)), alone(Op::Conv2d(conv), &[given]));
        let input = tensor(&[height, width, channels], &data);
        let integers = [&ours, &other].map(|graph| eval_fixed(graph, &input).unwrap().output().clone());
        prop_assert_eq!(&integers[0], &integers[1]);
        let input = input.mapv(|x| x as f64 * 0.25);
        let reals = [&ours, &other].map(|graph| eval_real(graph, &input).unwrap().output().clone());
        prop_assert_eq!(&reals[0], &reals[1]);
    }

    #[test]
    fn products_and_maxima_are_those_of_their_elements(
        pairs in prop::collection::vec((-1000i64..=1000, -1000i64..=1000), 6),
    ) {
        let [a, b] = [0, 1].map(|at| ArrayD::from_shape_fn(IxDyn(&[2, 3]), |index| {
            let (first, second) = pairs[index[0] * 3 + index[1]];
            if at == 0 { first } else { second }
        }));
        let facts = [fact(&[2, 3], 0.5, -1000, 1000), fact(&[2, 3], 0.5, -1000, 1000)];
        for (op, expected) in [
            (Op::Multiply, &a * &b),
            (Op::Maximum, ndarray::Zip::from(&a).and(&b).map_collect(|&a, &b| if a > b { a } else { b })),
        ] {
            let scale = if op == Op::Multiply { 0.25 } else { 0.5 };
            let graph = alone(op, &facts);
            let result = eval_fixed(&graph, &[a.clone(), b.clone()][..]).unwrap();
            prop_assert_eq!(result.output(), &expected);
            let reals = [&a, &b].map(|tensor| tensor.mapv(|x| x as f64 * 0.5));
            let result = eval_real(&graph, &reals[..]).unwrap();
            prop_assert_eq!(result.output(), &expected.mapv(|x| x as f64 * scale));
        }
    }

    /// How many elements come before each in the order of values and indices says which place it has.
    #[test]
    fn ranks_are_counts(
        shape in prop::collection::vec(1usize..4, 1..4),
        (axis, count) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        data in prop::collection::vec(-3i64..=3, 1..30),
    ) {
        let axis = axis.index(shape.len());
        let count = 1 + count.index(shape[axis]);
        let x = tensor(&shape, &data);
        let rank = |index: &[usize]| {
            let mut other = index.to_vec();
            let before = (0..shape[axis]).filter(|&at| {
                other[axis] = at;
                x[&other[..]] > x[index] || (x[&other[..]] == x[index] && at < index[axis])
            });
            before.count()
        };
        for (op, count) in [(Op::TopK(TopK { axis, count }), count), (Op::Argmax(Argmax { axis }), 1)] {
            let graph = alone(op, &[fact(&shape, 1.0, -3, 3)]);
            let result = eval_fixed(&graph, &x).unwrap().output().clone();
            let mut expected = ArrayD::from_elem(result.raw_dim(), -1);
            for (index, _) in x.indexed_iter() {
                let index: Vec<usize> = ndarray::Dimension::slice(&index).to_vec();
                let place = rank(&index);
                if place < count {
                    let mut at = index.clone();
                    at[axis] = place;
                    expected[&at[..]] = index[axis] as i64;
                }
            }
            prop_assert_eq!(&result, &expected);
            let real = eval_real(&graph, &x.mapv(|x| x as f64)).unwrap();
            prop_assert_eq!(real.output(), &expected.mapv(|x| x as f64));
        }
    }
}
