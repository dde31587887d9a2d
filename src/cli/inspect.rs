//! `zknn inspect`

use std::fmt::Write;
use std::process::ExitCode;

use miette::Report;
use zknn::front::{InspectedOperator, Inspection, inspect};

use super::{model, output};

/// List what is in an ONNX file: inputs with their axes, outputs, tensors, operators, and what is not supported.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: model::Args,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let inspection = inspect(&self.model.path, &self.model.reading()).map_err(|error| Report::new(*error))?;
        output::result(text(&inspection).trim_end())?;
        match inspection.model {
            Ok(model) => {
                let table = model.table();
                let sum = |each: fn(&zknn::nn::Row) -> u64| table.rows.iter().map(each).sum::<u64>();
                let (parameters, operations) = (sum(|row| row.parameters), sum(|row| row.operations));
                let layers = model.layers().len();
                output::result(&format!("{layers} layers, {parameters} parameters, {operations} multiplications"))?;
            }
            Err(error) => output::talk(&format!("{:?}", Report::new(*error))),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(inspection: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |what: &str, told: &str| {
        // A string takes all that is written.
        let _ = writeln!(text, "{what:<10}{told}");
    };
    for (domain, version) in &inspection.versions {
        line("version", &format!("{version} of {domain}"));
    }
    for input in &inspection.inputs {
        line("input", input);
    }
    for name in &inspection.outputs {
        line("output", name);
    }
    line("tensors", &format!("{} of {} elements", inspection.tensors, inspection.elements));
    let width = inspection.operators.iter().map(|operator| operator.name.len()).max().unwrap_or(0);
    for InspectedOperator { name, nodes, is_supported, limits } in &inspection.operators {
        let limits = match (is_supported, &limits[..]) {
            (false, _) => "NOT SUPPORTED",
            (true, limits) => limits,
        };
        line("operator", format!("{name:<width$}{nodes:>6}  {limits}").trim_end());
    }
    text
}
