//! What quantizes of a real network say of its numbers.

use std::collections::HashMap;

use zknn_ir::{Class, Factors, Graph, NodeId, Op, Weights};

use super::canonicalize::is_identity;

/// The scale of the quantizes that read a node, if they have one, and nothing else reads it; be it through others that yield it as
/// it is.
pub(super) fn quantized_to(graph: &Graph, id: NodeId) -> Option<f64> {
    let mut scale = None;
    let mut ways = vec![id];
    while let Some(node) = ways.pop() {
        if graph.is_output(node) {
            return None;
        }
        for user in graph.users(node) {
            match &graph.node(user).op {
                _ if is_identity(graph, user) => ways.push(user),
                Op::Quantize(quantize) if scale.is_none_or(|scale| scale == quantize.scale) => {
                    scale = Some(quantize.scale);
                }
                _ => return None,
            }
        }
    }
    scale
}

/// Whether the network itself says of all of its numbers how they are rounded, as one that was quantized before does: it is in
/// integers then what it was for the tool that quantized it, and nothing is lost by them.
pub fn is_quantized(graph: &Graph) -> bool {
    let mut scales: HashMap<NodeId, f64> = HashMap::new();
    graph.topological().into_iter().all(|id| {
        let node = graph.node(id);
        let operands: Option<Vec<f64>> =
            graph.operands(id).iter().map(|operand| scales.get(operand).copied()).collect();
        let first =
            operands.and_then(|all| all.first().copied().filter(|first| all.iter().all(|scale| scale == first)));
        let scale = match node.op.class() {
            Class::Linear if !node.op.factors().is_some_and(has_integers) => None,
            Class::Input | Class::Linear | Class::Sum | Class::Product => quantized_to(graph, id),
            Class::View { .. } | Class::Choice | Class::Greatest { .. } => first,
            Class::Monotone { .. } => match &node.op {
                Op::Quantize(quantize) => Some(quantize.scale),
                Op::Relu => first,
                _ => None,
            },
            Class::Function => first.filter(|_| matches!(node.op, Op::Argmax(_) | Op::TopK(_))),
        };
        scales.extend(scale.map(|scale| (id, scale)));
        scale.is_some()
    })
}

/// Whether weights are integers at the scale of each row: by what they are, or since each row has one magnitude, as a mean has.
fn has_integers(factors: Factors<'_>) -> bool {
    match factors.weights {
        Weights::Scaled { .. } => true,
        Weights::Real(_) => {
            factors.bias.is_none() && factors.weights.reals().chunks(factors.row_length().max(1)).all(has_one_magnitude)
        }
        Weights::Fixed { .. } => false,
    }
}

/// Whether all weights of a row are that magnitude or zero, which a scale tells exactly.
pub(super) fn has_one_magnitude(row: &[f64]) -> bool {
    let greatest = row.iter().fold(0.0, |greatest, weight| f64::max(greatest, weight.abs()));
    row.iter().all(|weight| *weight == 0.0 || weight.abs() == greatest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zknn_ir::parse;

    const NETWORK: &str = "
        %0 = input : [2] real
        %1 = quantize %0 clamp=-128..=127 scale 0.1
        %2 = dense %1 weights=scaled[2, 2] scales [0.5, 0.25] [1, -2, 3, 4] bias=scaled[2] scales [0.05, 0.025] [5, 6]
        %3 = quantize %2 clamp=0..=255 scale 0.3
        %4 = add %1 %3
        %5 = quantize %4 clamp=-128..=127 scale 0.2
        %6 = argmax %5 axis=0
        output %5 %6
    ";

    #[test]
    fn a_network_says_how_all_of_its_numbers_are_rounded_or_it_does_not() {
        assert!(is_quantized(&parse(NETWORK).unwrap()));
        let others = [
            ("scaled[2, 2] scales [0.5, 0.25] [1, -2, 3, 4]", "real[2, 2] [1.0, -2.0, 3.0, 4.0]"),
            ("output %5 %6", "output %5 %2"),
            ("output %5 %6", "output %4"),
            ("%2 = dense %1", "%2 = dense %0"),
        ];
        for (from, to) in others {
            let text = NETWORK.replace(from, to);
            assert!(text != NETWORK && !is_quantized(&parse(&text).unwrap()), "{text}");
        }
        let mean = "%0 = input : [4] real
            %1 = quantize %0 clamp=-128..=127 scale 0.1
            %2 = dense %1 weights=real[1, 4] [0.25, 0.25, 0.25, 0.25]
            %3 = quantize %2 clamp=-128..=127 scale 0.1
            output %3";
        assert!(is_quantized(&parse(mean).unwrap()));
        assert!(!is_quantized(&parse(&mean.replace("0.25, 0.25]", "0.25, 0.5]")).unwrap()));
    }
}
