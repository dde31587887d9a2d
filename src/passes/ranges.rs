//! In which ranges the real numbers of a network lie: as found on calibration inputs, or on random ones, as far as the weights
//! allow.

use std::collections::{BTreeMap, HashMap};

use zknn_ir::op::MAX_LEVEL;
use zknn_ir::{Class, Graph, NodeId, Number, Op, Range};

use super::observe::{self, BATCH_NUMBERS, BINS, Seen, SeenChannels, end_of_bin};
use super::samples::{SAMPLE_KINDS, random_inputs};
use super::{Fit, FixedPoint, InputContext, PassError};

/// The range of each channel, index of the last axis, of each node.
pub(super) type ChannelRanges = HashMap<NodeId, Vec<Range>>;

/// How many random inputs are looked at where there are none for calibration, at most.
const SAMPLES: usize = 32;

/// How many random inputs are looked at to compare channels.
const FEW_SAMPLES: usize = 8;

/// How many products random inputs may cost: some seconds.
const MOST_PRODUCTS: usize = 1 << 33;

/// What they are drawn from.
const SEED: u64 = 16;

/// How much farther than on random inputs numbers may go: real inputs are no noise.
const HEADROOM: f64 = 2.0;

/// How much farther numbers may go than on calibration inputs, as a fraction, for one input; less by the root of how many there are.
const UNSEEN: f64 = 6.0;

/// But no farther than by this factor: few inputs cost bits enough.
const MOST_UNSEEN: f64 = 2.0;

/// How much farther inputs may go than those of the calibration, as a fraction of how far these do.
const INPUT_HEADROOM: f64 = 0.25;

/// From this many steps on, integers are as fine as a byte's: half a step is less than half a percent of the range.
const FINE: f64 = 127.0;

/// Up to which ratio features are told at one scale without more ado.
const UNLIKE: f64 = 4.0;

/// How many bits more than others an input may take whose features are of unlike size, if its sums leave room.
const FEATURE_BITS: u32 = 10;

/// How many bits an input may take whose features are brought to one size behind it: the greatest number times the greatest
/// factor, which makes the smallest one as large, is to fit the room of a requantize.
const SEPARATE_BITS: u32 = 29;

/// How many bits sums, weights and what tells the results apart may take together.
const ROOM_BITS: u32 = 57;

/// What the calibration showed of an input.
#[derive(Clone, Copy)]
struct SeenInput<'a> {
    /// Feature by feature, index of the last axis.
    features: &'a [Seen],
    is_integral: bool,
}

impl SeenInput<'_> {
    fn of<'a>(graph: &Graph, input: NodeId, fixed: &'a FixedPoint) -> Option<SeenInput<'a>> {
        let position = graph.inputs().iter().position(|&id| id == input)?;
        Some(SeenInput { features: fixed.seen.get(&input)?, is_integral: fixed.found()?.integers[position] })
    }

    fn range(&self) -> Range {
        self.features.iter().map(Seen::range).fold(Range::EMPTY, Range::union)
    }

    /// The greatest magnitude of the feature that has the smallest one, apart from those that are always zero.
    fn smallest_feature(&self) -> f64 {
        let reach = self.features.iter().map(|seen| seen.range().reach());
        reach.filter(|reach| *reach > 0.0).fold(f64::INFINITY, f64::min)
    }
}

/// The integers that stand for each input.
pub(super) fn input_numbers(graph: &Graph, inputs: &[InputContext], fixed: &FixedPoint) -> HashMap<NodeId, Number> {
    let mut numbers = HashMap::new();
    for (&id, input) in graph.inputs().iter().zip(inputs) {
        if let (None, Some(number)) = (&input.number, quantized_number(graph, id, input)) {
            numbers.insert(id, number);
            continue;
        }
        let elements = graph.node(id).fact.elements().max(1);
        let room = match has_separate_features(graph, id, fixed) {
            true => SEPARATE_BITS,
            false => ROOM_BITS.saturating_sub(2 * fixed.bits + elements.ilog2()).min(fixed.bits + FEATURE_BITS),
        };
        let seen = SeenInput::of(graph, id, fixed);
        numbers.insert(id, input_number(input, seen, [fixed.bits, room.max(fixed.bits)]));
    }
    numbers
}

