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

/// How many bins of magnitudes are counted: four powers of two.
pub(super) const BINS: usize = 16;

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
    /// How many numbers there were of the magnitudes of the greatest, and of the next ones: there are four bins for each power of
    /// two, and the first holds the greatest.
    pub tail: [u32; BINS],
}

impl Seen {
    pub(super) fn range(&self) -> Range {
        Range { lo: self.least, hi: self.greatest }
    }

    /// No number at all.
    pub(super) const NOTHING: Seen =
        Seen { least: f64::INFINITY, greatest: f64::NEG_INFINITY, mean: 0.0, tail: [0; BINS] };

    /// The number of the bin that the greatest magnitude is in.
    pub(super) fn top(&self) -> u64 {
        bin(self.range().reach())
    }

    /// One number more; the mean is a sum as yet.
    pub(super) fn add(&mut self, value: f64) {
        let (before, at) = (if self.least > self.greatest { 0 } else { self.top() }, bin(value));
        if at > before {
            // Farther than there are bins, nothing is left.
            let by = usize::try_from(at - before).unwrap_or(BINS).min(BINS);
            self.tail.copy_within(..BINS - by, by);
            self.tail[..by].fill(0);
        }
        if let Some(count) = usize::try_from(before.max(at) - at).ok().and_then(|below| self.tail.get_mut(below)) {
            *count = count.saturating_add(1);
        }
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        self.mean += value;
    }

    /// The same of a channel that is multiplied by a power of two.
    pub(super) fn scaled(&self, factor: f64) -> Seen {
        Seen { least: factor * self.least, greatest: factor * self.greatest, mean: factor * self.mean, ..*self }
    }
}

/// The number of the bin of a magnitude: sign off, the exponent of a float and the first two bits of its fraction.
fn bin(value: f64) -> u64 {
    value.abs().to_bits() >> (f64::MANTISSA_DIGITS - 3)
}

/// Where a bin ends, the next one's least magnitude.
pub(super) fn end_of_bin(bin: u64) -> f64 {
    f64::from_bits((bin + 1) << (f64::MANTISSA_DIGITS - 3))
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
    let mut all: SeenChannels =
        nodes.iter().map(|&id| (id, vec![Seen::NOTHING; graph.node(id).fact.channels()])).collect();
    for part in eval::parts(graph, samples, BATCH_NUMBERS, BATCH) {
        // The same on every machine: keys depend on it. Batches of unlike lengths are refused.
        let values = eval_real_batch_in_order(graph, &eval::samples(batches, part)[..])?;
        for (id, channels) in &mut all {
            let values = values.get(*id).as_standard_layout();
            for pixel in values.as_slice().unwrap_or_default().chunks(channels.len().max(1)) {
                for (seen, &value) in channels.iter_mut().zip(pixel) {
                    seen.add(value);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(numbers: &[f64]) -> Seen {
        let mut seen = Seen::NOTHING;
        numbers.iter().for_each(|&number| seen.add(number));
        seen
    }

    #[test]
    fn magnitudes_are_counted_from_the_greatest_down_whatever_the_order() {
        // Bins end at 1.25, 1.5, 1.75 and 2 times each power of two.
        let numbers = [0.0, 1.0, -1.1, 1.3, -0.9, 0.51, 0.01, 7.9, -8.0, 9.9];
        let expected = [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0];
        assert_eq!(seen(&numbers).tail, expected);
        let mut turned = numbers;
        turned.reverse();
        assert_eq!(seen(&turned).tail, expected);
        // Of a channel times a power of two it is the same.
        let of_scaled = seen(&numbers.map(|number| 0.125 * number));
        assert_eq!(of_scaled, Seen { mean: of_scaled.mean, ..seen(&numbers).scaled(0.125) });
        // What is far below the greatest is not counted.
        assert_eq!(seen(&[1e-300, 5.0, 1e300]).tail, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(seen(&[0.0, 0.0]).tail[0], 2);
    }
}
