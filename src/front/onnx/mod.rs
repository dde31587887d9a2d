//! ONNX files, read into the layers that JSON models have.
//!
//! Steps, each with its own refusals: the messages of the file (`proto`); operators that the file defines (`functions`); versions and
//! names (`check`); the inputs (`inputs`); and the nodes, one after the other, here. A node is imported by the function that stands
//! for its operator in `operators`, which adds layers to those so far (`importer`, `arrange`), or evaluated, where it depends on no
//! input (`folding`). Layers are checked as those of any model.
//!
//! The batch axis, the first of every tensor, must have length one, and is left out. Inputs and outputs have their other axes in the
//! order of the file, channels first; layers of images have them last, and views between the two cost nothing in a circuit.

mod arrange;
mod check;
mod constant;
mod export;
mod files;
mod folding;
mod functions;
mod importer;
mod inputs;
mod inspect;
mod node;
mod operators;
mod proto;
mod reader;
mod refusals;
mod stream;

#[cfg(test)]
mod graph_tests;
#[cfg(test)]
mod tests;

use std::path::Path;

use check::Versions;
pub use export::Exported;
use files::Files;
use functions::inlined;
pub use inspect::{InspectedOperator, Inspection, inspect};
use node::Refusal;
use prost::Message;
use proto::ModelProto;
use reader::Reader;

use super::error::{FrontError, Problem, Result};
use super::{Model, Reading};

/// Reads a model from the bytes of a file at a path.
pub(super) fn read(path: &Path, bytes: &[u8], reading: &Reading) -> Result<Model> {
    let name = path.display().to_string();
    model(&name, Files::beside(path), decoded(&name, bytes)?, reading)
}

/// The same from bytes that are in no file, which diagnostics call `name`.
pub(super) fn parse(name: &str, bytes: &[u8], reading: &Reading) -> Result<Model> {
    model(name, Files::default(), decoded(name, bytes)?, reading)
}

fn malformed(name: &str, reason: String) -> Box<FrontError> {
    FrontError::unplaced(Problem::OnnxMalformed { name: name.to_string(), reason })
}

fn decoded(name: &str, bytes: &[u8]) -> Result<ModelProto> {
    ModelProto::decode(bytes).map_err(|error| malformed(name, error.to_string()))
}

fn model(name: &str, files: Files, model: ModelProto, reading: &Reading) -> Result<Model> {
    let versions = Versions::of(&model.opset_import);
    versions.check()?;
    let mut graph = model.graph.ok_or_else(|| malformed(name, "there is no graph in it".to_string()))?;
    let nodes = inlined(std::mem::take(&mut graph.node), &model.functions, &versions);
    let nodes = nodes.map_err(|reason| malformed(name, reason))?;
    check::names(&graph, &nodes)?;
    let outputs: Vec<String> = match &reading.outputs[..] {
        [] => graph.output.iter().map(|output| output.name.clone()).collect(),
        outputs => outputs.to_vec(),
    };
    let (needed, names) = check::needed(&nodes, &outputs);
    let mut reader = Reader::new(files);
    graph.initializer.iter().filter(|tensor| names.contains(&tensor.name[..])).for_each(|tensor| reader.tensor(tensor));
    let inputs = reader.inputs(&graph, reading);
    for (node, _) in nodes.iter().zip(needed).filter(|(_, needed)| *needed) {
        reader.node(node, 0);
    }
    let mut importer = reader.imported()?;
    let ends =
        |refusal: Refusal| FrontError::unplaced(Problem::OnnxEnds { message: refusal.message, help: refusal.help });
    let (mut layers, mut omitted) = (Vec::new(), Vec::new());
    for output in &outputs {
        let (layer, last) = importer.output(output, &layers).map_err(ends)?;
        layers.push(layer);
        omitted.push(last);
    }
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    importer.keep(&layers);
    let shapes: Vec<Option<Vec<usize>>> = importer.inputs().collect();
    // Whatever the outputs do not depend on is no input of the circuit.
    let read = inputs.iter().zip(shapes).filter_map(|(input, shape)| Some(input.of_model(shape?)));
    let inputs = read.collect();
    Ok(Model::with_ends(inputs, importer.layers, &layers)?.omitting(omitted))
}
