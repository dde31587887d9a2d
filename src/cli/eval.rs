//! `zknn eval`

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic, Report};
use serde::Serialize;
use zknn::artifact::{CircuitFile, FileKind, read};
use zknn::evaluate::{Drift, Evaluation, Expected, Score, evaluate};
use zknn::front::read_labels;
use zknn_ir::Graph;

use super::percent::Percent;
use super::{EXIT_REJECTED, lowering, model, output, tensors};

/// Measure how well a model does in floating point and in the integers that would be proved: on labelled inputs, on inputs whose
/// outputs are known, or beside each other.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: model::Args,

    /// The inputs, one tensor in a JSON file: its first axis counts them. For a model of several inputs, once for each of them
    #[arg(long, value_name = "FILE", required = true)]
    inputs: Vec<PathBuf>,

    /// The labels, a JSON file with a list of the index of the right output for each input, or a tensor of these; of a model of several outputs they
    /// are those of the first
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// The outputs that are right, one tensor in a JSON file: its first axis counts them; of a model of several outputs they are
    /// those of the first
    #[arg(long, value_name = "FILE", conflicts_with = "labels")]
    targets: Option<PathBuf>,

    /// Exit with 1 if the integers are less accurate by more than this many percentage points, for example 0.5%
    #[arg(long, value_name = "POINTS", requires = "labels")]
    max_drop: Option<Percent>,

    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    lowering: lowering::Args,
}

#[derive(Serialize)]
struct Outcome {
    samples: usize,
    /// Inputs beside these that the program does not take.
    refused: usize,
    /// With labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    float_accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integer_accuracy: Option<f64>,
    /// With targets: the root of the mean square of how far outputs are from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    float_distance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integer_distance: Option<f64>,
    /// With targets: how many of all integers are the nearest to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<f64>,
    agreement: f64,
    /// The root of the mean square of the differences, by how much outputs differ from input to input.
    error: f64,
    greatest: f64,
    layers: Vec<Layer>,
}

#[derive(Serialize)]
struct Layer {
    layer: usize,
    scale: f64,
    max_drift: f64,
    mean_drift: f64,
    numbers: usize,
    saturated: usize,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let (graph, reals) = self.program()?;
        let inputs = tensors::read(&self.inputs, &tensors::shapes(&graph, graph.inputs()))?;
        let labels = self.labels.as_deref().map(read_labels).transpose().map_err(|error| Report::new(*error))?;
        let targets = tensors::read(&self.targets, &tensors::shapes(&graph, graph.outputs()))?;
        let expected = match (&labels, targets.first()) {
            (Some(labels), _) => Expected::Labels(labels),
            (None, Some(targets)) => Expected::Targets(targets),
            (None, None) => Expected::Nothing,
        };
        let samples = inputs.first().and_then(|input| input.shape().first()).copied().unwrap_or(0);
        let bar = ProgressBar::new(samples as u64);
        // The template is a constant; should it ever be wrong, the default will do.
        if let Ok(style) = ProgressStyle::with_template("evaluate {bar:40} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        let evaluation = evaluate(&graph, reals.as_ref(), &inputs, expected, &mut |done| bar.inc(done as u64));
        bar.finish_and_clear();
        let evaluation = evaluation?;
        output::result(&if self.json { json(&evaluation)? } else { text(&evaluation) })?;

        let drop = match evaluation.score {
            Some(Score::Accuracy { float, integer }) => 100.0 * (float - integer),
            Some(Score::Distance { .. }) | None => 0.0,
        };
        match self.max_drop {
            // Fractions of the samples are no exact binary numbers.
            Some(Percent(most)) if drop > most + 1e-9 => {
                output::talk(&format!("the integers are less accurate by {drop:.2} points, and {most} are allowed"));
                Ok(ExitCode::from(EXIT_REJECTED))
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    /// The integer program, and the network in real numbers if a model was given.
    fn program(&self) -> Result<(Graph, Option<Graph>), Report> {
        if is_circuit(&self.model.path) {
            let file: CircuitFile = read(&self.model.path, FileKind::Circuit)?;
            return Ok((file.graph, None));
        }
        let model = self.model.read()?;
        let rounded = self.lowering.round(&model, &mut |_, _| {})?;
        Ok((rounded.program, Some(rounded.reals)))
    }
}

/// Whether a file begins as those that zknn compiles do, and no JSON does. What can't be read is told later.
fn is_circuit(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"ZKNN"
}

fn text(evaluation: &Evaluation) -> String {
    let percent = |fraction: f64| format!("{:>7.2} %", 100.0 * fraction);
    let mut text = format!("{} samples", evaluation.samples);
    if evaluation.refused > 0 {
        text += &format!(", and {} that the program does not take", evaluation.refused);
    }
    text += &match evaluation.score {
        Some(Score::Accuracy { float, integer }) => {
            format!("\nfloat accuracy   {}\ninteger accuracy {}", percent(float), percent(integer))
        }
        Some(Score::Distance { float, integer, equal }) => {
            format!(
                "\nfloat distance   {float:>9.4e}\ninteger distance {integer:>9.4e}\nequal to targets {}",
                percent(equal)
            )
        }
        None => String::new(),
    };
    text += &format!(
        "\nagreement        {}\nerror            {}\ngreatest error   {}\n\n",
        percent(evaluation.agreement),
        percent(evaluation.error),
        percent(evaluation.greatest)
    );
    text += &format!(
        "{:>11} | {:>12} | {:>9} | {:>10} | {:>9}\n",
        "after layer", "scale", "max drift", "mean drift", "saturated"
    );
    text += &format!("{0:->11} | {0:->12} | {0:->9} | {0:->10} | {0:->9}", "");
    for Drift { layer, scale, max, mean, saturated, .. } in &evaluation.layers {
        text += &format!("\n{layer:>11} | {scale:>12.6e} | {max:>9.2} | {mean:>10.3} | {saturated:>9}");
    }
    text + "\n\nErrors are by how much outputs differ from input to input, the first the root of the mean square. Drift is how far integers are from the numbers they stand for, in units of the scale."
}

fn json(evaluation: &Evaluation) -> Result<String, Report> {
    let layer = |drift: &Drift| Layer {
        layer: drift.layer,
        scale: drift.scale,
        max_drift: drift.max,
        mean_drift: drift.mean,
        numbers: drift.numbers,
        saturated: drift.saturated,
    };
    let (accuracies, distances) = match evaluation.score {
        Some(Score::Accuracy { float, integer }) => (Some((float, integer)), None),
        Some(Score::Distance { float, integer, equal }) => (None, Some(((float, integer), equal))),
        None => (None, None),
    };
    let (float_accuracy, integer_accuracy) = accuracies.unzip();
    let (distances, equal) = distances.unzip();
    let (float_distance, integer_distance) = distances.unzip();
    let outcome = Outcome {
        samples: evaluation.samples,
        refused: evaluation.refused,
        float_accuracy,
        integer_accuracy,
        float_distance,
        integer_distance,
        equal,
        agreement: evaluation.agreement,
        error: evaluation.error,
        greatest: evaluation.greatest,
        layers: evaluation.layers.iter().map(layer).collect(),
    };
    serde_json::to_string(&outcome).into_diagnostic()
}
