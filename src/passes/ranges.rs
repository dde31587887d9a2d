//! In which ranges the real numbers of a network lie: as found on calibration inputs, or as the weights allow.

use std::collections::HashMap;

use ndarray::Axis;
use zknn_ir::eval::eval_real_batch_in_order;
use zknn_ir::{Graph, NodeId, Number, Op, Weights};

use super::{Context, FixedPoint, PassError};

/// How many calibration inputs are evaluated at a time.
const BATCH: usize = 32;

/// A closed interval of real numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) lo: f64,
    pub(super) hi: f64,
}

impl Range {
    const EMPTY: Range = Range { lo: f64::INFINITY, hi: f64::NEG_INFINITY };

    fn of<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> Range {
        let extend = |Range { lo, hi }: Range, &number: &f64| Range { lo: lo.min(number), hi: hi.max(number) };
        numbers.into_iter().fold(Range::EMPTY, extend)
    }

    fn union(self, other: Range) -> Range {
        Range { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    fn rectified(self) -> Range {
        Range { lo: self.lo.max(0.0), hi: self.hi.max(0.0) }
    }
}

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
            for batch in inputs.axis_chunks_iter(Axis(0), BATCH) {
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
    let mut ranges: HashMap<NodeId, Range> = HashMap::new();
    for id in graph.topological() {
        let operand = graph.operands(id).first().and_then(|operand| ranges.get(operand).copied());
        let operand = operand.unwrap_or(Range { lo: 0.0, hi: 0.0 });
        let range = match &graph.node(id).op {
            Op::Input { .. } => {
                let (scale, (lo, hi)) = (input.scale().unwrap_or(1.0), input.interval().unwrap_or_default());
                Range { lo: scale * lo as f64, hi: scale * hi as f64 }
            }
            Op::Conv2d { kernel: weights, bias } | Op::Dense { weights, bias } => sums(weights, bias.as_ref(), operand),
            Op::Relu | Op::MaxPool { relu: true, .. } => operand.rectified(),
            Op::MaxPool { .. } | Op::Flatten | Op::Requantize(_) => operand,
            Op::Normalize { .. } => Range { lo: -1.0, hi: 1.0 },
            Op::Argmax => Range { lo: 0.0, hi: graph.node(id).fact.elements() as f64 },
        };
        ranges.insert(id, range);
    }
    ranges
}

/// What sums with these weights can be, for operands in a range.
fn sums(weights: &Weights, bias: Option<&Weights>, Range { lo, hi }: Range) -> Range {
    let (Weights::Real(data), channels) = (weights, weights.shape().first().copied().unwrap_or(1)) else {
        return Range { lo, hi };
    };
    let elements: Vec<f64> = data.iter().copied().collect();
    let biases: Vec<f64> = match bias {
        Some(Weights::Real(data)) => data.iter().copied().collect(),
        _ => vec![0.0; channels],
    };
    let channel = |(row, bias): (&[f64], &f64)| {
        let sum = |at_positive: f64, at_negative: f64| {
            row.iter().map(|w| w.max(0.0) * at_positive + w.min(0.0) * at_negative).sum::<f64>() + bias
        };
        Range { lo: sum(lo, hi), hi: sum(hi, lo) }
    };
    let rows = elements.chunks((elements.len() / channels).max(1));
    rows.zip(&biases).map(channel).fold(Range::EMPTY, Range::union)
}
