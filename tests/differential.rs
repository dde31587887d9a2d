//! One meaning, four ways to it: floating point, the integer interpreter, the witness and the public output of a proof,
//! on random models at both ends of their ranges, with each pass on and off.

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::cell::Cell;
use zknn::artifact::Options;
use zknn::circuit::{Checker, Secrets, Witness};
use zknn::front::{self, Layer, LayerKind, Model};
use zknn::passes::{Context, PIPELINE};
use zknn::plan::security::{HashKind, Scheme};
use zknn::plan::{Plan, Visibility};
use zknn::{compile, lower_exact, nn, verify};
use zknn_ir::Graph;
use zknn_ir::eval::eval_fixed;

/// Below this floating point is exact.
const EXACT: i64 = 1 << 53;

const SCHEME: Scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3 };

/// Passes that only make the program smaller. The others state what the circuit needs.
const OPTIONAL: &[&str] = &["canonicalize", "commute_pool", "fuse_relu", "drop_idle_relu"];

fn tensor(shape: &[usize], largest: i64, random: &mut ChaCha20Rng) -> ArrayD<f64> {
    let len = shape.iter().product();
    // Some weights are extreme, most are small, and zero is common.
    let weight = |random: &mut ChaCha20Rng| match random.gen_range(0..8) {
        0 => largest,
        1 => -largest,
        2 => 0,
        _ => random.gen_range(-largest.min(9)..=largest.min(9)),
    };
    let data: Vec<f64> = (0..len).map(|_| weight(random) as f64).collect();
    ArrayD::from_shape_vec(IxDyn(shape), data).expect("as long as its shape")
}

/// A layer that fits an input of this shape.
fn layer(shape: &[usize], random: &mut ChaCha20Rng) -> LayerKind {
    let largest = *[1, 9, 127, 1 << 15].choose(random).expect("a choice");
    let outputs = random.gen_range(1..=4);
    let biased: bool = random.r#gen();
    let biases = biased.then(|| tensor(&[outputs], largest, random));
    match (shape, random.gen_range(0..4)) {
        (_, 0) => LayerKind::Relu,
        (&[h, w, c], 1) => {
            let (kh, kw) = (random.gen_range(1..=h.min(3)), random.gen_range(1..=w.min(3)));
            LayerKind::Convolution { kernel: tensor(&[outputs, kh, kw, c], largest, random), biases }
        }
        (&[h, w, _], 2) => {
            let divides = |n: usize| (1..=n.min(4)).filter(|&d| n.is_multiple_of(d)).collect::<Vec<usize>>();
            let pick = |n: usize, random: &mut ChaCha20Rng| *divides(n).choose(random).expect("one divides");
            LayerKind::MaxPool { window: [pick(h, random), pick(w, random)] }
        }
        (&[_, _, _], _) => LayerKind::Flatten,
        (_, 1) => LayerKind::Normalize,
        _ => {
            let inputs = shape.iter().product();
            LayerKind::FullyConnected { weights: tensor(&[outputs, inputs], largest, random), biases }
        }
    }
}

fn model(random: &mut ChaCha20Rng) -> Model {
    let mut shape = match random.r#gen() {
        true => vec![random.gen_range(1..=7), random.gen_range(1..=7), random.gen_range(1..=3)],
        false => vec![random.gen_range(1..=9)],
    };
    let mut layers = Vec::new();
    for _ in 0..random.gen_range(1..=6) {
        let kind = layer(&shape, random);
        let ends = matches!(kind, LayerKind::Normalize);
        let alone = Model::new(vec![Layer::new(kind, shape)], None).unwrap_or_else(|error| panic!("it fits: {error}"));
        shape = alone.output_shape().to_vec();
        layers.extend(alone.layers().iter().cloned());
        if ends {
            break;
        }
    }
    let ranges = [(-128, 127), (0, 255), (-5, 4), (7, 7), (-1, 0), (-(1 << 31), 1 << 31), (-3, 1000)];
    Model::new(layers, ranges.choose(random).copied()).expect("the layers chain")
}

