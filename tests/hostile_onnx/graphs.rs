//! ONNX files that no exporter writes: operators of the README's table with operands and attributes of other ones.

use prost::Message;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;

use crate::proto::*;

/// Lengths, axes, indices, counts and types; ordinary ones more often.
const INTEGERS: [i64; 20] = [0, 1, 1, 1, 2, 2, 2, 3, 3, 4, -1, -1, -2, 7, 11, 16, 65_536, 1 << 40, i64::MAX, i64::MIN];

const NUMBERS: [f32; 10] = [0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 0.1, 1e30, -1e-30, f32::INFINITY];

/// Attributes with an integer.
const OF_INT: [&str; 33] = [
    "axis",
    "group",
    "ceil_mode",
    "count_include_pad",
    "transA",
    "transB",
    "keepdims",
    "noop_with_empty_axes",
    "to",
    "k",
    "largest",
    "sorted",
    "upper",
    "exclusive",
    "reverse",
    "batch_dims",
    "blocksize",
    "num_outputs",
    "select_last_index",
    "p",
    "allowzero",
    "training_mode",
    "batch_axis",
    "time_axis",
    "exclude_outside",
    "antialias",
    "dtype",
    "start",
    "end",
    "value_int",
    "targets",
    "channels_last",
    "depth",
];

/// With several.
const OF_INTS: [&str; 14] = [
    "axes",
    "perm",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "split",
    "starts",
    "ends",
    "output_shape",
    "output_padding",
    "shape",
    "repeats",
    "value_ints",
];

const OF_FLOAT: [&str; 11] =
    ["alpha", "beta", "epsilon", "lambd", "bias", "threshold", "min", "max", "value", "ratio", "extrapolation_value"];

const OF_FLOATS: [&str; 5] = ["scales", "scale", "offset", "coefficients", "intercepts"];

const OF_TEXT: [&str; 7] = [
    "auto_pad",
    "mode",
    "coordinate_transformation_mode",
    "nearest_mode",
    "reduction",
    "norm",
    "keep_aspect_ratio_policy",
];

const TEXTS: [&str; 24] = [
    "SAME_UPPER",
    "SAME_LOWER",
    "VALID",
    "NOTSET",
    "constant",
    "edge",
    "reflect",
    "wrap",
    "nearest",
    "linear",
    "cubic",
    "half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
    "half_pixel_symmetric",
    "floor",
    "ceil",
    "DCR",
    "CRD",
    "add",
    "mul",
    "L2",
    "not_larger",
];

/// What nodes of some operators have, more often than anything else.
const OWN: [(&[&str], &[&str]); 12] = [
    (
        &["Conv", "ConvTranspose", "ConvInteger", "QLinearConv"],
        &["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad"],
    ),
    (&["MaxPool", "AveragePool"], &["kernel_shape", "strides", "pads", "dilations", "ceil_mode", "count_include_pad"]),
    (
        &["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceProd", "ReduceSumSquare"],
        &["axes", "keepdims"],
    ),
    (&["ArgMax", "ArgMin", "TopK"], &["axis", "keepdims", "select_last_index", "k", "largest"]),
    (&["Gemm", "QGemm"], &["alpha", "beta", "transA", "transB"]),
    (&["Transpose"], &["perm"]),
    (
        &["Concat", "Split", "Gather", "GatherElements", "ScatterElements", "Flatten", "Hardmax", "Softmax", "OneHot"],
        &["axis", "split"],
    ),
    (&["Squeeze", "Unsqueeze", "Slice"], &["axes", "starts", "ends"]),
    (&["Resize", "Upsample"], &["mode", "scales", "coordinate_transformation_mode", "axes"]),
    (&["Pad", "CenterCropPad"], &["pads", "mode", "axes", "value"]),
    (&["DepthToSpace", "SpaceToDepth"], &["blocksize", "mode"]),
    (&["Cast", "Constant", "ConstantOfShape"], &["to", "value", "value_ints"]),
];

/// The operators of the README's table, with their domains.
pub fn operators() -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let table = readme.split("<!-- operators -->").nth(1).and_then(|rest| rest.split("<!-- end").next());
    // Before each name and behind it stands a quote, and what follows may say a domain.
    let parts: Vec<&str> = table.expect("a table").split('`').collect();
    let operator = |pair: &[&str]| {
        let is_of = |domain: &&str| pair[1].starts_with(&format!(" (of {domain}"));
        let domain = ["ai.onnx.ml", "com.microsoft"].into_iter().find(is_of).unwrap_or("");
        (domain.to_string(), pair[0].to_string())
    };
    parts[1..].chunks_exact(2).map(operator).collect()
}

