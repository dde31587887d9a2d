//! From nodes to layers: what each name of the graph stands for.

use std::collections::{HashMap, HashSet};

use ndarray::{ArrayD, IxDyn};

use super::super::{Attribute, Composed, Layer, LayerKind, shapes};
use super::constant::Constant;
use super::node::{Imported, Node, Refusal, refused};

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A tensor that depends on the inputs.
    Stream(Stream),
    /// One that does not.
    Constant(Constant),
}

/// A tensor that depends on the inputs: the output of a layer, or an input.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// The name of the layer.
    layer: String,
    /// The shape in the order of ONNX, without the batch axis.
    pub(super) shape: Vec<usize>,
    /// Whether there is a batch axis, of length one, before these.
    has_batch: bool,
    /// Whether the layer's output has the first of these axes last, as images have it here.
    is_last: bool,
    /// The scale, zero point and ends of the type, if it was quantized.
    pub(super) quantized: Option<[f64; 4]>,
}

/// The layers so far, and what names stand for.
pub(super) struct Importer {
    pub(super) layers: Vec<Layer>,
    values: HashMap<String, Value>,
    /// Names of layers and inputs.
    taken: HashSet<String>,
    together: usize,
}

impl Importer {
    pub(super) fn new() -> Self {
        Self { layers: Vec::new(), values: HashMap::new(), taken: HashSet::new(), together: 0 }
    }

