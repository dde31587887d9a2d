//! How far the integer program may be from floating point.

use ndarray::ArrayD;
use zknn::front::{LayerKind, Model, Source};
use zknn::passes::{Calibration, Context};
use zknn::{input, nn};
use zknn_ir::eval::eval_fixed;
use zknn_ir::{Graph, NodeId, Op};

/// Below this, sums of integers are exact in floating point.
const EXACT: i64 = 1 << 53;

/// A bound on the error of every output.
#[derive(Debug)]
pub struct Bound {
    error: f64,
    /// Whether the output is a class, which is right or wrong.
    is_class: bool,
}

impl Bound {
    /// The bound for one input; nothing where there is none worth having: numbers that may be clamped, two classes that
    /// could both be meant, a direction of next to nothing, sums that floating point itself rounds.
    pub fn of(model: &Model, context: &Context, graph: &Graph, input: &ArrayD<f64>) -> Option<Bound> {
        let facts = graph.topological().into_iter().filter_map(|id| graph.node(id).fact.interval());
        let is_exact = facts.into_iter().all(|(lo, hi)| -EXACT < lo && hi < EXACT);
        let Some(fixed) = &context.fixed else {
            return is_exact.then_some(Bound { error: 0.0, is_class: false });
        };
        // Numbers that calibration has seen are not clamped; or to an end of their range, which is no farther off.
        let is_seen = |inputs: &ArrayD<f64>| inputs.outer_iter().any(|seen| seen == input);
        let seen: &[ArrayD<f64>] = match &fixed.calibration {
            Calibration::Inputs(batches) => batches,
            Calibration::Nothing | Calibration::Found(_) => &[],
        };
        if !seen.iter().all(is_seen) {
            return None;
        }
        if is_clamped(graph, &input::integers(graph, input).ok()?) {
            return None;
        }
        let outputs = nn::run_all(model, input).expect("the shape is the model's");
        let unit = graph.node(graph.input()).fact.scale()?;
        // An input of integers is taken as it is.
        let reach = greatest(seen.iter().flatten());
        let given = Numbers { values: input, error: if unit == 1.0 { 0.0 } else { 0.5 * unit }, unit, reach };
        let mut is_class = false;
        let mut layers: Vec<Option<Numbers>> = vec![None; outputs.len()];
        for &index in model.order() {
            let read = |source: &Source| match source {
                Source::Input(_) => Some(given),
                Source::Layer(read) => layers[*read],
            };
            let reads: Vec<Numbers> = model.reads(index).iter().map(read).collect::<Option<_>>()?;
            let Numbers { values: from, mut error, mut unit, mut reach } = reads[0];
            match &model.layers()[index].kind {
                LayerKind::Convolution { kernel: weights, biases, .. }
                | LayerKind::FullyConnected { weights, biases } => {
                    error = sums(weights, biases.as_ref(), &reads[0], fixed.bits);
                    // What only a sum of tensors reads is brought to scale by that.
                    if let Some(rescaled) = rescaled(graph, index, &[]).first() {
                        (error, unit) = (error + rescaled.error(fixed.bits), rescaled.scale);
                        reach = rescaled.reach;
                    }
                }
                LayerKind::Composed(composed) if composed.layer_type() == "add" => {
                    reach = reads.iter().map(|numbers| numbers.reach).sum();
                    (error, unit) = added(graph, index, &reads, fixed.bits)?;
                }
                LayerKind::Normalize => error = direction(from, error)?,
                LayerKind::Argmax { .. } => (error, is_class) = (unambiguous(from, error)?, true),
                // No two numbers get farther apart.
                LayerKind::Relu | LayerKind::MaxPool { .. } | LayerKind::Flatten | LayerKind::Padding { .. } => {}
                LayerKind::Composed(_) => return None,
            }
            layers[index] = Some(Numbers { values: &outputs[index], error, unit, reach });
        }
        let error = layers.last().copied().flatten()?.error;
        Some(Bound { error, is_class })
    }

    /// What an output at this scale may be off.
    pub fn at(&self, scale: f64) -> f64 {
        // An exact program rounds where it normalizes, and nowhere else: its scale says so.
        let rounding = if scale == 1.0 && self.error == 0.0 { 0.0 } else { 0.5000001 * scale };
        if self.is_class { 0.0 } else { self.error * (1.0 + 1e-9) + rounding }
    }
}

/// The numbers that a layer reads.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    /// What they are in floating point.
    values: &'a ArrayD<f64>,
    /// How far each may be off.
    error: f64,
    /// Their scale.
    unit: f64,
    /// How far they reach for any input.
    reach: f64,
}