/// Inputs at the lower end, at the upper, at either, and anywhere.
fn inputs(model: &Model, (lo, hi): (i64, i64), random: &mut ChaCha20Rng) -> Vec<ArrayD<i64>> {
    let shape = IxDyn(model.input_shape());
    let mut with = |mut element: Box<dyn FnMut(&mut ChaCha20Rng) -> i64>| {
        ArrayD::from_shape_simple_fn(shape.clone(), || element(random))
    };
    vec![
        with(Box::new(move |_| lo)),
        with(Box::new(move |_| hi)),
        with(Box::new(move |random| if random.r#gen() { lo } else { hi })),
        with(Box::new(move |random| random.gen_range(lo..=hi))),
    ]
}

/// The integer program without the passes named.
fn lowered(model: &Model, input_range: (i64, i64), off: &[&str]) -> Option<Graph> {
    let mut graph = front::lower(model).expect("the layers are known");
    for pass in PIPELINE.iter().filter(|pass| !off.contains(&pass.name)) {
        pass.apply(&mut graph, &Context { input_range, fixed: None }).ok()?;
        zknn_ir::validate(&graph).expect("valid after each pass");
    }
    graph.remove_dead();
    Some(graph)
}

/// Whether every number of the program is exact in floating point.
fn is_exact(graph: &Graph) -> bool {
    let intervals = graph.topological().into_iter().filter_map(|id| graph.node(id).fact.interval());
    intervals.into_iter().all(|(lo, hi)| -EXACT < lo && hi < EXACT)
}

/// Compares one model, unless it has no circuit; how many were compared.
fn agree(seed: u64) -> Result<usize, TestCaseError> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let model = model(&mut random);
    let range = model.input_range().expect("it was declared");
    // Sums beyond the field are refused, and that is all there is to say of such a model.
    let Ok(graph) = lower_exact(&model, range, &mut |_, _| {}) else { return Ok(0) };
    let choices = OPTIONAL.iter().map(|off| vec![*off]).chain([OPTIONAL.to_vec()]);
    let variants: Vec<Graph> = choices.filter_map(|off| lowered(&model, range, &off)).collect();
    let Ok(plan) = Plan::new(&graph, Visibility::Committed, SCHEME) else { return Ok(0) };
    let checker = Checker::new(&plan);
    for input in inputs(&model, range, &mut random) {
        let integers = eval_fixed(&graph, &input).expect("in range").output().clone();
        for variant in &variants {
            let other = eval_fixed(variant, &input).expect("in range");
            prop_assert_eq!(other.output(), &integers);
        }
        let scale = graph.node(graph.output()).fact.scale().expect("fixed");
        let reals = nn::run(&model, &input.mapv(|x| x as f64)).expect("the shape is the model's");
        if is_exact(&graph) {
            for (real, &integer) in reals.iter().zip(&integers) {
                // A zero vector has no direction: floating point says so, the integer program keeps it zero.
                if real.is_nan() {
                    prop_assert_eq!(integer, 0);
                    continue;
                }
                let rounding = if scale == 1.0 { 0.0 } else { scale * 0.5000001 };
                prop_assert!((real - integer as f64 * scale).abs() <= rounding, "{} {}", real, integer);
            }
        }
        let flat: Vec<i64> = input.iter().copied().collect();
        let witness = Witness::new(&plan, &flat, Secrets::fresh());
        prop_assert!(witness.outputs().eq(integers.iter().copied()));
        let violations = checker.check(&witness);
        prop_assert!(violations.is_empty(), "{}", checker.describe(&violations[0]));
    }
    Ok(1)
}

#[test]
fn float_integers_and_witness_agree() {
    let compared = Cell::new(0);
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let count = |seed| agree(seed).map(|models| compared.set(compared.get() + models));
    TestRunner::new(config).run(&any::<u64>(), count).expect("all ways agree");
    // The rest have sums beyond the field.
    assert!(compared.get() > 200, "{} models were compared", compared.get());
}

/// The same, to the end: what verifying a proof says is what the interpreter computes. Each seed is one model, with all
/// passes and without one of the optional ones.
#[test]
fn proofs_agree_with_the_interpreter() {
    let mut proved = 0;
    for seed in 0..6 {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let model = model(&mut random);
        let range = model.input_range().expect("it was declared");
        let off = OPTIONAL[seed as usize % OPTIONAL.len()];
        for off in [&[][..], &[off]] {
            let Some(graph) = lowered(&model, range, off) else { continue };
            let Ok(circuit) = compile(graph.clone(), Options { visibility: Visibility::Public, scheme: SCHEME }) else {
                continue;
            };
            let input = inputs(&model, range, &mut random).remove(2);
            let proof = circuit.prove(&input.mapv(|x| x as f64)).expect("a proof");
            let statement = verify(circuit.key(), &proof).expect("it holds");
            assert_eq!(&statement.output.integers, eval_fixed(&graph, &input).expect("in range").output());
            proved += 1;
        }
    }
    assert!(proved > 4, "{proved}");
}
