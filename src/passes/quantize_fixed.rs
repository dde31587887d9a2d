//! Turns real numbers into fixed-point ones: integers of few bits that stand for multiples of a scale.
//!
//! Precondition: the graph is real, in canonical form. Where it is fixed-point already, nothing happens.
//!
//! Postcondition: the graph is fixed-point, and every sum, multiplied by what requantizes it, stays within ±2^60.
//! Behind each convolution and dense layer stands a requantize. If its numbers are summed up again later on, it clamps
//! them to what `bits` bits hold: zero and more behind a relu, else symmetric about zero, the scale being such that the
//! range that the calibration found just fits. Otherwise, on the way to the output, it has `WIDE_BITS` bits more and
//! clamps nothing. Weights are symmetric integers of `bits` bits, each output channel at a scale of its own; biases have
//! the scale of the sums they are added to. Where all weights of a channel are zero, or the operand always is, the bias is
//! all there is, and chooses the scale.
//!
//! With 8 bits, inputs from -4 to 4 and sums that reach 4:
//!
//! ```text
//! %0 = input : [1] real              →  %0 = input : [1] fixed(scale 1, -4..=4)
//! %1 = dense %0 weights=real[1, 1]      %1 = dense %0 weights=fixed[1, 1] scale 0.00787… [127] : [1] fixed(…)
//!        [1.0] : [1] real               %2 = requantize %1 multipliers=[…] shift=13 clamp=-508..=508 scale 0.00787…
//! output %1                             output %2
//! ```
//!
//! Runs in the place of [`quantize_exact`](super::quantize_exact). After it, [`drop_idle_relu`](super::drop_idle_relu)
//! finds the relus that a clamp has made idle, and [`sink_requantize`](super::sink_requantize) the max-pools that a
//! requantize can wait for.

use std::collections::HashMap;

use ndarray::{ArcArray, IxDyn};
use zknn_ir::{Graph, InferError, MAX_SHIFT, Node, NodeId, Number, Op, Requantize, Weights};

use super::ranges::{self, Range};
use super::{Context, FixedPoint, PassError};

/// How many bits more the scores of a network have than the numbers on the way to them.
const WIDE_BITS: u32 = 7;

/// Sums times multipliers stay within this power of two, so that a circuit can divide them again: quotient and
/// remainder must be told apart in the field.
const ROOM_BITS: u32 = 60;

/// How much more precise a multiplier is than it has to be, where there is room.
const SPARE_BITS: u32 = 3;

/// Builds the graph anew, operands first, since each operation's scale follows from the facts before it.
pub(super) fn run(graph: &mut Graph, context: &Context) -> Result<(), PassError> {
    let Some(fixed) = &context.fixed else { return Ok(()) };
    let is_real = |id| graph.node(id).fact.number == Number::Real;
    if !graph.try_input().is_some_and(is_real) {
        return Ok(());
    }
    let input = ranges::input_number(context, fixed);
    let ranges = ranges::of_nodes(graph, &input, fixed)?;
    let mut quantizer = Quantizer { old: graph, new: Graph::new(), ids: HashMap::new(), ranges, fixed };
    for id in graph.topological() {
        quantizer.node(id, &input)?;
    }
    let mut quantized = quantizer.new;
    if let Some(&output) = graph.try_output().and_then(|output| quantizer.ids.get(&output)) {
        quantized.set_output(output);
    }
    *graph = quantized;
    Ok(())
}

struct Quantizer<'a> {
    old: &'a Graph,
    new: Graph,
    /// The new nodes that stand for old ones.
    ids: HashMap<NodeId, NodeId>,
    ranges: HashMap<NodeId, Range>,
    fixed: &'a FixedPoint,
}

/// Where the sums of a linear operation go.
struct Destination {
    /// The last node that they pass before they are summed again, or end.
    node: NodeId,
    /// Whether a relu stands on the way.
    is_rectified: bool,
    /// Whether they are summed again.
    is_summed: bool,
}

/// The integers of a linear operation.
struct Linear {
    weights: Weights,
    bias: Option<Weights>,
    /// For each output channel the real value of one unit of its sums.
    units: Vec<f64>,
}

