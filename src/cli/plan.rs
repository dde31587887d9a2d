//! `zknn plan`

use super::{lowering, memory, model, options, output, rounding as told};
use miette::{Diagnostic, Report};
use std::process::ExitCode;
use zknn::CompileError;
use zknn::plan::{Cost, LeastSize, Plan};

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
        if let Some(warning) = memory::available().and_then(|free| too_little(Cost::of(&plan.layout).memory, free)) {
            output::talk(&format!("{:?}", Report::new(warning)));
        }
        if let Some(loss) = &loss {
            output::talk(&told::text(loss));
            told::warn(loss, &model, told::MAX_ERROR);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A proof may take more memory than there is.
#[derive(Debug, PartialEq, thiserror::Error, Diagnostic)]
#[error("a proof takes some {needed:.1} GiB of memory, and {free:.1} GiB are free")]
#[diagnostic(
    code(zknn::plan::memory),
    severity(Warning),
    help("prove on a machine with more, or make the model smaller: fewer `--bits` take less")
)]
struct TooLittle {
    needed: f64,
    free: f64,
}

fn too_little(needed: u64, free: u64) -> Option<TooLittle> {
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    (needed > free).then(|| TooLittle { needed: gibibytes(needed), free: gibibytes(free) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_memory_is_told() {
        assert_eq!(too_little(1 << 30, 1 << 30), None);
        let warning = too_little(3 << 30, 1 << 30).expect("a warning");
        assert_eq!(warning.to_string(), "a proof takes some 3.0 GiB of memory, and 1.0 GiB are free");
    }
}
