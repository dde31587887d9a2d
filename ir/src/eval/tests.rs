use std::collections::HashSet;

use ndarray::{Array, ArrayD, Axis, IxDyn, arr1, array};
use proptest::prelude::*;

use super::*;
use crate::random::{fixed_graph, fixed_inputs_for};
use crate::testing::{chain, fixed, fixed_input, noise, real, real_input, reference_network};
use crate::{MAX_MAGNITUDE, Requantize, Weights, op, parse};

fn counting(shape: &[usize]) -> ArrayD<i64> {
    let count: usize = shape.iter().product();
    ArrayD::from_shape_vec(shape, (1..=count as i64).collect()).unwrap()
}

/// A convolution by its definition.
fn conv2d_by_definition(image: &ArrayD<i64>, kernel: &Weights, shape: &[usize]) -> ArrayD<i64> {
    let Weights::Fixed { data, .. } = kernel else {
        panic!("the kernel is real");
    };
    let &[_, height, width, channels] = data.shape() else {
        panic!("the kernel has {:?} axes", data.shape());
    };
    ArrayD::from_shape_fn(shape, |at| {
        let mut sum = 0;
        for (i, j, c) in triples(height, width, channels) {
            sum += data[[at[2], i, j, c]] * image[[at[0] + i, at[1] + j, c]];
        }
        sum
    })
}

fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |at| (at / (b * c), at / c % b, at % c))
}

#[test]
fn a_convolution_by_hand() {
    // The image is 1 2 3 / 4 5 6 / 7 8 9; the kernel is 1 0 / 0 -1 and, in the second channel, 0 1 / 0 0.
    let kernel = fixed(&[2, 2, 2, 1], &[1, 0, 0, -1, 0, 1, 0, 0], 1.0);
    let bias = Some(fixed(&[2], &[0, 100], 1.0));
    let graph =
        chain([fixed_input(&[3, 3, 1], 0, 9), Op::Conv2d(op::Conv2d { kernel, bias, ..op::Conv2d::default() })]);
    let values = eval_fixed(&graph, &counting(&[3, 3, 1])).unwrap();
    let expected = array![[[-4, 102], [-4, 103]], [[-4, 105], [-4, 106]]];
    assert_eq!(values.output(), &expected.into_dyn());
}

#[test]
fn rectangular_kernels_over_several_channels_follow_the_definition() {
    let kernel = fixed(&[3, 2, 3, 2], &noise(7, 36), 1.0);
    let op = Op::Conv2d(op::Conv2d { kernel: kernel.clone(), bias: None, ..op::Conv2d::default() });
    let graph = chain([fixed_input(&[40, 30, 2], 0, 2400), op]);
    let image = counting(&[40, 30, 2]);
    let values = eval_fixed(&graph, &image).unwrap();
    let expected = conv2d_by_definition(&image, &kernel, &[39, 28, 3]);
    assert_eq!(values.output(), &expected);
}

#[test]
fn sums_beyond_the_reach_of_floating_point_are_exact() {
    // 2^53 + 1 is the first integer that f64 does not have.
    let big = (1i64 << 53) + 1;
    let kernel = fixed(&[1, 1, 2, 1], &[1, big], 1.0);
    let op = Op::Conv2d(op::Conv2d { kernel, bias: None, ..op::Conv2d::default() });
    let graph = chain([fixed_input(&[1, 3, 1], -1, 1), op, Op::Flatten]);
    let input = array![[[1], [1], [-1]]].into_dyn();
    let values = eval_fixed(&graph, &input).unwrap();
    assert_eq!(values.output(), &arr1(&[big + 1, 1 - big]).into_dyn());

    let weights = fixed(&[1, 2], &[MAX_MAGNITUDE - 1, -1], 1.0);
    let graph = chain([fixed_input(&[2], -1, 1), Op::Dense(op::Dense { weights, bias: None })]);
    let values = eval_fixed(&graph, &arr1(&[1, -1]).into_dyn()).unwrap();
    assert_eq!(values.output(), &arr1(&[MAX_MAGNITUDE]).into_dyn());
}

