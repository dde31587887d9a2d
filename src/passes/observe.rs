//! Looks how large the numbers of each channel get on the calibration inputs, once for all passes that scale numbers.
//!
//! Precondition: the graph is real, in the form that numbers are scaled in. Without calibration nothing happens.
//!
//! Postcondition: the graph is what it was. The context knows the ranges that were found, whether on calibration inputs or by
//! another run of the pass, which told them as [`FoundRanges`].
//!
//! Runs before [`equalize`](super::equalize), which multiplies channels, and their ranges with them.

use std::collections::HashMap;

use ndarray::ArrayD;
use serde::{Deserialize, Serialize};
use zknn_ir::eval::{self, eval_real_batch_in_order};
use zknn_ir::{Graph, NodeId, Number, Range};

use super::{Calibration, Context, PassError};

/// How many inputs are evaluated at a time, at most.
const BATCH: usize = 32;

/// How many numbers are held at a time, where one input does not have more.
pub(super) const BATCH_NUMBERS: usize = 1 << 25;

/// What was found on the calibration inputs: all that a program depends on of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundRanges {
    /// The digest of the network in real numbers that it was found in, in hexadecimal digits.
    pub network: String,
    /// How many inputs there were.
    pub samples: usize,
    /// Of each input of the network, in their order, whether all numbers seen were integers.
    pub integers: Vec<bool>,
    /// Of each node, operands first, what its channels held, indices of the last axis.
    pub nodes: Vec<Vec<Seen>>,
}

/// What a channel held.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The least number.
    pub least: f64,
    /// The greatest number.
    pub greatest: f64,
    /// The mean of all.
    pub mean: f64,
}

impl Seen {
    pub(super) fn range(&self) -> Range {
        Range { lo: self.least, hi: self.greatest }
    }

    /// The same of a channel that is multiplied by a positive factor.
    pub(super) fn scaled(&self, factor: f64) -> Seen {
        Seen { least: factor * self.least, greatest: factor * self.greatest, mean: factor * self.mean }
    }
}

/// What each channel of each node held.
pub(super) type SeenChannels = HashMap<NodeId, Vec<Seen>>;

/// Evaluates the calibration inputs, or checks that what was found elsewhere is of this network.
pub(super) fn run(graph: &mut Graph, context: &mut Context) -> Result<(), PassError> {
    let Some(fixed) = &mut context.fixed else { return Ok(()) };
    if !fixed.seen.is_empty() || graph.inputs().iter().any(|&id| graph.node(id).fact.number != Number::Real) {
        return Ok(());
    }
    match &fixed.calibration {
        Calibration::Nothing => {}
        Calibration::Inputs(batches) => {
            let samples = batches.first().and_then(|batch| batch.shape().first()).copied().unwrap_or(0);
            if samples > 0 {
                fixed.seen = seen(graph, batches, samples)?;
                fixed.calibration = Calibration::Found(found(graph, batches, samples, &fixed.seen));
            }
        }
        Calibration::Found(found) => fixed.seen = of_network(graph, found).ok_or(PassError::ForeignRanges)?,
    }
    Ok(())
}

/// What so many samples of batches of the inputs show.
pub(super) fn seen(graph: &Graph, batches: &[ArrayD<f64>], samples: usize) -> Result<SeenChannels, PassError> {
    let nodes = graph.topological();
    let nothing = Seen { least: f64::INFINITY, greatest: f64::NEG_INFINITY, mean: 0.0 };
    let mut all: SeenChannels = nodes.iter().map(|&id| (id, vec![nothing; graph.node(id).fact.channels()])).collect();
    for part in eval::parts(graph, samples, BATCH_NUMBERS, BATCH) {
        // The same on every machine: keys depend on it. Batches of unlike lengths are refused.
        let values = eval_real_batch_in_order(graph, &eval::samples(batches, part)[..])?;
        for (id, channels) in &mut all {
            let values = values.get(*id).as_standard_layout();
            for pixel in values.as_slice().unwrap_or_default().chunks(channels.len().max(1)) {
                for (seen, &value) in channels.iter_mut().zip(pixel) {
                    seen.least = seen.least.min(value);
                    seen.greatest = seen.greatest.max(value);
                    seen.mean += value;
                }
            }
        }
    }
    for (id, channels) in &mut all {
        let pixels = graph.node(*id).fact.elements() / channels.len().max(1);
        channels.iter_mut().for_each(|seen| seen.mean /= (samples * pixels).max(1) as f64);
    }
    Ok(all)
}

fn found(graph: &Graph, batches: &[ArrayD<f64>], samples: usize, seen: &SeenChannels) -> FoundRanges {
    FoundRanges {
        network: digest(graph),
        samples,
        integers: batches.iter().map(|batch| batch.iter().all(|value| value.fract() == 0.0)).collect(),
        nodes: graph.topological().iter().map(|id| seen[id].clone()).collect(),
    }
}

/// What was found, node by node, if it is of this network.
fn of_network(graph: &Graph, found: &FoundRanges) -> Option<SeenChannels> {
    let nodes = graph.topological();
    let is_range = |seen: &Seen| {
        [seen.least, seen.greatest, seen.mean].iter().all(|number| number.is_finite()) && seen.least <= seen.greatest
    };
    let is_of_node = |(id, channels): (&NodeId, &Vec<Seen>)| {
        channels.len() == graph.node(*id).fact.channels() && channels.iter().all(is_range)
    };
    let fits = found.nodes.len() == nodes.len()
        && nodes.iter().zip(&found.nodes).all(is_of_node)
        && found.integers.len() == graph.inputs().len()
        && found.samples > 0
        && found.network == digest(graph);
    fits.then(|| nodes.into_iter().zip(found.nodes.iter().cloned()).collect())
}

fn digest(graph: &Graph) -> String {
    graph.digest().iter().map(|byte| format!("{byte:02x}")).collect()
}
