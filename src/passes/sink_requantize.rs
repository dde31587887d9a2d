//! Moves requantize after max-pool, where it sees window-size times fewer elements.
//!
//! Both are monotone, channel by channel, so their order makes no difference to the result. A max-pool with relu also
//! needs zero to stay zero, which it does where the clamp lets it.
//!
//! Precondition: none; on a graph without requantize nothing happens.
//!
//! Postcondition: no max-pool reads a requantize that nothing else reads, but for one with relu whose clamp leaves zero
//! out. Nothing is added or removed.
//!
//! ```text
//! %1 = requantize %0 … clamp=0..=255 … : [2, 2, 1] …          %1 = max_pool %0 window=[2, 2] : [1, 1, 1] …
//! %2 = max_pool %1 window=[2, 2] : [1, 1, 1] …           →    %2 = requantize %1 … clamp=0..=255 … : [1, 1, 1] …
//! output %2                                                   output %2
//! ```
//!
//! Runs after [`quantize_fixed`](super::quantize_fixed), and after [`drop_idle_relu`](super::drop_idle_relu), which
//! leaves no relu in a max-pool behind a clamp at zero. The circuit then also has a convolution and its max-pool as
//! neighbours, for which it has one gate.

use zknn_ir::{Graph, Op};

use super::commute_pool::{monotone_in_front, put_behind};
use super::{Context, PassError};

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    // Operands come first, so a requantize is carried past all max-pools behind it.
    for pool in graph.topological() {
        if let Some((monotone, operand)) = monotone_in_front(graph, pool)
            && matches!(graph.node(monotone).op, Op::Requantize(_))
        {
            put_behind(graph, monotone, operand, pool);
        }
    }
    Ok(graph.refresh_facts()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::after;
    use super::*;

    #[test]
    fn requantize_comes_behind_all_pools() {
        insta::assert_snapshot!(after(
            run,
            "
            %0 = input : [4, 4, 1] fixed(scale 1, -50..=40)
            %1 = requantize %0 multipliers=[5] shift=4 clamp=0..=10 scale 2^-1 layer=0
            %2 = max_pool %1 window=[2, 2] layer=1
            %3 = max_pool %2 window=[1, 2] relu layer=2
            output %3
        "
        ));
    }

    #[test]
    fn one_that_others_read_or_that_moves_zero_stays() {
        insta::assert_snapshot!(after(
            run,
            "
            %0 = input : [2, 2, 1] fixed(scale 1, -50..=40)
            %1 = requantize %0 multipliers=[5] shift=4 clamp=-9..=10 scale 2^-1 layer=0
            %2 = max_pool %1 window=[2, 2] layer=1
            output %1
        "
        ));
        insta::assert_snapshot!(after(
            run,
            "
            %0 = input : [2, 2, 1] fixed(scale 1, -50..=40)
            %1 = requantize %0 multipliers=[5] shift=4 clamp=-9..=-1 scale 2^-1 layer=0
            %2 = max_pool %1 window=[2, 2] relu layer=1
            output %2
        "
        ));
    }
}
