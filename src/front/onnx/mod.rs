//! ONNX files, read into the layers that JSON models have.
//!
//! Four steps, each with its own refusals: the messages of the file (`proto`); names, versions and tensors (here); the operators,
//! one function each, listed in [`OPERATORS`]; and the layers that these add (`importer`), which are checked as those of any model.
//! The batch axis, the first of every tensor, must have length one, and is left out. Inputs and outputs have their other axes in the
//! order of the file, channels first; layers of images have them last, and views between the two cost nothing in a circuit.

mod constant;
mod elementwise;
mod importer;
mod linear;
mod node;
mod pooling;
mod proto;
mod quantized;
mod shaping;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use constant::Constant;
use importer::{Importer, Stream, Value};
use node::{Imported, Node};
use prost::Message;
use proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

use super::error::{FrontError, Problem, Result};
use super::{MAX_ELEMENTS, Model, ModelInput};

/// The versions of ONNX's own operators that the functions here know.
const VERSIONS: std::ops::RangeInclusive<i64> = 7..=28;

/// The domain of operators for classical machine learning.
const ML: &str = "ai.onnx.ml";

/// The domain of onnxruntime's own operators.
const RUNTIME: &str = "com.microsoft";

/// An operator that is supported.
pub(super) struct Operator {
    domain: &'static str,
    pub(super) name: &'static str,
    import: Import,
}

enum Import {
    /// To a tensor that depends on the inputs.
    Stream(fn(&mut Importer, &Node<'_>) -> Imported<Stream>),
    /// To one that does or does not.
    Value(fn(&mut Importer, &Node<'_>) -> Imported<Value>),
}

const fn stream(name: &'static str, import: fn(&mut Importer, &Node<'_>) -> Imported<Stream>) -> Operator {
    Operator { domain: "", name, import: Import::Stream(import) }
}

const fn value(name: &'static str, import: fn(&mut Importer, &Node<'_>) -> Imported<Value>) -> Operator {
    Operator { domain: "", name, import: Import::Value(import) }
}

const fn of_runtime(name: &'static str, import: fn(&mut Importer, &Node<'_>) -> Imported<Stream>) -> Operator {
    Operator { domain: RUNTIME, name, import: Import::Stream(import) }
}

/// All operators that are supported.
pub(super) const OPERATORS: &[Operator] = &[
    stream("Conv", linear::conv),
    stream("Gemm", linear::gemm),
    stream("MatMul", linear::mat_mul),
    stream("BatchNormalization", linear::batch_normalization),
    stream("MaxPool", pooling::max_pool),
    stream("AveragePool", pooling::average_pool),
    stream("GlobalAveragePool", |importer, node| pooling::global_pool(importer, node, "reduce_mean")),
    stream("GlobalMaxPool", |importer, node| pooling::global_pool(importer, node, "reduce_max")),
    stream("ReduceSum", |importer, node| pooling::reduce(importer, node, "reduce_sum")),
    stream("ReduceMean", |importer, node| pooling::reduce(importer, node, "reduce_mean")),
    stream("ReduceMax", |importer, node| pooling::reduce(importer, node, "reduce_max")),
    stream("ReduceMin", |importer, node| pooling::reduce(importer, node, "reduce_min")),
    stream("Relu", elementwise::relu),
    stream("LeakyRelu", elementwise::leaky_relu),
    stream("PRelu", elementwise::p_relu),
    stream("Clip", elementwise::clip),
    stream("Abs", |importer, node| elementwise::of_one(importer, node, "absolute", Vec::new())),
    stream("Neg", |importer, node| elementwise::of_one(importer, node, "negate", Vec::new())),
    stream("Add", elementwise::arithmetic),
    stream("Sub", elementwise::arithmetic),
    stream("Mul", elementwise::arithmetic),
    stream("Div", elementwise::arithmetic),
    stream("Sum", elementwise::arithmetic),
    stream("Max", elementwise::arithmetic),
    stream("Min", elementwise::arithmetic),
    stream("Flatten", shaping::flatten),
    stream("Reshape", shaping::reshape),
    stream("Squeeze", shaping::squeeze),
    stream("Unsqueeze", shaping::squeeze),
    stream("Transpose", shaping::transpose),
    stream("Concat", shaping::concat),
    stream("Pad", shaping::pad),
    stream("Slice", shaping::slice),
    stream("Resize", shaping::upsample),
    stream("Upsample", shaping::upsample),
    stream("ArgMax", shaping::argmax),
    stream("ArgMin", shaping::argmax),
    value("Identity", shaping::identity),
    value("Dropout", shaping::identity),
    value("Cast", elementwise::cast),
    value("Constant", |_, node| constant_of(node)),
    stream("QuantizeLinear", quantized::quantize),
    value("DequantizeLinear", quantized::dequantize),
    stream("QLinearConv", quantized::q_linear_conv),
    stream("QLinearMatMul", quantized::q_products),
    of_runtime("QGemm", quantized::q_products),
    of_runtime("QLinearAdd", quantized::q_linear_add),
    of_runtime("QLinearGlobalAveragePool", quantized::q_linear_mean),
    of_runtime("QLinearConcat", quantized::q_linear_concat),
    Operator { domain: ML, name: "Scaler", import: Import::Stream(linear::scaler) },
];

/// Reads a model from the bytes of a file that diagnostics call `name`.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Model> {
    let malformed = |reason: String| FrontError::unplaced(Problem::OnnxMalformed { name: name.to_string(), reason });
    let model = ModelProto::decode(bytes).map_err(|error| malformed(error.to_string()))?;
    let versions = versions(&model)?;
    let graph = model.graph.ok_or_else(|| malformed("there is no graph in it".to_string()))?;
    check_names(&graph)?;
    let needed = needed(&graph);
    let nodes: Vec<&NodeProto> =
        graph.node.iter().zip(needed).filter(|(_, needed)| *needed).map(|(node, _)| node).collect();
    check_operators(&nodes, &versions)?;
    let mut importer = Importer::new();
    for tensor in &graph.initializer {
        let problem = |reason: String| Problem::OnnxTensor { tensor: tensor.name.clone(), reason };
        let constant = Constant::of(tensor).map_err(|reason| FrontError::unplaced(problem(reason)))?;
        importer.define(&tensor.name, Value::Constant(constant));
    }
    let inputs = inputs(&graph)?;
    for (input, has_batch) in &inputs {
        importer.define_input(&input.name, input.shape.clone(), *has_batch);
    }
    for proto in nodes {
        let version = versions.get(domain(&proto.domain)).copied().unwrap_or_default();
        import(&mut importer, &Node { proto, version })?;
    }
    let mut outputs = Vec::new();
    for output in &graph.output {
        let layer = importer.output(&output.name);
        outputs.push(layer.map_err(|refusal| {
            let message = refusal.message;
            FrontError::unplaced(Problem::OnnxEnds { message, help: refusal.help })
        })?);
    }
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let inputs = inputs.into_iter().map(|(input, _)| input).collect();
    Model::with_ends(inputs, importer.layers, &outputs)
}

