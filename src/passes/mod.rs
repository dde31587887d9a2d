//! The passes, and the pipeline that they make.
//!
//! [`PIPELINE`] is the whole of it: a list, run from first to last by [`run`], which validates the graph after every
//! entry. A pass is one function in a file of its own. It may rely on what its header requires, and on a graph that
//! the validator accepts; it may change the graph in any way that keeps what the graph computes.

mod canonicalize;
mod commute_pool;
mod drop_idle_relu;
mod equalize;
mod fold_affine;
mod fold_multipliers;
mod fuse_relu;
mod hoist_quantize;
mod observe;
mod powers;
mod quantize_exact;
mod quantize_fixed;
mod quantized;
mod ranges;
mod reads;
mod samples;
mod sink_requantize;
mod steps;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use observe::{FoundRanges, Seen};
pub use quantized::is_quantized;
pub use samples::{SAMPLE_KINDS, random_inputs};

use std::collections::BTreeMap;

use ndarray::ArrayD;
use observe::SeenChannels;
use thiserror::Error;
use zknn_ir::eval::EvalError;
use zknn_ir::{Graph, InferError, NodeId, Number, Violation, validate};

/// What the passes are told beside the graph, and what they tell each other of its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// What is known of the inputs, of each in their order.
    pub inputs: Vec<InputContext>,
    /// How to round real numbers; without it they have to be integers, and stay what they are.
    pub fixed: Option<FixedPoint>,
}

/// What is known of an input.
#[derive(Debug, Clone, PartialEq)]
pub struct InputContext {
    /// The least and the greatest integer that an element may be.
    pub range: (i64, i64),
    /// Whether the range is a promise, and not only what is assumed where nothing is known.
    pub is_declared: bool,
    /// The numbers, where they are not to be chosen by range and calibration.
    pub number: Option<Number>,
}

impl From<(i64, i64)> for InputContext {
    fn from(range: (i64, i64)) -> Self {
        Self { range, is_declared: true, number: None }
    }
}

impl Context {
    /// Of one input, whose range is declared.
    pub fn of_one(range: (i64, i64), fixed: Option<FixedPoint>) -> Self {
        Self { inputs: vec![range.into()], fixed }
    }
}

/// How real numbers become fixed-point ones.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedPoint {
    /// How many bits numbers between layers have, [`MIN_BITS`] to [`MAX_BITS`]; weights have up to five more.
    pub bits: u32,
    /// The bits of layers that have others: of the numbers that such a layer gives, and with them of its weights.
    pub layer_bits: BTreeMap<usize, u32>,
    /// How large numbers get.
    pub calibration: Calibration,
    /// What the range of numbers is fitted to that the calibration showed.
    pub fit: Fit,
    /// What the channels of each node held, as soon as that is known.
    seen: SeenChannels,
}

/// What the range of numbers between layers is fitted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fit {
    /// The greatest number seen, with some room, as others will be greater.
    #[default]
    Greatest,
    /// The least mean square of what rounding does to the numbers seen; those beyond are saturated.
    MeanSquare,
}

/// What is known of how large numbers get.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibration {
    /// Nothing: random inputs, and weights, tell.
    Nothing,
    /// A batch of each input, in their order.
    Inputs(Vec<ArrayD<f64>>),
    /// What such batches showed.
    Found(FoundRanges),
}

impl FixedPoint {
    /// Of so many bits, [`MIN_BITS`] to [`MAX_BITS`].
    pub fn new(bits: u32, calibration: Calibration) -> Self {
        Self { bits, layer_bits: BTreeMap::new(), calibration, fit: Fit::default(), seen: SeenChannels::new() }
    }

    /// The bits of a layer.
    fn bits_of(&self, layer: Option<usize>) -> u32 {
        layer.and_then(|layer| self.layer_bits.get(&layer)).copied().unwrap_or(self.bits)
    }

    /// The bits of the numbers that a layer gives, where they are summed again: one more, where a circuit checks as many with the
    /// same octal digits.
    fn number_bits_of(&self, layer: Option<usize>) -> u32 {
        let bits = self.bits_of(layer);
        bits + u32::from(bits % 3 == 2)
    }

    /// What was found on calibration inputs, if there are any, once `observe` has run.
    pub fn found(&self) -> Option<&FoundRanges> {
        match &self.calibration {
            Calibration::Found(found) => Some(found),
            Calibration::Nothing | Calibration::Inputs(_) => None,
        }
    }
}

impl From<Vec<ArrayD<f64>>> for Calibration {
    fn from(batches: Vec<ArrayD<f64>>) -> Self {
        if batches.is_empty() { Calibration::Nothing } else { Calibration::Inputs(batches) }
    }
}

/// The bits of numbers where none are asked for.
pub const DEFAULT_BITS: u32 = 10;

/// The fewest bits that numbers can have.
pub const MIN_BITS: u32 = 8;

/// The most bits that numbers can have.
pub const MAX_BITS: u32 = 16;

/// An entry of the pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// The name of the pass's file.
    pub name: &'static str,
    run: fn(&mut Graph, &mut Context) -> Result<(), PassError>,
}

impl Pass {
    /// Runs this pass alone.
    ///
    /// # Errors
    ///
    /// Why the pass gave up.
    pub fn apply(&self, graph: &mut Graph, context: &mut Context) -> Result<(), PassError> {
        (self.run)(graph, context)
    }
}

