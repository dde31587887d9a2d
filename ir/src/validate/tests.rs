use proptest::prelude::*;

use super::*;
use crate::random::any_graph;
use crate::testing::{chain, fixed, fixed_input};
use crate::{Op, op};

fn messages(graph: &Graph) -> String {
    let violations = validate(graph).unwrap_err();
    violations.iter().map(|violation| format!("{violation}\n")).collect()
}

#[test]
fn an_empty_graph_lacks_both_ends() {
    insta::assert_snapshot!(messages(&Graph::new()), @"
    the graph has no input
    the graph has no output
    ");
}

#[test]
fn every_violation_is_reported() {
    let mut graph = chain([fixed_input(&[2, 3, 1], -3, 3), Op::Relu, Op::Flatten, Op::Relu]);
    let order = graph.topological();
    graph.add(fixed_input(&[1], 0, 0), &[], None).unwrap();
    graph.replace_op(order[1], Op::MaxPool(op::MaxPool::tiles([2, 3], false)));
    let weights = fixed(&[1, 5], &[1; 5], 1.0);
    graph.replace_op(order[3], Op::Dense(op::Dense { weights, bias: None }));
    insta::assert_snapshot!(messages(&graph), @"
    %1 is said to be [2, 3, 1] fixed(scale 1, 0..=3), it is [1, 1, 1] fixed(scale 1, -3..=3)
    %3: weights take 5 inputs, their input has 6
    ");
}

#[test]
fn a_cycle_is_a_violation() {
    let mut graph = chain([fixed_input(&[2], -3, 3), Op::Relu, Op::Relu]);
    let order = graph.topological();
    graph.set_operand(order[1], 0, order[2]);
    insta::assert_snapshot!(messages(&graph), @"%1 depends on itself");
}

#[test]
fn an_output_that_was_removed_is_no_output() {
    let other = chain([fixed_input(&[2], -3, 3), Op::Relu, Op::Relu]);
    let mut graph = chain([fixed_input(&[2], -3, 3)]);
    graph.set_output(other.output());
    insta::assert_snapshot!(messages(&graph), @"the graph has no output");
}

proptest! {
    #[test]
    fn what_was_built_node_by_node_is_valid(graph in any_graph()) {
        prop_assert_eq!(validate(&graph), Ok(()));
        let mut refreshed = graph.clone();
        refreshed.refresh_facts().unwrap();
        prop_assert_eq!(refreshed, graph);
    }
}