    pub(super) fn define(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_string(), value);
    }

    /// An input of the network, in the order of ONNX.
    pub(super) fn define_input(&mut self, name: &str, shape: Vec<usize>, has_batch: bool) {
        self.taken.insert(name.to_string());
        let stream = Stream { layer: name.to_string(), shape, has_batch, is_last: false, quantized: None };
        self.define(name, Value::Stream(stream));
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    fn operand(&self, node: &Node<'_>, at: usize) -> Imported<Option<&Value>> {
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
        let unique = self.unique(name);
        let layer = Layer::new(kind, shapes[0].clone()).named(&unique).reading(&names);
        let slices: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let output = shapes::output_shape(&layer, &slices, &mut self.together);
        let shape = output
            .map_err(|error| Refusal { message: error.to_string(), help: "check the shapes of the node's operands" })?;
        self.layers.push(layer);
        Ok(Stream { layer: unique, shape, has_batch: reads[0].has_batch, is_last: false, quantized: None })
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

    /// A name that no layer has.
    fn unique(&mut self, name: &str) -> String {
        let candidates = std::iter::once(name.to_string()).chain((2..).map(|at| format!("{name} {at}")));
        // There are more numbers than layers.
        let unique = candidates.into_iter().find(|name| !self.taken.contains(name)).unwrap_or_default();
        self.taken.insert(unique.clone());
        unique
    }

    /// The stream with its first axis last, as layers of images and sequences want it.
    pub(super) fn channels_last(&mut self, stream: &Stream) -> Imported<Stream> {
        let axes = stream.shape.len();
        if stream.is_last || axes < 2 {
            return Ok(stream.clone());
        }
        let order = (1..axes).chain([0]).collect();
        let turned = self.compose(
            &format!("{}, channels last", stream.layer),
            "transpose",
            vec![("axes", integers(order))],
            &[stream],
        )?;
        Ok(Stream { shape: stream.shape.clone(), is_last: true, quantized: stream.quantized, ..turned })
    }

    /// The stream with its axes in the order of ONNX.
    pub(super) fn in_order(&mut self, stream: &Stream) -> Imported<Stream> {
        if !stream.is_last {
            return Ok(stream.clone());
        }
        let axes = stream.shape.len();
        let order = std::iter::once(axes - 1).chain(0..axes - 1).collect();
        let turned = self.compose(
            &format!("{}, channels first", stream.layer),
            "transpose",
            vec![("axes", integers(order))],
            &[stream],
        )?;
        Ok(Stream { quantized: stream.quantized, ..turned })
    }

    /// The stream under another shape, in the order of ONNX.
    pub(super) fn reshaped(&mut self, name: &str, stream: &Stream, shape: &[usize]) -> Imported<Stream> {
        let stream = self.in_order(stream)?;
        if stream.shape == shape {
            return Ok(stream);
        }
        Ok(self.view(name, &stream, shape)?.quantized_to(stream.quantized))
    }

    /// The output of the stream's layer under another shape.
    pub(super) fn view(&mut self, name: &str, stream: &Stream, shape: &[usize]) -> Imported<Stream> {
        self.compose(name, "reshape", vec![("shape", integers(shape.to_vec()))], &[stream])
    }

    /// Several streams in one order of axes, which they must all have alike.
    pub(super) fn in_one_order(&mut self, streams: &[Stream], is_last: bool) -> Imported<Vec<Stream>> {
        if streams.iter().any(|stream| stream.has_batch != streams[0].has_batch) {
            return refused(
                "some of its operands have a batch axis, and some have none",
                "all must have the same axes",
            );
        }
        let bring = |stream| if is_last { self.channels_last(stream) } else { self.in_order(stream) };
        streams.iter().map(bring).collect()
    }

    /// The stream under another shape, the batch axis with it where it begins with one of length one. A number is a tensor of one
    /// element.
    pub(super) fn reshaped_to(&mut self, name: &str, stream: &Stream, full: &[usize]) -> Imported<Stream> {
        let (shape, has_batch) = match full {
            [1, shape @ ..] if !shape.is_empty() => (shape, true),
            [] => (&[1][..], false),
            shape => (shape, false),
        };
        Ok(Stream { has_batch, ..self.reshaped(name, stream, shape)? })
    }

    /// The name of the layer that a graph's output is, which has its axes in the order of ONNX.
    pub(super) fn output(&mut self, name: &str) -> Imported<String> {
        let stream = match self.values.get(name) {
            Some(Value::Stream(stream)) if stream.quantized.is_some() => {
                return refused(
                    format!("the output `{name}` holds integers of a type"),
                    "end the network with DequantizeLinear",
                );
            }
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
        let stream = self.in_order(&stream)?;
        if self.layers.iter().rev().any(|layer| layer.name() == Some(&stream.layer)) {
            return Ok(stream.layer);
        }
        // An input as it is.
        Ok(self.view(name, &stream, &stream.shape)?.layer)
    }
}

impl Stream {
    /// The shape of the layer's output.
    pub(super) fn layer_shape(&self) -> Vec<usize> {
        if !self.is_last {
            return self.shape.clone();
        }
        [&self.shape[1..], &self.shape[..1]].concat()
    }

    /// The result of a layer that keeps the order of axes, from its own.
    pub(super) fn with_layer_order(self, is_last: bool) -> Stream {
        if !is_last {
            return self;
        }
        let (channels, others) = self.shape.split_last().unwrap_or((&1, &[]));
        let shape = [&[*channels], others].concat();
        Stream { shape, is_last, ..self }
    }

    /// The same, quantized to a scale.
    pub(super) fn quantized_to(self, quantized: Option<[f64; 4]>) -> Stream {
        Stream { quantized, ..self }
    }

    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// An array in the order of ONNX, of the stream's shape, in the order of the layer's output.
    pub(super) fn in_layer_order(&self, array: ArrayD<f64>) -> ArrayD<f64> {
        if !self.is_last {
            return array;
        }
        let order: Vec<usize> = (1..self.shape.len()).chain([0]).collect();
        array.permuted_axes(IxDyn(&order)).as_standard_layout().into_owned()
    }

    /// The shape with the batch axis, if there is one.
    pub(super) fn full_shape(&self) -> Vec<usize> {
        if self.has_batch { [&[1], &self.shape[..]].concat() } else { self.shape.clone() }
    }

    /// An axis of ONNX, which may count from the end, among those of the full shape.
    pub(super) fn full_axis(&self, axis: i64) -> Imported<usize> {
        let axes = self.full_shape().len() as i64;
        let counted = if axis < 0 { axis + axes } else { axis };
        match (0..axes).contains(&counted) {
            true => Ok(counted as usize),
            false => refused(format!("axis {axis} is none of {axes}"), "see the operator's definition"),
        }
    }

    /// An axis of ONNX among the stream's, which are without the batch axis.
    pub(super) fn axis(&self, axis: i64) -> Imported<usize> {
        let axis = self.full_axis(axis)?;
        match axis.checked_sub(usize::from(self.has_batch)) {
            Some(axis) => Ok(axis),
            None => refused("it goes along the batch axis", "there is one sample, and no axis of samples"),
        }
    }

    pub(super) fn has_batch(&self) -> bool {
        self.has_batch
    }
}

pub(super) fn integers(values: Vec<usize>) -> Attribute {
    Attribute::Integers(values)
}
