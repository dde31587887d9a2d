//! From nodes to layers: what operands a node has, and the layers so far.

use std::collections::{HashMap, HashSet};

use super::super::{Attribute, Composed, Last, Layer, LayerKind, shapes};
use super::constant::{Constant, Element, number};
use super::files::Files;
use super::node::{Imported, Node, Refusal, refused};
use super::operators::elementwise::affine;
use super::stream::{Stream, Value};

/// The most elements that are made of a file which holds none.
const MAX_MADE: usize = 1 << 26;

/// How many times over as many elements are made as the file holds.
const TIMES: usize = 8;

/// The layers so far, and what names stand for.
pub(super) struct Importer {
    pub(super) layers: Vec<Layer>,
    values: HashMap<String, Value>,
    /// How many layers and inputs were to have each name.
    taken: HashMap<String, usize>,
    together: usize,
    inputs: Vec<Stream>,
    /// How many elements may still be made that the file does not hold.
    left: usize,
    /// Where tensors of nodes may lie.
    pub(super) files: Files,
}

impl Importer {
    pub(super) fn new(files: Files) -> Self {
        let (values, taken) = (HashMap::new(), HashMap::new());
        Self { layers: Vec::new(), values, taken, together: 0, inputs: Vec::new(), left: MAX_MADE, files }
    }

    /// One for a part of the same file, which makes no more than is left.
    pub(super) fn within(&self) -> Self {
        Self { left: self.left, ..Self::new(self.files.clone()) }
    }

    /// Elements that the file holds: as many again may be made of these, some times over.
    pub(super) fn holds(&mut self, elements: usize) {
        self.left = self.left.saturating_add(elements.saturating_mul(TIMES));
    }

