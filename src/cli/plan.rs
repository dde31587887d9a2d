//! `zknn plan`

use super::{lowering, model, options, output, rounding as told};
use miette::Report;
use std::process::ExitCode;
use zknn::CompileError;
use zknn::plan::{LeastSize, Plan};

/// Print the rows and columns that a model takes, and estimates of time, memory and proof size, without spending them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: model::Args,

    #[command(flatten)]
    lowering: lowering::Args,

    #[command(flatten)]
    options: options::Args,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let model = self.model.read()?;
        let rounded = self.lowering.round(&model, &mut |_, _| {})?;
        let graph = &rounded.program;
        let options = self.options.options(&model)?;
        // What fits no circuit is not run, either.
        let least = LeastSize::of_any(graph, options.claims()).and_then(|size| size.check(options.scheme));
        least.map_err(CompileError::Plan)?;
        let loss = rounded.loss()?;
        let plan = Plan::new(graph, options.claims(), options.scheme).map_err(CompileError::Plan)?;
        output::result(&plan.to_string())?;
        if let Some(loss) = &loss {
            output::talk(&told::text(loss));
            told::warn(loss, &model, told::MAX_ERROR);
        }
        Ok(ExitCode::SUCCESS)
    }
}
