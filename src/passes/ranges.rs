//! In which ranges the real numbers of a network lie: as found on calibration inputs, or as the weights allow.

use std::collections::HashMap;

use ndarray::Axis;
use zknn_ir::eval::eval_real_batch_in_order;
use zknn_ir::{Class, Graph, NodeId, Number, Op, Range};

use super::{Context, FixedPoint, PassError};

/// How many calibration inputs are evaluated at a time, at most.
const BATCH: usize = 32;

/// From this many steps on, integers are as fine as a byte's: half a step is less than half a percent of the range.
const FINE: f64 = 127.0;

/// How many numbers are held at a time, where one input does not have more.
const BATCH_NUMBERS: usize = 1 << 25;

/// The integers that stand for the input.
///
/// They may be given. Otherwise their range is the declared one, or the one found. Where no calibration input has a fraction,
/// and the range fits `bits` bits, the scale is a power of two, and integers stay what they are: one if the calibration
/// inputs are integers as fine as those of an image; else the finest at which the range fits, as nothing says that inputs will
/// be integers. In all other cases the scale is such that the greatest magnitude just fits.
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
        let is_fine = fixed.calibration.is_some() && range.hi - range.lo >= FINE;
        let steps = if is_fine { 1.0 } else { finest_steps(&range, fixed.bits) };
        // Casts saturate, and `infer` refuses what is beyond ±2^62.
        return Number::Fixed { scale: 1.0 / steps, lo: (range.lo * steps) as i64, hi: (range.hi * steps) as i64 };
    }
    let (lo, hi) = match range.lo >= 0.0 {
        true => (0, (1i64 << fixed.bits) - 1),
        false => (-(1i64 << (fixed.bits - 1)), (1i64 << (fixed.bits - 1)) - 1),
    };
    let scale = range.lo.abs().max(range.hi.abs()) / hi as f64;
    Number::Fixed { scale: if scale > 0.0 { scale } else { 0.5 }, lo, hi }
}

/// The greatest power of two by which a range of integers can be multiplied and still fit so many bits, at least one.
fn finest_steps(range: &Range, bits: u32) -> f64 {
    let fits = |steps: f64| match range.lo >= 0.0 {
        true => range.hi * steps < 2f64.powi(bits as i32),
        false => range.lo * steps >= -2f64.powi(bits as i32 - 1) && range.hi * steps < 2f64.powi(bits as i32 - 1),
    };
    (0..bits).map(|exponent| 2f64.powi(exponent as i32)).take_while(|&steps| fits(steps)).last().unwrap_or(1.0)
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
    let given = zknn_ir::op::Input { shape: Vec::new(), number: input.clone(), rounds: true };
    let mut ranges: HashMap<NodeId, Range> = HashMap::new();
    for id in graph.topological() {
        let node = graph.node(id);
        let range = match node.op.class() {
            Class::Input => Op::Input(given.clone()).range(&[], &node.fact),
            Class::Linear
            | Class::Sum
            | Class::Product
            | Class::Choice
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
