//! One meaning, four ways to it: floating point, the integer interpreter, the witness and the public output of a proof,
//! on random models at both ends of their ranges, lowered exactly and to fixed point, with each pass on and off.

mod error;
mod models;

use error::Bound;
use models::Sort;
use ndarray::ArrayD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::cell::Cell;
use zknn::artifact::Options;
use zknn::circuit::{Checker, Secrets, Witness};
use zknn::front::{self, Model};
use zknn::passes::{Context, FixedPoint, MAX_BITS, MIN_BITS, PIPELINE};
use zknn::plan::security::{HashKind, Level, Scheme};
use zknn::plan::{Plan, Visibility};
use zknn::{compile, input, nn, verify};
use zknn_ir::eval::eval_fixed;
use zknn_ir::{Graph, Op};

const SCHEME: Scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, level: Level::Conjectured };

/// Passes that only make the program smaller. The others state what the circuit needs.
const OPTIONAL: &[&str] = &["canonicalize", "commute_pool", "fuse_relu", "drop_idle_relu", "sink_requantize"];

/// A random model, how it is lowered, and what it is run on.
struct Trial {
    model: Model,
    context: Context,
    inputs: Vec<ArrayD<f64>>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let sort = if random.r#gen() { Sort::Integer } else { Sort::Real };
        let model = models::model(sort, &mut random);
        let input_range = model.input_range().expect("it was declared");
        let inputs = models::inputs(&model, input_range, &mut random);
        let calibration = random.r#gen::<bool>().then(|| models::batch(&inputs[2..]));
        let bits = random.gen_range(MIN_BITS..=MAX_BITS);
        let fixed = (sort == Sort::Real).then_some(FixedPoint { bits, calibration, input_declared: true });
        Self { model, context: Context { input_range, fixed }, inputs }
    }

    /// The integer program without the passes named, unless it has sums beyond the field, or beyond what can be
    /// requantized: then it is refused, and that is all there is to say of it.
    fn lowered(&self, off: &[&str]) -> Option<Graph> {
        let mut graph = front::lower(&self.model).expect("the layers are known");
        for pass in PIPELINE.iter().filter(|pass| !off.contains(&pass.name)) {
            pass.apply(&mut graph, &self.context).ok()?;
            zknn_ir::validate(&graph).expect("valid after each pass");
        }
        graph.remove_dead();
        Some(graph)
    }

    /// Compares all ways; nothing if the model has no circuit.
    fn compare(&self) -> Result<Option<Compared>, TestCaseError> {
        let Some(graph) = self.lowered(&[]) else { return Ok(None) };
        let choices = OPTIONAL.iter().map(|off| vec![*off]).chain([OPTIONAL.to_vec()]);
        let variants: Vec<Graph> = choices.filter_map(|off| self.lowered(&off)).collect();
        let Ok(plan) = Plan::new(&graph, Visibility::Committed, SCHEME) else { return Ok(None) };
        let checker = Checker::new(&plan);
        let mut compared = Compared::default();
        for reals in &self.inputs {
            // What calibration did not see may be out of range.
            let Ok(input) = &input::integers(&graph, reals) else { continue };
            let integers = eval_fixed(&graph, input).expect("in range").output().clone();
            for variant in &variants {
                let values = eval_fixed(variant, input).expect("in range");
                prop_assert_eq!(values.output(), &integers);
            }
            compared.with_float += usize::from(self.compare_with_float(&graph, reals, &integers)?);
            let flat: Vec<i64> = input.iter().copied().collect();
            let witness = Witness::new(&plan, &flat, Secrets::fresh());
            prop_assert!(witness.outputs().eq(integers.iter().copied()));
            let violations = checker.check(&witness);
            prop_assert!(violations.is_empty(), "{}", checker.describe(&violations[0]));
        }
        let rounds = |op: &Op| matches!(op, Op::Requantize(_));
        compared.rounding = graph.topological().iter().any(|&id| rounds(&graph.node(id).op));
        compared.class = graph.node(graph.output()).op == Op::Argmax;
        Ok(Some(compared))
    }

    /// Compares with floating point where that says something: where it is exact itself, or nothing is clamped and the
    /// bound on the error is small.
    fn compare_with_float(
        &self,
        graph: &Graph,
        input: &ArrayD<f64>,
        integers: &ArrayD<i64>,
    ) -> Result<bool, TestCaseError> {
        let Some(bound) = Bound::of(&self.model, &self.context, graph, input) else { return Ok(false) };
        let scale = graph.node(graph.output()).fact.scale().expect("fixed");
        let reals = nn::run(&self.model, input).expect("the shape is the model's");
        for (real, &integer) in reals.iter().zip(integers) {
            // A zero vector has no direction: floating point says so, the integer program keeps it zero.
            if real.is_nan() {
                prop_assert_eq!(integer, 0);
                continue;
            }
            let difference = (real - integer as f64 * scale).abs();
            prop_assert!(difference <= bound.at(scale), "{} {} {:?}", real, integer as f64 * scale, bound);
        }
        Ok(true)
    }
}

/// What a model was compared in.
#[derive(Default)]
struct Compared {
    with_float: usize,
    rounding: bool,
    class: bool,
}

#[test]
fn float_integers_and_witness_agree() {
    let counts: [Cell<usize>; 4] = Default::default();
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let run = |seed| {
        if let Some(compared) = Trial::new(seed).compare()? {
            let news = [1, compared.with_float, compared.rounding.into(), compared.class.into()];
            counts.iter().zip(news).for_each(|(count, new)| count.set(count.get() + new));
        }
        Ok(())
    };
    TestRunner::new(config).run(&any::<u64>(), run).expect("all ways agree");
    let [models, floats, rounding, classes] = counts.map(Cell::into_inner);
    println!("{models} models, {floats} times with floating point; {rounding} round, {classes} choose");
    assert!(models > 200 && floats > 400 && rounding > 80 && classes > 20, "{models} {floats} {rounding} {classes}");
}

/// The same, to the end: what verifying a proof says is what the interpreter computes. Each seed is one model, with all
/// passes and without one of the optional ones.
#[test]
fn proofs_agree_with_the_interpreter() {
    let mut proved = 0;
    for seed in 0..10 {
        let trial = Trial::new(seed);
        let off = OPTIONAL[seed as usize % OPTIONAL.len()];
        for off in [&[][..], &[off]] {
            let Some(graph) = trial.lowered(off) else { continue };
            let Ok(circuit) = compile(graph.clone(), Options { visibility: Visibility::Public, scheme: SCHEME }) else {
                continue;
            };
            let input = &trial.inputs[2];
            let proof = circuit.prove(input).expect("a proof");
            let statement = verify(circuit.key(), &proof).expect("it holds");
            let integers = input::integers(&graph, input).expect("in range");
            assert_eq!(&statement.output.integers, eval_fixed(&graph, &integers).expect("in range").output());
            proved += 1;
        }
    }
    assert!(proved > 8, "{proved}");
}
