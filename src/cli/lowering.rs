//! The options that say how a model becomes integers.

use super::{range, tensors};
use miette::{Diagnostic, Report};
use ndarray::ArrayD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use zknn::artifact::{FileKind, TensorInfo, VerifyingKey, fact_of, read};
use zknn::calibrated::Calibrated;
use zknn::front::Model;
use zknn::passes::{Fit, FoundRanges, MAX_BITS, MIN_BITS};
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

    /// Round the model to fixed point, with this many bits for numbers between layers, 8 to 16, and up to five
    /// more for weights; others for some layers, counted from 0: 10,2=8,4=9 [default: 10 if the model has fractions, else none are rounded]
    #[arg(long, value_name = "BITS[,LAYER=BITS…]")]
    bits: Option<Bits>,

    /// Inputs to scale the fixed-point numbers by, a tensor with one more axis than an input, the first; without any,
    /// the scales leave room for all that the weights allow. For a model of several inputs, once for each of them
    #[arg(long, value_name = "FILE", group = "calibration")]
    calibrate: Vec<PathBuf>,

    /// What `compile --calibrate` found on its inputs, MODEL.ranges.json, in the place of these inputs: the program, and with the
    /// same options the key, is the same
    #[arg(long, value_name = "FILE", conflicts_with = "calibrate", group = "calibration")]
    ranges: Option<PathBuf>,

    /// What the range of numbers between layers is fitted to, on the calibration inputs: the greatest number, with some room, or the
    /// least mean square error, for which the greatest are saturated
    #[arg(long, value_enum, default_value_t, requires = "calibration")]
    fit: FitTo,
}

/// What the options say, with what is in the files that they name.
pub(super) struct Given {
    pub(super) lowering: Lowering,
    recorded: Option<Calibrated>,
}

impl Given {
    /// The model in integers, with what it was made from.
    pub(super) fn round(self, model: &Model, observer: &mut dyn FnMut(&str, &Graph)) -> Result<Rounded, Report> {
        let Lowered { program, reals, ranges } = lower_with_reals(model, &self.lowering, observer)?;
        Ok(Rounded { program, reals, ranges, calibration: self.lowering.calibration, recorded: self.recorded })
    }
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
        self.read(model)?.round(model, observer)
    }

    /// The options, with the calibration inputs that they name.
    pub(super) fn read(&self, model: &Model) -> Result<Given, Report> {
        let recorded = self.ranges.as_deref().map(Calibrated::read).transpose()?;
        let shapes: Vec<Vec<usize>> = model.inputs().iter().map(|input| input.shape.clone()).collect();
        let calibration = tensors::read(&self.calibrate, &shapes)?;
        let mut inputs = BTreeMap::new();
        for text in &self.input_from {
            // A path may have an equals sign, too.
            let named = text
                .split_once('=')
                .and_then(|(name, path)| Some((model.inputs().iter().position(|input| input.name == name)?, path)));
            let (position, path) = named.unwrap_or((0, text));
            inputs.insert(position, output_of(Path::new(path))?);
        }
        let Bits { bits, of_layers: layer_bits } = self.bits.clone().unwrap_or_default();
        let ranges = recorded.as_ref().map(|recorded| recorded.ranges().clone());
        let fit = match self.fit {
            FitTo::Greatest => Fit::Greatest,
            FitTo::MeanSquare => Fit::MeanSquare,
        };
        let lowering = Lowering { input_range: self.range.given(), inputs, bits, layer_bits, calibration, ranges, fit };
        Ok(Given { lowering, recorded })
    }

    /// The first option that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.range.given().is_some(), "--input-range"),
            (!self.input_from.is_empty(), "--input-from"),
            (self.bits.is_some(), "--bits"),
            (!self.calibrate.is_empty(), "--calibrate"),
            (self.ranges.is_some(), "--ranges"),
            (self.fit != FitTo::Greatest, "--fit"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }
}

/// What `--fit` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum FitTo {
    #[default]
    Greatest,
    MeanSquare,
}

/// Bits of all layers, and of some.
#[derive(Debug, Clone, Default)]
struct Bits {
    bits: Option<u32>,
    of_layers: BTreeMap<usize, u32>,
}

impl FromStr for Bits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bits = |text: &str| match text.parse() {
            Ok(bits) if (MIN_BITS..=MAX_BITS).contains(&bits) => Ok(bits),
            _ => Err(format!("bits are from {MIN_BITS} to {MAX_BITS}")),
        };
        let mut parts = text.split(',');
        let of_all = bits(parts.next().unwrap_or_default())?;
        let of_layer =
            |part: &str| match part.split_once('=').and_then(|(layer, text)| Some((layer.parse().ok()?, text))) {
                Some((layer, text)) => Ok((layer, bits(text)?)),
                None => Err("write 10,2=8 for 8 bits in layer 2, and 10 in all others".to_string()),
            };
        Ok(Self { bits: Some(of_all), of_layers: parts.map(of_layer).collect::<Result<_, _>>()? })
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