impl Quantizer<'_> {
    fn node(&mut self, id: NodeId, input: &Number) -> Result<(), PassError> {
        let node = self.old.node(id);
        let operands: Vec<NodeId> = self.old.operands(id).iter().filter_map(|id| self.ids.get(id).copied()).collect();
        let added = match (&node.op, &operands[..]) {
            (Op::Input { shape, .. }, _) => {
                self.add(id, Op::Input { shape: shape.clone(), number: input.clone() }, &[])?
            }
            (Op::Conv2d { kernel, bias }, &[operand]) => {
                let Linear { weights: kernel, bias, units } = self.linear(operand, kernel, bias.as_ref());
                let sums = self.add(id, Op::Conv2d { kernel, bias }, &operands)?;
                self.requantize(id, sums, &units)?
            }
            (Op::Dense { weights, bias }, &[operand]) => {
                let Linear { weights, bias, units } = self.linear(operand, weights, bias.as_ref());
                let sums = self.add(id, Op::Dense { weights, bias }, &operands)?;
                self.requantize(id, sums, &units)?
            }
            (op, operands) => self.add(id, op.clone(), operands)?,
        };
        self.ids.insert(id, added);
        Ok(())
    }

    fn add(&mut self, of: NodeId, op: Op, operands: &[NodeId]) -> Result<NodeId, PassError> {
        let node = self.old.node(of);
        let added = self.new.add(op, operands, node.layer);
        added.map_err(|error| match error {
            InferError::Overflow { magnitude, .. } => self.narrow(of, node, ceil_log2(magnitude as f64)),
            error => PassError::Infer { layer: node.layer, error },
        })
    }

    fn narrow(&self, id: NodeId, node: &Node, needed: u32) -> PassError {
        PassError::TooNarrow { node: id, layer: node.layer, bits: self.fixed.bits, needed, room: ROOM_BITS }
    }

    fn linear(&self, operand: NodeId, weights: &Weights, bias: Option<&Weights>) -> Linear {
        let bits = self.fixed.bits;
        // The graph under construction is fixed-point from its input on.
        let unit = self.new.node(operand).fact.scale().unwrap_or(1.0);
        let (Weights::Real(data), channels) = (weights, weights.shape().first().copied().unwrap_or(1)) else {
            return Linear { weights: weights.clone(), bias: bias.cloned(), units: vec![unit] };
        };
        // Zero times any weight is zero.
        let is_idle = self.new.node(operand).fact.interval() == Some((0, 0));
        let elements: Vec<f64> = data.iter().map(|&w| if is_idle { 0.0 } else { w }).collect();
        let rows = || elements.chunks((elements.len() / channels).max(1));
        let biases = match bias {
            Some(Weights::Real(data)) => data.iter().map(|b| b / unit).collect(),
            _ => vec![0.0; channels],
        };
        let rows_greatest: Vec<f64> = rows().map(greatest).collect();
        let scales = channel_scales(&rows_greatest, &biases, bits);
        let coarsest = greatest(&scales);
        let integers = rows().zip(&scales).flat_map(|(row, scale)| row.iter().map(move |w| (w / scale).round() as i64));
        let data = tensor(weights.shape(), integers.collect());
        let units: Vec<f64> = scales.iter().map(|scale| unit * scale).collect();
        let bias = bias.map(|bias| match bias {
            Weights::Real(data) => {
                let integers = data.iter().zip(&units).map(|(b, unit)| (b / unit).round() as i64).collect();
                Weights::Fixed { data: tensor(bias.shape(), integers), scale: unit * coarsest }
            }
            fixed => fixed.clone(),
        });
        Linear { weights: Weights::Fixed { data, scale: coarsest }, bias, units }
    }

    /// Brings the sums of the old node `id` to one scale for all channels.
    fn requantize(&mut self, id: NodeId, sums: NodeId, units: &[f64]) -> Result<NodeId, PassError> {
        let bits = self.fixed.bits;
        let Destination { node, is_rectified, is_summed } = self.destination(id);
        let Range { lo, hi } = self.ranges[&node];
        let reach = if is_rectified { hi.max(0.0) } else { hi.abs().max(lo.abs()) };
        let coarsest = greatest(units);
        let steps = match (is_summed, is_rectified) {
            // What is never anything but zero is zero, and the next layer can rely on it.
            (true, _) if reach == 0.0 => 0,
            (true, true) => (1i64 << bits) - 1,
            (true, false) => (1i64 << (bits - 1)) - 1,
            (false, _) => 1i64 << (bits + WIDE_BITS),
        };
        let scale = match is_summed {
            true if reach > 0.0 => reach / steps as f64,
            true => coarsest,
            // The sums themselves are no finer than that.
            false => (reach / steps as f64).max(coarsest),
        };
        let (shift, multipliers) = self.multipliers(id, sums, units, scale, reach)?;
        let mut op = Requantize { multipliers, shift, lo: 0, hi: 0, scale };
        (op.lo, op.hi) = match (is_summed, is_rectified) {
            (true, true) => (0, steps),
            (true, false) if steps == 0 => (0, 0),
            (true, false) => (-steps - 1, steps),
            (false, _) => {
                let interval = self.new.node(sums).fact.interval().unwrap_or_default();
                let (lo, hi) = op.quotients(interval);
                // Products within ±2^60, shifted to the right.
                (lo as i64, hi as i64)
            }
        };
        self.add(id, Op::Requantize(op), &[sums])
    }

    /// The longest shift for which there is room, up to the one that loses nothing worth having, and the multipliers
    /// that go with it.
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
        // A multiplier is half a unit off at most, so a result is `sum / 2^(shift + 1)` off. This is to be a quarter of
        // what `bits` bits can tell apart.
        let result_step = scale.max(reach * 0.5f64.powi(self.fixed.bits as i32)) / scale;
        let sum = (reach / finest).clamp(1.0, greatest_sum);
        let least = ceil_log2(2.0 * sum / result_step).clamp(1, MAX_SHIFT);
        let products = |shift: u32| {
            let greatest_multiplier = greatest(units) / scale * 2f64.powi(shift as i32);
            ceil_log2(greatest_sum * (greatest_multiplier + 1.0) + 2f64.powi(shift as i32))
        };
        let most = (least + SPARE_BITS).min(MAX_SHIFT);
        let Some(shift) = (least..=most).rev().find(|&shift| products(shift) <= ROOM_BITS) else {
            return Err(self.narrow(id, self.old.node(id), products(least)));
        };
        let multiplier = |unit: &f64| (unit / scale * 2f64.powi(shift as i32)).round() as i64;
        Ok((shift, units.iter().map(multiplier).collect()))
    }

    fn destination(&self, mut node: NodeId) -> Destination {
        let mut is_rectified = false;
        loop {
            let end = Destination { node, is_rectified, is_summed: false };
            let [user] = self.old.users(node)[..] else { return end };
            if self.old.try_output() == Some(node) {
                return end;
            }
            match self.old.node(user).op {
                Op::Conv2d { .. } | Op::Dense { .. } => return Destination { is_summed: true, ..end },
                Op::Relu | Op::MaxPool { relu: true, .. } => is_rectified = true,
                Op::MaxPool { .. } | Op::Flatten => {}
                _ => return end,
            }
            node = user;
        }
    }
}

