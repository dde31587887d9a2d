//! The nodes of a graph, one after the other: what each gives, or why it can't be imported.

use super::super::Reading;
use super::super::error::{Problem, Result};
use super::check::domain;
use super::constant::Constant;
use super::files::Files;
use super::folding;
use super::functions::Placed;
use super::importer::Importer;
use super::inputs::{Input, inputs};
use super::node::{Imported, Node, refused};
use super::operators::Operator;
use super::proto::{GraphProto, TensorProto};
use super::refusals::Refusals;
use super::stream::{Omitted, Value};

/// How deep graphs may lie within nodes.
const MAX_DEPTH: usize = 16;

/// What the nodes so far give, and what is wrong with some of them.
pub(super) struct Reader {
    importer: Importer,
    refusals: Refusals,
}

impl Reader {
    pub(super) fn new(files: Files) -> Self {
        Self { importer: Importer::new(files), refusals: Refusals::default() }
    }

    /// All layers, if nothing is wrong.
    pub(super) fn imported(self) -> Result<Importer> {
        self.refusals.told()?;
        Ok(self.importer)
    }

    /// A tensor of the file.
    pub(super) fn tensor(&mut self, tensor: &TensorProto) {
        match Constant::read(tensor, &self.importer.files) {
            Ok(constant) => {
                self.importer.holds(constant.data.len());
                self.importer.define(&tensor.name, Value::Constant(constant));
            }
            Err(reason) => {
                self.refusals.problem(Problem::OnnxTensor { tensor: tensor.name.clone(), reason });
                self.refusals.unknown(&tensor.name, None);
            }
        }
    }

    /// The inputs of a graph that are no tensors of the file.
    pub(super) fn inputs(&mut self, graph: &GraphProto, reading: &Reading) -> Vec<Input> {
        match inputs(graph, reading) {
            Ok(inputs) => {
                inputs.iter().for_each(|input| self.importer.define_input(&input.name, &input.full, input.element));
                inputs
            }
            Err(error) => {
                self.refusals.problem(error.problem);
                graph.input.iter().for_each(|input| self.refusals.unknown(&input.name, None));
                Vec::new()
            }
        }
    }

    /// Imports a node, or keeps why it can't be.
    pub(super) fn node(&mut self, placed: &Placed, depth: usize) {
        let proto = &placed.proto;
        let node = Node { proto, version: placed.version.unwrap_or_default() };
        let operator = Operator::find(domain(&proto.domain), &proto.op_type).filter(|_| placed.version.is_some());
        let is_choice = proto.op_type == "If" && domain(&proto.domain).is_empty();
        let omitted = proto.input.iter().find_map(|read| self.omitted(read)).cloned();
        let after = |omitted: &Omitted| operator.and_then(|operator| operator.after(omitted, &node, &self.importer));
        let left = omitted.as_ref().map(after);
        let is_inside = left == Some(None);
        if operator.is_none() && !is_choice {
            self.refusals.unsupported(&node);
        }
        if let Some(omitted) = omitted.as_ref().filter(|_| is_inside) {
            self.refusals.inside(omitted.operator(), &omitted.node);
        }
        if !operator.is_some_and(|operator| operator.moves || operator.name == "ArgMax") {
            self.refusals.inside_of_unknown(&node);
        }
        let is_known = !proto.input.iter().any(|read| self.refusals.is_unknown(read));
        if is_known && !is_inside && (operator.is_some() || is_choice) {
            let values = match operator {
                Some(operator) => values_of(&mut self.importer, &node, operator),
                None => self.branch(&node, depth),
            };
            match values {
                Ok(values) => return self.define(&node, values, left.flatten().flatten()),
                Err(refusal) => self.refusals.node(&node, refusal),
            }
        }
        // Of one that is refused itself there is no more to say.
        let may_end = !is_known && operator.is_some_and(Operator::may_end);
        let ending = may_end.then(|| (proto.op_type.clone(), node.name().to_string()));
        proto.output.iter().for_each(|output| self.refusals.unknown(output, ending.clone()));
    }

    /// Gives a node's outputs their names; `left` is what of a function that is not computed is left behind it.
    fn define(&mut self, node: &Node<'_>, mut values: Vec<Value>, left: Option<Omitted>) {
        if let (Some(_), [Value::Stream(stream)]) = (&left, &mut values[..]) {
            stream.omitted = left;
        }
        let named = node.proto.output.iter().zip(values).filter(|(output, _)| !output.is_empty());
        named.for_each(|(output, value)| self.importer.define(output, value));
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
        graph.initializer.iter().for_each(|tensor| self.tensor(tensor));
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
    if is_folded && operator.may_end() {
        return refused("it is of a constant", "export the network with its constants worked out");
    }
    if is_folded { folding::folded(importer, node, operator) } else { operator.import(importer, node) }
}