fn operator(node: &NodeProto) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.domain == domain(&node.domain) && operator.name == node.op_type)
}

/// A domain has a name, and ONNX's own two.
fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

fn versions(model: &ModelProto) -> Result<HashMap<String, i64>> {
    let versions: HashMap<String, i64> =
        model.opset_import.iter().map(|set| (domain(&set.domain).to_string(), set.version)).collect();
    match versions.get("") {
        Some(version) if !VERSIONS.contains(version) => Err(FrontError::unplaced(Problem::OnnxVersion {
            version: *version,
            least: *VERSIONS.start(),
            most: *VERSIONS.end(),
        })),
        _ => Ok(versions),
    }
}

/// Every name has one definition, which comes before it is read.
fn check_names(graph: &GraphProto) -> Result<()> {
    let mut defined: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    let problem =
        |name: &str, message: String| Err(FrontError::unplaced(Problem::OnnxName { name: name.to_string(), message }));
    let mut tensors = HashSet::new();
    for tensor in &graph.initializer {
        if !tensors.insert(tensor.name.as_str()) {
            return problem(&tensor.name, format!("two tensors are called `{}`", tensor.name));
        }
    }
    // An initializer may also be listed among the inputs.
    defined.extend(tensors);
    for proto in &graph.node {
        let node = Node { proto, version: 0 };
        for read in proto.input.iter().filter(|read| !read.is_empty()) {
            if !defined.contains(read.as_str()) {
                let is_later = graph.node.iter().any(|other| other.output.contains(read));
                let why = if is_later { "before a node has given it, or in a circle" } else { "and nothing gives it" };
                return problem(
                    node.name(),
                    format!("node `{}` ({}) reads `{read}` {why}", node.name(), proto.op_type),
                );
            }
        }
        for output in proto.output.iter().filter(|output| !output.is_empty()) {
            if !defined.insert(output) {
                return problem(
                    output,
                    format!("`{output}` is given twice, by node `{}` ({}) too", node.name(), proto.op_type),
                );
            }
        }
    }
    Ok(())
}

/// Which nodes the outputs depend on.
fn needed(graph: &GraphProto) -> Vec<bool> {
    let mut names: HashSet<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    let mut needed = vec![false; graph.node.len()];
    for (node, needed) in graph.node.iter().zip(&mut needed).rev() {
        if node.output.iter().any(|output| names.contains(output.as_str())) {
            *needed = true;
            names.extend(node.input.iter().map(String::as_str));
        }
    }
    needed
}

