//! Makes factors and offsets by channel, as batch normalization has them, part of the linear operation beside them.
//!
//! Precondition: the graph is real, in canonical form.
//!
//! Postcondition: no affine reads a linear operation that nothing else reads, and no convolution or dense layer reads an affine
//! that nothing else reads; but for products of integers that a float does not hold, which stay as they are. What the graph
//! computes stays the same, up to the rounding of products of weights.
//!
//! ```text
//! %0 = input : [2] real                       →  %0 = input : [2] real
//! %1 = dense %0 weights=real[1, 2] [1.0, 2.0]    %1 = dense %0 weights=real[1, 2] [0.5, 1.0]
//! %2 = affine %1 weights=real[1] [0.5]                  bias=real[1] [1.0] : [1] real
//!        bias=real[1] [1.0] : [1] real           output %1
//! output %2
//! ```
//!
//! Runs before the passes that look for a relu or a max-pool behind a convolution.

use ndarray::{ArcArray, ArrayD, IxDyn};
use zknn_ir::{Factors, Graph, Op, Weights};

use super::{Context, PassError};

/// Up to here a product of integers is one that a float holds.
const EXACT: f64 = (1u64 << 53) as f64;

pub(super) fn run(graph: &mut Graph, _: &mut Context) -> Result<(), PassError> {
    // Operands come first, so an affine behind an affine is folded with what is before both.
    for id in graph.topological() {
        let [operand] = graph.operands(id)[..] else { continue };
        let alone = graph.users(operand) == [id] && !graph.is_output(operand);
        let folded = if alone { folded(&graph.node(operand).op, &graph.node(id).op) } else { None };
        if let Some(op) = folded {
            let layer_operand = graph.operands(operand)[0];
            graph.replace_op(id, op);
            graph.set_operand(id, 0, layer_operand);
        }
    }
    graph.remove_dead();
    Ok(graph.refresh_facts()?)
}

/// The operation that does what the two do after one another, if one is an affine and the other takes it up.
fn folded(first: &Op, second: &Op) -> Option<Op> {
    let (a, b) = (Real::of(first.factors()?)?, Real::of(second.factors()?)?);
    let folded = match (first, second) {
        (_, Op::Affine(_)) => a.followed_by(&b),
        (Op::Affine(_), Op::Dense(_) | Op::Conv2d(zknn_ir::op::Conv2d { groups: 1, .. })) => b.behind(&a),
        _ => return None,
    };
    let changes_integers = folded.numbers().any(|number| number.fract() == 0.0 && number.abs() > EXACT);
    let (weights, bias) = folded.into_weights();
    let op = if matches!(second, Op::Affine(_)) { first } else { second };
    (!changes_integers).then(|| op.with_factors(weights, bias))
}

/// Real weights, an output channel for each index of the first axis, and a bias.
struct Real {
    weights: ArrayD<f64>,
    bias: Option<Vec<f64>>,
}

impl Real {
    fn of(factors: Factors<'_>) -> Option<Self> {
        let real = |weights: &Weights| match weights {
            Weights::Real(data) => Some(data.to_owned()),
            Weights::Fixed { .. } | Weights::Scaled { .. } => None,
        };
        let bias = match factors.bias {
            Some(bias) => Some(real(bias)?.iter().copied().collect()),
            None => None,
        };
        Some(Self { weights: real(factors.weights)?, bias })
    }

    /// With the factor and offset of each channel behind it.
    fn followed_by(mut self, affine: &Real) -> Self {
        for (mut channel, factor) in self.weights.outer_iter_mut().zip(&affine.weights) {
            channel *= *factor;
        }
        let scaled =
            self.bias.map(|bias| bias.iter().zip(&affine.weights).map(|(b, factor)| b * factor).collect::<Vec<_>>());
        self.bias = match (scaled, &affine.bias) {
            (Some(bias), Some(offsets)) => Some(bias.iter().zip(offsets).map(|(b, offset)| b + offset).collect()),
            (bias, offsets) => bias.or(offsets.clone()),
        };
        self
    }

