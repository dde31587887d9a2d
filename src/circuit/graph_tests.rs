//! Random graphs of integers, with branches, joins, several inputs and several outputs: floating point, interpreter, witness
//! and proof agree, in every way to state each operation.

use super::*;
use crate::plan::security::{HashKind, Level, Scheme};
use crate::plan::{Claims, Cut, Each, OutputVisibility, Plan, Visibility, Way};
use crate::saturation::saturations;
use ndarray::ArrayD;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use zknn_ir::eval::{eval_fixed, eval_real};
use zknn_ir::random::{fixed_graph, fixed_inputs_for, op_names};
use zknn_ir::{Class, Graph};

const GRAPHS: usize = 1000;
/// Every so many plans are proved.
const PROVED: usize = 40;

/// What occurred.
#[derive(Debug, Default)]
struct Tally {
    ops: BTreeMap<&'static str, usize>,
    ways: Vec<(Discriminant<Way>, usize)>,
    several_inputs: usize,
    several_outputs: usize,
    joins: usize,
    floats: usize,
    /// Plans that state that no number was saturated, where one was.
    saturated: usize,
    plans: usize,
    proofs: usize,
}

impl Tally {
    fn note(&mut self, graph: &Graph, plan: &Plan) {
        for id in graph.topological() {
            *self.ops.entry(graph.node(id).op.name()).or_default() += 1;
            self.joins += usize::from(graph.operands(id).len() > 1);
        }
        for (_, way) in &plan.choices.ways {
            let way = discriminant(way);
            match self.ways.iter_mut().find(|(other, _)| *other == way) {
                Some((_, count)) => *count += 1,
                None => self.ways.push((way, 1)),
            }
        }
        self.several_inputs += usize::from(graph.inputs().len() > 1);
        self.several_outputs += usize::from(graph.outputs().len() > 1);
        self.plans += 1;
    }
}

/// Where nothing is rounded, the integers are the real numbers, but for how floats round sums.
fn agrees_with_floats(graph: &Graph, inputs: &[ArrayD<i64>]) -> bool {
    let is_exact = |class| !matches!(class, Class::Function | Class::Monotone { .. });
    let rectifies = |op: &zknn_ir::Op| matches!(op, zknn_ir::Op::Relu);
    let nodes = graph.topological();
    if !nodes.iter().map(|&id| &graph.node(id).op).all(|op| is_exact(op.class()) || rectifies(op)) {
        return false;
    }
    let scaled = |(&id, input): (_, &ArrayD<i64>)| {
        let scale = graph.node(id).fact.scale().expect("integers");
        input.mapv(|x| x as f64 * scale)
    };
    let reals: Vec<ArrayD<f64>> = graph.inputs().iter().zip(inputs).map(scaled).collect();
    let (integers, reals) =
        (eval_fixed(graph, inputs).expect("in range"), eval_real(graph, &reals[..]).expect("inputs"));
    for &id in graph.outputs() {
        let fact = &graph.node(id).fact;
        let ((lo, hi), scale) = (fact.interval().expect("integers"), fact.scale().expect("integers"));
        let largest = lo.unsigned_abs().max(hi.unsigned_abs()) as f64 * scale;
        for (&integer, real) in integers.get(id).iter().zip(reals.get(id)) {
            assert!((integer as f64 * scale - real).abs() <= 1e-9 * largest, "{integer} times {scale} is {real}");
        }
    }
    true
}

fn prove(plan: &Plan, witness: &Witness) {
    let prover = AnyProver::new(plan, HashKind::Blake3);
    let proof = prover.prove(witness, &Binding::default(), &mut Timings::default()).expect("a proof");
    let shape = shape_of(plan);
    let public = verify(HashKind::Blake3, &shape, &prover.cap(), &Binding::default(), &proof).expect("it holds");
    assert_eq!(public, witness.public);
}

#[test]
fn graphs_agree_in_every_way_to_state_them() {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let mut tally = Tally::default();
    for number in 0..GRAPHS {
        let graph = fixed_graph().new_tree(&mut runner).expect("a graph").current();
        let inputs = fixed_inputs_for(&graph).new_tree(&mut runner).expect("inputs").current();
        let expected = eval_fixed(&graph, &inputs[..]).expect("in range");
        tally.floats += usize::from(agrees_with_floats(&graph, &inputs));
        // Of several inputs, and of several outputs, each has another visibility than the one before.
        let of_input = |at| [Visibility::Committed, Visibility::Public, Visibility::Private][(number + at) % 3];
        let of_output = |at| [OutputVisibility::Public, OutputVisibility::Committed][(number / 3 + at) % 2];
        let claims = Claims {
            inputs: Each::Own((0..graph.inputs().len()).map(of_input).collect()),
            outputs: Each::Own((0..graph.outputs().len()).map(of_output).collect()),
            unsaturated: number % 4 < 2,
        };
        let has_witness = !claims.unsaturated || saturations(&graph, &expected).is_empty();
        let zero_knowledge = number % 5 == 0;
        let scheme = Scheme { zero_knowledge, hash: HashKind::Blake3, level: Level::Conjectured };
        // Some have values too wide to compare, or to commit to.
        let Ok(plans) = Plan::of_all_candidates(&graph, claims, scheme) else { continue };
        for plan in plans {
            let flat: Vec<i64> = inputs.iter().flatten().copied().collect();
            let witness = Witness::new(&plan, &flat, Secrets::fresh());
            assert!(witness.outputs().eq(expected.outputs().flatten().copied()), "{graph:?}");
            let checker = Checker::new(&plan);
            let violations = checker.check(&witness);
            if !has_witness {
                assert!(!violations.is_empty(), "a saturated number has a witness: {graph:?}");
                tally.saturated += 1;
                continue;
            }
            assert!(violations.is_empty(), "{}", checker.describe(&violations[0]));
            tally.note(&graph, &plan);
            if tally.plans % PROVED == 0 {
                prove(&plan, &witness);
                tally.proofs += 1;
            }
        }
    }
    // Of integers there is no clip, and no quantize.
    for name in op_names().iter().filter(|name| !["clip", "quantize"].contains(name)) {
        assert!(tally.ops.contains_key(name), "no {name} among {:?}", tally.ops);
    }
    let cut = Way::Cut(Cut { block: [1, 1], parts: 1, slices: 1 });
    for way in [Way::Fused, cut, Way::Filters(0), Way::Groups(0)] {
        assert!(tally.ways.iter().any(|(other, _)| *other == discriminant(&way)), "nothing is stated {way:?}");
    }
    let Tally { several_inputs, several_outputs, joins, floats, proofs, saturated, .. } = tally;
    assert!(several_inputs.min(several_outputs).min(joins) > 50, "{tally:?}");
    assert!(floats > 20 && saturated > 20 && proofs > 10, "{tally:?}");
}
