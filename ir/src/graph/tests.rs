use proptest::prelude::*;

use super::*;
use crate::random::any_graph;
use crate::testing::{chain, fixed, fixed_input};
use crate::{Arity, op};

fn dense(shape: [usize; 2]) -> Op {
    Op::Dense(op::Dense { weights: fixed(&shape, &vec![1; shape[0] * shape[1]], 1.0), bias: None })
}

/// Two graphs of the same meaning: built in order, and built with detours.
fn straight_and_crooked() -> (Graph, Graph) {
    let straight = chain([fixed_input(&[2], -3, 3), dense([2, 2]), Op::Relu, dense([1, 2])]);

    let mut crooked = Graph::new();
    let input = crooked.add(fixed_input(&[2], -3, 3), &[], Some(0)).unwrap();
    let detour = crooked.add(Op::Flatten, &[input], None).unwrap();
    let last = crooked.add(dense([1, 2]), &[detour], Some(3)).unwrap();
    let first = crooked.add(dense([2, 2]), &[input], Some(1)).unwrap();
    let relu = crooked.add(Op::Relu, &[first], Some(2)).unwrap();
    crooked.set_operand(last, 0, relu);
    crooked.set_output(last);
    crooked.remove_dead();
    crooked.refresh_facts().unwrap();
    (straight, crooked)
}

#[test]
fn neither_equality_nor_digest_depend_on_history() {
    let (straight, crooked) = straight_and_crooked();
    assert_eq!(straight, crooked);
    assert_eq!(straight.canonical_bytes(), crooked.canonical_bytes());
    assert_eq!(straight.digest(), crooked.digest());
}

#[test]
fn the_digest_is_that_of_the_canonical_bytes() {
    let (graph, _) = straight_and_crooked();
    let hash = blake3::hash(&graph.canonical_bytes());
    assert_eq!(graph.digest(), *hash.as_bytes());
}

#[test]
fn the_digest_ignores_layers_and_dead_nodes_and_nothing_else() {
    let (graph, _) = straight_and_crooked();
    let mut same = graph.clone();
    same.set_layer(same.output(), None);
    same.add(Op::Relu, &[same.input()], None).unwrap();
    assert_eq!(same.digest(), graph.digest());
    assert_ne!(same, graph);

    let order = graph.topological();
    let mut shorter = graph.clone();
    shorter.set_output(order[2]);
    let mut wider = graph.clone();
    wider.replace_op(order[0], fixed_input(&[2], -3, 4));
    wider.refresh_facts().unwrap();
    let mut other_op = graph.clone();
    other_op.replace_op(order[2], Op::Flatten);
    other_op.refresh_facts().unwrap();
    let mut other_edge = graph.clone();
    other_edge.set_operand(order[3], 0, order[1]);
    other_edge.refresh_facts().unwrap();
    let empty = Graph::new();
    let digests: HashSet<[u8; 32]> =
        [&graph, &shorter, &wider, &other_op, &other_edge, &empty].map(Graph::digest).into();
    assert_eq!(digests.len(), 6);
}

#[test]
fn a_node_is_put_behind_another_by_redirecting_to_it() {
    let mut graph = chain([fixed_input(&[2], -3, 3), dense([2, 2])]);
    let last = graph.output();
    let relu = graph.add(Op::Relu, &[last], None).unwrap();
    graph.redirect_users(last, relu);
    graph.refresh_facts().unwrap();
    assert_eq!(graph.output(), relu);
    assert_eq!(graph.operands(relu), [last]);
    assert_eq!(graph.users(last), [relu]);
}

#[test]
fn dead_nodes_go_and_the_input_stays() {
    let mut graph = Graph::new();
    let input = graph.add(fixed_input(&[2], -3, 3), &[], None).unwrap();
    let kept = graph.add(Op::Relu, &[input], None).unwrap();
    let dead = graph.add(Op::Flatten, &[kept], None).unwrap();
    graph.set_output(kept);
    graph.remove_dead();
    assert!(!graph.contains(dead));
    assert_eq!(graph.topological(), [input, kept]);

    let mut without_output = Graph::new();
    let input = without_output.add(fixed_input(&[2], 0, 1), &[], None).unwrap();
    without_output.remove_dead();
    assert_eq!(without_output.try_input(), Some(input));
}

#[test]
fn facts_follow_a_rewrite_once_refreshed() {
    let mut graph = chain([fixed_input(&[2], -3, 3), Op::Flatten]);
    let (input, last) = (graph.input(), graph.output());
    graph.replace_op(last, Op::Relu);
    assert!(graph.is_stale());
    assert_eq!(graph.node(last).fact.interval(), Some((-3, 3)));
    graph.refresh_facts().unwrap();
    assert!(!graph.is_stale());
    assert_eq!(graph.node(last).fact.interval(), Some((0, 3)));
    graph.replace_op(input, fixed_input(&[2], -3, 9));
    graph.refresh_facts().unwrap();
    assert_eq!(graph.node(last).fact.interval(), Some((0, 9)));
}

