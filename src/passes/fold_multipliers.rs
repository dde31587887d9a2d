//! Multiplies the weights of convolutions by the multipliers of the requantize behind them.
//!
//! `Σ w x`, times `M`, is `Σ (w M) x`: in integers the two are the same, and a circuit is spared a value and a product for each
//! element. A maximum in between makes no difference, as multipliers are not negative.
//!
//! Precondition: none; on a graph without requantize nothing happens.
//!
//! Postcondition: a requantize that alone reads the sums of a convolution, or the maxima of these, multiplies by one; but where
//! a filter reads one channel, and with its weights times multipliers would take more than [`MOST`].
//!
//! ```text
//! %1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -2]      →  %1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [15, -14]
//! %2 = requantize %1 multipliers=[5, 7] shift=4 … scale 2^-1     %2 = requantize %1 multipliers=[1] shift=4 … scale 2^-1
//! ```
//!
//! Runs after [`sink_requantize`](super::sink_requantize), which decides what a requantize stands behind.

use zknn_ir::{Graph, NodeId, Op, Requantize, Weights, op};

use super::{Context, PassError};

/// The greatest weight of a filter that a circuit may hold in row constants: with larger ones those of fully connected layers, too,
/// would be multiplied as field elements.
const MOST: i64 = 1 << 20;

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    for id in graph.topological() {
        let Op::Requantize(requantize) = &graph.node(id).op else { continue };
        if requantize.multipliers.iter().all(|multiplier| *multiplier == 1) {
            continue;
        }
        let Some((conv, folded)) = sums_of(graph, id).and_then(|conv| Some((conv, folded(graph, conv, requantize)?)))
        else {
            continue;
        };
        let requantize = Requantize { multipliers: vec![1], ..requantize.clone() };
        graph.replace_op(conv, Op::Conv2d(folded));
        graph.replace_op(id, Op::Requantize(requantize));
    }
    Ok(graph.refresh_facts()?)
}

/// The convolution whose sums, or maxima of these, a requantize reads and nothing else does.
fn sums_of(graph: &Graph, requantize: NodeId) -> Option<NodeId> {
    let mut reader = requantize;
    loop {
        let [operand] = graph.operands(reader)[..] else { return None };
        if graph.users(operand) != [reader] || graph.is_output(operand) {
            return None;
        }
        match &graph.node(operand).op {
            Op::Conv2d(_) => return Some(operand),
            Op::MaxPool(_) | Op::Relu => reader = operand,
            _ => return None,
        }
    }
}

/// The convolution with weights and biases times the multipliers, where that is worth it.
fn folded(graph: &Graph, conv: NodeId, requantize: &Requantize) -> Option<op::Conv2d> {
    let Op::Conv2d(conv) = &graph.node(conv).op else { return None };
    let kernel = times(&conv.kernel, &requantize.multipliers)?;
    let bias = match &conv.bias {
        Some(bias) => Some(times(bias, &requantize.multipliers)?),
        None => None,
    };
    let Weights::Fixed { data, .. } = &kernel else { return None };
    let is_read_alone = data.shape().last() == Some(&1) || conv.groups > 1;
    let is_small = !is_read_alone || data.iter().all(|weight| weight.abs() < MOST);
    is_small.then(|| op::Conv2d { kernel, bias, ..conv.clone() })
}

/// Integers times the multipliers, of which there is one for each index of the first axis, or one for all.
fn times(weights: &Weights, multipliers: &[i64]) -> Option<Weights> {
    let Weights::Fixed { data, scale } = weights else { return None };
    let mut data = data.clone();
    for (channel, mut row) in data.outer_iter_mut().enumerate() {
        let multiplier = multipliers[channel % multipliers.len()];
        for weight in row.iter_mut() {
            *weight = weight.checked_mul(multiplier)?;
        }
    }
    Some(Weights::Fixed { data, scale: *scale })
}

#[cfg(test)]
mod tests {
    use super::super::testing::after;
    use super::*;
    use ndarray::ArrayD;
    use zknn_ir::eval::eval_fixed;
    use zknn_ir::parse;

    const TEXT: &str = "
        %0 = input : [2, 2, 1] fixed(scale 1, -50..=40)
        %1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -2] bias=fixed[2] scale 1 [9, -4] layer=0
        %2 = max_pool %1 window=[2, 1] relu layer=1
        %3 = requantize %2 multipliers=[5, 7] shift=4 clamp=0..=30 saturates_above scale 2^-1 layer=0
        output %3
    ";

    #[test]
    fn multipliers_become_part_of_the_weights() {
        insta::assert_snapshot!(after(run, TEXT));
    }

    #[test]
    fn results_are_the_same() {
        let before = parse(TEXT).unwrap();
        let after = parse(&after(run, TEXT)).unwrap();
        for seed in 0..50i64 {
            let input = ArrayD::from_shape_fn(vec![2, 2, 1], |at| {
                (seed * 31 + at[0] as i64 * 17 + at[1] as i64 * 53) % 91 - 50
            });
            let of = |graph: &Graph| eval_fixed(graph, std::slice::from_ref(&input)).unwrap();
            assert!(of(&before).outputs().eq(of(&after).outputs()));
        }
    }

    #[test]
    fn sums_that_others_read_keep_their_weights() {
        insta::assert_snapshot!(after(
            run,
            "
            %0 = input : [2, 2, 1] fixed(scale 1, -50..=40)
            %1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -2] layer=0
            %2 = requantize %1 multipliers=[5, 7] shift=4 clamp=0..=30 saturates_above scale 2^-1 layer=0
            %3 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [300000, -2] layer=1
            %4 = requantize %3 multipliers=[5, 7] shift=4 clamp=0..=30 saturates_above scale 2^-1 layer=1
            output %1 %2 %4
        "
        ));
    }
}
