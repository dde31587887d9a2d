//! A model as an ONNX file: its graph of real numbers, node by node.
//!
//! Tensors get a batch axis of length one before their own, and keep the order of these, channels last; a convolution and a pool stand
//! between two transpositions. Weights are floats of 32 bits, or integers with their scales where the model has such.

use std::io::{self, Write};

use prost::Message;
use zknn_ir::{Graph, NodeId, Op, Weights, op};

use super::super::{Last, Layer, LowerError, Model, lower};
use super::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// The version of the operators that are written, the first of which quantized tensors have 16 bits.
const VERSION: i64 = 21;

/// The version of the format that came with it.
const FORMAT: i64 = 10;

const FLOAT: i32 = 1;
const INT8: i32 = 3;
const UINT8: i32 = 2;
const INT16: i32 = 5;
const UINT16: i32 = 4;
const INT32: i32 = 6;
const INT64: i32 = 7;

/// A model as the bytes of an ONNX file, and how many of its numbers were rounded to floats of 32 bits.
pub struct Exported {
    model: ModelProto,
    /// How many numbers the file has in another form than the model, which are no floats of 32 bits.
    pub rounded: usize,
}

impl Exported {
    /// The file of a model. Ranges of inputs have no place in it.
    ///
    /// # Errors
    /// For a layer that the IR does not have.
    pub fn new(model: &Model) -> Result<Self, LowerError> {
        let graph = lower(model)?;
        // No name of the model begins so.
        let names =
            model.layers().iter().filter_map(Layer::name).chain(model.inputs().iter().map(|input| &input.name[..]));
        let taken = names.map(|name| name.chars().take_while(|c| *c == '%').count()).max().unwrap_or(0);
        let prefix = "%".repeat(taken + 1);
        let mut exporter = Exporter { graph: &graph, file: GraphProto::default(), rounded: 0, prefix };
        exporter.file.name = "network".to_string();
        for (&id, input) in graph.inputs().iter().zip(model.inputs()) {
            exporter.file.input.push(value_info(&input.name, &graph.node(id).fact.shape));
        }
        let names: Vec<&str> = model.inputs().iter().map(|input| input.name.as_str()).collect();
        for id in graph.topological() {
            exporter.node(id, &names);
        }
        for (&id, (&layer, last)) in graph.outputs().iter().zip(model.outputs().iter().zip(model.omitted())) {
            let name = model.layers()[layer].name().map_or_else(|| format!("output of {layer}"), str::to_string);
            exporter.end(id, &name, *last, &names);
        }
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: VERSION }];
        let Exporter { file, rounded, .. } = exporter;
        let model = ModelProto { ir_version: FORMAT, graph: Some(file), opset_import, functions: Vec::new() };
        Ok(Self { model, rounded })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of `w`.
    pub fn write(&self, w: &mut dyn Write) -> io::Result<()> {
        w.write_all(&self.model.encode_to_vec())
    }
}

struct Exporter<'a> {
    graph: &'a Graph,
    file: GraphProto,
    rounded: usize,
    /// What names of results begin with.
    prefix: String,
}

