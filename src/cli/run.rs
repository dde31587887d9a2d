//! `zknn run`

use std::path::PathBuf;
use std::process::ExitCode;

use miette::{IntoDiagnostic, Report};
use ndarray::{ArrayD, Axis};
use serde::Serialize;
use zknn::front::{Last, Model};
use zknn::nn::WrongInput;
use zknn::rounding::RoundingLoss;
use zknn::saturation::{Saturation, list, saturations};
use zknn::{input, nn};
use zknn_ir::eval::{eval_fixed, eval_fixed_batch};

use super::{lowering, model, output, rounding as told, tensors};

/// Run a model in floating point and in the integers that would be proved, and compare.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: model::Args,

    /// The input, a tensor in a JSON file; or many, in a tensor with one more axis, the first, as the outputs then have. For a
    /// model of several inputs, once for each of them
    #[arg(long, value_name = "FILE", required = true)]
    input: Vec<PathBuf>,

    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    lowering: lowering::Args,
}

#[derive(Serialize)]
struct Outcome {
    table: Vec<Row>,
    /// In their order.
    outputs: Vec<ModelOutput>,
    /// Nothing where nothing is rounded.
    rounding: Option<Rounding>,
    /// Numbers that rounding left no room for.
    saturated: Vec<Saturation>,
}

#[derive(Serialize)]
struct ModelOutput {
    /// The layer that it is the output of, counted from zero.
    layer: usize,
    float: FloatOutput,
    integer: IntegerOutput,
    /// The greatest difference of the two; not a number where a float is not.
    max_difference: f64,
    /// What the network does to it last, and no layer computes.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<&'static str>,
}

#[derive(Serialize)]
struct Rounding {
    samples: usize,
    /// Whether the inputs were drawn, and not those of the calibration.
    random: bool,
    /// The root of the mean square of the differences of an output, by how much that differs from input to input; null if that is
    /// not at all.
    error: f64,
    /// The greatest difference likewise.
    greatest: f64,
    /// How many inputs get the same class, of a model that ends in argmax.
    same_class: Option<usize>,
}

impl From<&RoundingLoss> for Rounding {
    fn from(loss: &RoundingLoss) -> Self {
        let RoundingLoss { samples, is_random, error, greatest, same_class, .. } = *loss;
        Self { samples, random: is_random, error, greatest, same_class }
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
        let model = self.model.read()?;
        let rounded = self.lowering.round(&model, &mut |_, _| {})?;
        let graph = &rounded.program;
        let inputs = tensors::read(&self.input, &tensors::shapes(graph, graph.inputs()))?;
        let is_batch = input::are_batches(graph, &inputs);
        // The graph was validated and the inputs are in their ranges, so nothing is left that can be wrong.
        let values = if is_batch {
            eval_fixed_batch(graph, &input::integers_of_batches(graph, &inputs)?[..])
        } else {
            eval_fixed(graph, &input::integers_of_each(graph, &inputs)?[..])
        };
        let values = values.into_diagnostic()?;
        let floats = if is_batch { floats_of_batches(&model, &inputs)? } else { floats(&model, &inputs)? };
        let nodes = graph.outputs().iter().zip(values.outputs()).zip(model.outputs()).zip(&floats);
        let outputs = nodes.map(|(((&node, fixed), &layer), float)| {
            let scale = graph.node(node).fact.scale().unwrap_or(1.0);
            Output { layer, float, fixed, scale, omitted: None }
        });
        let outputs = outputs.zip(model.omitted()).map(|(output, omitted)| Output { omitted: *omitted, ..output });
        let saturations = saturations(graph, &values);
        let loss = rounded.loss()?;

        if self.json {
            let outcome = Outcome {
                table: rows(&model),
                outputs: outputs.map(model_output).collect(),
                rounding: loss.as_ref().map(Rounding::from),
                saturated: saturations,
            };
            output::result(&serde_json::to_string(&outcome).into_diagnostic()?)?;
        } else {
            let outputs: Vec<String> = outputs.map(in_words).collect();
            let mut text = format!("{}\n\n{}", model.table(), outputs.join("\n\n"));
            if !saturations.is_empty() {
                text += &format!("\nsaturated: {}", list(&saturations));
            }
            text.extend(loss.iter().map(|loss| format!("\n{}", told::text(loss))));
            output::result(&text)?;
        }
        if let Some(loss) = &loss {
            told::warn(loss, &model, told::MAX_ERROR);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The outputs of the model in floating point.
fn floats(model: &Model, inputs: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>, WrongInput> {
    let layers = nn::run_all(model, inputs)?;
    Ok(model.outputs().iter().map(|&layer| layers[layer].clone()).collect())
}

/// The same for each sample of batches of the inputs, which have as many, along a first axis.
fn floats_of_batches(model: &Model, inputs: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>, WrongInput> {
    let sample = |at: usize| inputs.iter().map(|batch| batch.index_axis(Axis(0), at).to_owned()).collect::<Vec<_>>();
    let samples = (0..inputs[0].shape()[0]).map(|at| floats(model, &sample(at))).collect::<Result<Vec<_>, _>>()?;
    let stacked = |output: usize| {
        let of_samples: Vec<_> = samples.iter().map(|outputs| outputs[output].view()).collect();
        // One shape for all samples, of which there is one at least, as of every axis.
        ndarray::stack(Axis(0), &of_samples).expect("outputs of one shape")
    };
    Ok((0..model.outputs().len()).map(stacked).collect())
}

/// An output of a layer, in floating point and in integers times a scale, and what no layer computes of it.
struct Output<'a> {
    layer: usize,
    float: &'a ArrayD<f64>,
    fixed: &'a ArrayD<i64>,
    scale: f64,
    omitted: Option<Last>,
}

fn model_output(Output { layer, float, fixed, scale, omitted }: Output<'_>) -> ModelOutput {
    let reals = fixed.mapv(|integer| integer as f64 * scale);
    ModelOutput {
        layer,
        float: FloatOutput { dim: float.shape().to_vec(), data: float.iter().copied().collect() },
        max_difference: max_difference(float, &reals),
        integer: IntegerOutput {
            dim: fixed.shape().to_vec(),
            data: reals.iter().copied().collect(),
            integers: fixed.iter().copied().collect(),
            scale,
        },
        omitted: omitted.map(Last::name),
    }
}

fn in_words(Output { float, fixed, scale, omitted, .. }: Output<'_>) -> String {
    let reals = fixed.mapv(|integer| integer as f64 * scale);
    let max_difference = max_difference(float, &reals);
    let omitted = omitted.map(|last| format!("what the network's last {} is given:\n", last.name()));
    let omitted = omitted.unwrap_or_default();
    format!(
        "{omitted}float output:\n{float}\n\ninteger output, in units of {scale}:\n{fixed}\n\ninteger output, as real \
         numbers:\n{reals}\n\nmax difference: {max_difference:?}"
    )
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