/// The bytes of a file.
pub fn file(random: &mut ChaCha20Rng, operators: &[(String, String)]) -> Vec<u8> {
    let mut names: Vec<String> = ["x", "i", "b", ""].map(String::from).to_vec();
    let mut graph = GraphProto { name: "g".to_string(), ..GraphProto::default() };
    for (name, element) in [("x", 1), ("i", 7), ("b", 9)] {
        let mut shape = shape(random);
        if name == "x" && random.gen_range(0..3) > 0 {
            // An image.
            shape = vec![1, random.gen_range(1..5), random.gen_range(1..6), random.gen_range(1..6)];
        }
        graph.input.push(value_info(name, element, &shape, random));
    }
    for at in 0..random.gen_range(2..8) {
        let name = format!("c{at}");
        graph.initializer.push(tensor(random, &name));
        names.push(name);
    }
    let count = random.gen_range(1..6);
    for at in 0..count {
        let (domain, op_type) = operators.choose(random).expect("operators").clone();
        let reads = random.gen_range(0..6);
        // The first operand is what the node before gives, more often than not.
        let mut input: Vec<String> = (0..reads).map(|_| names.choose(random).expect("names").clone()).collect();
        if let Some(first) = input.first_mut() {
            *first = if random.gen_range(0..3) > 0 { last(&names, random) } else { first.clone() };
        }
        let output: Vec<String> = (0..random.gen_range(1..4)).map(|output| format!("n{at}_{output}")).collect();
        names.extend(output.iter().cloned());
        let own = OWN.iter().find(|(operators, _)| operators.contains(&&op_type[..])).map_or(&[][..], |(_, own)| own);
        let own: Vec<&str> = own.iter().copied().filter(|_| random.gen_range(0..3) > 0).collect();
        let mut attribute: Vec<AttributeProto> = own.into_iter().map(|name| named(random, name)).collect();
        attribute.extend((0..random.gen_range(0..2)).map(|_| attribute_of_any(random)));
        graph.node.push(NodeProto {
            input,
            output,
            name: format!("n{at}"),
            op_type,
            attribute,
            domain,
            ..NodeProto::default()
        });
    }
    for _ in 0..random.gen_range(1..3) {
        let name = format!("n{}_0", random.gen_range(0..count));
        graph.output.push(value_info(&name, 1, &[], random));
    }
    let version = *[6, 9, 11, 13, 17, 18, 21, 24].choose(random).expect("versions");
    let domains = [("", version), ("ai.onnx.ml", 3), ("com.microsoft", 1)];
    let opset_import = domains.map(|(domain, version)| OperatorSetIdProto { domain: domain.to_string(), version });
    let model =
        ModelProto { ir_version: 8, graph: Some(graph), opset_import: opset_import.to_vec(), functions: Vec::new() };
    model.encode_to_vec()
}

fn last(names: &[String], random: &mut ChaCha20Rng) -> String {
    let given = names.iter().rev().find(|name| name.starts_with('n') && name.ends_with("_0"));
    given.cloned().unwrap_or_else(|| ["x", "i", "b"].choose(random).expect("names").to_string())
}

fn shape(random: &mut ChaCha20Rng) -> Vec<i64> {
    let mut shape: Vec<i64> = (0..random.gen_range(0..6)).map(|_| random.gen_range(1..5)).collect();
    if let Some(first) = shape.first_mut().filter(|_| random.gen_range(0..3) > 0) {
        *first = 1;
    }
    if random.gen_range(0..60) == 0 {
        shape.push(*INTEGERS.choose(random).expect("integers"));
    }
    shape
}

fn value_info(name: &str, element: i32, shape: &[i64], random: &mut ChaCha20Rng) -> ValueInfoProto {
    let is_open = random.gen_range(0..40) == 0;
    let dim = |length: &i64| DimensionProto { dim_value: (!is_open).then_some(*length), dim_param: None };
    let shape = Some(TensorShapeProto { dim: shape.iter().map(dim).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type: element, shape });
    ValueInfoProto { name: name.to_string(), r#type: Some(TypeProto { tensor_type }) }
}

/// Floats, integers of 64 bits, or of 8, of a small shape; now and then of one that its data are not of.
fn tensor(random: &mut ChaCha20Rng, name: &str) -> TensorProto {
    let dims = shape(random);
    let count = dims.iter().fold(1i64, |product, length| product.saturating_mul(*length)).clamp(0, 1024) as usize;
    let mut tensor = TensorProto { name: name.to_string(), dims, ..TensorProto::default() };
    match random.gen_range(0..3) {
        0 => {
            tensor.data_type = 1;
            tensor.float_data = (0..count).map(|_| *NUMBERS[..9].choose(random).expect("numbers")).collect();
        }
        1 => {
            tensor.data_type = 7;
            tensor.int64_data = (0..count).map(|_| *INTEGERS.choose(random).expect("integers")).collect();
        }
        _ => {
            tensor.data_type = *[2, 3, 9].choose(random).expect("types");
            tensor.raw_data = (0..count).map(|_| random.gen_range(0..2)).collect();
        }
    }
    tensor
}

fn attribute_of_any(random: &mut ChaCha20Rng) -> AttributeProto {
    let all: Vec<&str> = [&OF_INT[..], &OF_INTS, &OF_FLOAT, &OF_FLOATS, &OF_TEXT].concat();
    let name = all.choose(random).expect("names");
    named(random, name)
}

fn named(random: &mut ChaCha20Rng, name: &str) -> AttributeProto {
    let several = *[2, 2, 2, 4, 1, 0, 3].choose(random).expect("counts");
    let mut made = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
    // Mostly such as a network has.
    let few = if random.gen_range(0..4) > 0 { 13 } else { INTEGERS.len() };
    made.i = *INTEGERS[..few].choose(random).expect("integers");
    made.ints = (0..several).map(|_| *INTEGERS[..few].choose(random).expect("integers")).collect();
    made.f = *NUMBERS.choose(random).expect("numbers");
    made.floats = (0..several).map(|_| *NUMBERS.choose(random).expect("numbers")).collect();
    made.s = TEXTS.choose(random).expect("texts").as_bytes().to_vec();
    if name == "value" && random.r#gen() {
        made.t = Some(tensor(random, "value"));
    }
    made
}
