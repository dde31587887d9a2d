//! Turns real numbers that are integers into those integers, at scale 1.
//!
//! Precondition: the graph is real. Its weights are to be integers, which is checked here. Where the context asks for
//! fixed-point numbers instead, nothing happens.
//!
//! Postcondition: the graph is fixed-point. The input has the declared range, all weights have scale 1, and every
//! interval is proven within ±2^62. Operands of a sum, a maximum or a concat at different scales are brought to the finest of
//! them, and a clip is a requantize that only clamps. Up
//! to the first normalize the graph yields, for each input of integers in range, exactly what it yielded before; normalize
//! rounds to multiples of its scale `2^-fraction_bits`, at which biases behind it are given.
//!
//! With an input range of -5..4:
//!
//! ```text
//! %0 = input : [2] real                  →  %0 = input : [2] fixed(scale 1, -5..=4)
//! %1 = dense %0 weights=real[1, 2]          %1 = dense %0 weights=fixed[1, 2] scale 1
//!        [3.0, -1.0] : [1] real                    [3, -1] : [1] fixed(scale 1, -19..=17)
//! output %1                                 output %1
//! ```
//!
//! Runs after the passes that go by structure, for a relu or a max-pool that is gone needs no interval; and before
//! [`drop_idle_relu`](super::drop_idle_relu), which goes by intervals.

use std::collections::HashMap;

use ndarray::{ArcArray, IxDyn};
use zknn_ir::{Class, Factors, Graph, InferError, Node, NodeId, Number, Op, Requantize, Weights, op};

use super::{Context, PassError};

/// Up to here `f64` tells every integer from its neighbours.
const WEIGHT_BITS: u32 = 53;

/// As far as the IR lets integers go.
const BIAS_BITS: u32 = zknn_ir::MAX_MAGNITUDE.ilog2();

/// Builds the graph anew, operands first, since each operation's scale follows from the facts before it.
pub(super) fn run(graph: &mut Graph, context: &mut Context) -> Result<(), PassError> {
    if context.fixed.is_some() {
        return Ok(());
    }
    let mut quantized = Graph::new();
    let mut new_ids = HashMap::with_capacity(graph.len());
    for id in graph.topological() {
        // The order has operands first, and the graph is without cycles: it was valid.
        let new_id = |operand: &NodeId| new_ids.get(operand).copied();
        let operands: Vec<NodeId> = graph.operands(id).iter().filter_map(new_id).collect();
        let node = graph.node(id);
        let operands = if matches!(node.op.class(), Class::Sum | Class::Choice | Class::View { .. }) {
            let brought = at_one_scale(&mut quantized, &operands, node.layer);
            brought.map_err(|error| refusal(error, id, node.layer, context))?
        } else {
            operands
        };
        let operand_scale = operands.first().and_then(|&operand| quantized.node(operand).fact.scale());
        let op = match (&node.op, graph.inputs().iter().position(|&input| input == id)) {
            (Op::Input(op::Input { shape, .. }), Some(position)) => {
                let (lo, hi) = context.inputs[position].range;
                let number = Number::Fixed { scale: 1.0, lo, hi };
                Op::Input(op::Input { shape: shape.clone(), number, rounds: false })
            }
            _ => quantized_op(id, node, operand_scale.unwrap_or(1.0))?,
        };
        let added = quantized.add(op, &operands, node.layer);
        let added = added.map_err(|error| refusal(error, id, node.layer, context))?;
        new_ids.insert(id, added);
    }
    quantized.set_outputs(graph.outputs().iter().filter_map(|output| new_ids.get(output).copied()).collect());
    *graph = quantized;
    Ok(())
}

fn quantized_op(id: NodeId, node: &Node, operand_scale: f64) -> Result<Op, PassError> {
    let quantize = |tensor, weights: &Weights, scale, bits| {
        let place = Place { id, node, tensor };
        integers(&place, weights, scale, bits)
    };
    // Weights have scale 1, so products, and biases with them, have the scale of the operand.
    let quantize_bias =
        |bias: Option<&Weights>| bias.map(|bias| quantize("bias", bias, operand_scale, BIAS_BITS)).transpose();
    Ok(match (&node.op, node.op.factors()) {
        (op, Some(Factors { name, weights, bias })) => {
            op.with_factors(quantize(name, weights, 1.0, WEIGHT_BITS)?, quantize_bias(bias)?)
        }
        (Op::Clip(clip), None) => {
            let end = |end: Option<f64>, missing: i64| -> Result<i64, PassError> {
                let Some(end) = end else { return Ok(missing) };
                let ends = Weights::Real(ndarray::arr1(&[end]).into_dyn().into_shared());
                match quantize("ends", &ends, operand_scale, BIAS_BITS)? {
                    Weights::Fixed { data, .. } => Ok(data[[0]]),
                    Weights::Real(_) | Weights::Scaled { .. } => Ok(missing),
                }
            };
            let [lo, hi] = clip.given();
            let (lo, hi) = (end(lo, -zknn_ir::MAX_MAGNITUDE)?, end(hi, zknn_ir::MAX_MAGNITUDE)?);
            Op::Requantize(Requantize {
                multipliers: vec![2],
                shift: 1,
                lo,
                hi,
                scale: operand_scale,
                ..Requantize::default()
            })
        }
        // What has no weights has no real numbers of its own.
        (op, None) => op.clone(),
    })
}