/// The integers that stand for an input which the network quantizes itself, to one scale: those that the quantize gives, or those
/// of the declared range.
fn quantized_number(graph: &Graph, id: NodeId, input: &InputContext) -> Option<Number> {
    let users = graph.users(id);
    let quantize = |user: &NodeId| match &graph.node(*user).op {
        Op::Quantize(quantize) => Some(quantize),
        _ => None,
    };
    let all = users.iter().map(quantize).collect::<Option<Vec<_>>>()?;
    let first = *all.first().filter(|first| all.iter().all(|other| other.scale == first.scale))?;
    let wide = zknn_ir::op::Quantize { lo: -MAX_LEVEL, hi: MAX_LEVEL, ..*first };
    let (lo, hi) = match input.is_declared {
        true => (wide.level(input.range.0 as f64), wide.level(input.range.1 as f64)),
        false => (all.iter().map(|other| other.lo).min()?, all.iter().map(|other| other.hi).max()?),
    };
    (!graph.is_output(id)).then_some(Number::Fixed { scale: first.scale, lo, hi })
}

/// The integers that stand for an input, with what the calibration showed of it.
///
/// They may be given. Otherwise their range is the declared one, or the one found and some more. Where no calibration input has
/// a fraction, and the range fits `bits` bits, the scale is a power of two, and integers stay what they are: one if the
/// calibration inputs are integers as fine as those of an image; else the finest at which the range fits, as nothing says that
/// inputs will be integers. In all other cases the scale is such that the greatest magnitude found just fits; of features, indices
/// of the last axis, that of the smallest, as far as there is room for so many bits.
fn input_number(input: &InputContext, seen: Option<SeenInput<'_>>, [bits, room]: [u32; 2]) -> Number {
    if let Some(given) = &input.number {
        return given.clone();
    }
    let declared = Range { lo: input.range.0 as f64, hi: input.range.1 as f64 };
    let found = seen.map(|seen| seen.range()).filter(|_| !input.is_declared);
    let range = found.unwrap_or(declared);
    let is_integral = seen.is_none_or(|seen| seen.is_integral);
    if is_integral && range.hi - range.lo < f64::from(1u32 << bits) {
        let is_fine = seen.is_some() && range.hi - range.lo >= FINE;
        let steps = if is_fine { 1.0 } else { finest_steps(&range, bits) };
        // Casts saturate, and `infer` refuses what is beyond ±2^62.
        return Number::Fixed { scale: 1.0 / steps, lo: (range.lo * steps) as i64, hi: (range.hi * steps) as i64 };
    }
    let range = found.map_or(range, with_headroom);
    let sign = u32::from(range.lo < 0.0);
    let scale_of = |reach: f64, bits: u32| reach / ((1i64 << (bits - sign)) - 1) as f64;
    let smallest = seen.map_or(range.reach(), |seen| seen.smallest_feature());
    let smallest = if smallest > 0.0 { smallest } else { range.reach() };
    let smallest = (UNLIKE * smallest).min(range.reach());
    let scale = scale_of(smallest, bits).max(scale_of(range.reach(), room));
    let scale = if scale > 0.0 { scale } else { 0.5 };
    // As inputs at the ends are rounded.
    Number::Fixed { scale, lo: (range.lo / scale).round() as i64, hi: (range.hi / scale).round() as i64 }
}

/// More than the inputs that were seen; but none below zero where there was none.
fn with_headroom(range: Range) -> Range {
    let more = INPUT_HEADROOM * (range.hi - range.lo);
    let lo = if range.lo >= 0.0 { (range.lo - more).max(0.0) } else { range.lo - more };
    Range { lo, hi: range.hi + more }
}

