//! `zknn plan`

use super::{lowering, options, output};
use miette::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::CompileError;
use zknn::front::Model;
use zknn::plan::Plan;

/// Print the rows and columns that a model takes, and estimates of time, memory and proof size, without spending them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model, a JSON file
    model: PathBuf,

    #[command(flatten)]
    lowering: lowering::Args,

    #[command(flatten)]
    options: options::Args,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let model = Model::read(&self.model).map_err(|error| Report::new(*error))?;
        let graph = self.lowering.lower(&model, &mut |_, _| {})?;
        let options = self.options.options(&model)?;
        let plan = Plan::new(&graph, options.exposure(), options.scheme).map_err(CompileError::Plan)?;
        output::result(&plan.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
