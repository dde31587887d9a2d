//! Turns real numbers into fixed-point ones: integers of few bits that stand for multiples of a scale.
//!
//! Precondition: the graph is real, in canonical form. Where it is fixed-point already, nothing happens.
//!
//! Postcondition: the graph is fixed-point, and every sum, multiplied by what requantizes it, stays within ±2^60.
//! Behind each linear operation and each product stands a requantize. If its numbers are summed up again later on, by whichever
//! of the nodes that they reach, it clamps them to what `bits` bits hold, or one more where that costs no digit in a circuit:
//! zero and more if there is a relu on every way, else symmetric about zero, the scale being such that the range that the
//! calibration found just fits. Otherwise, on the way to the output, it has `WIDE_BITS` bits more and clamps nothing.
//!
//! The operands of an add are brought to the finest of their scales by a requantize that clamps nothing; sums that only
//! the add reads come to that scale directly. If the sums of the add are summed up again later on, a requantize behind it
//! clamps them to `bits` bits likewise, so that numbers do not grow from block to block of a residual network. The operands of
//! a maximum or a concat are brought to one scale likewise. A clip is a requantize that clamps to its ends; a linear operation that
//! only the clip reads leaves its sums to it.
//!
//! A quantize is a requantize, or several, that gives exactly what it gives in floats of 32 bits (see `steps`); where only quantizes
//! read them, a linear operation, a product or a sum leaves its sums to these, and an input has the scale of these. Scaled weights
//! are their integers.
//!
//! Other weights are symmetric integers of four bits more, up to 15, each output channel at a scale of its own; biases have the
//! scale of the sums they are added to. Where sums go to a requantize of their own, scales are finer by less than a bit, such that
//! its multipliers are powers of two, which leaves the circuit the fewest digits. Where all weights of a channel are zero, or the operand always is, the bias is all there is, and
//! chooses the scale. Where there is no bias, and each channel has weights of one magnitude, as an average has, these are the
//! scales. Where the calibration shows the mean of each channel, biases make up for what rounded weights take from sums of means.
//!
//! With 8 bits, and inputs from -4 to 4:
//!
//! ```text
//! %0 = input : [1] real              →  %0 = input rounds : [1] fixed(scale 2^-4, -64..=64)
//! %1 = dense %0 weights=real[1, 1]      %1 = dense %0 weights=fixed[1, 1] scale 1 [1] : [1] fixed(scale 2^-4, -64..=64)
//!        [1.0] : [1] real               %2 = requantize %1 multipliers=[2] shift=1 clamp=-64..=64 scale 2^-4 : …
//! output %1                             output %2
//! ```
//!
//! Runs in the place of [`quantize_exact`](super::quantize_exact). After it, [`drop_idle_relu`](super::drop_idle_relu)
//! finds the relus that a clamp has made idle, and [`sink_requantize`](super::sink_requantize) the max-pools that a
//! requantize can wait for.

mod given;
mod linear;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use linear::Linear;
use zknn_ir::{Class, Factors, Graph, InferError, MAX_SHIFT, Node, NodeId, Number, Op, Range, Requantize, op};

use super::canonicalize::is_identity;
use super::powers::{ceil_log2, floor_log2};
use super::quantized::quantized_to;
use super::{Context, FixedPoint, PassError, ranges};

/// How many bits more the scores of a network have than the numbers on the way to them.
const WIDE_BITS: u32 = 7;

/// Sums times multipliers stay within this power of two, so that a circuit can divide them again: quotient and
/// remainder must be told apart in the field.
const ROOM_BITS: u32 = 60;

/// No limits at all.
const EVERYTHING: Range = Range { lo: f64::MIN, hi: f64::MAX };

/// How many bits weights have more than numbers, as far as [`WEIGHT_BITS`] go, and multipliers more than they have to, where there
/// is room, taken together where numbers are summed again. A circuit has the digits of sums times multipliers, whichever of the
/// two is longer.
const SPARE_BITS: u32 = 4;