/// The least `n` such that the number, a positive one, is at most `2^n`; zero for numbers of at most one. Exact, unlike a
/// logarithm, whose last bits depend on the system's library.
fn ceil_log2(number: f64) -> u32 {
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let (exponent, mantissa) = (number.to_bits() >> MANTISSA_BITS, number.to_bits() & ((1 << MANTISSA_BITS) - 1));
    let floor = exponent as i32 - (f64::MAX_EXP - 1);
    u32::try_from(floor + i32::from(mantissa > 0)).unwrap_or(0)
}

/// A scale for the weights of each output channel, given the greatest magnitude of its weights, and its bias in units of the
/// operand: that at which the weights just fit `bits` bits.
///
/// A channel whose weights are all zero is its bias, and no scale is too fine for it but for what it costs. It takes the
/// coarsest of the others, unless that tells the bias more coarsely than scores are told, or makes it larger than a
/// product of a weight and a number.
fn channel_scales(weights: &[f64], biases: &[f64], bits: u32) -> Vec<f64> {
    let power = |exponent: u32| 0.5f64.powi(exponent as i32);
    // In this order, since there are 8 bits at least.
    let of_bias = |bias: f64| (bias.abs() * power(2 * bits - 1), bias.abs() * power(bits + WIDE_BITS));
    let most = ((1i64 << (bits - 1)) - 1) as f64;
    let live = greatest(weights) / most;
    let scale = |(&weight, &bias): (&f64, &f64)| match weight > 0.0 {
        true => weight / most,
        false => {
            let (least, greatest) = of_bias(bias);
            if live > 0.0 { live.clamp(least, greatest) } else { greatest }
        }
    };
    let needed: Vec<f64> = weights.iter().zip(biases).map(scale).collect();
    // A channel that hardly counts gets no scale of its own: its multiplier would have no digits left.
    let finest = if live > 0.0 { live } else { greatest(&needed) } * power(bits);
    let finest = if finest > 0.0 { finest } else { 1.0 };
    needed.iter().map(|scale| scale.max(finest)).collect()
}