/// Refuses operators that are not supported, all at once.
fn check_operators(nodes: &[&NodeProto], versions: &HashMap<String, i64>) -> Result<()> {
    let mut unsupported: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for proto in nodes {
        let of = domain(&proto.domain);
        if operator(proto).is_none() || !versions.contains_key(of) {
            let name = if of.is_empty() { proto.op_type.clone() } else { format!("{of}.{}", proto.op_type) };
            unsupported.entry(name).or_insert((0, Node { proto, version: 0 }.name())).0 += 1;
        }
    }
    if unsupported.is_empty() {
        return Ok(());
    }
    let operators: Vec<String> = unsupported
        .iter()
        .map(|(operator, (count, first))| match count {
            1 => format!("{operator} (node `{first}`)"),
            count => format!("{operator} ({count} nodes, the first `{first}`)"),
        })
        .collect();
    Err(FrontError::unplaced(Problem::OnnxUnsupported { operators: operators.join(", ") }))
}

/// The inputs that are no initializers, without their batch axis, and whether they have one: an axis of length one, or of no fixed
/// length, before others.
fn inputs(graph: &GraphProto) -> Result<Vec<(ModelInput, bool)>> {
    let tensors: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let is_given = |input: &&ValueInfoProto| !tensors.contains(input.name.as_str());
    graph.input.iter().filter(is_given).map(input).collect()
}

fn input(input: &ValueInfoProto) -> Result<(ModelInput, bool)> {
    let refused = |message: String| {
        let message = format!("input `{}` {message}", input.name);
        let help = "export the network for one sample of fixed lengths; the first axis counts samples";
        Err(FrontError::unplaced(Problem::OnnxEnds { message, help }))
    };
    let shape = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref()).and_then(|tensor| tensor.shape.as_ref());
    let Some(shape) = shape else { return refused("has no shape".to_string()) };
    let has_batch = matches!(&shape.dim[..], [batch, _, ..] if batch.dim_value.is_none_or(|length| length == 1));
    let mut lengths = Vec::new();
    for (at, axis) in shape.dim.iter().enumerate().skip(usize::from(has_batch)) {
        match axis.dim_value.map(usize::try_from) {
            Some(Ok(length @ 1..=MAX_ELEMENTS)) => lengths.push(length),
            _ => {
                let named = axis.dim_param.as_ref().map_or(String::new(), |name| format!(", `{name}`,"));
                return refused(format!("leaves axis {at}{named} open"));
            }
        }
    }
    if lengths.is_empty() {
        return refused("has no axes".to_string());
    }
    Ok((ModelInput { name: input.name.clone(), shape: lengths, range: None }, has_batch))
}

/// The operators that integers of a type, as QuantizeLinear gives them, can go to: those that are about these, and those that only
/// move or select them.
const OF_INTEGERS: &[&str] = &[
    "DequantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "QGemm",
    "QLinearAdd",
    "QLinearGlobalAveragePool",
    "QLinearConcat",
    "MaxPool",
    "Flatten",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Transpose",
    "Identity",
];

fn import(importer: &mut Importer, node: &Node<'_>) -> Result<()> {
    let value = value_of(importer, node).map_err(|node::Refusal { message, help }| {
        let (name, operator) = (node.name().to_string(), node.proto.op_type.clone());
        FrontError::unplaced(Problem::OnnxNode { name, operator, message, help })
    })?;
    if let Some(output) = node.proto.output.first() {
        importer.define(output, value);
    }
    Ok(())
}

/// What a node gives, whose operator is supported.
fn value_of(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let is_of_integers =
        |read: &String| matches!(importer.value(read), Some(Value::Stream(stream)) if stream.quantized.is_some());
    if !OF_INTEGERS.contains(&&node.proto.op_type[..]) && node.proto.input.iter().any(is_of_integers) {
        return node::refused("it reads integers of a type", "put DequantizeLinear before it");
    }
    match operator(node.proto).map(|operator| &operator.import) {
        Some(Import::Stream(import)) => import(importer, node).map(Value::Stream),
        Some(Import::Value(import)) => import(importer, node),
        None => node::refused("its operator is not supported", "see the README"),
    }
}

/// Constant.
fn constant_of(node: &Node<'_>) -> Imported<Value> {
    let tensor = match (node.tensor("value"), node.float("value_float")) {
        (Some(tensor), _) => Constant::of(tensor),
        (None, Some(number)) => Ok(Constant::of_floats(ndarray::arr0(number).into_dyn())),
        (None, None) => Err("is none that is read".to_string()),
    };
    match tensor {
        Ok(constant) => Ok(Value::Constant(constant)),
        Err(reason) => node::refused(format!("its tensor {reason}"), "give it as `value`"),
    }
}
