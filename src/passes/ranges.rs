//! In which ranges the real numbers of a network lie: as found on calibration inputs, or as the weights allow.

use std::collections::HashMap;

use ndarray::Axis;
use zknn_ir::eval::eval_real_batch_in_order;
use zknn_ir::{Class, Graph, NodeId, Number, Op, Range};

use super::{Context, FixedPoint, PassError};

/// How many calibration inputs are evaluated at a time, at most.
const BATCH: usize = 32;

/// How many numbers are held at a time, where one input does not have more.
const BATCH_NUMBERS: usize = 1 << 25;

/// The integers that stand for the input.
///
/// They may be given. Where the input can consist of integers that fit `bits` bits, as those of an image do, they stand for themselves:
/// no calibration input is to have a fraction, and the range is the declared one, or the one found. Otherwise the scale
/// is such that the greatest magnitude just fits.
pub(super) fn input_number(context: &Context, fixed: &FixedPoint) -> Number {
    if let Some(given) = &fixed.input {
        return given.clone();
    }
    let declared = Range { lo: context.input_range.0 as f64, hi: context.input_range.1 as f64 };
    let range = match &fixed.calibration {
        Some(inputs) if !fixed.input_declared => Range::of(inputs),
        _ => declared,
    };
    let is_integral = fixed.calibration.iter().flatten().all(|value| value.fract() == 0.0);
    if is_integral && range.hi - range.lo < f64::from(1u32 << fixed.bits) {
        // Casts saturate, and `infer` refuses what is beyond ±2^62.
        return Number::Fixed { scale: 1.0, lo: range.lo as i64, hi: range.hi as i64 };
    }
    let (lo, hi) = match range.lo >= 0.0 {
        true => (0, (1i64 << fixed.bits) - 1),
        false => (-(1i64 << (fixed.bits - 1)), (1i64 << (fixed.bits - 1)) - 1),
    };
    let scale = range.lo.abs().max(range.hi.abs()) / hi as f64;
    // At a scale of 1 an input must consist of integers.
    let scale = if scale == 1.0 { 1.0 + f64::EPSILON } else { scale };
    Number::Fixed { scale: if scale > 0.0 { scale } else { 0.5 }, lo, hi }
}

/// The range of each node.
pub(super) fn of_nodes(graph: &Graph, input: &Number, fixed: &FixedPoint) -> Result<HashMap<NodeId, Range>, PassError> {
    match &fixed.calibration {
        None => Ok(by_weights(graph, input)),
        Some(inputs) => {
            let mut ranges: HashMap<NodeId, Range> = HashMap::new();
            let numbers: usize = graph.topological().iter().map(|&id| graph.node(id).fact.elements()).sum();
            let batch = (BATCH_NUMBERS / numbers.max(1)).clamp(1, BATCH);
            for batch in inputs.axis_chunks_iter(Axis(0), batch) {
                // The same on every machine: keys depend on it.
                let values = eval_real_batch_in_order(graph, &batch.to_owned())?;
                for id in graph.topological() {
                    let range = ranges.entry(id).or_insert(Range::EMPTY);
                    *range = range.union(Range::of(values.get(id)));
                }
            }
            Ok(ranges)
        }
    }
}

fn by_weights(graph: &Graph, input: &Number) -> HashMap<NodeId, Range> {
    let given = zknn_ir::op::Input { shape: Vec::new(), number: input.clone() };
    let mut ranges: HashMap<NodeId, Range> = HashMap::new();
    for id in graph.topological() {
        let node = graph.node(id);
        let range = match node.op.class() {
            Class::Input => Op::Input(given.clone()).range(&[], &node.fact),
            Class::Linear
            | Class::Sum
            | Class::View { .. }
            | Class::Greatest { .. }
            | Class::Monotone { .. }
            | Class::Function => {
                // The order has operands first, and the graph is without cycles: it was valid.
                let operands: Vec<Range> = graph.operands(id).iter().map(|operand| ranges[operand]).collect();
                node.op.range(&operands, &node.fact)
            }
        };
        ranges.insert(id, range);
    }
    ranges
}