/// The operands of an operation at the finest of their scales. All scales are powers of two, so numbers become multiples of
/// what they were, and nothing is rounded.
fn at_one_scale(graph: &mut Graph, operands: &[NodeId], layer: Option<usize>) -> Result<Vec<NodeId>, InferError> {
    let number = |graph: &Graph, id| match graph.node(id).fact.number {
        Number::Fixed { scale, lo, hi } => (scale, lo, hi),
        Number::Real => (1.0, 0, 0),
    };
    let finest = operands.iter().map(|&id| number(graph, id).0).fold(f64::INFINITY, f64::min);
    let mut brought: HashMap<NodeId, NodeId> = HashMap::new();
    for &id in operands {
        let (scale, lo, hi) = number(graph, id);
        if scale == finest || brought.contains_key(&id) {
            continue;
        }
        // At most 2^24, which is the finest that normalize gives.
        let factor = (scale / finest) as i64;
        let (lo, hi) = (lo.saturating_mul(factor), hi.saturating_mul(factor));
        let requantize =
            Requantize { multipliers: vec![2 * factor], shift: 1, lo, hi, scale: finest, ..Requantize::default() };
        brought.insert(id, graph.add(Op::Requantize(requantize), &[id], layer)?);
    }
    Ok(operands.iter().map(|id| brought.get(id).copied().unwrap_or(*id)).collect())
}

/// A tensor of an operation, for errors.
struct Place<'a> {
    id: NodeId,
    node: &'a Node,
    tensor: &'static str,
}

/// The integers that stand for the weights at a scale of `2^-k`: the weights themselves if that is 1.
///
/// Weights that are fixed-point already are left alone.
fn integers(place: &Place, weights: &Weights, scale: f64, bits: u32) -> Result<Weights, PassError> {
    let Weights::Real(data) = weights else {
        return Ok(weights.clone());
    };
    let limit = (1u64 << WEIGHT_BITS.min(bits)) as f64;
    let scaled_limit = (1u64 << bits) as f64;
    let mut integers = Vec::with_capacity(data.len());
    for (index, &value) in data.iter().enumerate() {
        let (node, layer, tensor) = (place.id, place.node.layer, place.tensor);
        // NaN and the infinities have no integral part either.
        if value.fract() != 0.0 {
            return Err(PassError::FractionalWeight { node, layer, tensor, index, value });
        }
        // Dividing by a power of two is exact.
        let scaled = value / scale;
        if value.abs() > limit || scaled.abs() > scaled_limit {
            return Err(PassError::LargeWeight {
                node,
                layer,
                tensor,
                index,
                value,
                bits: WEIGHT_BITS.min(bits - scale.recip().log2() as u32),
            });
        }
        integers.push(scaled as i64);
    }
    // As many elements as there were, in the same order.
    let data = ArcArray::from_shape_vec(IxDyn(weights.shape()), integers).expect("the shape of the weights");
    Ok(Weights::Fixed { data, scale })
}

/// What the IR says against a node, in terms of the input range where that is the reason.
fn refusal(error: InferError, node: NodeId, layer: Option<usize>, context: &Context) -> PassError {
    match error {
        InferError::Overflow { channel, magnitude, .. } => PassError::Overflow {
            node,
            layer,
            channel,
            bits: magnitude_bits(magnitude),
            input_ranges: context.inputs.iter().map(|input| input.range).collect(),
        },
        error => PassError::Infer { layer, error },
    }
}

