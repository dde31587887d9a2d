//! Removes what computes nothing, so that later passes see each network in one form.
//!
//! Precondition: none.
//!
//! Postcondition: no view yields its operand as it is (no flatten reads a vector, nor, therefore, another flatten; every pad
//! has a border); no relu reads what is never negative by the way it was computed; no max-pool has windows of 1 by 1; the
//! outputs depend on every node but, possibly, inputs.
//!
//! ```text
//! %0 = input : [2, 2, 1] real              %0 = input : [2, 2, 1] real
//! %1 = relu %0 : [2, 2, 1] real            %1 = relu %0 : [2, 2, 1] real
//! %2 = relu %1 : [2, 2, 1] real       →    %2 = flatten %1 : [4] real
//! %3 = flatten %2 : [4] real               output %2
//! %4 = flatten %3 : [4] real
//! output %4
//! ```
//!
//! Runs first: [`commute_pool`](super::commute_pool) and [`fuse_relu`](super::fuse_relu) look for pairs of neighbours,
//! and count users, so nothing idle may stand between or beside them. It goes by structure alone; what only intervals
//! can tell is left to [`drop_idle_relu`](super::drop_idle_relu).

use zknn_ir::{Class, Graph, NodeId, Op, op};

use super::{Context, PassError};

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    for id in graph.topological() {
        let [operand] = graph.operands(id)[..] else {
            continue;
        };
        // No fact is stale: a redirection only ever leads to a tensor of the same shape.
        match &graph.node(id).op {
            Op::MaxPool(pool) if *pool == op::MaxPool::tiles([1, 1], true) => match is_rectified(graph, operand) {
                true => graph.redirect_users(id, operand),
                false => graph.replace_op(id, Op::Relu),
            },
            Op::Relu if is_rectified(graph, operand) => graph.redirect_users(id, operand),
            _ if is_identity(graph, id) => graph.redirect_users(id, operand),
            // Nothing else is idle by structure alone.
            _ => {}
        }
    }
    graph.remove_dead();
    Ok(graph.refresh_facts()?)
}

/// Whether the node yields its operand as it is.
pub(super) fn is_identity(graph: &Graph, id: NodeId) -> bool {
    let [operand] = graph.operands(id)[..] else {
        return false;
    };
    let shape = &graph.node(operand).fact.shape;
    match &graph.node(id).op {
        Op::MaxPool(pool) => *pool == op::MaxPool::tiles([1, 1], false),
        Op::Flatten | Op::Reshape(_) => shape == &graph.node(id).fact.shape,
        Op::Pad(pad) => !pad.has_zeros(shape),
        Op::Transpose(transpose) => transpose.is_identity(),
        Op::Gather(gather) => gather.is_identity(shape[gather.axis]),
        _ => false,
    }
}