/// The greatest magnitude.
fn greatest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0, |greatest, number| f64::max(greatest, number.abs()))
}

fn tensor(shape: &[usize], integers: Vec<i64>) -> ArcArray<i64, IxDyn> {
    // One integer for each element of a tensor of that shape.
    ArcArray::from_shape_vec(IxDyn(shape), integers).expect("as many integers as there were numbers")
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn};

    use super::super::testing::{after_with, error_with};
    use super::*;

    fn context(bits: u32, calibration: Option<(&[usize], &[f64])>) -> Context {
        let calibration = calibration.map(|(shape, data)| ArrayD::from_shape_vec(IxDyn(shape), data.to_vec()).unwrap());
        Context {
            input_range: (-4, 4),
            fixed: Some(FixedPoint { bits, calibration, input_declared: true, input: None }),
        }
    }

    const CNN: &str = "
        %0 = input : [2, 2, 1] real
        %1 = conv2d %0 kernel=real[2, 1, 1, 1] [0.5, -0.25] bias=real[2] [0.125, 0.0] layer=0
        %2 = max_pool %1 window=[2, 2] relu layer=1
        %3 = flatten %2 layer=2
        %4 = dense %3 weights=real[2, 2] [0.3, -0.1, 0.02, 0.01] bias=real[2] [0.5, -0.5] layer=3
        %5 = argmax %4 layer=4
        output %5
    ";

    #[test]
    fn logarithms_are_exact_at_powers_of_two() {
        for n in 0..1023 {
            let power = 2f64.powi(n);
            assert_eq!([power.next_down(), power, power.next_up()].map(ceil_log2), [n, n, n + 1].map(|n| n as u32));
        }
        assert_eq!([0.3, f64::MIN_POSITIVE, 1e-320].map(ceil_log2), [0; 3]);
        assert_eq!(ceil_log2(f64::INFINITY), 1024);
    }

    #[test]
    fn ranges_are_those_that_weights_allow() {
        insta::assert_snapshot!(after_with(run, &context(8, None), CNN));
    }

    #[test]
    fn ranges_are_those_that_calibration_finds() {
        let calibration: (&[usize], &[f64]) = (&[2, 2, 2, 1], &[0.0, 1.0, 2.0, -1.0, -2.0, 0.0, 0.0, 1.0]);
        insta::assert_snapshot!(after_with(run, &context(8, Some(calibration)), CNN));
    }

    #[test]
    fn dead_channels_and_dead_layers_do_no_harm() {
        insta::assert_snapshot!(after_with(
            run,
            &context(8, None),
            "
            %0 = input : [1] real
            %1 = dense %0 weights=real[2, 1] [0.0, 0.5] bias=real[2] [0.25, 0.0] layer=0
            %2 = dense %1 weights=real[1, 2] [0.0, 0.0] layer=1
            %3 = relu %2 layer=2
            %4 = dense %3 weights=real[1, 1] [1.5] layer=3
            output %4
        "
        ));
    }

    #[test]
    fn what_is_fixed_stays_as_it_is() {
        let text = "%0 = input : [1] fixed(scale 1, 0..=1)\noutput %0\n";
        assert_eq!(after_with(run, &context(8, None), text), text);
    }

    #[test]
    fn sums_that_no_multiplier_leaves_room_for_are_named() {
        let weights = vec!["0.5"; 20_000].join(", ");
        let text = |bits: u32| {
            let text = format!(
                "%0 = input : [20000] real
                %1 = dense %0 weights=real[1, 20000] [{weights}] layer=7
                %2 = dense %1 weights=real[1, 1] [1.5] layer=8
                output %2"
            );
            (context(bits, None), text)
        };
        let (narrow, graph) = text(12);
        after_with(run, &narrow, &graph);
        let (wide, graph) = text(16);
        let error = error_with(run, &Context { input_range: (-(1 << 31), 1 << 31), ..wide }, &graph);
        insta::assert_snapshot!(error);
    }
}
