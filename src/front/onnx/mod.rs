//! ONNX files, read into the layers that JSON models have.
//!
//! Steps, each with its own refusals: the messages of the file (`proto`); operators that the file defines (`functions`); versions and
//! names (`check`); the inputs (`inputs`); and the nodes, one after the other, here. A node is imported by the function that stands
//! for its operator in `table`, which adds layers to those so far (`importer`, `arrange`), or evaluated, where it depends on no
//! input (`folding`). Layers are checked as those of any model.
//!
//! The batch axis, the first of every tensor, must have length one, and is left out. Inputs and outputs have their other axes in the
//! order of the file, channels first; layers of images have them last, and views between the two cost nothing in a circuit.

mod arrange;
mod borders;
mod check;
mod constant;
mod elementwise;
mod ends;
mod files;
mod folding;
mod functions;
mod importer;
mod inputs;
mod inspect;
mod linear;
mod logic;
mod node;
mod pooling;
mod products;
mod proto;
mod quantized;
mod reduction;
mod resize;
mod selection;
mod stream;
mod table;
mod views;

#[cfg(test)]
mod graph_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use check::{Versions, domain};
use constant::Constant;
use files::Files;
use functions::{Placed, inlined};
use importer::Importer;
use node::{Imported, Node, Refusal, refused};
use prost::Message;
use proto::{GraphProto, ModelProto};
use stream::{Omitted, Value};
use table::Operator;

pub use inspect::{InspectedOperator, Inspection, inspect};

use super::error::{FrontError, Problem, Result};
use super::{Model, Reading};

/// How deep graphs may lie within nodes.
const MAX_DEPTH: usize = 16;

/// How many problems with nodes are told.
const MAX_TOLD: usize = 20;

/// Reads a model from the bytes of a file.
pub(super) fn read(path: &Path, bytes: &[u8], reading: &Reading) -> Result<Model> {
    let malformed =
        |reason: String| FrontError::unplaced(Problem::OnnxMalformed { name: path.display().to_string(), reason });
    let model = ModelProto::decode(bytes).map_err(|error| malformed(error.to_string()))?;
    let versions = Versions::of(&model.opset_import);
    versions.check()?;
    let mut graph = model.graph.ok_or_else(|| malformed("there is no graph in it".to_string()))?;
    let nodes = inlined(std::mem::take(&mut graph.node), &model.functions, &versions).map_err(malformed)?;
    check::names(&graph, &nodes)?;
    let outputs: Vec<String> = match &reading.outputs[..] {
        [] => graph.output.iter().map(|output| output.name.clone()).collect(),
        outputs => outputs.to_vec(),
    };
    let mut reader = Reader::new(Files::beside(path));
    reader.tensors(&graph)?;
    let inputs = inputs::inputs(&graph, reading)?;
    inputs.iter().for_each(|input| reader.importer.define_input(&input.name, &input.full, input.element));
    let needed = check::needed(&nodes, &outputs);
    for (node, _) in nodes.iter().zip(needed).filter(|(_, needed)| *needed) {
        reader.node(node, 0);
    }
    reader.refusals.told()?;
    let ends =
        |refusal: Refusal| FrontError::unplaced(Problem::OnnxEnds { message: refusal.message, help: refusal.help });
    let layers = outputs.iter().map(|output| reader.importer.output(output).map_err(ends));
    let (layers, omitted): (Vec<String>, Vec<_>) = layers.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let shapes: Vec<Vec<usize>> = reader.importer.inputs().map(|(_, shape)| shape).collect();
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    reader.importer.keep(&layers);
    let inputs = inputs.iter().zip(shapes).map(|(input, shape)| input.of_model(shape)).collect();
    Ok(Model::with_ends(inputs, reader.importer.layers, &layers)?.omitting(omitted))
}

/// The nodes so far, and what is wrong with some of them.
struct Reader {
    importer: Importer,
    refusals: Refusals,
}

#[derive(Default)]
struct Refusals {
    /// How many nodes of each operator that is not supported, and the first of them.
    unsupported: BTreeMap<String, (usize, String)>,
    nodes: Vec<Problem>,
    /// Nodes of functions that may end a network, and do not.
    inside: HashSet<String>,
    /// What refused nodes would give.
    unknown: HashSet<String>,
}

impl Reader {
    fn new(files: Files) -> Self {
        Self { importer: Importer::new(files), refusals: Refusals::default() }
    }

    fn tensors(&mut self, graph: &GraphProto) -> Result<()> {
        for tensor in &graph.initializer {
            let problem = |reason: String| Problem::OnnxTensor { tensor: tensor.name.clone(), reason };
            let constant = Constant::read(tensor, &self.importer.files);
            let constant = constant.map_err(|reason| FrontError::unplaced(problem(reason)))?;
            self.importer.define(&tensor.name, Value::Constant(constant));
        }
        Ok(())
    }