#[test]
fn pooling_by_hand_with_and_without_relu() {
    let image = array![[[1, -1], [2, -2], [-3, 8]], [[4, -4], [-5, -5], [-6, 7]],].into_dyn();
    let pooled = |window, relu| {
        let graph = chain([fixed_input(&[2, 3, 2], -9, 9), Op::MaxPool(op::MaxPool::tiles(window, relu))]);
        eval_fixed(&graph, &image).unwrap().output().clone()
    };
    assert_eq!(pooled([2, 1], false), array![[[4, -1], [2, -2], [-3, 8]]].into_dyn());
    assert_eq!(pooled([2, 1], true), array![[[4, 0], [2, 0], [0, 8]]].into_dyn());
    assert_eq!(pooled([1, 3], false), array![[[2, 8]], [[4, 7]]].into_dyn());
    assert_eq!(pooled([1, 1], false), image);
}

#[test]
fn dense_relu_and_normalize_by_hand() {
    let weights = fixed(&[2, 3], &[1, 1, 1, -1, 0, 2], 1.0);
    let bias = Some(fixed(&[2], &[-3, 0], 1.0));
    let graph = chain([
        fixed_input(&[3], -9, 9),
        Op::Dense(op::Dense { weights, bias }),
        Op::Normalize(op::Normalize { fraction_bits: 4 }),
        Op::Relu,
    ]);
    let values = eval_fixed(&graph, &arr1(&[4, 2, 0]).into_dyn()).unwrap();
    let order = graph.topological();
    assert_eq!(values.get(order[1]), &arr1(&[3, -4]).into_dyn());
    assert_eq!(values.get(order[2]), &arr1(&[10, -13]).into_dyn());
    assert_eq!(values.output(), &arr1(&[10, 0]).into_dyn());
}

#[test]
fn real_networks_are_evaluated_in_floating_point() {
    let kernel = real(&[1, 1, 2, 1], &[0.5, -0.25]);
    let bias = Some(real(&[1], &[1.0]));
    let weights = real(&[2, 1], &[3.0, 4.0]);
    let graph = chain([
        real_input(&[1, 3, 1]),
        Op::Conv2d(op::Conv2d { kernel, bias, ..op::Conv2d::default() }),
        Op::MaxPool(op::MaxPool::tiles([1, 2], true)),
        Op::Flatten,
        Op::Dense(op::Dense { weights, bias: None }),
        Op::Normalize(op::Normalize { fraction_bits: 1 }),
    ]);
    let input = array![[[1.0], [2.0], [4.0]]].into_dyn();
    let values = eval_real(&graph, &input).unwrap();
    let order = graph.topological();
    assert_eq!(values.get(order[1]), &array![[[1.0], [1.0]]].into_dyn());
    assert_eq!(values.output(), &arr1(&[0.6, 0.8]).into_dyn());
}

#[test]
fn inputs_that_do_not_fit_are_refused_without_telling_their_values() {
    let graph = chain([fixed_input(&[2, 2], -5, 4), Op::Relu]);
    let refused = |input: ArrayD<i64>| eval_fixed(&graph, &input).unwrap_err().to_string();
    let secret = array![[0, 4], [-77, 0]].into_dyn();
    insta::assert_snapshot!(refused(secret), @"element 2 of the input lies outside -5..=4");
    insta::assert_snapshot!(refused(counting(&[4])), @"the input has shape [4], the network takes [2, 2]");
    let transposed = array![[0, -6], [5, 0]].reversed_axes().into_dyn();
    insta::assert_snapshot!(refused(transposed), @"element 1 of the input lies outside -5..=4");
}

#[test]
fn graphs_that_are_not_ready_are_refused() {
    let input = counting(&[2]);
    let mut graph = chain([fixed_input(&[2], 0, 9), Op::Relu]);
    graph.replace_op(graph.output(), Op::Flatten);
    assert_eq!(eval_fixed(&graph, &input).unwrap_err(), EvalError::Stale);
    let reals = chain([real_input(&[2])]);
    let node = reals.input();
    assert_eq!(eval_fixed(&reals, &input).unwrap_err(), EvalError::NotFixed { node });
    let error = eval_fixed(&Graph::new(), &input).unwrap_err();
    assert_eq!(error, EvalError::Structure(Violation::NoInput));
}