/// The error of sums of weights, rounded to `bits` bits.
fn sums(weights: &ArrayD<f64>, biases: Option<&ArrayD<f64>>, operand: &Numbers, bits: u32) -> f64 {
    let &Numbers { values, error, unit, reach } = operand;
    // A small channel may have been made as great as any.
    let most = greatest(values.iter()).max(reach);
    let steps = ((1i64 << (bits - 1)) - 1) as f64;
    let coarsest = greatest(weights.iter()) / steps;
    let of_channel = |(index, channel): (usize, ndarray::ArrayViewD<f64>)| {
        let step = (greatest(channel.iter()) / steps).max(coarsest * 0.5f64.powi(bits as i32));
        let total: f64 = channel.iter().map(|w| w.abs()).sum();
        // A bias has the scale of the sums; alone it is told to as many bits as scores are.
        let bias = biases.map_or(0.0, |biases| biases[index].abs());
        let bias_step = (step * unit).max(bias * 0.5f64.powi(bits as i32 + 7));
        // The weights are off by half a step, and so is the bias, which makes up for the weights at some other numbers.
        total * error + 0.5 * step * channel.len() as f64 * (2.0 * most + error) + 0.5 * bias_step
    };
    weights.outer_iter().enumerate().map(of_channel).fold(0.0, f64::max)
}

/// The error of a sum of tensors, and its scale: that of the operands, brought to one scale, and that of bringing the sums
/// to another.
fn added(graph: &Graph, layer: usize, reads: &[Numbers], bits: u32) -> Option<(f64, f64)> {
    let is_sum = |id: &NodeId| graph.node(*id).layer == Some(layer) && graph.node(*id).op == Op::Add;
    let sum = graph.topological().into_iter().find(is_sum)?;
    let operands = graph.operands(sum);
    let mut error: f64 = reads.iter().map(|numbers| numbers.error).sum();
    for operand in &operands {
        error += rescaled_to(graph, layer, *operand).map_or(0.0, |rescaled| rescaled.error(bits));
    }
    match rescaled(graph, layer, &operands).first() {
        Some(rescaled) => Some((error + rescaled.error(bits), rescaled.scale)),
        None => Some((error, graph.node(sum).fact.scale()?)),
    }
}

/// Numbers that were brought to a scale.
struct Rescaled {
    scale: f64,
    /// How far they reach.
    reach: f64,
}

impl Rescaled {
    /// The result is rounded, and the multiplier is: that is to be a quarter of what the bits can tell.
    fn error(&self, bits: u32) -> f64 {
        0.5 * self.scale + 0.25 * self.scale.max(self.reach * 0.5f64.powi(bits as i32))
    }
}

/// What the requantize of a layer yields, if the node is one.
fn rescaled_to(graph: &Graph, layer: usize, id: NodeId) -> Option<Rescaled> {
    let node = graph.node(id);
    if node.layer != Some(layer) || !matches!(node.op, Op::Requantize(_)) {
        return None;
    }
    let ((lo, hi), scale) = (node.fact.interval()?, node.fact.scale()?);
    Some(Rescaled { scale, reach: scale * lo.unsigned_abs().max(hi.unsigned_abs()) as f64 })
}

/// What the requantizes of a layer yield, but for some.
fn rescaled(graph: &Graph, layer: usize, but: &[NodeId]) -> Vec<Rescaled> {
    let others = graph.topological().into_iter().filter(|id| !but.contains(id));
    others.filter_map(|id| rescaled_to(graph, layer, id)).collect()
}

/// The error of a direction: at most twice what the vector is off, by its length.
fn direction(from: &ArrayD<f64>, error: f64) -> Option<f64> {
    let length = from.iter().map(|x| x * x).sum::<f64>().sqrt();
    let off = error * (from.len() as f64).sqrt();
    (length > 8.0 * off).then(|| 4.0 * off / length)
}

/// No error, if the greatest is greater than the others by more than the errors of both.
fn unambiguous(from: &ArrayD<f64>, error: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = from.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let is_alone = sorted.len() < 2 || sorted[sorted.len() - 1] - sorted[sorted.len() - 2] > 2.0 * error;
    is_alone.then_some(0.0)
}

fn greatest<'a>(numbers: impl Iterator<Item = &'a f64>) -> f64 {
    numbers.fold(0.0, |most, x| f64::max(most, x.abs()))
}

/// Whether a number lies farther beyond the range that it is held to than rounding explains, apart from those that a relu makes
/// zero.
fn is_clamped(graph: &Graph, input: &ArrayD<i64>) -> bool {
    let values = eval_fixed(graph, input).expect("in range");
    graph.topological().into_iter().any(|id| {
        let Op::Requantize(op) = &graph.node(id).op else { return false };
        let sums = values.get(graph.operands(id)[0]);
        let is_beyond = |(position, &sum): (usize, &i64)| {
            let quotient = op.quotient(position, sum);
            quotient > op.hi + 1 || (quotient < op.lo - 1 && op.lo != 0)
        };
        sums.iter().enumerate().any(is_beyond)
    })
}
