//! What rounding costs: the integer program beside floating point, on inputs such as the network is meant for.
//!
//! A program can be proved, and be far from the network that it was made from: rounded numbers of few bits hold little of a
//! signal that is small beside the room that they have to leave. [`measure`] finds that out before anything is proved.

use crate::evaluate::{EvaluateError, Station, stations};
use crate::input;
use crate::passes::random_samples;
use ndarray::{ArrayD, ArrayViewD};
use zknn_ir::eval::{eval_fixed_batch, eval_real_batch};
use zknn_ir::{Graph, NodeId, Op};

/// How many random inputs are looked at where there are none for calibration.
pub const RANDOM_SAMPLES: usize = 32;

/// What they are drawn from; not what ranges are found on.
const SEED: u64 = 1 << 32;

/// How many of the calibration inputs are looked at.
pub const MOST_SAMPLES: usize = 256;

/// How many numbers are held at a time, of all nodes together, unless one input has more.
const BATCH_NUMBERS: usize = 1 << 21;

/// How far integers are from floating point. Differences are fractions of how much an output differs from input to input; of an
/// output of classes they are those of the scores that these are chosen by.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundingLoss {
    /// How many inputs were looked at.
    pub samples: usize,
    /// Whether they were drawn, and not those of the calibration.
    pub is_random: bool,
    /// The root of the mean square of all differences of the output that has the greatest.
    pub error: f64,
    /// The greatest difference.
    pub greatest: f64,
    /// How many inputs get the same class, where an output is one; of several such outputs, the fewest.
    pub same_class: Option<usize>,
    /// What is lost on the way, in the order in which the layers are computed.
    pub layers: Vec<LayerLoss>,
}

/// How far integers are from floating point behind a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerLoss {
    /// The layer of the model, counted from zero.
    pub layer: usize,
    /// As for outputs.
    pub error: f64,
}

impl RoundingLoss {
    /// The first layer that loses more than this fraction.
    pub fn first_beyond(&self, error: f64) -> Option<LayerLoss> {
        self.layers.iter().copied().find(|layer| layer.error > error)
    }
}

impl LayerLoss {
    /// How many bits of the signal are left: by how many powers of two it is greater than the error.
    pub fn bits_left(&self) -> f64 {
        -self.error.log2()
    }
}

/// Compares an integer program with the network of real numbers that it was made from, as [`crate::lower_with_reals`] gives it: on
/// the first [`MOST_SAMPLES`] calibration inputs, or else on [`RANDOM_SAMPLES`] inputs that are the same for each range. Nothing
/// where nothing is rounded.
///
/// # Errors
/// The calibration inputs are none of the program's.
pub fn measure(
    graph: &Graph,
    reals: &Graph,
    calibration: &[ArrayD<f64>],
) -> Result<Option<RoundingLoss>, EvaluateError> {
    if !input::rounds(graph) {
        return Ok(None);
    }
    let given = calibration.iter().filter_map(|batch| batch.shape().first()).min().copied().unwrap_or(0);
    let inputs = match given {
        0 => random_inputs(graph),
        _ => input::samples(calibration, 0..given.min(MOST_SAMPLES)),
    };
    let integers = input::integers_of_batches(graph, &inputs)?;
    let samples = integers[0].shape()[0];
    let ends = reals.outputs().iter().zip(graph.outputs());
    let ends = ends.map(|(&float, &integer)| (scores(reals, float), scores(graph, integer)));
    let stations = stations(graph, Some(reals));
    let on_the_way = stations.iter().map(|station| (station.float, station.integer));
    let places: Vec<(NodeId, NodeId)> = ends.chain(on_the_way).collect();
    let comparisons = compare(graph, reals, &inputs, &integers, &places)?;
    let (of_ends, on_the_way) = comparisons.split_at(graph.outputs().len());
    let is_class = |output: &NodeId| matches!(graph.node(*output).op, Op::Argmax(_) | Op::TopK(_));
    let of_classes = graph.outputs().iter().zip(of_ends).filter(|(output, _)| is_class(output));
    let layer =
        |(station, comparison): (&Station, &Comparison)| LayerLoss { layer: station.layer, error: comparison.error() };
    Ok(Some(RoundingLoss {
        samples,
        is_random: given == 0,
        error: of_ends.iter().map(Comparison::error).fold(0.0, f64::max),
        greatest: of_ends.iter().map(Comparison::greatest).fold(0.0, f64::max),
        same_class: of_classes.map(|(_, comparison)| comparison.same_class).min(),
        layers: stations.iter().zip(on_the_way).map(layer).collect(),
    }))
}

/// Runs both programs and compares each pair of nodes, one of real numbers and one of integers.
fn compare(
    graph: &Graph,
    reals: &Graph,
    inputs: &[ArrayD<f64>],
    integers: &[ArrayD<i64>],
    places: &[(NodeId, NodeId)],
) -> Result<Vec<Comparison>, EvaluateError> {
    let numbers: usize = graph.topological().iter().map(|&id| graph.node(id).fact.elements()).sum();
    let batch = (BATCH_NUMBERS / numbers.max(1)).clamp(1, RANDOM_SAMPLES);
    let samples = integers[0].shape()[0];
    let mut comparisons: Vec<Comparison> = places.iter().map(|_| Comparison::default()).collect();
    for start in (0..samples).step_by(batch) {
        let part = start..(start + batch).min(samples);
        let of_reals = eval_real_batch(reals, &input::samples(inputs, part.clone())[..])?;
        let of_graph = eval_fixed_batch(graph, &input::samples(integers, part)[..])?;
        for (&(real, integer), comparison) in places.iter().zip(&mut comparisons) {
            let scale = graph.node(integer).fact.scale().unwrap_or(1.0);
            let rounded = of_graph.get(integer).mapv(|integer| integer as f64 * scale);
            for (reals, rounded) in of_reals.get(real).outer_iter().zip(rounded.outer_iter()) {
                comparison.add(reals, rounded);
            }
        }
    }
    Ok(comparisons)
}