#[test]
fn the_layout_of_tensors_in_memory_does_not_matter() {
    let kernel = Array::from_shape_vec((1, 2, 2, 2), noise(3, 8)).unwrap();
    let turned = kernel.clone().permuted_axes([0, 2, 1, 3]);
    let standard = turned.as_standard_layout().into_owned();
    let image = counting(&[3, 3, 2]).reversed_axes();
    let image = image.permuted_axes(IxDyn(&[1, 2, 0]));
    let results = [turned, standard].map(|kernel| {
        let kernel = Weights::Fixed { data: kernel.into_dyn().into_shared(), scale: 1.0 };
        let graph = chain([
            fixed_input(&[3, 3, 2], 0, 18),
            Op::Conv2d(op::Conv2d { kernel, bias: None, ..op::Conv2d::default() }),
        ]);
        let direct = eval_fixed(&graph, &image).unwrap().output().clone();
        let copied = image.as_standard_layout().into_owned();
        assert_eq!(eval_fixed(&graph, &copied).unwrap().output(), &direct);
        direct
    });
    assert_eq!(results[0], results[1]);
}

#[test]
fn the_reference_network_stays_within_its_facts() {
    let graph = reference_network();
    let input = ArrayD::from_shape_vec(&[120, 80, 3][..], noise(9, 28_800)).unwrap();
    let values = eval_fixed(&graph, &input).unwrap();
    for id in graph.topological() {
        let (lo, hi) = graph.node(id).fact.interval().unwrap();
        assert!(values.get(id).iter().all(|value| (lo..=hi).contains(value)), "{id}");
    }
    let real = eval_real(&graph, &input.mapv(|value| value as f64)).unwrap();
    for (fixed, real) in values.output().iter().zip(real.output()) {
        assert!((*fixed as f64 / f64::from(1 << 24) - real).abs() <= 0.5f64.powi(24));
    }
}

#[test]
fn requantize_and_argmax_by_hand() {
    let multipliers = vec![1, 3];
    let requantize =
        Op::Requantize(Requantize { multipliers, shift: 1, lo: -4, hi: 4, scale: 2.0, ..Requantize::default() });
    let graph = chain([fixed_input(&[1, 2, 2], -9, 9), requantize, Op::Flatten, Op::Argmax(op::Argmax { axis: 0 })]);
    let values = eval_fixed(&graph, &array![[[3, -9], [5, 2]]].into_dyn()).unwrap();
    let order = graph.topological();
    assert_eq!(values.get(order[1]), &array![[[2, -4], [3, 3]]].into_dyn());
    assert_eq!(values.output(), &arr1(&[2]).into_dyn());
    let reals = eval_real(&graph, &array![[[3.0, -9.0], [5.0, 2.0]]].into_dyn()).unwrap();
    assert_eq!(reals.get(order[1]), &array![[[3.0, -8.0], [5.0, 6.0]]].into_dyn());
    assert_eq!(reals.output(), &arr1(&[3.0]).into_dyn());
}

#[test]
fn a_batch_without_its_axis_is_refused() {
    let graph = chain([fixed_input(&[2], 0, 9), Op::Relu]);
    insta::assert_snapshot!(eval_fixed_batch(&graph, &counting(&[2])).unwrap_err(), @"the input has shape [], the network takes [2]");
    insta::assert_snapshot!(eval_fixed_batch(&graph, &counting(&[3, 2, 2])).unwrap_err(), @"the input has shape [2, 2], the network takes [2]");
    let scalar = ArrayD::from_elem(IxDyn(&[]), 1);
    insta::assert_snapshot!(eval_fixed_batch(&graph, &scalar).unwrap_err(), @"the input has shape [], the network takes [2]");
    insta::assert_snapshot!(eval_fixed_batch(&graph, &counting(&[5, 2])).unwrap_err(), @"element 9 of the input lies outside 0..=9");
}