#[test]
fn refreshing_names_the_node_that_does_not_fit() {
    let mut graph = chain([fixed_input(&[2], -3, 3), dense([2, 2])]);
    let last = graph.output();
    graph.replace_op(last, dense([2, 5]));
    let error = graph.refresh_facts().unwrap_err();
    assert_eq!(error.to_string(), "%1: weights take 5 inputs, their input has 2");
    let InferError::At { node, layer, .. } = error else {
        panic!("no place in {error:?}");
    };
    assert_eq!((node, layer), (last, Some(1)));
    assert!(graph.is_stale());
}

#[test]
fn a_cycle_is_reported_and_not_followed() {
    let mut graph = chain([fixed_input(&[2], -3, 3), Op::Relu, Op::Flatten]);
    let order = graph.topological();
    graph.set_operand(order[1], 0, order[2]);
    let error = graph.refresh_facts().unwrap_err();
    assert!(matches!(error, InferError::Cycle { .. }), "{error}");
    assert_eq!(graph.topological().len(), 3);
}

#[test]
fn an_operand_too_many_is_reported() {
    let mut graph = chain([fixed_input(&[2], -3, 3), Op::Relu]);
    let (input, last) = (graph.input(), graph.output());
    graph.set_operand(last, 1, input);
    let error = graph.refresh_facts().unwrap_err();
    let expected = InferError::OperandCount { op: "relu", expected: Arity::Exactly(1), got: 2 };
    assert_eq!(*error.root(), expected);
}

#[test]
fn a_very_long_chain_does_not_exhaust_the_stack() {
    let relus = std::iter::repeat_n(Op::Relu, 200_000);
    let graph = chain(std::iter::once(fixed_input(&[1], 0, 1)).chain(relus));
    assert_eq!(graph.topological().len(), 200_001);
}

proptest! {
    #[test]
    fn operands_come_before_their_users(graph in any_graph()) {
        let order = graph.topological();
        for (at, &id) in order.iter().enumerate() {
            for operand in graph.operands(id) {
                prop_assert!(order[..at].contains(&operand));
                prop_assert!(graph.users(operand).contains(&id));
            }
        }
        prop_assert_eq!(order.len(), graph.len());
    }
}

/// Two inputs, of which the outputs read the second first, and one that nothing reads.
fn with_several_ends() -> Graph {
    let mut graph = Graph::new();
    let [a, b, _unread] = [1, 2, 3].map(|hi| graph.add(fixed_input(&[2], 0, hi), &[], None).unwrap());
    let sum = graph.add(Op::Add, &[b, a], None).unwrap();
    let relu = graph.add(Op::Relu, &[b], None).unwrap();
    graph.set_outputs(vec![relu, sum]);
    graph
}

#[test]
fn inputs_keep_their_order_whatever_reads_them() {
    let graph = with_several_ends();
    let limits = |graph: &Graph| -> Vec<i64> {
        graph.inputs().iter().map(|&id| graph.node(id).fact.interval().unwrap().1).collect()
    };
    assert_eq!(limits(&graph), [1, 2, 3]);
    assert_eq!(graph.topological()[..3], *graph.inputs());
    let read = crate::parse(&crate::print(&graph)).unwrap();
    assert_eq!(limits(&read), [1, 2, 3]);
    assert_eq!(read, graph);
    assert_eq!(read.digest(), graph.digest());
    let mut pruned = graph.clone();
    pruned.remove_dead();
    assert_eq!(pruned, graph);
}

#[test]
fn the_digest_covers_the_order_of_outputs_and_the_inputs() {
    let graph = with_several_ends();
    let [relu, sum] = graph.outputs()[..] else { panic!("two outputs") };
    let with_outputs = |outputs: &[NodeId]| {
        let mut other = graph.clone();
        other.set_outputs(outputs.to_vec());
        other
    };
    let mut wider = graph.clone();
    wider.add(fixed_input(&[2], 0, 3), &[], None).unwrap();
    let others = [with_outputs(&[sum, relu]), with_outputs(&[relu]), with_outputs(&[relu, sum, sum]), wider];
    let digests: HashSet<[u8; 32]> = others.iter().chain([&graph]).map(Graph::digest).collect();
    assert_eq!(digests.len(), 5);
}

#[test]
fn an_operation_put_in_the_place_of_an_input_is_none() {
    let mut graph = with_several_ends();
    let [a, b, unread] = graph.inputs()[..] else { panic!("three inputs") };
    graph.replace_op(b, Op::Flatten);
    graph.set_operand(b, 0, unread);
    graph.refresh_facts().unwrap();
    assert_eq!(graph.inputs(), [a, unread]);
    assert!(crate::validate(&graph).is_ok());
    let relu = graph.outputs()[0];
    assert!(graph.is_output(relu) && !graph.is_output(a));
    graph.redirect_users(relu, a);
    assert!(graph.is_output(a) && !graph.is_output(relu));
}