/// Whether features of an input, indices of the last axis, are of unlike size, and may be brought to one behind it, since only
/// linear operations read it. Integers of few bits are told exactly as they are.
pub(super) fn has_separate_features(graph: &Graph, input: NodeId, fixed: &FixedPoint) -> bool {
    let Some(seen) = SeenInput::of(graph, input, fixed) else { return false };
    let greatest = seen.range().reach();
    let is_linear = |user: &NodeId| graph.node(*user).op.class() == Class::Linear;
    let is_exact = greatest < f64::from(1u32 << fixed.bits) && seen.is_integral;
    !is_exact
        && UNLIKE * seen.smallest_feature() < greatest
        && graph.users(input).iter().all(is_linear)
        && !graph.is_output(input)
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
    let of_channels = ranges(graph, inputs, fixed, SAMPLES)?;
    let of_node = |(id, channels): (NodeId, Vec<Range>)| (id, channels.into_iter().fold(Range::EMPTY, Range::union));
    let mut of_nodes: HashMap<NodeId, Range> = of_channels.into_iter().map(of_node).collect();
    if let (Fit::MeanSquare, Some(found)) = (fixed.fit, fixed.found()) {
        let nodes = of_nodes.iter_mut().filter(|(id, _)| !graph.inputs().contains(id));
        for (id, range) in nodes {
            let node = graph.node(*id);
            let numbers = (found.samples * node.fact.elements()) as f64;
            if let Some(limit) = least_square_limit(&fixed.seen[id], numbers, fixed.number_bits_of(node.layer)) {
                *range = Range { lo: range.lo.max(-limit), hi: range.hi.min(limit) };
            }
        }
    }
    if fixed.found().is_none() {
        // That a relu lets nothing of noise through says little.
        let by_weights = by_weights(graph, inputs);
        of_nodes.iter_mut().filter(|(_, range)| range.reach() == 0.0).for_each(|(id, range)| *range = by_weights[id]);
    }
    Ok(of_nodes)
}

/// The magnitude at which numbers of so many bits are to end, for the mean square of what rounding and saturation take from the
/// numbers seen to be least; each counts as the middle of its bin. Nothing where no number seen is to be saturated: then there is
/// room for greater ones.
fn least_square_limit(channels: &[Seen], numbers: f64, bits: u32) -> Option<f64> {
    let mut bins: BTreeMap<u64, f64> = BTreeMap::new();
    for seen in channels {
        for (below, &count) in seen.tail.iter().enumerate().filter(|(_, count)| **count > 0) {
            *bins.entry(seen.top().saturating_sub(below as u64)).or_default() += f64::from(count);
        }
    }
    let is_signed = channels.iter().any(|seen| seen.least < 0.0);
    let steps = 2f64.powi(bits as i32 - i32::from(is_signed));
    let greatest = channels.iter().map(|seen| seen.range().reach()).fold(0.0, f64::max);
    let (mut least, mut limit) = (f64::INFINITY, greatest);
    // What is not counted lies below all of these.
    let top = channels.iter().map(Seen::top).max().unwrap_or(0);
    for bin in top.saturating_sub(BINS as u64 - 1)..=top {
        let end = end_of_bin(bin).min(greatest);
        let beyond = bins
            .range(bin + 1..)
            .map(|(&bin, count)| count * ((end_of_bin(bin - 1) + end_of_bin(bin)) / 2.0 - end).max(0.0).powi(2))
            .sum::<f64>();
        // A number is anywhere in its step.
        let error = beyond + numbers * (end / steps).powi(2) / 12.0;
        if error <= least {
            (least, limit) = (error, end);
        }
    }
    (limit < greatest).then_some(limit)
}

/// The range of each channel of each node; of random inputs a few tell it.
pub(super) fn of_channels(
    graph: &Graph,
    inputs: &HashMap<NodeId, Number>,
    fixed: &FixedPoint,
) -> Result<ChannelRanges, PassError> {
    ranges(graph, inputs, fixed, FEW_SAMPLES)
}