/// Sums of small integers are exact in floating point, in whatever order.
#[test]
fn a_batch_of_reals_is_its_inputs_one_by_one() {
    let kernel = real(&[2, 2, 2, 1], &[1.0, -2.0, 3.0, 4.0, -5.0, 6.0, -7.0, 8.0]);
    let weights = real(&[3, 8], &noise(4, 24).iter().map(|&value| value as f64).collect::<Vec<_>>());
    let graph = chain([
        real_input(&[3, 3, 1]),
        Op::Conv2d(op::Conv2d { kernel, bias: Some(real(&[2], &[0.5, -0.5])), ..op::Conv2d::default() }),
        Op::Flatten,
        Op::Dense(op::Dense { weights, bias: Some(real(&[3], &[1.0, 2.0, 3.0])) }),
        Op::Normalize(op::Normalize { fraction_bits: 1 }),
    ]);
    let batch = counting(&[4, 3, 3, 1]).mapv(|value| (value * value % 11) as f64);
    let together = eval_real_batch(&graph, &batch).unwrap();
    for (at, input) in batch.outer_iter().enumerate() {
        let alone = eval_real(&graph, &input.to_owned()).unwrap();
        for id in graph.topological() {
            assert_eq!(together.get(id).index_axis(Axis(0), at), alone.get(id).view());
        }
    }
}

/// Sums of fractions, whose last bits tell in which order they were added.
fn fractions() -> (Graph, ArrayD<f64>) {
    let thirds = |seed, count| noise(seed, count).iter().map(|&value| value as f64 / 3.0).collect::<Vec<_>>();
    let graph = chain([
        real_input(&[7, 9, 2]),
        Op::Conv2d(op::Conv2d {
            kernel: real(&[5, 3, 2, 2], &thirds(1, 60)),
            bias: Some(real(&[5], &thirds(2, 5))),
            ..op::Conv2d::default()
        }),
        Op::Relu,
        Op::Flatten,
        Op::Dense(op::Dense { weights: real(&[11, 200], &thirds(3, 2200)), bias: Some(real(&[11], &thirds(4, 11))) }),
        Op::Normalize(op::Normalize { fraction_bits: 24 }),
    ]);
    let inputs = ArrayD::from_shape_vec(IxDyn(&[37, 7, 9, 2]), thirds(5, 37 * 126)).unwrap();
    (graph, inputs)
}

/// How a machine may add up products: `(weight, number)` one after the other.
type Sum = fn(&[(f64, f64)]) -> f64;

const IN_ORDER: Sum = |products| products.iter().fold(0.0, |sum, (w, x)| sum + w * x);
const FUSED: Sum = |products| products.iter().fold(0.0, |sum, (w, x)| w.mul_add(*x, sum));
const SPLIT: Sum = |products| products.chunks(4).map(IN_ORDER).sum();
const STRIDED: Sum = |products| {
    let lane = |lane: usize| products.iter().skip(lane).step_by(4).map(|(w, x)| w * x).sum::<f64>();
    (lane(0) + lane(1)) + (lane(2) + lane(3))
};

/// The convolution and the dense layer of [`fractions`] by their definitions, with sums as a machine adds them up.
fn by_definition(graph: &Graph, inputs: &ArrayD<f64>, sum: Sum) -> Vec<f64> {
    let parameters = |at: usize| match &graph.node(graph.topological()[at]).op {
        Op::Conv2d(op::Conv2d { kernel: Weights::Real(weights), bias: Some(Weights::Real(bias)), .. })
        | Op::Dense(op::Dense { weights: Weights::Real(weights), bias: Some(Weights::Real(bias)) }) => {
            (weights.clone(), bias.clone())
        }
        other => panic!("{other:?}"),
    };
    let ((kernel, kernel_bias), (weights, bias)) = (parameters(1), parameters(4));
    let mut results = Vec::new();
    for image in inputs.outer_iter() {
        let mut hidden = Vec::new();
        for (y, x, channel) in ndarray::indices((5, 8, 5)) {
            let taps = ndarray::indices((3, 2, 2)).into_iter();
            let products = taps.map(|(i, j, c)| (kernel[[channel, i, j, c]], image[[y + i, x + j, c]]));
            hidden.push((sum(&products.collect::<Vec<_>>()) + kernel_bias[[channel]]).max(0.0));
        }
        results.extend(
            weights
                .outer_iter()
                .zip(&bias)
                .map(|(row, bias)| sum(&row.iter().copied().zip(hidden.iter().copied()).collect::<Vec<_>>()) + bias),
        );
    }
    results
}