    /// With the factor and offset of each channel of what it reads, its last axis, before it.
    fn behind(mut self, affine: &Real) -> Self {
        if let Some(offsets) = &affine.bias {
            let sums = self.weights.outer_iter().map(|channel| {
                channel.iter().zip(offsets.iter().cycle()).map(|(weight, offset)| weight * offset).sum::<f64>()
            });
            let sums: Vec<f64> = sums.collect();
            self.bias = Some(match self.bias {
                Some(bias) => bias.iter().zip(&sums).map(|(b, sum)| b + sum).collect(),
                None => sums,
            });
        }
        for (weight, factor) in self.weights.iter_mut().zip(affine.weights.iter().cycle()) {
            *weight *= factor;
        }
        self
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.weights.iter().copied().chain(self.bias.iter().flatten().copied())
    }

    fn into_weights(self) -> (Weights, Option<Weights>) {
        let bias = self.bias.map(|bias| Weights::Real(ArcArray::from_vec(bias).into_dyn()));
        (Weights::Real(ArcArray::<f64, IxDyn>::from(self.weights)), bias)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::after;
    use super::*;
    use zknn_ir::eval::eval_real;

    #[test]
    fn factors_and_offsets_become_part_of_what_is_before_and_behind() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 2] real
            %1 = affine %0 weights=real[2] [2.0, 3.0] bias=real[2] [1.0, -1.0] layer=0
            %2 = conv2d %1 kernel=real[2, 1, 2, 2] [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0] bias=real[2] [0.5, 0.25] layer=1
            %3 = affine %2 weights=real[2] [0.5, -1.0] bias=real[2] [1.0, 2.0] layer=2
            %4 = relu %3 layer=3
            output %4
        "), @"
        %0 = input : [2, 2, 2] real
        %1 = conv2d %0 kernel=real[2, 1, 2, 2] [1.0, 3.0, 3.0, 6.0, -10.0, -18.0, -14.0, -24.0] bias=real[2] [0.25, 3.75] layer=2 : [2, 1, 2] real
        %2 = relu %1 layer=3 : [2, 1, 2] real
        output %2
        ");
    }

    #[test]
    fn what_others_read_stays() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = dense %0 weights=real[2, 2] [1.0, 2.0, 3.0, 4.0] layer=0
            %2 = affine %1 weights=real[2] [0.5, -1.0] layer=1
            %3 = add %1 %2 layer=2
            %4 = affine %3 weights=real[2] [2.0, 2.0] layer=3
            %5 = affine %4 weights=real[2] [3.0, 3.0] bias=real[2] [1.0, 1.0] layer=4
            output %5 %4
        "), @"
        %0 = input : [2] real
        %1 = dense %0 weights=real[2, 2] [1.0, 2.0, 3.0, 4.0] layer=0 : [2] real
        %2 = affine %1 weights=real[2] [0.5, -1.0] layer=1 : [2] real
        %3 = add %1 %2 layer=2 : [2] real
        %4 = affine %3 weights=real[2] [2.0, 2.0] layer=3 : [2] real
        %5 = affine %4 weights=real[2] [3.0, 3.0] bias=real[2] [1.0, 1.0] layer=4 : [2] real
        output %5 %4
        ");
    }

    #[test]
    fn integers_that_no_float_holds_are_not_made() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [1] real
            %1 = dense %0 weights=real[1, 1] [94906267.0] layer=0
            %2 = affine %1 weights=real[1] [94906267.0] layer=1
            output %2
        "), @"
        %0 = input : [1] real
        %1 = dense %0 weights=real[1, 1] [94906267.0] layer=0 : [1] real
        %2 = affine %1 weights=real[1] [94906267.0] layer=1 : [1] real
        output %2
        ");
    }

    /// Behind a pad an offset would change the zeros.
    #[test]
    fn a_border_keeps_them_apart() {
        let text = "
            %0 = input : [2, 2, 1] real
            %1 = affine %0 weights=real[1] [2.0] bias=real[1] [1.0]
            %2 = pad %1 before=[1, 1, 0] after=[0, 0, 0]
            %3 = conv2d %2 kernel=real[1, 2, 2, 1] [1.0, 2.0, 3.0, 4.0]
            %4 = affine %3 weights=real[1] [0.5]
            output %4
        ";
        let graph = zknn_ir::parse(text).unwrap();
        let folded = zknn_ir::parse(&after(run, text)).unwrap();
        assert_eq!((graph.len(), folded.len()), (5, 4));
        let input = ndarray::arr3(&[[[1.0], [2.0]], [[3.0], [-4.0]]]).into_dyn();
        assert_eq!(eval_real(&graph, &input).unwrap().output(), eval_real(&folded, &input).unwrap().output());
    }
}
