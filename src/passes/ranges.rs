//! In which ranges the real numbers of a network lie: as found on calibration inputs, or as the weights allow.

use std::collections::HashMap;

use ndarray::{ArrayD, Axis, Slice};
use zknn_ir::eval::eval_real_batch_in_order;
use zknn_ir::{Class, Graph, NodeId, Number, Op, Range};

use super::{FixedPoint, InputContext, PassError};

/// How many calibration inputs are evaluated at a time, at most.
const BATCH: usize = 32;

/// From this many steps on, integers are as fine as a byte's: half a step is less than half a percent of the range.
const FINE: f64 = 127.0;

/// How many numbers are held at a time, where one input does not have more.
const BATCH_NUMBERS: usize = 1 << 25;

/// The integers that stand for an input, with the batch of it to calibrate with.
///
/// They may be given. Otherwise their range is the declared one, or the one found. Where no calibration input has a fraction,
/// and the range fits `bits` bits, the scale is a power of two, and integers stay what they are: one if the calibration
/// inputs are integers as fine as those of an image; else the finest at which the range fits, as nothing says that inputs will
/// be integers. In all other cases the scale is such that the greatest magnitude just fits.
pub(super) fn input_number(input: &InputContext, calibration: Option<&ArrayD<f64>>, bits: u32) -> Number {
    if let Some(given) = &input.number {
        return given.clone();
    }
    let declared = Range { lo: input.range.0 as f64, hi: input.range.1 as f64 };
    let range = match calibration {
        Some(inputs) if !input.is_declared => Range::of(inputs),
        _ => declared,
    };
    let is_integral = calibration.into_iter().flatten().all(|value| value.fract() == 0.0);
    if is_integral && range.hi - range.lo < f64::from(1u32 << bits) {
        let is_fine = calibration.is_some() && range.hi - range.lo >= FINE;
        let steps = if is_fine { 1.0 } else { finest_steps(&range, bits) };
        // Casts saturate, and `infer` refuses what is beyond ±2^62.
        return Number::Fixed { scale: 1.0 / steps, lo: (range.lo * steps) as i64, hi: (range.hi * steps) as i64 };
    }
    let (lo, hi) = match range.lo >= 0.0 {
        true => (0, (1i64 << bits) - 1),
        false => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
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

/// The range of each node, where the inputs have these numbers.
pub(super) fn of_nodes(
    graph: &Graph,
    inputs: &HashMap<NodeId, Number>,
    fixed: &FixedPoint,
) -> Result<HashMap<NodeId, Range>, PassError> {
    let Some(first) = fixed.calibration.first() else { return Ok(by_weights(graph, inputs)) };
    let mut ranges: HashMap<NodeId, Range> = HashMap::new();
    let numbers: usize = graph.topological().iter().map(|&id| graph.node(id).fact.elements()).sum();
    let batch = (BATCH_NUMBERS / numbers.max(1)).clamp(1, BATCH);
    let samples = first.shape().first().copied().unwrap_or(0);
    for start in (0..samples).step_by(batch) {
        // Batches of unlike lengths are refused by the evaluation.
        let slice = |inputs: &ArrayD<f64>| {
            let end = inputs.shape().first().copied().unwrap_or(0);
            inputs.slice_axis(Axis(0), Slice::from(start.min(end)..(start + batch).min(end))).to_owned()
        };
        let batch: Vec<ArrayD<f64>> = fixed.calibration.iter().map(slice).collect();
        // The same on every machine: keys depend on it.
        let values = eval_real_batch_in_order(graph, &batch[..])?;
        for id in graph.topological() {
            let range = ranges.entry(id).or_insert(Range::EMPTY);
            *range = range.union(Range::of(values.get(id)));
        }
    }
    Ok(ranges)
}

fn by_weights(graph: &Graph, inputs: &HashMap<NodeId, Number>) -> HashMap<NodeId, Range> {
    let mut ranges: HashMap<NodeId, Range> = HashMap::new();
    for id in graph.topological() {
        let node = graph.node(id);
        let range = match node.op.class() {
            Class::Input => {
                let number = inputs[&id].clone();
                let given = zknn_ir::op::Input { shape: Vec::new(), number, rounds: true };
                Op::Input(given).range(&[], &node.fact)
            }
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