fn bits(numbers: impl IntoIterator<Item = f64>) -> Vec<u64> {
    numbers.into_iter().map(f64::to_bits).collect()
}

/// The order is the one that the documentation states; machines that fuse or split sums do otherwise, and the fast way goes
/// as the machine does.
#[test]
fn sums_in_order_are_the_same_on_every_machine() {
    let (graph, inputs) = fractions();
    let dense = graph.topological()[4];
    let ordered = bits(eval_real_batch_in_order(&graph, &inputs).unwrap().get(dense).iter().copied());
    assert_eq!(ordered, bits(by_definition(&graph, &inputs, IN_ORDER)));
    for sum in [FUSED, SPLIT, STRIDED] {
        assert_ne!(ordered, bits(by_definition(&graph, &inputs, sum)), "the sums do not tell orders apart");
    }
    let fast = eval_real_batch(&graph, &inputs).unwrap();
    let pairs = fast.get(dense).iter().zip(&ordered);
    assert!(pairs.into_iter().all(|(fast, &ordered)| (fast - f64::from_bits(ordered)).abs() < 1e-9));
}

/// Neither the other inputs of a batch nor the threads that share the work make a difference.
#[test]
fn sums_in_order_do_not_depend_on_how_work_is_split() {
    let (graph, inputs) = fractions();
    let together = eval_real_batch_in_order(&graph, &inputs).unwrap();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for size in [1, 5, 16, 37] {
            let mut output = Vec::new();
            for batch in inputs.axis_chunks_iter(Axis(0), size) {
                let values = pool.install(|| eval_real_batch_in_order(&graph, &batch.to_owned())).unwrap();
                output.extend(values.output().iter().copied());
            }
            assert_eq!(bits(output), bits(together.output().iter().copied()), "{threads} threads, {size} at a time");
        }
    }
}

/// What one machine found, for all others.
#[test]
fn sums_in_order_have_these_bits() {
    let (graph, inputs) = fractions();
    let values = eval_real_batch_in_order(&graph, &inputs).unwrap();
    let bytes: Vec<u8> = values.output().iter().flat_map(|value| value.to_bits().to_le_bytes()).collect();
    insta::assert_snapshot!(blake3::hash(&bytes), @"55087af893465f92555552139bf227ab0b11c91809911aff9f61ffc47f28ef8c");
}

