//! A random model, and the ways to its output that have to agree.

use crate::error::Bound;
use crate::models::{self, Sort};
use ndarray::ArrayD;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::fmt::{self, Display, Formatter};
use zknn::circuit::{Checker, Secrets, Witness};
use zknn::front::{self, Model};
use zknn::passes::{Calibration, Context, FixedPoint, MAX_BITS, MIN_BITS, PIPELINE};
use zknn::plan::security::{HashKind, Level, Scheme};
use zknn::plan::{Plan, Visibility};
use zknn::{input, nn};
use zknn_ir::eval::eval_fixed;
use zknn_ir::{Class, Graph, Op};

pub const SCHEME: Scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, level: Level::Conjectured };

/// Passes that only make the program smaller. The others state what the circuit needs.
pub const OPTIONAL: &[&str] =
    &["canonicalize", "commute_pool", "fuse_relu", "drop_idle_relu", "sink_requantize", "fold_multipliers"];

/// Those of them that come after numbers are rounded.
const OF_INTEGERS: &[&str] = &["drop_idle_relu", "sink_requantize", "fold_multipliers"];

/// A random model, how it is lowered, and what it is run on.
pub struct Trial {
    model: Model,
    context: Context,
    /// Passes without which the program computes the same.
    optional: &'static [&'static str],
    /// At the lower end of the range, at the upper, at either, and anywhere.
    pub inputs: Vec<ArrayD<f64>>,
}

impl Trial {
    /// The trial that a seed stands for.
    pub fn new(seed: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let sort = if random.r#gen() { Sort::Integer } else { Sort::Real };
        let model = models::model(sort, &mut random);
        Self::of(model, sort, &mut random)
    }

    /// A trial of fractions with much that is constant: layers and channels without weights, layers that a relu leaves
    /// nothing of, biases that outweigh all else or nothing.
    pub fn degenerate(seed: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let model = models::degenerate(&models::model(Sort::Real, &mut random), &mut random);
        Self::of(model, Sort::Real, &mut random)
    }

    /// A trial of a model with branches that meet again.
    pub fn graph(seed: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let sort = if random.r#gen() { Sort::Integer } else { Sort::Real };
        let model = models::graph(sort, &mut random);
        Self::of(model, sort, &mut random)
    }

    /// A trial of convolutions that stride, dilate and go group by group.
    pub fn stepping(seed: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let sort = if random.r#gen() { Sort::Integer } else { Sort::Real };
        let model = models::stepping(sort, &mut random);
        Self::of(model, sort, &mut random)
    }

    /// A trial of layers of the table.
    pub fn composed(seed: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let sort = if random.r#gen() { Sort::Integer } else { Sort::Real };
        let model = models::composed(sort, &mut random);
        Self::of(model, sort, &mut random)
    }

    fn of(model: Model, sort: Sort, random: &mut ChaCha20Rng) -> Self {
        let input_range = model.input_range().expect("it was declared");
        let inputs = models::inputs(&model, input_range, random);
        let calibration: Vec<_> = random.r#gen::<bool>().then(|| models::batch(&inputs[2..])).into_iter().collect();
        let bits = random.gen_range(MIN_BITS..=MAX_BITS);
        let fixed = (sort == Sort::Real).then_some(FixedPoint::new(bits, calibration.into()));
        // Where factors are folded, and which channels go together, depends on what stands between layers before they are rounded.
        let optional = if sort == Sort::Real { OF_INTEGERS } else { OPTIONAL };
        Self { model, context: Context::of_one(input_range, fixed), optional, inputs }
    }

    /// The integer program without the passes named, unless it has sums beyond the field, or beyond what can be
    /// requantized: then it is refused, and that is all there is to say of it.
    pub fn lowered(&self, off: &[&str]) -> Option<Graph> {
        let mut graph = front::lower(&self.model).expect("the layers are known");
        let mut context = self.context.clone();
        for pass in PIPELINE.iter().filter(|pass| !off.contains(&pass.name)) {
            pass.apply(&mut graph, &mut context).ok()?;
            zknn_ir::validate(&graph).expect("valid after each pass");
        }
        graph.remove_dead();
        Some(graph)
    }

    /// Compares all ways; nothing if the model has no circuit.
    pub fn compare(&self) -> Result<Option<Compared>, TestCaseError> {
        self.compare_shapes()?;
        let Some(graph) = self.lowered(&[]) else { return Ok(None) };
        let choices = self.optional.iter().map(|off| vec![*off]).chain([self.optional.to_vec()]);
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
        let count = |class| graph.topological().iter().filter(|&&id| graph.node(id).op.class() == class).count();
        compared.sums = count(Class::Sum);
        compared.borders = count(Class::View { with_zero: true });
        compared.class = matches!(graph.node(graph.output()).op, Op::Argmax(_));
        Ok(Some(compared))
    }

    /// The shapes that a model's layers are checked by are those that the language infers.
    fn compare_shapes(&self) -> Result<(), TestCaseError> {
        let graph = front::lower(&self.model).expect("the layers are known");
        for id in graph.topological() {
            let node = graph.node(id);
            let is_last = |layer: &usize| graph.users(id).iter().all(|&user| graph.node(user).layer != Some(*layer));
            if let Some(layer) = node.layer.filter(is_last) {
                prop_assert_eq!(&node.fact.shape, self.model.layers()[layer].output_shape());
            }
        }
        Ok(())
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
            prop_assert!(
                difference <= bound.at(scale),
                "{} {} {:?}\n{}",
                real,
                integer as f64 * scale,
                bound,
                zknn_ir::print(graph)
            );
        }
        Ok(true)
    }
}

impl Display for Trial {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (lo, hi) = self.context.inputs[0].range;
        let rounding = self.context.fixed.as_ref().map(|fixed| (fixed.bits, fixed.calibration != Calibration::Nothing));
        match rounding {
            None => writeln!(f, "exact, inputs {lo}..{hi}")?,
            Some((bits, calibrated)) => writeln!(f, "{bits} bits, calibrated: {calibrated}, inputs {lo}..{hi}")?,
        }
        writeln!(f, "{}", zknn_ir::print(&front::lower(&self.model).expect("the layers are known")))?;
        match self.lowered(&[]) {
            Some(graph) => write!(f, "{}", zknn_ir::print(&graph)),
            None => write!(f, "refused"),
        }
    }
}

/// What a model was compared in.
#[derive(Default)]
pub struct Compared {
    /// How many inputs floating point had something to say about.
    pub with_float: usize,
    /// Whether the program rounds.
    pub rounding: bool,
    /// Whether it yields a class.
    pub class: bool,
    /// How many sums of tensors it has.
    pub sums: usize,
    /// How many borders it has.
    pub borders: usize,
}