impl Exporter<'_> {
    /// What the result of a node is called.
    fn name(&self, id: NodeId, inputs: &[&str]) -> String {
        match self.graph.inputs().iter().position(|input| *input == id) {
            Some(at) => inputs[at].to_string(),
            None => format!("{}{}", self.prefix, id.index()),
        }
    }

    /// Adds the nodes that compute what a node of the graph does.
    fn node(&mut self, id: NodeId, inputs: &[&str]) {
        let names: Vec<String> = self.graph.operands(id).iter().map(|&operand| self.name(operand, inputs)).collect();
        let operands: Vec<&str> = names.iter().map(String::as_str).collect();
        let result = self.name(id, inputs);
        let shape = |id: NodeId| self.graph.node(id).fact.shape.clone();
        let (full, op) = ([&[1], &shape(id)[..]].concat(), self.graph.node(id).op.clone());
        match &op {
            // A graph of real numbers has no requantize.
            Op::Input(_) | Op::Requantize(_) => {}
            Op::Conv2d(conv) => self.convolution(&result, &operands, conv),
            Op::Dense(op::Dense { weights, bias }) => {
                let (weights, bias) = (self.weights(&result, "weights", weights), self.bias(&result, bias.as_ref()));
                let reads: Vec<&str> = [operands[0], &weights].into_iter().chain(bias.as_deref()).collect();
                self.push("Gemm", &reads, &result, vec![int("transB", 1)]);
            }
            Op::Affine(op::Affine { weights, bias }) => {
                let weights = self.weights(&result, "factors", weights);
                let bias = self.bias(&result, bias.as_ref());
                let product = if bias.is_some() { format!("{result} product") } else { result.clone() };
                self.push("Mul", &[operands[0], &weights], &product, Vec::new());
                if let Some(bias) = bias {
                    self.push("Add", &[&product, &bias], &result, Vec::new());
                }
            }
            Op::MaxPool(pool) => self.pool(&result, &operands, pool),
            Op::Relu => self.push("Relu", &operands, &result, Vec::new()),
            Op::Abs => self.push("Abs", &operands, &result, Vec::new()),
            Op::Add => self.push("Sum", &operands, &result, Vec::new()),
            Op::Maximum => self.push("Max", &operands, &result, Vec::new()),
            Op::Multiply => self.push("Mul", &operands, &result, Vec::new()),
            Op::Clip(clip) => {
                let ends = clip.given().map(|end| end.map(|end| self.number(&result, end)).unwrap_or_default());
                self.push("Clip", &[operands[0], &ends[0], &ends[1]], &result, Vec::new());
            }
            Op::Quantize(quantize) => self.quantize(&result, operands[0], quantize),
            Op::Normalize(_) => self.push("LpNormalization", &operands, &result, vec![int("axis", 1), int("p", 2)]),
            Op::Argmax(op::Argmax { axis }) => {
                let indices = format!("{result} index");
                self.push("ArgMax", &operands, &indices, vec![int("axis", *axis as i64 + 1)]);
                self.push("Cast", &[&indices], &result, vec![int("to", FLOAT.into())]);
            }
            Op::TopK(op::TopK { axis, count }) => {
                let (count, indices) = (self.int64s(&result, "count", &[*count]), format!("{result} indices"));
                self.push(
                    "TopK",
                    &[operands[0], &count],
                    &format!("{result} values"),
                    vec![int("axis", *axis as i64 + 1)],
                );
                if let Some(node) = self.file.node.last_mut() {
                    node.output.push(indices.clone());
                }
                self.push("Cast", &[&indices], &result, vec![int("to", FLOAT.into())]);
            }
            Op::Gather(op::Gather { axis, indices }) => {
                let indices = self.int64s(&result, "indices", indices);
                self.push("Gather", &[operands[0], &indices], &result, vec![int("axis", *axis as i64 + 1)]);
            }
            Op::Concat(op::Concat { axis }) => {
                self.push("Concat", &operands, &result, vec![int("axis", *axis as i64 + 1)]);
            }
            Op::Transpose(op::Transpose { axes }) => {
                let order: Vec<usize> = [0].into_iter().chain(axes.iter().map(|axis| axis + 1)).collect();
                self.push("Transpose", &operands, &result, vec![ints("perm", &order)]);
            }
            Op::Reshape(_) | Op::Flatten => self.reshape(operands[0], &result, &full),
            Op::Pad(pad) => {
                let from = shape(self.graph.operands(id)[0]);
                self.pad(&result, operands[0], pad, &from);
            }
        }
    }

    /// Gives a result the name of an output, and what no layer computes its node.
    fn end(&mut self, id: NodeId, name: &str, last: Option<Last>, inputs: &[&str]) {
        let (operator, attributes) = match last {
            None => ("Identity", Vec::new()),
            Some(Last::Softmax) => ("Softmax", vec![int("axis", -1)]),
            Some(Last::LogSoftmax) => ("LogSoftmax", vec![int("axis", -1)]),
            Some(Last::Sigmoid) => ("Sigmoid", Vec::new()),
        };
        let result = self.name(id, inputs);
        self.push(operator, &[&result], name, attributes);
        self.file.output.push(value_info(name, &self.graph.node(id).fact.shape));
    }

    fn push(&mut self, operator: &str, reads: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        self.file.node.push(NodeProto {
            input: reads.iter().map(|read| read.to_string()).collect(),
            output: vec![output.to_string()],
            name: format!("{operator} {}", self.file.node.len()),
            op_type: operator.to_string(),
            attribute,
            ..NodeProto::default()
        });
    }

    fn convolution(&mut self, result: &str, operands: &[&str], conv: &op::Conv2d) {
        let &[outputs, height, width, inputs] = conv.kernel.shape() else { return };
        // Channels behind the outputs, as ONNX has them.
        let places = (0..outputs).flat_map(|output| {
            (0..inputs).flat_map(move |input| {
                (0..height * width).map(move |at| (output * height * width + at) * inputs + input)
            })
        });
        let count = share(&conv.kernel).filter(|_| conv.bias.is_none());
        let turned = match count {
            Some(_) => Weights::Real(ndarray::ArcArray::from_elem(vec![outputs, inputs, height, width], 1.0)),
            None => reordered(&conv.kernel, &[outputs, inputs, height, width], &places.collect::<Vec<_>>()),
        };
        let (kernel, bias) = (self.weights(result, "kernel", &turned), self.bias(result, conv.bias.as_ref()));
        let first = self.channels_first(result, operands[0]);
        let sums = format!("{result} channels first");
        let reads: Vec<&str> = [&first[..], &kernel].into_iter().chain(bias.as_deref()).collect();
        let attributes =
            vec![ints("strides", &conv.stride), ints("dilations", &conv.dilation), int("group", conv.groups as i64)];
        self.push("Conv", &reads, &sums, attributes);
        let mut last = sums;
        if let Some(count) = count {
            let (count, means) = (self.number(result, count), format!("{result} means"));
            self.push("Div", &[&last, &count], &means, Vec::new());
            last = means;
        }
        self.push("Transpose", &[&last], result, vec![ints("perm", &[0, 2, 3, 1])]);
    }

    fn pool(&mut self, result: &str, operands: &[&str], pool: &op::MaxPool) {
        let first = self.channels_first(result, operands[0]);
        let pads = [pool.before, pool.after].concat();
        let attributes = vec![ints("kernel_shape", &pool.window), ints("strides", &pool.stride), ints("pads", &pads)];
        let mut greatest = format!("{result} channels first");
        self.push("MaxPool", &[&first], &greatest, attributes);
        if pool.relu {
            let rectified = format!("{result} rectified");
            self.push("Relu", &[&greatest], &rectified, Vec::new());
            greatest = rectified;
        }
        self.push("Transpose", &[&greatest], result, vec![ints("perm", &[0, 2, 3, 1])]);
    }

    fn channels_first(&mut self, result: &str, operand: &str) -> String {
        let turned = format!("{result} operand");
        self.push("Transpose", &[operand], &turned, vec![ints("perm", &[0, 3, 1, 2])]);
        turned
    }

    fn reshape(&mut self, operand: &str, result: &str, full: &[usize]) {
        let shape = self.int64s(result, "shape", full);
        self.push("Reshape", &[operand, &shape], result, Vec::new());
    }

    /// Zeros between neighbours are a border of an axis that is added, all but the last of it.
    fn pad(&mut self, result: &str, operand: &str, pad: &op::Pad, from: &[usize]) {
        let (mut now, mut shape) = (operand.to_string(), from.to_vec());
        for axis in (0..from.len()).filter(|&axis| pad.between[axis] > 0) {
            let step = pad.between[axis] + 1;
            let mut apart = [&[1], &shape[..=axis], &[1], &shape[axis + 1..]].concat();
            let name = |what: &str| format!("{result} {what} along axis {axis}");
            self.reshape(&now, &name("elements"), &apart);
            let mut after = vec![0; apart.len()];
            after[axis + 2] = pad.between[axis];
            let (zeros, wide) = (vec![0; apart.len()], name("zeros between"));
            let borders = self.int64s(&wide, "borders", &[zeros, after].concat());
            self.push("Pad", &[&name("elements"), &borders], &wide, Vec::new());
            apart.remove(axis + 2);
            apart[axis + 1] = shape[axis] * step;
            self.reshape(&wide, &name("in a row"), &apart);
            shape[axis] = (shape[axis] - 1) * step + 1;
            let kept: Vec<usize> = (0..shape[axis]).collect();
            let kept = self.int64s(&name("without the last"), "indices", &kept);
            now = name("without the last");
            self.push("Gather", &[&name("in a row"), &kept], &now, vec![int("axis", axis as i64 + 1)]);
        }
        let borders = [&[0], &pad.before[..], &[0], &pad.after[..]].concat();
        let borders = self.int64s(result, "borders", &borders);
        self.push("Pad", &[&now, &borders], result, Vec::new());
    }

    /// Multiples of a scale between two ends: those of a type of integers, or else rounded and clipped.
    fn quantize(&mut self, result: &str, operand: &str, &op::Quantize { lo, hi, scale }: &op::Quantize) {
        let scale = self.number(&format!("{result} scale"), scale);
        let types = [(INT8, -128, 127), (UINT8, 0, 255), (INT16, -32768, 32767), (UINT16, 0, 65535)];
        let fitting = types
            .into_iter()
            .find(|(_, least, greatest)| hi - lo == greatest - least && (*least..=*greatest).contains(&(least - lo)));
        let integers = format!("{result} integers");
        if let Some((element, least, _)) = fitting {
            let zero = self.tensor(&format!("{result} zero point"), &[], element, &[least - lo]);
            self.push("QuantizeLinear", &[operand, &scale, &zero], &integers, Vec::new());
            self.push("DequantizeLinear", &[&integers, &scale, &zero], result, Vec::new());
            return;
        }
        let (quotients, rounded) = (format!("{result} quotients"), format!("{result} rounded"));
        self.push("Div", &[operand, &scale], &quotients, Vec::new());
        self.push("Round", &[&quotients], &rounded, Vec::new());
        let ends = [lo, hi].map(|end| self.number(&format!("{result} end {end}"), end as f64));
        self.push("Clip", &[&rounded, &ends[0], &ends[1]], &integers, Vec::new());
        self.push("Mul", &[&integers, &scale], result, Vec::new());
    }

    fn bias(&mut self, result: &str, bias: Option<&Weights>) -> Option<String> {
        bias.map(|bias| self.weights(result, "bias", bias))
    }

    /// Weights as a tensor of floats; of integers with scales, what DequantizeLinear makes of these.
    fn weights(&mut self, result: &str, what: &str, weights: &Weights) -> String {
        let name = format!("{result} {what}");
        let Weights::Scaled { data, scales } = weights else {
            return self.floats(&name, weights.shape(), &weights.reals());
        };
        let integers: Vec<i64> = data.iter().copied().collect();
        let fits = |(_, most): &(i32, i64)| integers.iter().all(|integer| (-most - 1..=*most).contains(integer));
        let types = [(INT8, i8::MAX.into()), (INT16, i16::MAX.into()), (INT32, i32::MAX.into())];
        // Only biases need 32 bits; products of such weights no runtime has.
        let Some((element, _)) = types.into_iter().find(fits) else {
            return self.floats(&name, weights.shape(), &weights.reals());
        };
        let tensor = self.tensor(&format!("{name} integers"), weights.shape(), element, &integers);
        let scales = self.floats(&format!("{name} scales"), &[scales.len()], scales);
        self.push("DequantizeLinear", &[&tensor, &scales], &name, vec![int("axis", 0)]);
        name
    }

    fn number(&mut self, name: &str, number: f64) -> String {
        let name = format!("{name} of {number}");
        if !self.file.initializer.iter().any(|tensor| tensor.name == name) {
            return self.floats(&name, &[], &[number]);
        }
        name
    }

    fn floats(&mut self, name: &str, shape: &[usize], numbers: &[f64]) -> String {
        self.rounded += numbers.iter().filter(|number| f64::from(**number as f32) != **number).count();
        let raw_data = numbers.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
        self.initializer(name, shape, FLOAT, raw_data)
    }

    fn int64s(&mut self, result: &str, what: &str, numbers: &[usize]) -> String {
        let numbers: Vec<i64> = numbers.iter().map(|number| *number as i64).collect();
        self.tensor(&format!("{result} {what}"), &[numbers.len()], INT64, &numbers)
    }

    /// Integers of a type that holds them.
    fn tensor(&mut self, name: &str, shape: &[usize], element: i32, integers: &[i64]) -> String {
        let width = match element {
            INT8 | UINT8 => 1,
            INT16 | UINT16 => 2,
            INT32 => 4,
            _ => 8,
        };
        let raw_data = integers.iter().flat_map(|integer| integer.to_le_bytes().into_iter().take(width)).collect();
        self.initializer(name, shape, element, raw_data)
    }

    fn initializer(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        let dims = shape.iter().map(|length| *length as i64).collect();
        self.file.initializer.push(TensorProto {
            name: name.to_string(),
            dims,
            data_type,
            raw_data,
            ..TensorProto::default()
        });
        name.to_string()
    }
}

