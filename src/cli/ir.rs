//! `zknn ir`

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use miette::Report;
use zknn::passes;

use super::{lowering, model, output};

/// Print a model's intermediate representation as text.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: model::Args,

    /// Print it as it is after this pass, instead of after the last; `lower` is before all passes
    #[arg(long, value_name = "PASS", value_parser = PossibleValuesParser::new(passes::names()))]
    after: Option<String>,

    #[command(flatten)]
    lowering: lowering::Args,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let model = self.model.read()?;
        let mut text = None;
        let lowered = self.lowering.lower(&model, &mut |pass, graph| {
            if self.after.as_deref() == Some(pass) {
                text = Some(zknn_ir::print(graph));
            }
        });
        // What a later pass finds fault with can be looked at after an earlier one.
        let text = match text {
            Some(text) => text,
            None => zknn_ir::print(&lowered?),
        };
        output::result(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
