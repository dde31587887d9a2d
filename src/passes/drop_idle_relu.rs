//! Drops relus on numbers whose interval has nothing below zero.
//!
//! Precondition: the graph is fixed-point. On real numbers, which have no intervals, nothing happens.
//!
//! Postcondition: no relu, alone or in a max-pool, reads an interval without negative numbers.
//!
//! ```text
//! %0 = input : [2] fixed(scale 1, 0..=9)              %0 = input : [2] fixed(scale 1, 0..=9)
//! %1 = relu %0 : [2] fixed(scale 1, 0..=9)       →    output %0
//! output %1
//! ```
//!
//! Runs after [`quantize_exact`](super::quantize_exact), by which intervals come about; what needs none was dropped by
//! [`canonicalize`](super::canonicalize). Images are often given as bytes, so networks do begin with such numbers, and
//! kernels without negative weights keep them so.

use zknn_ir::{Graph, Op, op};

use super::{Context, PassError};

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    for id in graph.topological() {
        let [operand] = graph.operands(id)[..] else {
            continue;
        };
        // No interval is stale: what is dropped here yields the interval that it reads.
        let interval = graph.node(operand).fact.interval();
        if interval.is_none_or(|(lo, _)| lo < 0) {
            continue;
        }
        if graph.node(id).op == Op::Relu {
            graph.redirect_users(id, operand);
        } else if let Op::MaxPool(pool) = &graph.node(id).op
            && pool.relu
        {
            let pool = op::MaxPool { relu: false, ..pool.clone() };
            graph.replace_op(id, Op::MaxPool(pool));
        }
    }
    graph.remove_dead();
    Ok(graph.refresh_facts()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::after;
    use super::*;

    #[test]
    fn relu_without_negative_numbers_is_dropped() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] fixed(scale 1, 0..=9)
            %1 = relu %0 layer=0
            %2 = max_pool %1 window=[2, 1] relu layer=1
            %3 = conv2d %2 kernel=fixed[1, 1, 1, 1] scale 1 [-1] layer=2
            %4 = relu %3 layer=3
            output %4
        "), @"
        %0 = input : [2, 2, 1] fixed(scale 1, 0..=9)
        %1 = max_pool %0 window=[2, 1] layer=1 : [1, 2, 1] fixed(scale 1, 0..=9)
        %2 = conv2d %1 kernel=fixed[1, 1, 1, 1] scale 1 [-1] layer=2 : [1, 2, 1] fixed(scale 1, -9..=0)
        %3 = relu %2 layer=3 : [1, 2, 1] fixed(scale 1, 0..=0)
        output %3
        ");
    }

    #[test]
    fn negative_and_real_numbers_keep_it() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] fixed(scale 1, -1..=9)
            %1 = max_pool %0 window=[2, 2] relu layer=0
            output %1
        "), @"
        %0 = input : [2, 2, 1] fixed(scale 1, -1..=9)
        %1 = max_pool %0 window=[2, 2] relu layer=0 : [1, 1, 1] fixed(scale 1, 0..=9)
        output %1
        ");
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = relu %0 layer=0
            output %1
        "), @"
        %0 = input : [2, 2, 1] real
        %1 = relu %0 layer=0 : [2, 2, 1] real
        output %1
        ");
    }
}