/// The count of which all weights are one share, as those of a mean are, where a float of 32 bits does not hold that.
fn share(weights: &Weights) -> Option<f64> {
    let Weights::Real(data) = weights else { return None };
    let first = *data.first()?;
    let count = first.recip().round();
    let is_share = count.recip() == first && f64::from(first as f32) != first && count < f64::from(1 << 24);
    (is_share && data.iter().all(|other| *other == first)).then_some(count)
}

/// Weights with their elements in another order, the first axis being the same.
fn reordered(weights: &Weights, shape: &[usize], places: &[usize]) -> Weights {
    fn in_order<T: Copy>(
        data: impl Iterator<Item = T>,
        shape: &[usize],
        places: &[usize],
    ) -> Option<ndarray::ArcArray<T, ndarray::IxDyn>> {
        let data: Vec<T> = data.collect();
        let turned = places.iter().map(|&place| data[place]).collect();
        ndarray::ArrayD::from_shape_vec(shape, turned).ok().map(|turned| turned.into_shared())
    }
    let turned = match weights {
        Weights::Scaled { data, scales } => {
            in_order(data.iter().copied(), shape, places).map(|data| Weights::Scaled { data, scales: scales.clone() })
        }
        weights => in_order(weights.reals().into_iter(), shape, places).map(Weights::Real),
    };
    // As many places as elements.
    turned.unwrap_or_default()
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type: 2, i, ..AttributeProto::default() }
}

fn ints(name: &str, numbers: &[usize]) -> AttributeProto {
    let ints = numbers.iter().map(|number| *number as i64).collect();
    AttributeProto { name: name.to_string(), r#type: 7, ints, ..AttributeProto::default() }
}

fn value_info(name: &str, shape: &[usize]) -> ValueInfoProto {
    let dim = |length: usize| DimensionProto { dim_value: Some(length as i64), dim_param: None };
    let dims = [1].into_iter().chain(shape.iter().copied()).map(dim).collect();
    let tensor = TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim: dims }) };
    ValueInfoProto { name: name.to_string(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