/// Inputs from all over the ranges of the program.
fn random_inputs(graph: &Graph) -> Vec<ArrayD<f64>> {
    let batch = |(&input, seed): (&NodeId, u64)| {
        let fact = &graph.node(input).fact;
        let (scale, (lo, hi)) = (fact.scale().unwrap_or(1.0), fact.interval().unwrap_or_default());
        random_samples(&fact.shape, (lo as f64 * scale, hi as f64 * scale), RANDOM_SAMPLES, seed)
    };
    graph.inputs().iter().zip(SEED..).map(batch).collect()
}

/// The node of the numbers that count: the output, or what an argmax at the end chooses from.
fn scores(graph: &Graph, output: NodeId) -> NodeId {
    match (&graph.node(output).op, &graph.operands(output)[..]) {
        (Op::Argmax(_) | Op::TopK(_), &[scores]) => scores,
        _ => output,
    }
}

/// What has been seen so far.
#[derive(Debug, Default)]
struct Comparison {
    same_class: usize,
    greatest_difference: f64,
    /// Of all differences.
    squares: f64,
    numbers: usize,
    /// The least and the greatest number of each output, in floating point.
    extents: Vec<(f64, f64)>,
}

impl Comparison {
    fn add(&mut self, reals: ArrayViewD<f64>, rounded: ArrayViewD<f64>) {
        self.extents.resize(reals.len(), (f64::INFINITY, f64::NEG_INFINITY));
        for ((&real, &rounded), (lo, hi)) in reals.iter().zip(&rounded).zip(&mut self.extents) {
            let difference = (real - rounded).abs();
            // Infinite numbers of a network that overflows are as far off as can be.
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            self.greatest_difference = self.greatest_difference.max(difference);
            self.squares += difference * difference;
            self.numbers += 1;
            (*lo, *hi) = (lo.min(real), hi.max(real));
        }
        self.same_class += usize::from(class(reals) == class(rounded));
    }

    /// The greatest difference, relative to the spread.
    fn greatest(&self) -> f64 {
        self.relative(self.greatest_difference)
    }

    /// The root of the mean square of the differences, relative to the spread.
    fn error(&self) -> f64 {
        self.relative((self.squares / self.numbers.max(1) as f64).sqrt())
    }

    /// A difference relative to the greatest extent of an output. Where all inputs have the same outputs, these are compared with
    /// each other; and where there is only one, with zero.
    fn relative(&self, difference: f64) -> f64 {
        let of_one = self.extents.iter().map(|(lo, hi)| hi - lo).fold(0.0, f64::max);
        let lo = self.extents.iter().map(|extent| extent.0).fold(f64::INFINITY, f64::min);
        let hi = self.extents.iter().map(|extent| extent.1).fold(f64::NEG_INFINITY, f64::max);
        let spread = [of_one, hi - lo, hi.abs()].into_iter().find(|&spread| spread > 0.0);
        match spread {
            // Even where nothing has any spread, or that is infinite too.
            _ if [0.0, f64::INFINITY].contains(&difference) => difference,
            Some(spread) => difference / spread,
            None => f64::INFINITY,
        }
    }
}

/// The index of the greatest number, the lowest of several.
fn class(scores: ArrayViewD<f64>) -> usize {
    let mut greatest = (0, f64::NEG_INFINITY);
    for (index, &score) in scores.iter().enumerate() {
        if score > greatest.1 {
            greatest = (index, score);
        }
    }
    greatest.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::IxDyn;

    fn compared(samples: &[(&[f64], &[f64])]) -> Comparison {
        let mut comparison = Comparison::default();
        for (reals, rounded) in samples {
            let view = |numbers| ArrayViewD::from_shape(IxDyn(&[reals.len()]), numbers).unwrap();
            comparison.add(view(reals), view(rounded));
        }
        comparison
    }

    #[test]
    fn errors_are_relative_to_what_inputs_change() {
        // Far apart from each other, and hardly any different from input to input.
        let comparison = compared(&[(&[100.0, 0.0], &[100.0, 1.0]), (&[102.0, 0.0], &[102.0, 0.0])]);
        assert_eq!((comparison.same_class, comparison.greatest()), (2, 0.5));
        let alike = [([3.0, 7.0], [7.0, 3.0]); 2];
        let comparison = compared(&alike.each_ref().map(|(reals, rounded)| (&reals[..], &rounded[..])));
        assert_eq!((comparison.same_class, comparison.greatest()), (0, 1.0));
        assert_eq!(compared(&[(&[-4.0], &[-3.0])]).error(), 0.25);
    }

    #[test]
    fn nothing_is_far_from_itself_and_infinitely_far_from_zero() {
        assert_eq!(compared(&[(&[0.0], &[0.0])]).error(), 0.0);
        assert_eq!(compared(&[(&[0.0], &[0.5])]).error(), f64::INFINITY);
        assert_eq!(compared(&[(&[f64::INFINITY, 0.0], &[f64::INFINITY, 0.0])]).error(), f64::INFINITY);
    }
}
