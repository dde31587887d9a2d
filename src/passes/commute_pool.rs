//! Moves ReLU after max-pool, where it sees window-size times fewer elements.
//!
//! Both are monotone, so their order makes no difference to the result.
//!
//! Precondition: canonical form.
//!
//! Postcondition: no max-pool reads a relu that nothing else reads. Nothing is added or removed.
//!
//! ```text
//! %0 = input : [2, 2, 1] real                            %0 = input : [2, 2, 1] real
//! %1 = relu %0 layer=0 : [2, 2, 1] real             →    %1 = max_pool %0 window=[2, 2] layer=1 : [1, 1, 1] real
//! %2 = max_pool %1 window=[2, 2] layer=1 : …             %2 = relu %1 layer=0 : [1, 1, 1] real
//! output %2                                              output %2
//! ```
//!
//! Runs before [`fuse_relu`](super::fuse_relu), which then finds the relu behind the max-pool and makes it part of it.

use zknn_ir::{Class, Graph, NodeId, Op};

use super::{Context, PassError};

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    // Operands come first, so a relu is carried past all max-pools behind it.
    for pool in graph.topological() {
        if let Some((monotone, operand)) = monotone_in_front(graph, pool)
            && graph.node(monotone).op == Op::Relu
        {
            put_behind(graph, monotone, operand, pool);
        }
    }
    Ok(graph.refresh_facts()?)
}

/// The monotone operation that a max-pool reads and nothing else does, if they may change places; and its operand.
pub(super) fn monotone_in_front(graph: &Graph, pool: NodeId) -> Option<(NodeId, NodeId)> {
    let Class::Greatest { with_zero } = graph.node(pool).op.class() else {
        return None;
    };
    let [monotone] = graph.operands(pool)[..] else {
        return None;
    };
    let Class::Monotone { keeps_zero } = graph.node(monotone).op.class() else {
        return None;
    };
    let [operand] = graph.operands(monotone)[..] else {
        return None;
    };
    let alone = graph.users(monotone) == [pool] && !graph.is_output(monotone);
    (alone && (keeps_zero || !with_zero)).then_some((monotone, operand))
}

/// Lets a max-pool read the operand of the operation in front of it, and that operation the max-pool.
pub(super) fn put_behind(graph: &mut Graph, monotone: NodeId, operand: NodeId, pool: NodeId) {
    graph.set_operand(pool, 0, operand);
    graph.redirect_users(pool, monotone);
    graph.set_operand(monotone, 0, pool);
}

#[cfg(test)]
mod tests {
    use super::super::testing::after;
    use super::*;

    #[test]
    fn relu_comes_behind_the_pool() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [4, 4, 1] real
            %1 = relu %0 layer=0
            %2 = max_pool %1 window=[2, 2] layer=1
            %3 = flatten %2 layer=2
            output %3
        "), @"
        %0 = input : [4, 4, 1] real
        %1 = max_pool %0 window=[2, 2] layer=1 : [2, 2, 1] real
        %2 = relu %1 layer=0 : [2, 2, 1] real
        %3 = flatten %2 layer=2 : [4] real
        output %3
        ");
    }

    #[test]
    fn relu_comes_behind_all_pools_and_may_be_the_output() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [4, 4, 1] real
            %1 = relu %0 layer=0
            %2 = max_pool %1 window=[2, 2] layer=1
            %3 = max_pool %2 window=[1, 2] layer=2
            output %3
        "), @"
        %0 = input : [4, 4, 1] real
        %1 = max_pool %0 window=[2, 2] layer=1 : [2, 2, 1] real
        %2 = max_pool %1 window=[1, 2] layer=2 : [2, 1, 1] real
        %3 = relu %2 layer=0 : [2, 1, 1] real
        output %3
        ");
    }

    #[test]
    fn a_relu_that_others_read_stays() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = relu %0 layer=0
            %2 = max_pool %1 window=[2, 2] layer=1
            %3 = flatten %1 layer=2
            output %3
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = relu %0 layer=0 : [2, 2, 1] real
        %2 = flatten %1 layer=2 : [4] real
        %3 = max_pool %1 window=[2, 2] layer=1 : [1, 1, 1] real
        output %2
        ");
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = relu %0 layer=0
            %2 = max_pool %1 window=[2, 2] layer=1
            output %1
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = relu %0 layer=0 : [2, 2, 1] real
        %2 = max_pool %1 window=[2, 2] layer=1 : [1, 1, 1] real
        output %1
        ");
    }
}
