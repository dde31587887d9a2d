//! `zknn plan`

use super::{options, output, range};
use miette::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::front::Model;
use zknn::plan::Plan;
use zknn::{CompileError, lower_exact};

/// Print the rows and columns that a model takes, and estimates of time, memory and proof size, without spending them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model, a JSON file
    model: PathBuf,

    #[command(flatten)]
    range: range::Args,

    #[command(flatten)]
    options: options::Args,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let model = Model::read(&self.model).map_err(|error| Report::new(*error))?;
        let graph = lower_exact(&model, self.range.of(&model), &mut |_, _| {}).map_err(|error| Report::new(*error))?;
        let options = self.options.options();
        let plan = Plan::new(&graph, options.visibility, options.scheme).map_err(CompileError::Plan)?;
        output::result(&plan.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
