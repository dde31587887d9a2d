//! One meaning, four ways to it: floating point, the integer interpreter, the witness and the public output of a proof,
//! on random models at both ends of their ranges, lowered exactly and to fixed point, with each pass on and off.
//!
//! The models of these tests are the same in each run. `random.rs` draws new ones, as many as there is time for.

mod error;
mod models;
mod trial;

use trial::{OPTIONAL, SCHEME, Trial};
use zknn::artifact::Options;
use zknn::front::{Layer, LayerKind, Model};
use zknn::passes::{MAX_BITS, MIN_BITS};
use zknn::plan::Visibility;
use zknn::{Lowering, compile, input, lower, verify};
use zknn_ir::eval::eval_fixed;

/// How many trials there are of each sort; their seeds are the numbers from zero.
const TRIALS: u64 = 400;

/// Trials that failed once: a layer without weights told its bias at the scale of its input, and lost all or most of it.
const MENDED: &[u64] = &[
    3433793613774506556,
    811223845685175294,
    15642066432960569331,
    9430724184614325251,
    11487328067987375706,
    10279538847113615935,
    3894632675531247765,
    1942631929899659945,
    15244168061777200375,
];

/// Trials that failed since channels are made even: a row that reads only what is always zero was made so great that others lost
/// all their bits.
const MENDED_SINCE: &[u64] = &[1543305774644432185];

/// Of graphs with branches: a relu that lets nothing of random inputs through, and something of others.
const MENDED_GRAPHS: &[u64] = &[3226946057456719220];

/// What trials were compared in.
#[derive(Debug, Default)]
struct Tally {
    models: usize,
    with_float: usize,
    rounding: usize,
    classes: usize,
    sums: usize,
    borders: usize,
}

fn compare(seeds: impl IntoIterator<Item = u64>, trial: fn(u64) -> Trial) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let compared = trial(seed).compare().unwrap_or_else(|error| panic!("trial {seed}: {error}"));
        if let Some(compared) = compared {
            tally.models += 1;
            tally.with_float += compared.with_float;
            tally.rounding += usize::from(compared.rounding);
            tally.classes += usize::from(compared.class);
            tally.sums += compared.sums;
            tally.borders += compared.borders;
        }
    }
    println!("{tally:?}");
    tally
}

#[test]
fn float_integers_and_witness_agree() {
    let Tally { models, with_float, rounding, classes, .. } = compare(0..TRIALS, Trial::new);
    assert!(models > 200 && with_float > 400 && rounding > 80 && classes > 20);
}

#[test]
fn constant_layers_and_channels_keep_their_biases() {
    let Tally { models, with_float, rounding, .. } = compare(0..TRIALS, Trial::degenerate);
    assert!(models > 200 && with_float > 400 && rounding > 80);
}

#[test]
fn strides_dilations_and_groups_agree() {
    let Tally { models, with_float, rounding, .. } = compare(0..TRIALS, Trial::stepping);
    assert!(models > 200 && with_float > 1000 && rounding > 80);
}

#[test]
fn branches_and_joins_agree() {
    let Tally { models, with_float, rounding, sums, borders, .. } = compare(0..TRIALS, Trial::graph);
    assert!(models > 200 && with_float > 1000 && rounding > 80 && sums > 300 && borders > 100);
}

#[test]
fn layers_of_the_table_agree() {
    let Tally { models, with_float, rounding, .. } = compare(0..TRIALS, Trial::composed);
    assert!(models > 200 && with_float > 300 && rounding > 80);
}

#[test]
fn what_failed_once_agrees() {
    let Tally { models, with_float, .. } = compare(MENDED.iter().copied(), Trial::new);
    assert_eq!((models, with_float), (MENDED.len(), 4 * MENDED.len()));
    let Tally { models, .. } = compare(MENDED_SINCE.iter().copied(), Trial::new);
    assert_eq!(models, MENDED_SINCE.len());
    let Tally { models, with_float, .. } = compare(MENDED_GRAPHS.iter().copied(), Trial::graph);
    assert_eq!((models, with_float > 0), (MENDED_GRAPHS.len(), true));
}

/// A network that yields a small constant behind numbers that are large: without weights, behind a relu that leaves nothing,
/// and on an input that is always zero.
#[test]
fn a_constant_is_as_exact_as_it_would_be_alone() {
    let dense = |weight: f64, bias: f64| LayerKind::FullyConnected {
        weights: ndarray::arr2(&[[weight]]).into_dyn(),
        biases: Some(ndarray::arr1(&[bias]).into_dyn()),
    };
    let constants = [
        ((0, 1 << 31), vec![dense(1e3, 0.0), dense(0.0, 0.3)]),
        ((0, 1 << 31), vec![dense(-1e3, -1e6), LayerKind::Relu, dense(1e6, 0.3)]),
        ((0, 0), vec![dense(1e6, 0.3)]),
    ];
    for bits in MIN_BITS..=MAX_BITS {
        for (range, kinds) in &constants {
            let layers = kinds.iter().map(|kind| Layer::new(kind.clone(), [1])).collect();
            let model = Model::new(layers, Some(*range)).expect("the layers chain");
            let lowering = Lowering { bits: Some(bits), ..Lowering::default() };
            let graph = lower(&model, &lowering, &mut |_, _| {}).expect("it fits");
            let input = input::integers(&graph, &ndarray::arr1(&[range.1 as f64]).into_dyn()).expect("in range");
            let scale = graph.node(graph.output()).fact.scale().expect("fixed");
            let real = eval_fixed(&graph, &input).expect("in range").output()[0] as f64 * scale;
            assert!((real - 0.3).abs() < 0.3 * 0.5f64.powi(bits as i32 + 5), "{bits} {range:?}: {real}");
        }
    }
}

/// The same, to the end: what verifying a proof says is what the interpreter computes. Each seed is a chain of layers, a
/// model with branches, and one of layers of the table, with all passes and without one of the optional ones.
#[test]
fn proofs_agree_with_the_interpreter() {
    let mut proved = 0;
    for (seed, draw) in (0..10).flat_map(|seed| [Trial::new, Trial::graph, Trial::composed].map(|draw| (seed, draw))) {
        let trial = draw(seed);
        let off = OPTIONAL[seed as usize % OPTIONAL.len()];
        for off in [&[][..], &[off]] {
            let Some(graph) = trial.lowered(off) else { continue };
            let Ok(circuit) = compile(
                graph.clone(),
                Options { visibility: Visibility::Public.into(), scheme: SCHEME, ..Options::default() },
            ) else {
                continue;
            };
            let input = &trial.inputs[2];
            let proof = circuit.prove(input).expect("a proof");
            let statement = verify(circuit.key(), &proof).expect("it holds");
            let integers = input::integers(&graph, input).expect("in range");
            assert_eq!(statement.output().integers(), Some(eval_fixed(&graph, &integers).expect("in range").output()));
            proved += 1;
        }
    }
    assert!(proved > 20, "{proved}");
}