/// The least `b` with `magnitude <= 2^b`.
fn magnitude_bits(magnitude: i128) -> u32 {
    match magnitude.unsigned_abs() {
        0 | 1 => 0,
        magnitude => (magnitude - 1).ilog2() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{after, error_after};
    use super::*;

    #[test]
    fn integers_keep_their_values() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2, 2, 1] real
            %1 = conv2d %0 kernel=real[2, 1, 1, 1] [3.0, -2.0] bias=real[2] [-0.0, 7.0] layer=0
            %2 = max_pool %1 window=[2, 2] relu layer=1
            %3 = flatten %2 layer=2
            %4 = dense %3 weights=real[1, 2] [1.0, -1.0] layer=3
            output %4
        "), @"
        %0 = input : [2, 2, 1] fixed(scale 1, -5..=4)
        %1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -2] bias=fixed[2] scale 1 [0, 7] layer=0 : [2, 2, 2] fixed(scale 1, -15..=17)
        %2 = max_pool %1 window=[2, 2] relu layer=1 : [1, 1, 2] fixed(scale 1, 0..=17)
        %3 = flatten %2 layer=2 : [2] fixed(scale 1, 0..=17)
        %4 = dense %3 weights=fixed[1, 2] scale 1 [1, -1] layer=3 : [1] fixed(scale 1, -17..=17)
        output %4
        ");
    }

    #[test]
    fn biases_behind_normalize_have_its_scale() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = normalize %0 fraction_bits=24 layer=0
            %2 = dense %1 weights=real[1, 2] [2.0, -1.0] bias=real[1] [3.0] layer=1
            %3 = normalize %2 fraction_bits=10 layer=2
            output %3
        "), @"
        %0 = input : [2] fixed(scale 1, -5..=4)
        %1 = normalize %0 fraction_bits=24 layer=0 : [2] fixed(scale 2^-24, -16777216..=16777216)
        %2 = dense %1 weights=fixed[1, 2] scale 1 [2, -1] bias=fixed[1] scale 2^-24 [50331648] layer=1 : [1] fixed(scale 2^-24, 0..=100663296)
        %3 = normalize %2 fraction_bits=10 layer=2 : [1] fixed(scale 2^-10, 0..=1024)
        output %3
        ");
    }

    #[test]
    fn operands_of_a_sum_are_brought_to_one_scale_without_rounding() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = normalize %0 fraction_bits=10 layer=0
            %2 = add %0 %1 %0 layer=1
            %3 = add %0 %0 layer=2
            output %2 %3
        "), @"
        %0 = input : [2] fixed(scale 1, -5..=4)
        %1 = requantize %0 multipliers=[2048] shift=1 clamp=-5120..=4096 scale 2^-10 layer=1 : [2] fixed(scale 2^-10, -5120..=4096)
        %2 = normalize %0 fraction_bits=10 layer=0 : [2] fixed(scale 2^-10, -1024..=1024)
        %3 = add %1 %2 %1 layer=1 : [2] fixed(scale 2^-10, -11264..=9216)
        %4 = add %0 %0 layer=2 : [2] fixed(scale 1, -10..=8)
        output %3 %4
        ");
    }

    #[test]
    fn tensors_end_to_end_are_brought_to_one_scale_without_rounding() {
        insta::assert_snapshot!(after(run, "
            %0 = input : [2] real
            %1 = normalize %0 fraction_bits=10 layer=0
            %2 = concat %0 %1 axis=0 layer=1
            output %2
        "), @"
        %0 = input : [2] fixed(scale 1, -5..=4)
        %1 = requantize %0 multipliers=[2048] shift=1 clamp=-5120..=4096 scale 2^-10 layer=1 : [2] fixed(scale 2^-10, -5120..=4096)
        %2 = normalize %0 fraction_bits=10 layer=0 : [2] fixed(scale 2^-10, -1024..=1024)
        %3 = concat %1 %2 axis=0 layer=1 : [4] fixed(scale 2^-10, -5120..=4096)
        output %3
        ");
    }

    #[test]
    fn the_first_weight_that_is_no_integer_is_named() {
        insta::assert_snapshot!(error_after(run, "
            %0 = input : [2] real
            %1 = dense %0 weights=real[2, 2] [3.0, -1.0, 0.5, 0.25] layer=0
            output %1
        "), @"%1: weights has element 2, 0.5, which is not an integer");
        insta::assert_snapshot!(error_after(run, "
            %0 = input : [1, 1, 1] real
            %1 = conv2d %0 kernel=real[1, 1, 1, 1] [3.0] bias=real[1] [1e-300] layer=0
            output %1
        "), @"%1: bias has element 0, 1e-300, which is not an integer");
    }

    #[test]
    fn weights_beyond_the_integers_of_a_float_are_named() {
        let dense =
            |weight: &str| format!("%0 = input : [1] real\n%1 = dense %0 weights=real[1, 1] [{weight}]\noutput %1");
        after(run, &dense("-9007199254740992.0"));
        insta::assert_snapshot!(error_after(run, &dense("9007199254740994.0")), @"%1: weights has element 0, 9007199254740994.0, which is beyond ±2^53");
        insta::assert_snapshot!(error_after(run, "
            %0 = input : [1] real
            %1 = normalize %0 fraction_bits=24
            %2 = dense %1 weights=real[1, 1] [1.0] bias=real[1] [274877906945.0]
            output %2
        "), @"%2: bias has element 0, 274877906945.0, which is beyond ±2^38");
    }

    #[test]
    fn sums_beyond_the_field_are_named() {
        insta::assert_snapshot!(error_after(run, "
            %0 = input : [1] real
            %1 = dense %0 weights=real[2, 1] [1.0, 4503599627370496.0] layer=0
            %2 = dense %1 weights=real[1, 2] [1.0, 4503599627370496.0] layer=1
            output %2
        "), @"%2: sums may reach 2^107, they must stay within ±2^62");
    }

    #[test]
    fn bits_are_counted_as_the_limit_is() {
        let limit = i128::from(zknn_ir::MAX_MAGNITUDE);
        for (magnitude, bits) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3)] {
            assert_eq!(magnitude_bits(magnitude), bits);
        }
        assert_eq!((magnitude_bits(limit), magnitude_bits(limit + 1)), (BIAS_BITS, BIAS_BITS + 1));
        assert_eq!(magnitude_bits(i128::MAX), 127);
    }
}