/// Whether no number that the node yields can be negative: there is a relu behind it, and nothing in between that
/// makes new numbers.
fn is_rectified(graph: &Graph, mut id: NodeId) -> bool {
    loop {
        let op = &graph.node(id).op;
        match op.class() {
            Class::Greatest { with_zero: true } => return true,
            Class::Monotone { .. } => return *op == Op::Relu,
            // What is selected, and zeros.
            Class::Greatest { with_zero: false } | Class::View { .. } => {}
            Class::Input | Class::Linear | Class::Sum | Class::Product | Class::Choice | Class::Function => {
                return false;
            }
        }
        match graph.operands(id)[..] {
            [operand] => id = operand,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::after;
    use super::*;

    #[test]
    fn flatten_of_a_vector_is_dropped() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = flatten %0 layer=0
            %2 = flatten %1 layer=1
            %3 = flatten %2 layer=2
            %4 = relu %3 layer=3
            output %4
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = flatten %0 layer=0 : [4] real
        %2 = relu %1 layer=3 : [4] real
        output %2
        ");
    }

    #[test]
    fn relu_of_what_is_never_negative_is_dropped() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = relu %0 layer=0
            %2 = relu %1 layer=1
            %3 = max_pool %2 window=[2, 1] layer=2
            %4 = relu %3 layer=3
            %5 = flatten %4 layer=4
            %6 = relu %5 layer=5
            output %6
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = relu %0 layer=0 : [2, 2, 1] real
        %2 = max_pool %1 window=[2, 1] layer=2 : [1, 2, 1] real
        %3 = flatten %2 layer=4 : [2] real
        output %3
        ");
    }

    #[test]
    fn relu_of_new_numbers_stays() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = relu %0 layer=0
            %2 = dense %1 weights=real[2, 2] [1.0, -1.0, 2.0, -2.0] layer=1
            %3 = relu %2 layer=2
            output %3
        "), @"
        %0 = input : [2] real
        %1 = relu %0 layer=0 : [2] real
        %2 = dense %1 weights=real[2, 2] [1.0, -1.0, 2.0, -2.0] layer=1 : [2] real
        %3 = relu %2 layer=2 : [2] real
        output %3
        ");
    }

    #[test]
    fn pooling_of_single_numbers_is_dropped() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = max_pool %0 window=[1, 1] layer=0
            %2 = max_pool %1 window=[1, 1] relu layer=1
            %3 = max_pool %2 window=[1, 1] relu layer=2
            %4 = max_pool %3 window=[1, 2] layer=3
            output %4
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = relu %0 layer=1 : [2, 2, 1] real
        %2 = max_pool %1 window=[1, 2] layer=3 : [2, 1, 1] real
        output %2
        ");
    }

    #[test]
    fn views_that_change_nothing_are_dropped() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 3] real
            %1 = reshape %0 shape=[2, 3] layer=0
            %2 = transpose %1 axes=[0, 1] layer=1
            %3 = gather %2 axis=1 indices=[0, 1, 2] layer=2
            %4 = gather %3 axis=1 indices=[0, 1] layer=3
            %5 = transpose %4 axes=[1, 0] layer=4
            %6 = concat %5 %5 axis=0 layer=5
            %7 = reshape %6 shape=[8] layer=6
            %8 = pad %7 before=[0] after=[0] between=[1] layer=7
            output %8
        "), @"
        %0 = input : [2, 3] real
        %1 = gather %0 axis=1 indices=[0, 1] layer=3 : [2, 2] real
        %2 = transpose %1 axes=[1, 0] layer=4 : [2, 2] real
        %3 = concat %2 %2 axis=0 layer=5 : [4, 2] real
        %4 = reshape %3 shape=[8] layer=6 : [8] real
        %5 = pad %4 before=[0] after=[0] between=[1] layer=7 : [15] real
        output %5
        ");
    }

    #[test]
    fn borders_of_no_width_are_dropped_and_others_keep_what_is_never_negative() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = pad %0 before=[0] after=[0]
            %2 = relu %1 layer=0
            %3 = pad %2 before=[1] after=[0]
            %4 = relu %3 layer=1
            output %4
        "), @"
        %0 = input : [2] real
        %1 = relu %0 layer=0 : [2] real
        %2 = pad %1 before=[1] after=[0] : [3] real
        output %2
        ");
    }

    #[test]
    fn a_sum_keeps_the_relu_behind_it_and_what_it_reads() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = relu %0 layer=0
            %2 = flatten %1 layer=1
            %3 = add %2 %0 %1 layer=2
            %4 = relu %3 layer=3
            output %4
        "), @"
        %0 = input : [2] real
        %1 = relu %0 layer=0 : [2] real
        %2 = add %1 %0 %1 layer=2 : [2] real
        %3 = relu %2 layer=3 : [2] real
        output %3
        ");
    }

    #[test]
    fn dead_nodes_are_dropped_and_the_input_stays() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [3] real
            %1 = relu %0 layer=0
            %2 = flatten %0 layer=1
            output %2
        "), @"
        %0 = input : [3] real
        output %0
        ");
    }
}
