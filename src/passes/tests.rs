//! The pipeline as a whole: its text for real networks, and that no pass changes what a network computes.

use std::path::Path;

use ndarray::ArrayD;
use proptest::prelude::*;
use zknn_ir::eval::{eval_fixed, eval_real};
use zknn_ir::{Op, op, parse, print};

use super::*;
use crate::front::{Composed, Layer, LayerKind, Model, Steps, lower};
use crate::nn::reference::reference_cnn;

/// The states of a graph on its way through the pipeline.
fn states(model: &Model, input_range: (i64, i64)) -> Vec<(String, Graph)> {
    let mut states = Vec::new();
    let mut graph = lower(model).unwrap();
    run(&mut graph, &mut Context::of_one(input_range, None), &mut |name, graph| {
        states.push((name.to_string(), graph.clone()));
    })
    .unwrap();
    states
}

/// The text of each state that differs from the one before.
fn story(model: &Model) -> String {
    let mut story = String::new();
    let mut before = String::new();
    for (name, graph) in states(model, model.input_range().unwrap()) {
        let text = print(&graph);
        match text == before {
            true => story += &format!("after {name}: the same\n\n"),
            false => story += &format!("after {name}:\n{text}\n"),
        }
        before = text;
    }
    story
}

fn read(name: &str) -> Model {
    Model::read(Path::new(&format!("testdata/models/{name}.json"))).unwrap()
}

#[test]
fn reference_cnn_through_the_pipeline() {
    insta::assert_snapshot!(story(&reference_cnn().0));
}

#[test]
fn tiny_cnn_through_the_pipeline() {
    insta::assert_snapshot!(story(&read("tiny_cnn")));
}

#[test]
fn tiny_mlp_through_the_pipeline() {
    insta::assert_snapshot!(story(&read("tiny_mlp")));
}

#[test]
fn wide_pool_through_the_pipeline() {
    insta::assert_snapshot!(story(&read("wide_pool")));
}

#[test]
fn residual_through_the_pipeline() {
    insta::assert_snapshot!(story(&read("residual")));
}

#[test]
fn digit_cnn_through_the_pipeline() {
    let model = Model::read(Path::new("testdata/digits/cnn.json")).unwrap();
    let calibration = crate::front::read_tensor(Path::new("testdata/digits/calibration.json")).unwrap();
    let fixed = FixedPoint::new(8, vec![calibration].into());
    let mut graph = lower(&model).unwrap();
    run(&mut graph, &mut Context::of_one((0, 16), Some(fixed)), &mut |_, _| {}).unwrap();
    insta::assert_snapshot!(print(&graph));
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = names().collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), PIPELINE.len() + 1);
}

#[test]
fn a_graph_that_is_not_valid_is_refused_before_the_first_pass() {
    let mut graph = parse("%0 = input : [2] real\n%1 = relu %0\noutput %1").unwrap();
    let relu = graph.output();
    graph.replace_op(relu, Op::Normalize(op::Normalize { fraction_bits: 99 }));
    let mut seen = 0;
    let mut context = testing::context();
    let error = run(&mut graph, &mut context, &mut |_, _| seen += 1).unwrap_err();
    assert!(matches!(error, PassError::Invalid { pass: LOWER, .. }), "{error}");
    assert_eq!(seen, 0);
}

#[test]
fn an_empty_input_range_is_refused() {
    let mut graph = parse("%0 = input : [2] real\noutput %0").unwrap();
    let mut context = Context::of_one((1, 0), None);
    let error = run(&mut graph, &mut context, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "interval 1..=0 is empty");
}

/// What a random network is made from. Layers that do not fit are bent until they do.
#[derive(Debug, Clone)]
struct Sketch {
    shape: [usize; 3],
    layers: Vec<(u8, [usize; 3])>,
    weights: Vec<i8>,
    input: Vec<i8>,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let layer = (0..7_u8, [1..=3_usize, 1..=3_usize, 1..=3_usize]);
    (
        [1..=6_usize, 1..=6_usize, 1..=3_usize],
        prop::collection::vec(layer, 1..9),
        prop::collection::vec(-9..=9_i8, 1..40),
        prop::collection::vec(-5..=4_i8, 1..40),
    )
        .prop_map(|(shape, layers, weights, input)| Sketch { shape, layers, weights, input })
}

fn fill(shape: &[usize], numbers: &[i8]) -> ArrayD<f64> {
    let mut numbers = numbers.iter().cycle();
    ArrayD::from_shape_simple_fn(shape, || f64::from(*numbers.next().unwrap()))
}

