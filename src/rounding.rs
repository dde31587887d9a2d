//! What rounding costs: the integer program beside floating point, on inputs such as the network is meant for.
//!
//! A program can be proved, and be far from the network that it was made from: rounded numbers of few bits hold little of a
//! signal that is small beside the room that they have to leave. [`measure`] finds that out before anything is proved.

use crate::evaluate::{Comparison, EvaluateError, Station, chooses, rescaled, scores, stations};
use crate::input;
use crate::passes::{SAMPLE_KINDS, is_quantized, random_inputs};
use ndarray::ArrayD;
use serde::{Deserialize, Deserializer, Serialize};
use zknn_ir::eval::{self, eval_fixed_batch, eval_real_batch};
use zknn_ir::{Graph, NodeId};

/// How many random inputs are looked at where there are none for calibration.
pub const RANDOM_SAMPLES: usize = 32;

/// What they are drawn from; not what ranges are found on.
const SEED: u64 = 1 << 32;

/// How many of the calibration inputs are looked at.
pub const MOST_SAMPLES: usize = 256;

/// How many numbers are held at a time, of all nodes together, unless one input has more.
const BATCH_NUMBERS: usize = 1 << 21;

/// How far integers are from floating point, in the kind of random inputs where that is most. Differences are fractions of how much an output differs from input to input; of an
/// output of classes they are those of the scores that these are chosen by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundingLoss {
    /// How many inputs were looked at.
    pub samples: usize,
    /// Whether they were drawn, and not those of the calibration.
    pub is_random: bool,
    /// The root of the mean square of all differences of the output that has the greatest.
    #[serde(deserialize_with = "maybe_infinite")]
    pub error: f64,
    /// The greatest difference.
    #[serde(deserialize_with = "maybe_infinite")]
    pub greatest: f64,
    /// How many inputs get the same class, where an output is one; of several such outputs, the fewest.
    pub same_class: Option<usize>,
    /// What is lost on the way, in the order in which the layers are computed.
    pub layers: Vec<LayerLoss>,
}

/// How far integers are from floating point behind a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerLoss {
    /// The layer of the model, counted from zero.
    pub layer: usize,
    /// As for outputs.
    #[serde(deserialize_with = "maybe_infinite")]
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
/// where nothing is rounded, or as the network says.
///
/// # Errors
/// The calibration inputs are none of the program's.
pub fn measure(
    graph: &Graph,
    reals: &Graph,
    calibration: &[ArrayD<f64>],
) -> Result<Option<RoundingLoss>, EvaluateError> {
    if !input::rounds(graph) || is_quantized(reals) {
        return Ok(None);
    }
    let given = calibration.iter().filter_map(|batch| batch.shape().first()).min().copied().unwrap_or(0);
    let inputs = match given {
        0 => random_inputs(graph, |id| graph.node(id).op.range(&[], &graph.node(id).fact), RANDOM_SAMPLES, SEED),
        _ => eval::samples(calibration, 0..given.min(MOST_SAMPLES)),
    };
    let integers = input::integers_of_batches(graph, &inputs)?;
    let samples = integers[0].shape()[0];
    let ends = reals.outputs().iter().zip(graph.outputs());
    let ends = ends.map(|(&float, &integer)| (scores(reals, float), scores(graph, integer)));
    let stations = stations(graph, Some(reals));
    let on_the_way = stations.iter().map(|station| (station.float, station.integer));
    let places: Vec<(NodeId, NodeId)> = ends.chain(on_the_way).collect();
    let kinds = if given == 0 { SAMPLE_KINDS } else { 1 };
    let comparisons = compare(graph, reals, &inputs, &integers, &places, kinds)?;
    let (of_ends, on_the_way) = comparisons.split_at(graph.outputs().len());
    let of_classes = graph.outputs().iter().zip(of_ends).filter(|(output, _)| chooses(&graph.node(**output).op));
    let error = |of_kinds: &Vec<Comparison>| of_kinds.iter().map(Comparison::error).fold(0.0, f64::max);
    let greatest = |of_kinds: &Vec<Comparison>| of_kinds.iter().map(Comparison::greatest).fold(0.0, f64::max);
    let same_class = |of_kinds: &Vec<Comparison>| of_kinds.iter().map(|comparison| comparison.same_class).sum();
    let layer =
        |(station, of_kinds): (&Station, &Vec<Comparison>)| LayerLoss { layer: station.layer, error: error(of_kinds) };
    Ok(Some(RoundingLoss {
        samples,
        is_random: given == 0,
        error: of_ends.iter().map(error).fold(0.0, f64::max),
        greatest: of_ends.iter().map(greatest).fold(0.0, f64::max),
        same_class: of_classes.map(|(_, of_kinds)| same_class(of_kinds)).min(),
        layers: stations.iter().zip(on_the_way).map(layer).collect(),
    }))
}

/// A number that JSON has, or one that it writes as null.
fn maybe_infinite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

/// Runs both programs and compares each pair of nodes, one of real numbers and one of integers, in each kind of samples, which come in
/// turn.
fn compare(
    graph: &Graph,
    reals: &Graph,
    inputs: &[ArrayD<f64>],
    integers: &[ArrayD<i64>],
    places: &[(NodeId, NodeId)],
    kinds: usize,
) -> Result<Vec<Vec<Comparison>>, EvaluateError> {
    let samples = integers[0].shape()[0];
    let of_kinds = || (0..kinds).map(|_| Comparison::default()).collect();
    let mut comparisons: Vec<Vec<Comparison>> = places.iter().map(|_| of_kinds()).collect();
    for part in eval::parts(graph, samples, BATCH_NUMBERS, RANDOM_SAMPLES) {
        let of_reals = eval_real_batch(reals, &eval::samples(inputs, part.clone())[..])?;
        let of_graph = eval_fixed_batch(graph, &eval::samples(integers, part.clone())[..])?;
        for (&(real, integer), of_kinds) in places.iter().zip(&mut comparisons) {
            let rounded = rescaled(graph, &of_graph, integer);
            let samples = of_reals.get(real).outer_iter();
            for ((reals, rounded), sample) in samples.zip(rounded.outer_iter()).zip(part.clone()) {
                of_kinds[sample % kinds].add(reals, rounded);
            }
        }
    }
    Ok(comparisons)
}