/// From real numbers to integers. There are two lowerings, and the [`Context`] says which: the exact one takes real
/// numbers that happen to be integers as those integers, with no rounding before a normalize layer; the fixed-point one
/// rounds. Passes that belong to one of them are idle in the other.
///
/// Passes that only look at how operations are strung together come before the quantization, since real numbers have
/// no intervals to infer anew; those that look at intervals come after it.
pub const PIPELINE: &[Pass] = &[
    Pass { name: "canonicalize", run: canonicalize::run },
    Pass { name: "hoist_quantize", run: hoist_quantize::run },
    Pass { name: "fold_affine", run: fold_affine::run },
    Pass { name: "commute_pool", run: commute_pool::run },
    Pass { name: "fuse_relu", run: fuse_relu::run },
    Pass { name: "observe", run: observe::run },
    Pass { name: "equalize", run: equalize::run },
    Pass { name: "quantize_exact", run: quantize_exact::run },
    Pass { name: "quantize_fixed", run: quantize_fixed::run },
    Pass { name: "drop_idle_relu", run: drop_idle_relu::run },
    Pass { name: "sink_requantize", run: sink_requantize::run },
    Pass { name: "fold_multipliers", run: fold_multipliers::run },
];

/// The pass after which numbers are still real, and as they are when they are rounded.
pub const LAST_OF_REALS: &str = "equalize";

/// Why a pass gave up. Nodes are those of the graph that the pass was given.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PassError {
    /// A weight that no integer is equal to.
    #[error("{node}: {tensor} has element {index}, {value:?}, which is not an integer")]
    FractionalWeight {
        /// The node that holds the weight.
        node: NodeId,
        /// The model layer that it came from.
        layer: Option<usize>,
        /// What the operation calls the tensor: `kernel`, `weights` or `bias`.
        tensor: &'static str,
        /// Row-major position in the tensor.
        index: usize,
        /// The weight.
        value: f64,
    },
    /// A weight so large that neighbouring integers are no longer told apart, or that cannot be held at all.
    #[error("{node}: {tensor} has element {index}, {value:?}, which is beyond ±2^{bits}")]
    LargeWeight {
        /// The node that holds the weight.
        node: NodeId,
        /// The model layer that it came from.
        layer: Option<usize>,
        /// What the operation calls the tensor: `kernel`, `weights` or `bias`.
        tensor: &'static str,
        /// Row-major position in the tensor.
        index: usize,
        /// The weight.
        value: f64,
        /// The magnitude allowed, as a power of two.
        bits: u32,
    },
    /// Sums that do not fit the field.
    #[error("{node}: sums may reach 2^{bits}, they must stay within ±2^62")]
    Overflow {
        /// The node that sums.
        node: NodeId,
        /// The model layer that it came from.
        layer: Option<usize>,
        /// The first output channel for which it happens; `None` for an input.
        channel: Option<usize>,
        /// The least power of two that no sum exceeds in magnitude.
        bits: u32,
        /// The input ranges that led to it.
        input_ranges: Vec<(i64, i64)>,
    },
    /// Sums that leave no room for the multiplier that requantizes them.
    #[error("{node}: at {bits} bits its sums, multiplied, need {needed} bits, and there is room for {room}")]
    TooNarrow {
        /// The node that sums.
        node: NodeId,
        /// The model layer that it came from.
        layer: Option<usize>,
        /// The bits of numbers.
        bits: u32,
        /// The bits, without a sign, that products of sums and multipliers need.
        needed: u32,
        /// The bits that there are.
        room: u32,
    },
    /// A context of another number of inputs than the graph has.
    #[error("the passes are told of {got} inputs, the graph has {expected}")]
    Inputs {
        /// How many the graph has.
        expected: usize,
        /// How many the context has.
        got: usize,
    },
    /// Calibration inputs that the network does not take.
    #[error("calibration: {0}")]
    Calibration(#[from] EvalError),
    /// Ranges that were found in another network.
    #[error("the ranges were found in another network")]
    ForeignRanges,
    /// Any other reason for which an operation does not fit its operands.
    #[error("{error}")]
    Infer {
        /// The model layer concerned, where one is.
        layer: Option<usize>,
        /// The reason.
        error: InferError,
    },
    /// A graph that the validator rejects: the fault of the pass, or of whoever made the graph that it was given.
    #[error("after {pass} the graph is not valid: {}", list(violations))]
    Invalid {
        /// The pass after which it showed; `lower` if that was before all of them.
        pass: &'static str,
        /// All that is wrong.
        violations: Vec<Violation>,
    },
}

/// What stands for the graph before all passes where a pass is named.
pub const LOWER: &str = "lower";

/// The names of all states that [`run`] shows its observer, in order: [`LOWER`], and each pass.
pub fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(LOWER).chain(PIPELINE.iter().map(|pass| pass.name))
}

/// Runs the pipeline. The observer sees the graph before it, and the valid graph after each pass. Afterwards the context has the
/// ranges that were found in the place of calibration inputs.
///
/// # Errors
///
/// That of the first pass which fails. The graph is then between two passes, and good only for being looked at.
pub fn run(graph: &mut Graph, context: &mut Context, observer: &mut dyn FnMut(&str, &Graph)) -> Result<(), PassError> {
    check(LOWER, graph)?;
    let (expected, got) = (graph.inputs().len(), context.inputs.len());
    if expected != got {
        return Err(PassError::Inputs { expected, got });
    }
    observer(LOWER, graph);
    for pass in PIPELINE {
        (pass.run)(graph, context)?;
        check(pass.name, graph)?;
        observer(pass.name, graph);
    }
    Ok(())
}

fn check(pass: &'static str, graph: &Graph) -> Result<(), PassError> {
    validate(graph).map_err(|violations| PassError::Invalid { pass, violations })
}

fn list(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(Violation::to_string).collect();
    texts.join("; ")
}

impl From<InferError> for PassError {
    fn from(error: InferError) -> PassError {
        let layer = match error {
            InferError::At { layer, .. } => layer,
            _ => None,
        };
        PassError::Infer { layer, error }
    }
}
