//! The options that say how a model becomes integers.

use super::{range, tensors};
use clap::value_parser;
use miette::{Diagnostic, Report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zknn::artifact::{FileKind, TensorInfo, VerifyingKey, fact_of, read};
use zknn::front::Model;
use zknn::passes::{MAX_BITS, MIN_BITS};
use zknn::{Lowering, lower, lower_with_reals};
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
}

impl Args {
    /// The model in integers.
    pub(super) fn lower(&self, model: &Model, observer: &mut dyn FnMut(&str, &Graph)) -> Result<Graph, Report> {
        Ok(lower(model, &self.read(model)?, observer)?)
    }

    /// The model in integers and in real numbers, and the options with the calibration inputs that they name.
    pub(super) fn lower_with_reals(
        &self,
        model: &Model,
        observer: &mut dyn FnMut(&str, &Graph),
    ) -> Result<(Graph, Graph, Lowering), Report> {
        let lowering = self.read(model)?;
        let (graph, reals) = lower_with_reals(model, &lowering, observer)?;
        Ok((graph, reals, lowering))
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
        Ok(Lowering { input_range: self.range.given(), inputs, bits: self.bits, calibration })
    }

    /// The first option that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.range.given().is_some(), "--input-range"),
            (!self.input_from.is_empty(), "--input-from"),
            (self.bits.is_some(), "--bits"),
            (!self.calibrate.is_empty(), "--calibrate"),
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
