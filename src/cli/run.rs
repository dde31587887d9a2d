//! `zknn run`

use std::path::PathBuf;
use std::process::ExitCode;

use miette::{IntoDiagnostic, Report};
use ndarray::ArrayD;
use serde::Serialize;
use zknn::front::{Model, read_tensor};
use zknn::rounding::{self, RoundingLoss};
use zknn::{input, lower, nn};
use zknn_ir::eval::eval_fixed;

use super::{lowering, output, rounding as told};

/// Run a model in floating point and in the integers that would be proved, and compare.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model, a JSON file
    model: PathBuf,

    /// The input, a tensor in a JSON file
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    lowering: lowering::Args,
}

#[derive(Serialize)]
struct Outcome {
    table: Vec<Row>,
    float_output: FloatOutput,
    integer_output: IntegerOutput,
    /// The greatest difference of the two outputs; not a number where the float output is not.
    max_difference: f64,
    /// Nothing where nothing is rounded.
    rounding: Option<Rounding>,
}

#[derive(Serialize)]
struct Rounding {
    samples: usize,
    /// Whether the inputs were drawn, and not those of the calibration.
    random: bool,
    /// The greatest difference of an output, by how much outputs differ from input to input; null if that is not at all.
    error: f64,
    /// How many inputs get the same class, of a model that ends in argmax.
    same_class: Option<usize>,
}

impl From<&RoundingLoss> for Rounding {
    fn from(loss: &RoundingLoss) -> Self {
        let RoundingLoss { samples, is_random, error, same_class } = *loss;
        Self { samples, random: is_random, error, same_class }
    }
}

#[derive(Serialize)]
struct Row {
    name: String,
    output_shape: Vec<usize>,
    parameters: u64,
    ops: u64,
}

#[derive(Serialize)]
struct FloatOutput {
    dim: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Serialize)]
struct IntegerOutput {
    dim: Vec<usize>,
    /// The real numbers that the integers stand for.
    data: Vec<f64>,
    integers: Vec<i64>,
    scale: f64,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let model = Model::read(&self.model).map_err(|error| Report::new(*error))?;
        let x = read_tensor(&self.input).map_err(|error| Report::new(*error))?;
        let lowering = self.lowering.read()?;
        let graph = lower(&model, &lowering, &mut |_, _| {})?;
        let integers = input::integers(&graph, &x)?;

        let float = nn::run(&model, &x)?;
        // The graph was validated and the input is in its range, so nothing is left that can be wrong.
        let values = eval_fixed(&graph, &integers).into_diagnostic()?;
        let scale = graph.node(graph.output()).fact.scale().unwrap_or(1.0);
        let fixed = values.output();
        let reals = fixed.mapv(|integer| integer as f64 * scale);
        let max_difference = max_difference(&float, &reals);
        let loss = rounding::measure(&graph, &model, lowering.calibration.as_ref())?;

        if self.json {
            let outcome = Outcome {
                table: rows(&model),
                float_output: FloatOutput { dim: float.shape().to_vec(), data: float.iter().copied().collect() },
                integer_output: IntegerOutput {
                    dim: fixed.shape().to_vec(),
                    data: reals.iter().copied().collect(),
                    integers: fixed.iter().copied().collect(),
                    scale,
                },
                max_difference,
                rounding: loss.as_ref().map(Rounding::from),
            };
            output::result(&serde_json::to_string(&outcome).into_diagnostic()?)?;
        } else {
            let table = model.table();
            let rounding = loss.as_ref().map(|loss| format!("\n{}", told::text(loss))).unwrap_or_default();
            output::result(&format!(
                "{table}\n\nfloat output:\n{float}\n\ninteger output, in units of {scale}:\n{fixed}\n\n\
                 integer output, as real numbers:\n{reals}\n\nmax difference: {max_difference:?}{rounding}"
            ))?;
        }
        if let Some(loss) = &loss {
            told::warn(loss);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn rows(model: &Model) -> Vec<Row> {
    let rows = model.table().rows.into_iter();
    rows.map(|row| Row {
        name: row.name,
        output_shape: row.output_shape,
        parameters: row.parameters,
        ops: row.operations,
    })
    .collect()
}

/// The greatest difference; NaN if any is, which `f64::max` would pass over.
fn max_difference(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |greatest, difference| match difference > greatest || difference.is_nan() {
        true => difference,
        false => greatest,
    })
}