/// The range of each channel of each node, on at most so many samples where they are random.
fn ranges(
    graph: &Graph,
    inputs: &HashMap<NodeId, Number>,
    fixed: &FixedPoint,
    most: usize,
) -> Result<ChannelRanges, PassError> {
    if let Some(found) = fixed.found().filter(|_| !fixed.seen.is_empty()) {
        let mut ranges = of_seen(&fixed.seen);
        // Others are greater than the greatest of these, the fewer they are, the more.
        let headroom = (1.0 + UNSEEN / (found.samples as f64).sqrt()).min(MOST_UNSEEN);
        let not_inputs = ranges.iter_mut().filter(|(id, _)| !graph.inputs().contains(id));
        for range in not_inputs.flat_map(|(_, channels)| channels) {
            *range = widened(*range, headroom);
        }
        return Ok(ranges);
    }
    let by_weights = by_weights(graph, inputs);
    let samples = affordable(graph).min(most);
    if samples == 0 {
        let of_node = |(id, range): (NodeId, Range)| (id, vec![range; graph.node(id).fact.channels()]);
        return Ok(by_weights.into_iter().map(of_node).collect());
    }
    let random = random_inputs(graph, |id| by_weights[&id], samples, SEED);
    let mut ranges = of_seen(&observe::seen(graph, &random, samples)?);
    for (id, most) in by_weights {
        let is_input = graph.inputs().contains(&id);
        for range in ranges.entry(id).or_default() {
            let Range { lo, hi } = widened(*range, HEADROOM);
            *range = if is_input { most } else { Range { lo: lo.max(most.lo), hi: hi.min(most.hi) } };
        }
    }
    Ok(ranges)
}

/// Ends farther from zero by a factor.
fn widened(range: Range, factor: f64) -> Range {
    Range { lo: range.lo.min(factor * range.lo), hi: range.hi.max(factor * range.hi) }
}

/// How many random samples there is time and room to evaluate.
fn affordable(graph: &Graph) -> usize {
    let products = |id: NodeId| {
        let node = graph.node(id);
        node.op.factors().map_or(0, |factors| node.fact.elements().saturating_mul(factors.row_length()))
    };
    let products = graph.topological().into_iter().map(products).fold(0, usize::saturating_add);
    match (BATCH_NUMBERS / graph.elements().max(1), MOST_PRODUCTS / products.max(1)) {
        (0, _) => 0,
        // As many of each kind, if any.
        (_, samples) => samples / SAMPLE_KINDS * SAMPLE_KINDS,
    }
}

fn of_seen(seen: &SeenChannels) -> ChannelRanges {
    let of_node = |(&id, channels): (&NodeId, &Vec<Seen>)| (id, channels.iter().map(Seen::range).collect());
    seen.iter().map(of_node).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// So many numbers from -1 to 1, and some others.
    fn seen(count: usize, others: &[f64]) -> Seen {
        let mut seen = Seen::NOTHING;
        (0..count).for_each(|at| seen.add(2.0 * at as f64 / count as f64 - 1.0));
        others.iter().for_each(|&other| seen.add(other));
        seen
    }

    #[test]
    fn a_number_is_saturated_where_all_others_gain_more() {
        let limit = |count: usize, others: &[f64], bits| least_square_limit(&[seen(count, others)], count as f64, bits);
        // At 8 bits, signed, one number in 200,000 costs the others more than they gain by it.
        assert_eq!(limit(1 << 17, &[], 8), None);
        assert_eq!(limit(1 << 14, &[6.0], 8), None);
        let found = limit(1 << 20, &[6.0], 8).unwrap();
        assert!((1.0..4.0).contains(&found), "{found}");
        // The more bits there are, the less there is to gain.
        assert_eq!(limit(1 << 20, &[6.0], 12), None);
        // Channels count together.
        let channels = [seen(1 << 19, &[6.0]), seen(1 << 19, &[])];
        assert!(least_square_limit(&channels, f64::from(1 << 20), 8).is_some());
        assert_eq!(least_square_limit(&[seen(0, &[0.0])], 1.0, 8), None);
    }
}
