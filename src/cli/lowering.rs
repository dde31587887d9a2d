//! The options that say how a model becomes integers.

use super::{range, tensors};
use clap::value_parser;
use miette::{Diagnostic, Report};
use ndarray::ArrayD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zknn::artifact::{FileKind, TensorInfo, VerifyingKey, fact_of, read};
use zknn::calibrated::Calibrated;
use zknn::front::Model;
use zknn::passes::{FoundRanges, MAX_BITS, MIN_BITS};
use zknn::rounding::{self, RoundingLoss};
use zknn::{Lowered, Lowering, lower_with_reals};
use zknn_ir::{Fact, Graph};

/// The options, for the commands that have them.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    range: range::Args,

    /// Take shape, scale and range of the input from the output of this key's model: its committed output may then be the
    /// committed input of this model. For one input of several with its name before it, NAME=KEY
    #[arg(long, value_name = "[NAME=]KEY", conflicts_with = "input_range")]
    input_from: Vec<String>,

    /// Round the model to fixed point, with this many bits for weights and numbers [default: 10 if the model has
    /// fractions, else none are rounded]
    #[arg(long, value_name = "BITS", value_parser = value_parser!(u32).range(i64::from(MIN_BITS)..=i64::from(MAX_BITS)))]
    bits: Option<u32>,

    /// Inputs to scale the fixed-point numbers by, a tensor with one more axis than an input, the first; without any,
    /// the scales leave room for all that the weights allow. For a model of several inputs, once for each of them
    #[arg(long, value_name = "FILE")]
    calibrate: Vec<PathBuf>,

    /// What `compile --calibrate` found on its inputs, MODEL.ranges.json, in the place of these inputs: the program, and with the
    /// same options the key, is the same
    #[arg(long, value_name = "FILE", conflicts_with = "calibrate")]
    ranges: Option<PathBuf>,
}

/// A model in integers, and what is known of what rounding it costs.
pub(super) struct Rounded {
    pub(super) program: Graph,
    /// The network in real numbers.
    pub(super) reals: Graph,
    /// What was found on calibration inputs.
    pub(super) ranges: Option<FoundRanges>,
    calibration: Vec<ArrayD<f64>>,
    recorded: Option<Calibrated>,
}

impl Rounded {
    /// What rounding costs: on the calibration inputs, as it was recorded where there are only their ranges, or on random inputs.
    pub(super) fn loss(&self) -> Result<Option<RoundingLoss>, Report> {
        match self.recorded.as_ref().and_then(|recorded| recorded.loss_of(&self.program)) {
            Some(loss) => Ok(Some(loss.clone())),
            None => Ok(rounding::measure(&self.program, &self.reals, &self.calibration)?),
        }
    }

    /// Whether calibration inputs were given, and not their ranges.
    pub(super) fn has_calibration(&self) -> bool {
        !self.calibration.is_empty()
    }
}

impl Args {
    /// The model in integers.
    pub(super) fn lower(&self, model: &Model, observer: &mut dyn FnMut(&str, &Graph)) -> Result<Graph, Report> {
        Ok(self.round(model, observer)?.program)
    }

    /// The model in integers, with what it was made from.
    pub(super) fn round(&self, model: &Model, observer: &mut dyn FnMut(&str, &Graph)) -> Result<Rounded, Report> {
        let recorded = self.ranges.as_deref().map(Calibrated::read).transpose()?;
        let lowering =
            Lowering { ranges: recorded.as_ref().map(|recorded| recorded.ranges().clone()), ..self.read(model)? };
        let Lowered { program, reals, ranges } = lower_with_reals(model, &lowering, observer)?;
        Ok(Rounded { program, reals, ranges, calibration: lowering.calibration, recorded })
    }

    /// The options, with the calibration inputs that they name.
    fn read(&self, model: &Model) -> Result<Lowering, Report> {
        let calibration = tensors::read(&self.calibrate)?;
        let mut inputs = BTreeMap::new();
        for text in &self.input_from {
            // A path may have an equals sign, too.
            let named = text
                .split_once('=')
                .and_then(|(name, path)| Some((model.inputs().iter().position(|input| input.name == name)?, path)));
            let (position, path) = named.unwrap_or((0, text));
            inputs.insert(position, output_of(Path::new(path))?);
        }
        Ok(Lowering { input_range: self.range.given(), inputs, bits: self.bits, calibration, ranges: None })
    }

    /// The first option that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.range.given().is_some(), "--input-range"),
            (!self.input_from.is_empty(), "--input-from"),
            (self.bits.is_some(), "--bits"),
            (!self.calibrate.is_empty(), "--calibrate"),
            (self.ranges.is_some(), "--ranges"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }
}

/// An output that no model takes.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the output of the key {} is no input of a model: {output}", key.display())]
#[diagnostic(code(zknn::fixed::input_from), help("an input has a range of integers not wider than 2^62"))]
struct NoInput {
    key: PathBuf,
    output: TensorInfo,
}

/// A model whose output is several.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the model of the key {} has {outputs} outputs", key.display())]
#[diagnostic(code(zknn::fixed::several_outputs), help("take the key of a model with one output"))]
struct SeveralOutputs {
    key: PathBuf,
    outputs: usize,
}

/// The output of a key's model.
fn output_of(path: &Path) -> Result<Fact, Report> {
    let key: VerifyingKey = read(path, FileKind::Key)?;
    let [output] = &key.description.outputs[..] else {
        return Err(SeveralOutputs { key: path.into(), outputs: key.description.outputs.len() }.into());
    };
    if !output.is_packable() {
        return Err(NoInput { key: path.into(), output: output.clone() }.into());
    }
    Ok(fact_of(output))
}
