//! The options that say how a model becomes integers.

use super::range;
use clap::value_parser;
use miette::Report;
use std::path::PathBuf;
use zknn::front::{Model, read_tensor};
use zknn::passes::{MAX_BITS, MIN_BITS};
use zknn::{Lowering, lower};
use zknn_ir::Graph;

/// The options, for the commands that have them.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    range: range::Args,

    /// Round the model to fixed point, with this many bits for weights and numbers [default: 10 if the model has
    /// fractions, else none are rounded]
    #[arg(long, value_name = "BITS", value_parser = value_parser!(u32).range(i64::from(MIN_BITS)..=i64::from(MAX_BITS)))]
    bits: Option<u32>,

    /// Inputs to scale the fixed-point numbers by, a tensor with one more axis than an input, the first; without any,
    /// the scales leave room for all that the weights allow
    #[arg(long, value_name = "FILE")]
    calibrate: Option<PathBuf>,
}

impl Args {
    /// The model in integers.
    pub(super) fn lower(&self, model: &Model, observer: &mut dyn FnMut(&str, &Graph)) -> Result<Graph, Report> {
        Ok(lower(model, &self.read()?, observer)?)
    }

    /// The options, with the calibration inputs that they name.
    pub(super) fn read(&self) -> Result<Lowering, Report> {
        let read = |path: &PathBuf| read_tensor(path).map_err(|error| Report::new(*error));
        let calibration = self.calibrate.as_ref().map(read).transpose()?;
        Ok(Lowering { input_range: self.range.given(), bits: self.bits, calibration })
    }
}