proptest! {
    #[test]
    fn a_batch_is_its_inputs_one_by_one(
        (graph, samples) in fixed_graph().prop_flat_map(|graph| {
            let samples = prop::collection::vec(fixed_inputs_for(&graph), 0..4);
            (Just(graph), samples)
        }),
    ) {
        let batch = |(at, &id): (usize, &NodeId)| {
            let shape = [&[samples.len()], graph.node(id).fact.shape.as_slice()].concat();
            let elements = samples.iter().flat_map(|inputs| inputs[at].iter().copied()).collect();
            ArrayD::from_shape_vec(shape, elements).unwrap()
        };
        let batches: Vec<ArrayD<i64>> = graph.inputs().iter().enumerate().map(batch).collect();
        let together = eval_fixed_batch(&graph, &batches[..]).unwrap();
        for (at, inputs) in samples.iter().enumerate() {
            let alone = eval_fixed(&graph, &inputs[..]).unwrap();
            for id in graph.topological() {
                prop_assert_eq!(together.get(id).index_axis(Axis(0), at), alone.get(id).view());
            }
        }
    }

    #[test]
    fn every_integer_lies_in_the_interval_of_its_node(
        (graph, inputs) in fixed_graph().prop_flat_map(|graph| {
            let inputs = fixed_inputs_for(&graph);
            (Just(graph), inputs)
        }),
    ) {
        let values = eval_fixed(&graph, &inputs[..]).unwrap();
        for id in graph.topological() {
            let fact = &graph.node(id).fact;
            let (lo, hi) = fact.interval().unwrap();
            prop_assert_eq!(values.get(id).shape(), fact.shape.as_slice());
            prop_assert!(values.get(id).iter().all(|value| (lo..=hi).contains(value)));
        }
    }

    #[test]
    fn integers_and_reals_agree_up_to_rounding(
        (graph, inputs) in fixed_graph().prop_flat_map(|graph| {
            let inputs = fixed_inputs_for(&graph);
            (Just(graph), inputs)
        }),
    ) {
        let scale = graph.node(graph.input()).fact.scale().unwrap();
        let real_inputs: Vec<ArrayD<f64>> =
            inputs.iter().map(|input| input.mapv(|value| scale * value as f64)).collect();
        let reals = eval_real(&graph, &real_inputs[..]).unwrap();
        let fixed = eval_fixed(&graph, &inputs[..]).unwrap();
        let mut rounded = HashSet::new();
        for id in graph.topological() {
            // These round, which later operations magnify.
            let rounds = matches!(graph.node(id).op, Op::Normalize(_) | Op::Requantize(_) | Op::Argmax(_));
            if rounds || graph.operands(id).iter().any(|operand| rounded.contains(operand)) {
                rounded.insert(id);
                continue;
            }
            let fact = &graph.node(id).fact;
            let (lo, hi) = fact.interval().unwrap();
            let scale = fact.scale().unwrap();
            let tolerance = 1e-6 * scale * (1.0 + lo.abs().max(hi.abs()) as f64);
            for (integer, real) in fixed.get(id).iter().zip(reals.get(id)) {
                let error = (scale * *integer as f64 - real).abs();
                prop_assert!(error <= tolerance, "{id}: {integer} at {scale} is not {real}");
            }
        }
    }
}

fn two_inputs() -> Graph {
    parse(
        "%0 = input : [2] fixed(scale 1, 0..=9)
        %1 = input : [2] fixed(scale 1, -9..=0)
        %2 = add %0 %1
        %3 = relu %0
        output %2 %3",
    )
    .unwrap()
}

#[test]
fn several_inputs_and_outputs_go_by_their_order() {
    let graph = two_inputs();
    let values = eval_fixed(&graph, &[counting(&[2]), arr1(&[-5, -1]).into_dyn()][..]).unwrap();
    let outputs: Vec<_> = values.outputs().cloned().collect();
    assert_eq!(outputs, [arr1(&[-4, 1]).into_dyn(), arr1(&[1, 2]).into_dyn()]);
    assert_eq!(values.output(), &outputs[0]);
}

#[test]
fn inputs_that_do_not_fit_are_told_apart() {
    let graph = two_inputs();
    let positive = counting(&[2]);
    let message = |inputs: &[ArrayD<i64>]| eval_fixed(&graph, inputs).unwrap_err().to_string();
    insta::assert_snapshot!(message(std::slice::from_ref(&positive)), @"there are 1 inputs, the network takes 2");
    insta::assert_snapshot!(message(&[positive.clone(), positive.clone()]), @"input 1: element 0 of the input lies outside -9..=0");
    insta::assert_snapshot!(message(&[positive.clone(), counting(&[3])]), @"input 1: the input has shape [3], the network takes [2]");
    let batches = [counting(&[2, 2]), -counting(&[3, 2])];
    insta::assert_snapshot!(eval_fixed_batch(&graph, &batches[..]).unwrap_err(), @"the batches of the inputs have lengths [2, 3], they must be equal");
    insta::assert_snapshot!(eval_fixed_batch(&graph, &[positive, counting(&[])][..]).unwrap_err(), @"input 0: the input has shape [], the network takes [2]");
}