impl Sketch {
    fn model(&self) -> Model {
        let mut layers: Vec<Layer> = Vec::new();
        let mut shape = self.shape.to_vec();
        for &(kind, [a, b, c]) in &self.layers {
            let biases = (b == c).then(|| fill(&[a], &self.weights));
            let fitting = |extent: usize, of: usize| if of.is_multiple_of(extent) { extent } else { 1 };
            let kind = match (kind, &shape[..]) {
                (0, &[h, w, channels]) => LayerKind::Convolution {
                    kernel: fill(&[a, b.min(h), c.min(w), channels], &self.weights),
                    biases,
                    steps: Steps::default(),
                },
                (1 | 2, &[h, w, _]) => LayerKind::tiles([fitting(b, h), fitting(c, w)]),
                (0, &[length]) => LayerKind::FullyConnected { weights: fill(&[a, length], &self.weights), biases },
                (3, _) => LayerKind::Flatten,
                _ => LayerKind::Relu,
            };
            let layer = Layer::new(kind, shape.clone());
            shape = Model::new(vec![layer.clone()], None).unwrap().output_shape().to_vec();
            layers.push(layer);
        }
        Model::new(layers, None).unwrap()
    }
}

/// The program that a machine makes of a model and calibration inputs, and the key with it, is the one that every machine
/// makes: these digests were found on one with fused products, and hold on those without. Nor does it depend on how many
/// inputs there are in a batch, in which order, or on threads.
#[test]
fn calibrated_programs_are_the_same_on_every_machine() {
    let read = |name: &str| Model::read(&Path::new("testdata/digits").join(name)).unwrap();
    let inputs = crate::front::read_tensor(Path::new("testdata/digits/calibration.json")).unwrap();
    let mut reversed = inputs.clone();
    reversed.invert_axis(ndarray::Axis(0));
    let digest = |model: &Model, inputs: &ArrayD<f64>| {
        let mut graph = lower(model).unwrap();
        let fixed = FixedPoint::new(10, vec![inputs.clone()].into());
        run(&mut graph, &mut Context::of_one((0, 16), Some(fixed)), &mut |_, _| {}).unwrap();
        crate::artifact::hex(&graph.digest())
    };
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let digests = ["mlp.json", "cnn.json"].map(|name| {
        let (model, first) = (read(name), digest(&read(name), &inputs));
        assert_eq!(digest(&model, &reversed), first);
        assert_eq!(single.install(|| digest(&model, &inputs)), first);
        first
    });
    insta::assert_snapshot!(digests.join("\n"));
}

proptest! {
    /// At 16 bits, with ranges that nothing leaves, fixed-point numbers are close to what they stand for.
    #[test]
    fn fixed_point_is_close(sketch in sketch()) {
        let model = sketch.model();
        let input = fill(model.input_shape(), &sketch.input);
        let expected = crate::nn::run(&model, &input).unwrap();
        let mut graph = lower(&model).unwrap();
        let fixed = FixedPoint::new(16, Calibration::Nothing);
        let mut context = Context::of_one((-5, 4), Some(fixed));
        // What is summed up too often leaves no room, and is refused.
        prop_assume!(run(&mut graph, &mut context, &mut |_, _| {}).is_ok());
        let output = &graph.node(graph.output()).fact;
        let scale = output.scale().unwrap();
        let values = eval_fixed(&graph, &crate::input::integers(&graph, &input).unwrap()).unwrap();
        let reach = output.interval().map(|(lo, hi)| lo.abs().max(hi.abs())).unwrap() as f64 * scale;
        for (integer, expected) in values.output().iter().zip(&expected) {
            let error = (scale * *integer as f64 - expected).abs();
            prop_assert!(error <= 1e-3 * reach + scale, "{} at {} is not {}", integer, scale, expected);
        }
    }

    /// Sums of integers far below 2^53 are exact in floating point, so equality is exact too.
    #[test]
    fn no_pass_changes_what_a_network_computes(sketch in sketch()) {
        let model = sketch.model();
        let input = fill(model.input_shape(), &sketch.input);
        let expected = crate::nn::run(&model, &input).unwrap();
        for (name, graph) in states(&model, (-5, 4)) {
            let values = eval_real(&graph, &input).unwrap();
            prop_assert_eq!(values.output(), &expected, "{}", &name);
            if graph.node(graph.output()).fact.number.is_fixed() {
                let integers = input.mapv(|value| value as i64);
                let output = eval_fixed(&graph, &integers).unwrap().output().mapv(|value| value as f64);
                prop_assert_eq!(&output, &expected, "{}", &name);
            }
        }
    }
}

