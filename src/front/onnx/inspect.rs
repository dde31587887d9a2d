//! What is in a file, supported or not.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::error::Result;
use super::super::{Model, Reading, source};
use super::check::domain;
use super::constant::Element;
use super::files::Files;
use super::inputs::{axes, given};
use super::operators::Operator;
use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

/// What is in an ONNX file.
#[derive(Debug)]
pub struct Inspection {
    /// The version of each domain's operators.
    pub versions: Vec<(String, i64)>,
    /// Each input that is no tensor of the file, with the lengths or names of its axes.
    pub inputs: Vec<String>,
    /// The names of the outputs.
    pub outputs: Vec<String>,
    /// How many tensors the file holds.
    pub tensors: usize,
    /// How many elements these say that they have.
    pub elements: u128,
    /// Each operator of the graph, by name.
    pub operators: Vec<InspectedOperator>,
    /// The model, or why it is none.
    pub model: Result<Model>,
}

/// An operator of a graph.
#[derive(Debug)]
pub struct InspectedOperator {
    /// Its name, with its domain before it where that is not ONNX's own.
    pub name: String,
    /// How many nodes have it.
    pub nodes: usize,
    /// Whether it is supported; a function of the file counts by the operators that it consists of.
    pub is_supported: bool,
    /// To which operators it belongs, and what of it is supported, if not all.
    pub limits: String,
}

/// Lists what is in an ONNX file.
///
/// # Errors
/// For a file that can't be read, or that is no ONNX model.
pub fn inspect(path: &Path, reading: &Reading) -> Result<Inspection> {
    let name = path.display().to_string();
    let file = super::decoded(&name, &source::bytes(path)?)?;
    let graph = file.graph.as_ref().ok_or_else(|| super::malformed(&name, "there is no graph in it".to_string()))?;
    let called = |name: &str| if domain(name).is_empty() { "ai.onnx".to_string() } else { name.to_string() };
    let versions = file.opset_import.iter().map(|set| (called(&set.domain), set.version)).collect();
    let inputs = given(graph).into_iter().map(told).collect();
    let outputs = graph.output.iter().map(|output| output.name.clone()).collect();
    let tensors = graph.initializer.len();
    let elements = graph.initializer.iter().map(|tensor| elements(&tensor.dims)).sum();
    let operators = operators(&file, graph);
    let model = super::model(&name, Files::beside(path), file, reading);
    Ok(Inspection { versions, inputs, outputs, tensors, elements, operators, model })
}

fn elements(dims: &[i64]) -> u128 {
    let length = |dim: &i64| u128::try_from(*dim).unwrap_or(0);
    dims.iter().map(length).fold(1, u128::saturating_mul).min(1 << 100)
}

/// The name, type and axes of an input.
fn told(input: &ValueInfoProto) -> String {
    let tensor = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
    let element = tensor.and_then(|tensor| Element::of(tensor.elem_type));
    let element = element.map_or("no tensor of numbers".to_string(), |element| format!("{element:?}").to_lowercase());
    let axis = |(length, name): (Option<i64>, &str)| match (length, name) {
        (Some(length), _) => length.to_string(),
        (None, "") => "?".to_string(),
        (None, name) => name.to_string(),
    };
    let axes: Vec<String> = axes(input).into_iter().map(axis).collect();
    format!("{}: {element} [{}]", input.name, axes.join(", "))
}

fn operators(file: &ModelProto, graph: &GraphProto) -> Vec<InspectedOperator> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let functions = file.functions.iter().flat_map(|function| &function.node);
    let mut graphs = vec![&graph.node];
    let mut count = |node: &NodeProto| {
        let key = (domain(&node.domain).to_string(), node.op_type.clone());
        *counts.entry(key).or_insert(0) += 1;
    };
    functions.for_each(&mut count);
    while let Some(nodes) = graphs.pop() {
        for node in nodes {
            count(node);
            graphs.extend(node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).map(|graph| &graph.node));
        }
    }
    let inspected = |((of, name), nodes): ((String, String), usize)| {
        let operator = Operator::find_in_family(&of, &name);
        let is_function = file.functions.iter().any(|function| domain(&function.domain) == of && function.name == name);
        let is_choice = of.is_empty() && name == "If";
        let limits = match operator {
            Some((family, operator)) if operator.limits.is_empty() => family.to_string(),
            Some((family, operator)) => format!("{family}: {}", operator.limits),
            None if is_choice => "a constant condition".to_string(),
            None if is_function => "a function of the file".to_string(),
            None => String::new(),
        };
        InspectedOperator {
            name: if of.is_empty() { name } else { format!("{of}.{name}") },
            nodes,
            is_supported: operator.is_some() || is_function || is_choice,
            limits,
        }
    };
    counts.into_iter().map(inspected).collect()
}
