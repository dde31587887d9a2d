//! Makes a relu part of the max-pool it reads: zero takes part in each maximum.
//!
//! Precondition: canonical form.
//!
//! Postcondition: no relu reads a max-pool that nothing else reads, nor one that has a relu in it already.
//!
//! ```text
//! %0 = input : [2, 2, 1] real                                  %0 = input : [2, 2, 1] real
//! %1 = max_pool %0 window=[2, 2] layer=0 : [1, 1, 1] real  →   %1 = max_pool %0 window=[2, 2] relu layer=0 : …
//! %2 = relu %1 layer=1 : [1, 1, 1] real                        output %1
//! output %2
//! ```
//!
//! Runs after [`commute_pool`](super::commute_pool), which brings relus behind max-pools. The circuit has one gate for
//! both, to which the zero is one candidate more.

use zknn_ir::{Graph, NodeId, Op, op};

use super::{Context, PassError};

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    for relu in graph.topological() {
        if let Some((pool, op)) = pool_in_front(graph, relu) {
            graph.replace_op(pool, Op::MaxPool(op::MaxPool { relu: true, ..op }));
            graph.redirect_users(relu, pool);
        }
    }
    graph.remove_dead();
    Ok(graph.refresh_facts()?)
}

/// The max-pool that a relu reads and can become part of.
fn pool_in_front(graph: &Graph, relu: NodeId) -> Option<(NodeId, op::MaxPool)> {
    let (Op::Relu, [pool]) = (&graph.node(relu).op, &graph.operands(relu)[..]) else {
        return None;
    };
    let Op::MaxPool(op) = &graph.node(*pool).op else {
        return None;
    };
    let alone = graph.users(*pool) == [relu] && !graph.is_output(*pool);
    (alone || op.relu).then(|| (*pool, op.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::after;
    use super::*;

    #[test]
    fn relu_becomes_part_of_the_pool() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [4, 4, 1] real
            %1 = max_pool %0 window=[2, 2] layer=0
            %2 = relu %1 layer=1
            %3 = flatten %2 layer=2
            output %3
        "), @"
        %0 = input : [4, 4, 1] real
        %1 = max_pool %0 window=[2, 2] relu layer=0 : [2, 2, 1] real
        %2 = flatten %1 layer=2 : [4] real
        output %2
        ");
    }

    #[test]
    fn relu_after_a_pool_with_relu_is_dropped() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [4, 4, 1] real
            %1 = max_pool %0 window=[2, 2] relu layer=0
            %2 = relu %1 layer=1
            %3 = relu %2 layer=2
            output %3
        "), @"
        %0 = input : [4, 4, 1] real
        %1 = max_pool %0 window=[2, 2] relu layer=0 : [2, 2, 1] real
        output %1
        ");
    }

    #[test]
    fn a_pool_that_others_read_stays() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = max_pool %0 window=[2, 2] layer=0
            %2 = relu %1 layer=1
            output %1
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = max_pool %0 window=[2, 2] layer=0 : [1, 1, 1] real
        output %1
        ");
    }
}