/// The blocks of a residual network: a convolution that both a relu and the sum read, another behind the relu, and what the
/// block was given.
fn residual_network(blocks: usize) -> Model {
    let mut random = 1u64;
    let mut weights = |shape: &[usize], largest: f64| {
        ArrayD::from_shape_simple_fn(shape, || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((random >> 40) as f64 / (1u64 << 23) as f64 - 1.0) * largest
        })
    };
    let shape = [4, 4, 2];
    let mut layers = Vec::new();
    let mut last = crate::front::INPUT.to_string();
    for block in 0..blocks {
        let name = |part: &str| format!("{part}{block}");
        let border = || LayerKind::Padding { before: vec![1, 1, 0], after: vec![1, 1, 0], value: 0.0 };
        let mut conv = || LayerKind::Convolution {
            kernel: weights(&[2, 3, 3, 2], 0.15),
            biases: Some(weights(&[2], 0.1)),
            steps: Steps::default(),
        };
        layers.extend([
            Layer::new(border(), shape).named(&name("frame")).reading(&[&last]),
            Layer::new(conv(), [6, 6, 2]).named(&name("conv")),
            Layer::new(LayerKind::Relu, shape),
            Layer::new(border(), shape),
            Layer::new(conv(), [6, 6, 2]).named(&name("deep")),
            Layer::new(LayerKind::Composed(Composed::new("add", []).unwrap()), shape).named(&name("sum")).reading(&[
                &last,
                &name("deep"),
                &name("conv"),
            ]),
        ]);
        last = name("sum");
    }
    layers.push(Layer::new(LayerKind::Flatten, shape));
    layers.push(Layer::new(LayerKind::FullyConnected { weights: weights(&[4, 32], 1.0), biases: None }, [32]));
    Model::new(layers, None).unwrap()
}

#[test]
fn fifty_residual_blocks_keep_their_bits_and_their_signal() {
    let model = residual_network(50);
    let input = |seed: usize| {
        ArrayD::from_shape_fn(vec![4, 4, 2], |at| {
            ((at[0] * 7 + at[1] * 3 + at[2] * 5 + seed * 11) % 17) as f64 / 8.0 - 1.0
        })
    };
    let inputs: Vec<ArrayD<f64>> = (0..16).map(input).collect();
    let views: Vec<_> = inputs.iter().map(|input| input.view()).collect();
    let calibration = ndarray::stack(ndarray::Axis(0), &views).unwrap();
    for bits in [8, 12] {
        let fixed = FixedPoint::new(bits, vec![calibration.clone()].into());
        let mut graph = lower(&model).unwrap();
        let input = InputContext { is_declared: false, ..(-1, 1).into() };
        run(&mut graph, &mut Context { inputs: vec![input], fixed: Some(fixed) }, &mut |_, _| {}).unwrap();
        let is_linear = |id: &NodeId| graph.node(*id).op.factors().is_some();
        for id in graph.topological() {
            let (lo, hi) = graph.node(id).fact.interval().unwrap();
            let magnitude = lo.unsigned_abs().max(hi.unsigned_abs());
            if graph.users(id).iter().any(is_linear) {
                // One more where digits hold it.
                assert!(magnitude < 1 << (bits + 1), "{id} has {lo}..={hi} at {bits} bits, and is summed");
            }
            // Multipliers are part of the weights, where a requantize has none of its own.
            let is_folded =
                |user: &NodeId| matches!(&graph.node(*user).op, Op::Requantize(op) if op.multipliers == [1]);
            let of_multipliers = if graph.users(id).iter().any(is_folded) { 12 } else { 0 };
            // Numbers of so many bits, weights of up to five more, and 18 products.
            assert!(magnitude < 1 << (2 * bits + 11 + of_multipliers), "{id} has {lo}..={hi} at {bits} bits");
        }
        let scale = graph.node(graph.output()).fact.scale().unwrap();
        let (mut signal, mut noise) = (0.0, 0.0);
        for input in &inputs {
            let integers = crate::input::integers(&graph, input).unwrap();
            let values = eval_fixed(&graph, &integers).unwrap();
            let reals = crate::nn::run(&model, input).unwrap();
            for (real, &integer) in reals.iter().zip(values.output()) {
                signal += real * real;
                noise += (real - scale * integer as f64).powi(2);
            }
        }
        let ratio = (signal / noise).sqrt();
        println!("{bits} bits: the signal is {ratio:.1} times the noise");
        let expected = if bits == 8 { 8.0 } else { 100.0 };
        assert!(signal > 1.0 && ratio > expected, "{bits} bits: the signal is {ratio:.1} times the noise");
    }
}