/// How many bits weights have at most, unless numbers have as many.
const WEIGHT_BITS: u32 = 15;

/// Builds the graph anew, operands first, since each operation's scale follows from the facts before it.
pub(super) fn run(graph: &mut Graph, context: &mut Context) -> Result<(), PassError> {
    let Some(fixed) = &context.fixed else { return Ok(()) };
    let is_real = |id| graph.node(id).fact.number == Number::Real;
    if !graph.try_input().is_some_and(is_real) {
        return Ok(());
    }
    let inputs = ranges::input_numbers(graph, &context.inputs, fixed);
    let ranges = ranges::of_nodes(graph, &inputs, fixed)?;
    let mut quantizer =
        Quantizer { old: graph, new: Graph::new(), ids: HashMap::new(), sums: HashMap::new(), ranges, fixed };
    for id in graph.topological() {
        quantizer.node(id, &inputs)?;
    }
    let mut quantized = quantizer.new;
    quantized.set_outputs(graph.outputs().iter().filter_map(|output| quantizer.ids.get(output).copied()).collect());
    *graph = quantized;
    Ok(())
}

struct Quantizer<'a> {
    old: &'a Graph,
    new: Graph,
    /// The new nodes that stand for old ones.
    ids: HashMap<NodeId, NodeId>,
    /// The old nodes whose new ones are sums that are yet to be requantized, by the add that reads them, and those that
    /// yield such sums as they are; with the real value of one unit of each output channel.
    sums: HashMap<NodeId, Vec<f64>>,
    ranges: HashMap<NodeId, Range>,
    fixed: &'a FixedPoint,
}

/// Where numbers go.
#[derive(Clone, Copy)]
struct Destination {
    /// The range of the last nodes that they pass before they are summed again, or end.
    range: Range,
    /// Whether a relu stands on every way.
    is_rectified: bool,
    /// Whether they are summed again on some way.
    is_summed: bool,
}

/// How numbers are told where they go.
#[derive(Clone, Copy)]
struct Told {
    /// The greatest magnitude, of those that count.
    reach: f64,
    /// The integer for it.
    steps: i64,
    /// Whether none are negative.
    is_rectified: bool,
    /// Whether they are summed again.
    is_summed: bool,
}

impl Told {
    /// The scale of numbers that are summed again, if they are ever anything but zero: that at which their range just fits.
    fn scale_of_summed(&self) -> Option<f64> {
        (self.is_summed && self.reach > 0.0).then(|| self.reach / self.steps as f64)
    }
}