    /// Takes so many elements off those that may be made. Whoever makes a tensor asks first.
    ///
    /// # Errors
    /// Where a small file would take memory that its size does not justify.
    pub(super) fn spend(&mut self, elements: Option<usize>) -> Imported<()> {
        match elements.and_then(|elements| self.left.checked_sub(elements)) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => refused(
                "with it the network makes more elements than its file justifies",
                "no circuit holds so many of them; is a shape wrong?",
            ),
        }
    }

    /// The same for tensors of a shape, so many of them.
    pub(super) fn spend_on(&mut self, shape: &[usize], tensors: usize) -> Imported<()> {
        self.spend(shape.iter().try_fold(tensors, |product, length| product.checked_mul(*length)))
    }

    pub(super) fn define(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_string(), value);
    }

    /// An input of the network, of a full shape in the order of ONNX. An axis of length one before others is one of samples.
    pub(super) fn define_input(&mut self, name: &str, full: &[usize], element: Element) {
        let layer = self.unique(name);
        let has_batch = matches!(full, [1, _, ..]);
        let shape = full[usize::from(has_batch)..].to_vec();
        let stream = Stream { layer, shape, has_batch, is_last: false, element, quantized: None, omitted: None };
        self.inputs.push(stream.clone());
        self.define(name, Value::Stream(stream));
    }

    /// For each input the shape that layers read; nothing for those that none reads.
    pub(super) fn inputs(&self) -> impl Iterator<Item = Option<Vec<usize>>> {
        let read: HashSet<&String> = self.layers.iter().flat_map(Layer::inputs).collect();
        self.inputs.iter().map(move |input| read.contains(&input.layer).then(|| input.layer_shape()))
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// An operand, if the node has one there.
    pub(super) fn operand(&self, node: &Node<'_>, at: usize) -> Imported<Option<&Value>> {
        let name = node.proto.input.get(at).filter(|name| !name.is_empty());
        let Some(name) = name else { return Ok(None) };
        match self.values.get(name) {
            Some(value) => Ok(Some(value)),
            None => refused(
                format!("it reads `{name}`, which is not there"),
                "every operand is an input, an initializer or an output of a node before",
            ),
        }
    }

    /// An operand that must be there.
    pub(super) fn required(&self, node: &Node<'_>, at: usize) -> Imported<&Value> {
        match self.operand(node, at)? {
            Some(value) => Ok(value),
            None => refused(format!("operand {at} is missing"), "see the operator's definition"),
        }
    }

    /// An operand that depends on the inputs.
    pub(super) fn stream(&self, node: &Node<'_>, at: usize) -> Imported<Stream> {
        match self.required(node, at)? {
            Value::Stream(stream) => Ok(stream.clone()),
            Value::Constant(_) => refused(
                format!("operand {at} is a constant"),
                "this operator is supported on what depends on the input",
            ),
        }
    }

    /// An operand that depends on the inputs, with a batch axis and so many others, at least.
    pub(super) fn sample(&self, node: &Node<'_>, at: usize) -> Imported<Stream> {
        let stream = self.stream(node, at)?;
        match stream.has_batch {
            true => Ok(stream),
            false => refused(
                format!("its operand of shape {:?} has no batch axis of length one", stream.shape),
                "export the network for one sample",
            ),
        }
    }

    /// An operand that must be there and must not depend on the inputs.
    pub(super) fn constant(&self, node: &Node<'_>, at: usize) -> Imported<Constant> {
        match self.required(node, at)? {
            Value::Constant(constant) => Ok(constant.clone()),
            Value::Stream(_) => refused(
                format!("operand {at} depends on the input"),
                "this operator is supported with a constant there",
            ),
        }
    }

    pub(super) fn optional_constant(&self, node: &Node<'_>, at: usize) -> Imported<Option<Constant>> {
        self.operand(node, at)?.map(|_| self.constant(node, at)).transpose()
    }

    /// Integers that are an attribute in old versions of an operator, and an operand in new ones.
    pub(super) fn ints(&self, node: &Node<'_>, name: &str, at: usize) -> Imported<Option<Vec<i64>>> {
        let of_operand = self.optional_constant(node, at)?.map(|constant| constant.integers());
        Ok(node.ints(name).map(<[i64]>::to_vec).or(of_operand))
    }

    /// One integer of these.
    pub(super) fn int(&self, node: &Node<'_>, at: usize, missing: i64) -> Imported<i64> {
        match self.optional_constant(node, at)?.map(|constant| constant.integers()).as_deref() {
            None => Ok(missing),
            Some([integer]) => Ok(*integer),
            Some(several) => refused(format!("operand {at} is {several:?}"), "one integer must stand there"),
        }
    }

    /// The same of a number.
    pub(super) fn number(&self, node: &Node<'_>, name: &str, at: usize) -> Imported<Option<f64>> {
        let of_operand = self.optional_constant(node, at)?.map(|constant| constant.reals().sum());
        Ok(node.float(name).or(of_operand))
    }

    /// All operands.
    pub(super) fn operands(&self, node: &Node<'_>) -> Imported<Vec<Value>> {
        let all = (0..node.proto.input.len()).map(|at| self.operand(node, at));
        Ok(all.collect::<Imported<Vec<_>>>()?.into_iter().flatten().cloned().collect())
    }

    /// Adds a layer that reads streams; its result has its axes as they come.
    pub(super) fn push(&mut self, name: &str, kind: LayerKind, reads: &[&Stream]) -> Imported<Stream> {
        let shapes: Vec<Vec<usize>> = reads.iter().map(|stream| stream.layer_shape()).collect();
        let names: Vec<&str> = reads.iter().map(|stream| stream.layer.as_str()).collect();
        self.spend(Some(elements_of(&kind)))?;
        let unique = self.unique(name);
        let layer = Layer::new(kind, shapes[0].clone()).named(&unique).reading(&names);
        let slices: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let output = shapes::output_shape(&layer, &slices, &mut self.together);
        let shape = output
            .map_err(|error| Refusal { message: error.to_string(), help: "check the shapes of the node's operands" })?;
        self.layers.push(layer);
        let is_number = shape == [1] && reads.iter().all(|stream| stream.shape.is_empty());
        let shape = if is_number { Vec::new() } else { shape };
        let Stream { has_batch, element, .. } = *reads[0];
        Ok(Stream { layer: unique, shape, has_batch, is_last: false, element, quantized: None, omitted: None })
    }

    /// The same for a layer of the table.
    pub(super) fn compose(
        &mut self,
        name: &str,
        layer_type: &str,
        fields: Vec<(&'static str, Attribute)>,
        reads: &[&Stream],
    ) -> Imported<Stream> {
        match Composed::new(layer_type, fields) {
            Ok(composed) => self.push(name, LayerKind::Composed(composed), reads),
            Err(_) => refused(
                format!("its attributes make no {layer_type}"),
                "lengths must be positive, and windows no larger than can be",
            ),
        }
    }

    /// Takes away all layers that these do not depend on.
    pub(super) fn keep(&mut self, outputs: &[&str]) {
        let mut read: HashSet<String> = outputs.iter().map(|name| name.to_string()).collect();
        let mut kept = Vec::new();
        for layer in std::mem::take(&mut self.layers).into_iter().rev() {
            if layer.name().is_some_and(|name| read.contains(name)) {
                read.extend(layer.inputs().iter().cloned());
                kept.push(layer);
            }
        }
        kept.reverse();
        self.layers = kept;
    }

    /// A name that no layer has.
    fn unique(&mut self, name: &str) -> String {
        let mut candidate = name.to_string();
        while let Some(count) = self.taken.get_mut(&candidate) {
            *count += 1;
            candidate = format!("{candidate} {count}");
        }
        self.taken.insert(candidate.clone(), 1);
        candidate
    }

    /// The name of the layer that a graph's output is, which has its axes in the order of ONNX, and what no layer computes of it. No
    /// two outputs are one layer.
    pub(super) fn output(&mut self, name: &str, others: &[String]) -> Imported<(String, Option<Last>)> {
        let stream = match self.values.get(name) {
            Some(Value::Stream(stream)) => stream.clone(),
            Some(Value::Constant(_)) => {
                return refused(
                    format!("the output `{name}` does not depend on the input"),
                    "there is nothing to prove",
                );
            }
            None => {
                return refused(
                    format!("no node gives the output `{name}`"),
                    "every output of the graph is one of a node",
                );
            }
        };
        let last = stream.omitted.as_ref().map(|omitted| omitted.last);
        let layer = match stream.quantized {
            Some([scale, zero, ..]) => {
                let integers =
                    affine(self, &format!("{name}, integers"), &stream, Some(number(1.0 / scale)), Some(number(zero)))?;
                self.layer_of(name, &integers)
            }
            None => self.layer_of(name, &stream),
        };
        let layer = layer?;
        if !others.contains(&layer) {
            return Ok((layer, last));
        }
        let stream = self.in_order(&stream)?;
        let again = self.view(name, &Stream { layer, ..stream.clone() }, &stream.layer_shape())?;
        Ok((again.layer, last))
    }

    /// The name of the layer whose output is the stream in the order of ONNX. `name` is what a new one is called.
    pub(super) fn layer_of(&mut self, name: &str, stream: &Stream) -> Imported<String> {
        let stream = self.in_order(stream)?;
        if self.layers.iter().rev().any(|layer| layer.name() == Some(&stream.layer)) {
            return Ok(stream.layer);
        }
        // An input as it is.
        Ok(self.view(name, &stream, &stream.layer_shape())?.layer)
    }
}

/// How many numbers a layer has for its fields.
fn elements_of(kind: &LayerKind) -> usize {
    match kind {
        LayerKind::Convolution { kernel, .. } => kernel.len(),
        LayerKind::FullyConnected { weights, .. } => weights.len(),
        LayerKind::Composed(composed) => {
            let field = |attribute: &Attribute| match attribute {
                Attribute::Tensor(tensor) => tensor.len(),
                Attribute::Integers(integers) => integers.len(),
                Attribute::Number(_) | Attribute::Flag(_) => 1,
            };
            composed.fields().map(|(_, attribute)| field(attribute)).sum()
        }
        // What they have is no longer than a shape.
        LayerKind::MaxPool { .. }
        | LayerKind::Relu
        | LayerKind::Flatten
        | LayerKind::Normalize
        | LayerKind::Argmax { .. }
        | LayerKind::Padding { .. } => 1,
    }
}

pub(super) fn integers(values: Vec<usize>) -> Attribute {
    Attribute::Integers(values)
}

pub(super) fn list(numbers: Vec<f64>) -> Attribute {
    Attribute::Tensor(ndarray::Array1::from(numbers).into_dyn())
}
