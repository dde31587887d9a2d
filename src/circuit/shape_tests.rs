//! What the verifier is given of a circuit, and what is counted.

use super::shape::{Gates, UNUSED_SELECTOR, common_data};
use super::shape_of;
use crate::circuit::CircuitShape;
use crate::plan::security::{HashKind, Level, POW_BITS, RATE_BITS, Scheme};
use crate::plan::{Plan, Visibility, total};
use std::collections::HashSet;

/// plonky2 adds up what different gates state under one number. In a row that satisfies each of them that is zero, but the
/// converse holds only where no number is used twice.
#[test]
fn no_two_constraints_of_a_row_have_one_number() {
    let text = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=100)
%1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -5]
%2 = max_pool %1 window=[2, 2] relu
%3 = flatten %2
%4 = normalize %3 fraction_bits=24
output %4
";
    let graph = zknn_ir::parse(text).expect("a graph");
    let scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, ..Scheme::default() };
    let plan = Plan::new(&graph, Visibility::Committed, scheme).expect("a plan");
    let shape = shape_of(&plan);
    let gates = Gates::new(&shape);
    assert!(gates.digits.len() > 1, "kinds of rows differ in digits");
    for (kind, parts) in shape.gates.iter().enumerate() {
        let shapes = total(parts);
        let (mut numbers, mut columns) = ((0..shapes.constraints).collect::<HashSet<_>>(), HashSet::new());
        for (gate, run) in &gates.digits {
            if gates.selector(*gate, gates.kinds[kind]) == UNUSED_SELECTOR {
                continue;
            }
            assert_eq!(gates.all[*gate].0.num_constraints(), run.first + run.columns.len());
            for (i, column) in run.columns.clone().enumerate() {
                assert!(numbers.insert(run.first + i) && columns.insert(column));
            }
        }
        let digits = parts.iter().flat_map(|part| part.place.digits..part.place.digits + part.gadget.shape().digits);
        assert_eq!(columns, digits.collect(), "in rows of kind {kind}");
        assert!(numbers.into_iter().all(|number| number < shape.soundness().constraints));
    }
}

const TEXT: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=100)
%1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -5]
%2 = max_pool %1 window=[2, 2] relu
%3 = flatten %2
%4 = dense %3 weights=fixed[1, 8] scale 1 [1, 2, 3, 4, 5, 6, 7, 8]
output %4
";

/// What security is computed from is what plonky2's verifier is given.
#[test]
fn soundness_counts_what_the_verifier_checks() {
    let graph = zknn_ir::parse(TEXT).expect("a graph");
    for zero_knowledge in [true, false] {
        for level in [Level::Conjectured, Level::Proven] {
            let scheme = Scheme { zero_knowledge, level, ..Scheme::default() };
            let plan = Plan::new(&graph, Visibility::Committed, scheme).expect("a plan");
            let shape = shape_of(&plan);
            let (common, soundness) = (common_data(&shape, &Gates::new(&shape)), shape.soundness());
            assert_eq!(plan.layout.soundness(), soundness);
            let config = &common.config;
            assert_eq!(soundness.degree_bits, common.degree_bits());
            assert_eq!(soundness.routed, config.num_routed_wires);
            assert_eq!(soundness.constraints, common.num_gate_constraints);
            assert_eq!(soundness.challenges, config.num_challenges);
            let of_set = 1 + common.num_partial_products + common.quotient_degree_factor + 1;
            let columns = common.num_constants + config.num_routed_wires + config.num_wires;
            assert_eq!(soundness.polynomials, columns + config.num_challenges * of_set);
            assert_eq!(soundness.folding, common.fri_params.reduction_arity_bits);
            assert_eq!(soundness.queries, common.fri_params.config.num_query_rounds);
            assert_eq!(common.fri_params.config.rate_bits, RATE_BITS);
            assert_eq!(common.fri_params.config.proof_of_work_bits, POW_BITS);
        }
    }
}

/// A key whose proofs would be less secure than its level says is refused, whatever else is right about it.
#[test]
fn a_shape_that_falls_short_of_its_level_is_refused() {
    let graph = zknn_ir::parse(TEXT).expect("a graph");
    let of_level = |level| {
        let scheme = Scheme { level, ..Scheme::default() };
        shape_of(&Plan::new(&graph, Visibility::Committed, scheme).expect("a plan"))
    };
    let (shape, proven) = (of_level(Level::Conjectured), of_level(Level::Proven));
    assert_eq!((shape.problem(), proven.problem()), (None, None));
    let mut tall = CircuitShape { degree_bits: 20, ..proven };
    let more = tall.soundness().challenges - tall.challenges;
    (tall.challenges, tall.wires) = (tall.challenges + more, tall.wires + more);
    let problem = tall.problem().expect("too few bits");
    assert!(problem.starts_with("security"), "{problem}");
    // Too few rows to blind as many values as its queries would tell.
    let scheme = Scheme { level: Level::Proven, ..shape.scheme };
    assert_eq!(CircuitShape { scheme, ..shape }.problem(), Some("number of rows"));
}