impl Quantizer<'_> {
    fn node(&mut self, id: NodeId, inputs: &HashMap<NodeId, Number>) -> Result<(), PassError> {
        let node = self.old.node(id);
        let operands: Vec<NodeId> = self.old.operands(id).iter().filter_map(|id| self.ids.get(id).copied()).collect();
        let added = match (node.op.class(), &node.op) {
            (Class::Input, _) => {
                let shape = node.fact.shape.clone();
                self.add(id, Op::Input(op::Input { shape, number: inputs[&id].clone(), rounds: true }), &[])?
            }
            (Class::Linear, op) => self.linear(id, op, &operands)?,
            (Class::Sum, op) => self.sum(id, op)?,
            (Class::Product, op) => self.product(id, op, &operands)?,
            (_, Op::Clip(clip)) => self.clip(id, clip)?,
            (_, Op::Quantize(quantize)) => self.quantize(id, quantize)?,
            (Class::View { .. } | Class::Choice, op) if operands.len() > 1 => self.join(id, op)?,
            (
                Class::View { .. } | Class::Choice | Class::Greatest { .. } | Class::Monotone { .. } | Class::Function,
                op,
            ) => {
                // What yields sums as they are leaves them to the add behind it.
                let units = self.old.operands(id).first().and_then(|operand| self.sums.get(operand)).cloned();
                self.sums.extend(units.map(|units| (id, units)));
                self.add(id, op.clone(), &operands)?
            }
        };
        self.ids.insert(id, added);
        Ok(())
    }

    /// The sums of a linear operation, and the requantize behind them, unless that is left to what reads them.
    fn linear(&mut self, id: NodeId, op: &Op, operands: &[NodeId]) -> Result<NodeId, PassError> {
        let (Some(Factors { weights, bias, .. }), &[operand]) = (op.factors(), operands) else {
            return self.add(id, op.clone(), operands);
        };
        // As fine as sums are told.
        let of_weights = self.bits(id) + self.more_weight_bits(id);
        let told = self.told(id, EVERYTHING);
        let of_bias = self.bits(id) + of_weights - 1 + if told.is_summed { 0 } else { WIDE_BITS };
        let target = if self.is_left_to_reader(id) { None } else { told.scale_of_summed() };
        let Linear { weights, bias, units } = self.integers(operand, weights, bias, [of_weights, of_bias], target);
        let bias = self.corrected(id, &weights, bias, &units);
        let sums = self.add(id, op.with_factors(weights, bias), operands)?;
        self.requantize_unless_left(id, sums, units)
    }

    /// The products of two tensors, and the requantize behind them likewise.
    fn product(&mut self, id: NodeId, op: &Op, operands: &[NodeId]) -> Result<NodeId, PassError> {
        let products = self.add(id, op.clone(), operands)?;
        let unit = self.new.node(products).fact.scale().unwrap_or(1.0);
        self.requantize_unless_left(id, products, vec![unit])
    }

    fn requantize_unless_left(&mut self, id: NodeId, sums: NodeId, units: Vec<f64>) -> Result<NodeId, PassError> {
        if self.is_left_to_reader(id) {
            self.sums.insert(id, units);
            return Ok(sums);
        }
        self.requantize(id, sums, &units, EVERYTHING)
    }

    /// The requantize that holds numbers between two ends.
    fn clip(&mut self, id: NodeId, clip: &op::Clip) -> Result<NodeId, PassError> {
        let old = self.old.operands(id)[0];
        let operand = self.ids[&old];
        self.requantize(id, operand, &self.units_of(old), clip.limits())
    }

    /// The real value of one unit of what stands for an old node: of each output channel, where they are sums that are yet to be
    /// requantized.
    fn units_of(&self, old: NodeId) -> Vec<f64> {
        // The graph under construction is fixed-point from its input on.
        let unit = || vec![self.new.node(self.ids[&old]).fact.scale().unwrap_or(1.0)];
        self.sums.get(&old).cloned().unwrap_or_else(unit)
    }

    /// Whether one sum or clip, or quantizes, and nothing else, read the node, be it through others that yield it as it is.
    fn is_left_to_reader(&self, id: NodeId) -> bool {
        if quantized_to(self.old, id).is_some() {
            return true;
        }
        let mut readers = HashSet::new();
        let mut ways = vec![id];
        while let Some(node) = ways.pop() {
            if self.old.is_output(node) {
                return false;
            }
            for user in self.old.users(node) {
                match is_identity(self.old, user) {
                    true => ways.push(user),
                    false => drop(readers.insert(user)),
                }
            }
        }
        let requantizes = |reader: &NodeId| {
            let op = &self.old.node(*reader).op;
            op.class() == Class::Sum || matches!(op, Op::Clip(_))
        };
        readers.len() == 1 && readers.iter().all(requantizes)
    }

    /// The sum of operands at one scale, and the requantize behind it where it is summed up again.
    fn sum(&mut self, id: NodeId, op: &Op) -> Result<NodeId, PassError> {
        if let Some(scale) = quantized_to(self.old, id)
            && let Some(sum) = self.exact_sum(id, op, scale)?
        {
            return Ok(sum);
        }
        let scale = self.common_scale(id, &self.old.operands(id));
        let operands = self.operands_at_scale(id, scale)?;
        let sums = self.add(id, op.clone(), &operands)?;
        match self.destination(id).is_summed {
            true => self.requantize(id, sums, &[scale], EVERYTHING),
            false => Ok(sums),
        }
    }

    /// A view of several operands at one scale: the finest of theirs, but, where numbers are summed up again, none so fine
    /// that the greatest would take more than `bits` bits.
    fn join(&mut self, id: NodeId, op: &Op) -> Result<NodeId, PassError> {
        let finest = self.common_scale(id, &self.old.operands(id));
        let Destination { range, is_summed, .. } = self.destination(id);
        let most = ((1i64 << (self.number_bits(id) - 1)) - 1) as f64;
        let scales = self.old.operands(id).into_iter().filter_map(|old| self.new.node(self.ids[&old]).fact.scale());
        let coarsest = scales.fold(0.0, f64::max);
        // Numbers that have few bits already need no fewer.
        let scale = if is_summed { finest.max((range.reach() / most).min(coarsest)) } else { finest };
        let operands = self.operands_at_scale(id, scale)?;
        self.add(id, op.clone(), &operands)
    }

    fn operands_at_scale(&mut self, id: NodeId, scale: f64) -> Result<Vec<NodeId>, PassError> {
        let old_operands = self.old.operands(id);
        let mut brought: HashMap<NodeId, NodeId> = HashMap::new();
        for &old in &old_operands {
            if let Entry::Vacant(place) = brought.entry(old) {
                place.insert(self.at_scale(id, old, scale)?);
            }
        }
        Ok(old_operands.iter().map(|old| brought[old]).collect())
    }

    /// The finest scale of the operands that have one, but none so fine that the greatest of all numbers would take more
    /// than the bits of a score. Where all are sums yet to be requantized, or the result is a score, the scale of a score.
    fn common_scale(&self, id: NodeId, operands: &[NodeId]) -> f64 {
        let reach = operands.iter().chain([&id]).map(|old| self.ranges[old].reach()).fold(0.0, f64::max);
        let finest_allowed = reach / (1i64 << (self.bits(id) + WIDE_BITS)) as f64;
        let scaled = operands.iter().filter(|old| !self.sums.contains_key(old));
        let scales = scaled.filter_map(|old| self.new.node(self.ids[old]).fact.scale());
        let finest = scales.fold(f64::INFINITY, f64::min);
        let has_sums = operands.iter().any(|old| self.sums.contains_key(old));
        let is_score = has_sums && !self.destination(id).is_summed;
        match finest.is_finite() {
            true if !is_score || finest_allowed == 0.0 => finest.max(finest_allowed),
            true => finest_allowed,
            false if finest_allowed > 0.0 => finest_allowed,
            false => 1.0,
        }
    }

    /// What stands for the operand `old` of the sum `id`, at a scale.
    fn at_scale(&mut self, id: NodeId, old: NodeId, scale: f64) -> Result<NodeId, PassError> {
        let node = self.ids[&old];
        let units = self.units_of(old);
        if units == [scale] {
            return Ok(node);
        }
        // What was never anything but zero may be something yet, and nothing here clamps it.
        let reach = match self.ranges[&old].reach() {
            0.0 => {
                let (lo, hi) = self.new.node(node).fact.interval().unwrap_or_default();
                greatest(&units) * lo.unsigned_abs().max(hi.unsigned_abs()) as f64
            }
            reach => reach,
        };
        let (shift, multipliers) = self.multipliers(id, node, &units, scale, reach)?;
        let mut op = Requantize { multipliers, shift, scale, ..Requantize::default() };
        (op.lo, op.hi) = self.quotients(&op, node);
        self.add(id, Op::Requantize(op), &[node])
    }

    /// What the results of a requantize can be, if it clamps nothing.
    fn quotients(&self, op: &Requantize, operand: NodeId) -> (i64, i64) {
        let (lo, hi) = op.quotients(self.new.node(operand).fact.interval().unwrap_or_default());
        // Products within ±2^60, shifted to the right.
        (lo as i64, hi as i64)
    }

    fn add(&mut self, of: NodeId, op: Op, operands: &[NodeId]) -> Result<NodeId, PassError> {
        let node = self.old.node(of);
        let added = self.new.add(op, operands, node.layer);
        added.map_err(|error| match error {
            InferError::Overflow { magnitude, .. } => self.narrow(of, node, ceil_log2(magnitude as f64)),
            error => PassError::Infer { layer: node.layer, error },
        })
    }

    /// The bits of an old node.
    fn bits(&self, id: NodeId) -> u32 {
        self.fixed.bits_of(self.old.node(id).layer)
    }

    /// How many more its weights have.
    fn more_weight_bits(&self, id: NodeId) -> u32 {
        SPARE_BITS.min(WEIGHT_BITS.saturating_sub(self.bits(id)))
    }

    /// The bits of its numbers, where they are summed again.
    fn number_bits(&self, id: NodeId) -> u32 {
        self.fixed.number_bits_of(self.old.node(id).layer)
    }

    fn narrow(&self, id: NodeId, node: &Node, needed: u32) -> PassError {
        PassError::TooNarrow { node: id, layer: node.layer, bits: self.bits(id), needed, room: ROOM_BITS }
    }

    /// Brings the sums of the old node `id` to one scale for all channels, and real numbers beyond `limits` to these.
    fn requantize(&mut self, id: NodeId, sums: NodeId, units: &[f64], limits: Range) -> Result<NodeId, PassError> {
        let told = self.told(id, limits);
        let Told { reach, steps, is_rectified, is_summed } = told;
        let coarsest = greatest(units);
        let scale = match (told.scale_of_summed(), is_summed) {
            (Some(scale), _) => scale,
            (None, true) => coarsest,
            // The sums themselves are no finer than that.
            (None, false) => (reach / steps as f64).max(coarsest),
        };
        let (shift, multipliers) = self.multipliers(id, sums, units, scale, reach)?;
        let mut op = Requantize { multipliers, shift, scale, ..Requantize::default() };
        (op.lo, op.hi) = match is_summed {
            false => self.quotients(&op, sums),
            true if is_rectified || steps == 0 => (0, steps),
            true => (-steps - 1, steps),
        };
        // Casts saturate, where there is no limit.
        let limit = |end: f64| (end / scale).round() as i64;
        (op.lo, op.hi) = (op.lo.max(limit(limits.lo)), op.hi.min(limit(limits.hi)));
        // All of the sums may lie beyond one of the limits.
        (op.lo, op.hi) = (op.lo.min(limit(limits.hi)), op.hi.max(limit(limits.lo)));
        // A relu means its zero, and a clip its ends; any other end is but the end of the room.
        let (least, greatest) = self.quotients(&op, sums);
        op.saturates_below = least < op.lo && limit(limits.lo) < op.lo && !(is_rectified && op.lo == 0);
        op.saturates_above = greatest > op.hi && op.hi < limit(limits.hi);
        self.add(id, Op::Requantize(op), &[sums])
    }

    /// How the numbers of the old node `id` are told, where real numbers beyond `limits` are brought to these.
    fn told(&self, id: NodeId, limits: Range) -> Told {
        let Destination { range, is_rectified, is_summed } = self.destination(id);
        let is_rectified = is_rectified || limits.lo >= 0.0;
        let reach = if is_rectified { range.rectified().hi } else { range.reach() };
        let steps = match is_summed {
            // What is never anything but zero is zero, and the next layer can rely on it.
            true if reach == 0.0 => 0,
            true => (1i64 << (self.number_bits(id) - u32::from(!is_rectified))) - 1,
            false => 1i64 << (self.bits(id) + WIDE_BITS),
        };
        Told { reach, steps, is_rectified, is_summed }
    }

    /// Where all units are powers of two times the scale, these; else the longest shift for which there is room, up to the one
    /// that loses nothing worth having, and the multipliers that go with it.
    fn multipliers(
        &self,
        id: NodeId,
        sums: NodeId,
        units: &[f64],
        scale: f64,
        reach: f64,
    ) -> Result<(u32, Vec<i64>), PassError> {
        let (lo, hi) = self.new.node(sums).fact.interval().unwrap_or_default();
        let greatest_sum = lo.unsigned_abs().max(hi.unsigned_abs()).max(1) as f64;
        let finest = units.iter().copied().fold(f64::INFINITY, f64::min);
        let exponents: Option<Vec<i32>> = units.iter().map(|unit| exponent_of(unit / scale)).collect();
        if let Some(exponents) = exponents {
            let shift = exponents.iter().fold(1, |shift, exponent| shift.max(-exponent));
            let sum = ceil_log2(greatest_sum) as i32 + 1;
            if exponents.iter().all(|exponent| sum + shift + exponent <= ROOM_BITS as i32) && shift <= MAX_SHIFT as i32
            {
                return Ok((shift as u32, exponents.iter().map(|exponent| 1 << (shift + exponent)).collect()));
            }
        }
        // A multiplier is half a unit off at most, so a result is `sum / 2^(shift + 1)` off. This is to be a quarter of
        // what `bits` bits can tell apart.
        let result_step = scale.max(reach * 0.5f64.powi(self.bits(id) as i32)) / scale;
        let sum = (reach / finest).clamp(1.0, greatest_sum);
        let least = ceil_log2(2.0 * sum / result_step).clamp(1, MAX_SHIFT);
        let products = |shift: u32| {
            let greatest_multiplier = greatest(units) / scale * 2f64.powi(shift as i32);
            ceil_log2(greatest_sum * (greatest_multiplier + 1.0) + 2f64.powi(shift as i32))
        };
        // There are few scores, and digits more of them cost little.
        let taken = if self.destination(id).is_summed { self.more_weight_bits(id) } else { 0 };
        let most = (least + SPARE_BITS - taken).min(MAX_SHIFT);
        let Some(shift) = (least..=most).rev().find(|&shift| products(shift) <= ROOM_BITS) else {
            return Err(self.narrow(id, self.old.node(id), products(least)));
        };
        let multiplier = |unit: &f64| (unit / scale * 2f64.powi(shift as i32)).round() as i64;
        Ok((shift, units.iter().map(multiplier).collect()))
    }

    /// Follows the numbers of a node on all ways, through operations that only select among them or rectify.
    fn destination(&self, node: NodeId) -> Destination {
        let mut all = Destination { range: Range::EMPTY, is_rectified: true, is_summed: false };
        let mut seen = HashSet::new();
        let mut ways = vec![(node, false)];
        while let Some((node, is_rectified)) = ways.pop() {
            if !seen.insert((node, is_rectified)) {
                continue;
            }
            let users = self.old.users(node);
            let mut ends = users.is_empty() || self.old.is_output(node);
            for user in users {
                let op = &self.old.node(user).op;
                match op.class() {
                    Class::Linear | Class::Sum | Class::Product => (ends, all.is_summed) = (true, true),
                    Class::View { .. } | Class::Choice | Class::Greatest { with_zero: false } => {
                        ways.push((user, is_rectified));
                    }
                    Class::Greatest { with_zero: true } => ways.push((user, true)),
                    Class::Monotone { .. } if *op == Op::Relu => ways.push((user, true)),
                    // Any other function takes numbers as precise as scores are.
                    Class::Monotone { .. } | Class::Function | Class::Input => ends = true,
                }
            }
            if ends {
                all.range = all.range.union(self.ranges[&node]);
                all.is_rectified &= is_rectified;
            }
        }
        all
    }
}

/// The exponent of a power of two, as far as floats that were multiplied and divided tell.
fn exponent_of(number: f64) -> Option<i32> {
    const ALMOST: f64 = 1e-12;
    let exponent = floor_log2(number * (1.0 + ALMOST));
    let power = 2f64.powi(exponent);
    ((number / power - 1.0).abs() < 2.0 * ALMOST).then_some(exponent)
}

/// The greatest magnitude.
fn greatest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0, |greatest, number| f64::max(greatest, number.abs()))
}

#[cfg(test)]
mod tests;