    /// Imports a node, or keeps why it can't be.
    fn node(&mut self, placed: &Placed, depth: usize) {
        let proto = &placed.proto;
        let node = Node { proto, version: placed.version.unwrap_or_default() };
        let operator = Operator::find(domain(&proto.domain), &proto.op_type).filter(|_| placed.version.is_some());
        let is_choice = proto.op_type == "If" && domain(&proto.domain).is_empty();
        if operator.is_none() && !is_choice {
            self.refusals.unsupported(&node);
        } else if !proto.input.iter().any(|read| self.refusals.unknown.contains(read)) {
            let omitted = proto.input.iter().find_map(|read| self.omitted(read)).cloned();
            if let Some(omitted) = &omitted
                && !operator.is_some_and(|operator| operator.may_follow(omitted, &node, &self.importer))
            {
                self.refusals.inside(omitted);
                self.refusals.unknown.extend(proto.output.iter().cloned());
                return;
            }
            let values = match operator {
                Some(operator) => values_of(&mut self.importer, &node, operator),
                None => self.branch(&node, depth),
            };
            match values {
                Ok(mut values) => {
                    let left = omitted.filter(|_| proto.op_type != "ArgMax");
                    if let (Some(omitted), [Value::Stream(stream)]) = (left, &mut values[..]) {
                        let is_same = ["Identity", "Cast"].contains(&&proto.op_type[..]);
                        stream.omitted = Some(if is_same { omitted } else { omitted.moved() });
                    }
                    let named = proto.output.iter().zip(values).filter(|(output, _)| !output.is_empty());
                    named.for_each(|(output, value)| self.importer.define(output, value));
                    return;
                }
                Err(refusal) => self.refusals.node(&node, refusal),
            }
        }
        self.refusals.unknown.extend(proto.output.iter().cloned());
    }

    fn omitted(&self, name: &str) -> Option<&Omitted> {
        match self.importer.value(name) {
            Some(Value::Stream(stream)) => stream.omitted.as_ref(),
            _ => None,
        }
    }

    /// If, whose condition is a constant: the nodes of one of its graphs.
    fn branch(&mut self, node: &Node<'_>, depth: usize) -> Imported<Vec<Value>> {
        let condition = self.importer.constant(node, 0)?.data.iter().any(|flag| *flag != 0.0);
        let name = if condition { "then_branch" } else { "else_branch" };
        let Some(graph) = node.graph(name) else {
            return refused(format!("it has no `{name}`"), "see the operator's definition");
        };
        if depth == MAX_DEPTH {
            return refused("it lies too deep within others", "export the network without conditions");
        }
        for tensor in &graph.initializer {
            match Constant::read(tensor, &self.importer.files) {
                Ok(constant) => self.importer.define(&tensor.name, Value::Constant(constant)),
                Err(reason) => return refused(format!("its tensor `{}` {reason}", tensor.name), "check the file"),
            }
        }
        for proto in &graph.node {
            self.node(&Placed { proto: proto.clone(), version: Some(node.version) }, depth + 1);
        }
        let value = |name: &String| match self.importer.value(name) {
            Some(value) => Ok(value.clone()),
            None => refused(format!("its graph does not give `{name}`"), "see what else is refused"),
        };
        graph.output.iter().map(|output| value(&output.name)).collect()
    }
}

/// What a node gives whose operator is supported.
fn values_of(importer: &mut Importer, node: &Node<'_>, operator: &Operator) -> Imported<Vec<Value>> {
    let mut operands = node.proto.input.iter().filter_map(|name| importer.value(name)).peekable();
    let has_operands = operands.peek().is_some();
    let is_folded = operator.is_folded() && has_operands && operands.all(|value| matches!(value, Value::Constant(_)));
    let is_of_integers =
        |read: &String| matches!(importer.value(read), Some(Value::Stream(stream)) if stream.quantized.is_some());
    if !operator.takes_integers && node.proto.input.iter().any(is_of_integers) {
        return refused("it reads integers of a type", "put DequantizeLinear before it");
    }
    if is_folded { folding::folded(importer, node, operator) } else { operator.import(importer, node) }
}

impl Refusals {
    fn unsupported(&mut self, node: &Node<'_>) {
        let of = domain(&node.proto.domain);
        let operator = &node.proto.op_type;
        let name = if of.is_empty() { operator.clone() } else { format!("{of}.{operator}") };
        self.unsupported.entry(name).or_insert((0, node.name().to_string())).0 += 1;
    }

    /// A function that may end a network, and does not. Several nodes may read what one gives.
    fn inside(&mut self, omitted: &Omitted) {
        let (nodes, _) = self.unsupported.entry(omitted.operator().to_string()).or_insert((0, omitted.node.clone()));
        *nodes += usize::from(self.inside.insert(omitted.node.clone()));
    }

    fn node(&mut self, node: &Node<'_>, Refusal { message, help }: Refusal) {
        let (name, operator) = (node.name().to_string(), node.proto.op_type.clone());
        self.nodes.push(Problem::OnnxNode { name, operator, message, help });
    }

    /// All that is wrong, if anything is.
    fn told(self) -> Result<()> {
        let operators = self.unsupported.iter().map(|(operator, (count, first))| match count {
            1 => format!("{operator} (node `{first}`)"),
            count => format!("{operator} ({count} nodes, the first `{first}`)"),
        });
        let operators = operators.collect::<Vec<_>>().join(", ");
        let unsupported = (!operators.is_empty()).then_some(Problem::OnnxUnsupported { operators });
        let mut problems: Vec<Problem> = unsupported.into_iter().chain(self.nodes).collect();
        let count = problems.len();
        problems.truncate(MAX_TOLD);
        match problems.pop() {
            None => Ok(()),
            Some(only) if count == 1 => Err(FrontError::unplaced(only)),
            Some(last) => {
                problems.push(last);
                Err(FrontError::unplaced(Problem::OnnxSeveral { count, problems }))
            }
        }
    }
}
