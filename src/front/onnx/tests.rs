//! Files made here, message by message; `tests/onnx.rs` reads those of exporters.

use proptest::prelude::*;
use prost::Message;

use super::operators::Operator;
use super::proto::*;
use super::*;

pub(super) fn attribute(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.to_string(), ints: ints.to_vec(), ..AttributeProto::default() }
}

pub(super) fn node(op_type: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|name| name.to_string()).collect(),
        output: vec![output.to_string()],
        name: format!("the {op_type}"),
        op_type: op_type.to_string(),
        attribute: attributes,
        ..NodeProto::default()
    }
}

pub(super) fn floats(name: &str, dims: &[i64], data: &[f32]) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        dims: dims.to_vec(),
        data_type: 1,
        raw_data: data.iter().flat_map(|number| number.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

pub(super) fn value_info(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |&length: &i64| DimensionProto { dim_value: Some(length), dim_param: None };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto { tensor_type: Some(TensorTypeProto { elem_type: 1, shape }) }),
    }
}

/// A network from `x` to `y`.
pub(super) fn network(dims: &[i64], nodes: Vec<NodeProto>, tensors: Vec<TensorProto>) -> ModelProto {
    let graph = GraphProto {
        name: "network".to_string(),
        node: nodes,
        initializer: tensors,
        input: vec![value_info("x", dims)],
        output: vec![value_info("y", &[])],
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
    ModelProto { ir_version: 10, graph: Some(graph), opset_import, functions: Vec::new() }
}

pub(super) fn imported(model: &ModelProto) -> Result<Model> {
    read(Path::new("net.onnx"), &model.encode_to_vec(), &Reading::default())
}

pub(super) fn refusal(model: &ModelProto) -> String {
    let error = imported(model).expect_err("a refusal");
    let code = miette::Diagnostic::code(&*error).map(|code| code.to_string());
    format!("{}: {error}", code.unwrap_or_default())
}

/// A convolution, and a matrix whose columns are those of its output with its channels first.
fn convolution_and_matrix() -> ModelProto {
    let kernel: Vec<f32> = (0..2 * 3 * 2 * 2).map(|at| (at as f32 - 11.0) / 4.0).collect();
    let matrix: Vec<f32> = (0..2 * 2 * 4).map(|at| ((at * 5) % 7) as f32 - 3.0).collect();
    let nodes = vec![
        node(
            "Conv",
            &["x", "kernel", "bias"],
            "c",
            vec![attribute("kernel_shape", &[2, 2]), attribute("strides", &[1, 2])],
        ),
        node("Flatten", &["c"], "f", Vec::new()),
        node("Gemm", &["f", "matrix"], "y", Vec::new()),
    ];
    let tensors = vec![
        floats("kernel", &[2, 3, 2, 2], &kernel),
        floats("bias", &[2], &[0.5, -1.0]),
        // Without `transB`, [inputs, outputs].
        floats("matrix", &[8, 2], &matrix),
    ];
    network(&[1, 3, 3, 4], nodes, tensors)
}

/// The same from the definitions, channels first.
fn expected(x: &[f64]) -> Vec<f64> {
    let kernel = |o: usize, c: usize, u: usize, v: usize| (((o * 3 + c) * 2 + u) * 2 + v) as f64 / 4.0 - 11.0 / 4.0;
    let mut image = Vec::new();
    for (o, bias) in [0.5, -1.0].into_iter().enumerate() {
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let at = |c: usize, u: usize, v: usize| x[(c * 3 + row + u) * 4 + 2 * column + v];
            let products = ndarray::indices((3, 2, 2)).into_iter().map(|(c, u, v)| kernel(o, c, u, v) * at(c, u, v));
            image.push(bias + products.sum::<f64>());
        }
    }
    let weight = |input: usize, output: usize| (((input * 2 + output) * 5) % 7) as f64 - 3.0;
    (0..2).map(|output| image.iter().enumerate().map(|(input, x)| weight(input, output) * x).sum()).collect()
}

#[test]
fn channels_are_first_outside_and_in_the_columns_of_a_matrix() {
    let model = imported(&convolution_and_matrix()).unwrap();
    assert_eq!((model.input_shape(), model.output_shape()), (&[3, 3, 4][..], &[2][..]));
    let x: Vec<f64> = (0..36).map(|at| f64::from((at * 7) % 11) - 5.0).collect();
    let input = ndarray::ArrayD::from_shape_vec(vec![3, 3, 4], x.clone()).unwrap();
    let output = crate::nn::run(&model, &input).unwrap();
    assert_eq!(output.into_iter().collect::<Vec<_>>(), expected(&x));
    // And through JSON.
    let mut text = Vec::new();
    model.write(&mut text).unwrap();
    let again = Model::parse("again.json", String::from_utf8(text).unwrap()).unwrap();
    assert_eq!(crate::nn::run(&again, &input).unwrap().into_iter().collect::<Vec<_>>(), expected(&x));
}

#[test]
fn what_is_wrong_is_named() {
    let relu = || node("Relu", &["x"], "y", Vec::new());
    let of = |dims: &[i64], nodes: Vec<NodeProto>, tensors: Vec<TensorProto>| refusal(&network(dims, nodes, tensors));
    insta::assert_snapshot!(of(&[1, 2], vec![node("Sin", &["x"], "a", Vec::new()), node("Cos", &["a"], "b", Vec::new()), node("Sin", &["b"], "y", Vec::new())], Vec::new()), @"zknn::onnx::unsupported: operators are not supported: Cos (node `the Cos`), Sin (2 nodes, the first `the Sin`)");
    insta::assert_snapshot!(of(&[1, 2], vec![node("Relu", &["z"], "y", Vec::new())], Vec::new()), @"zknn::onnx::name: node `the Relu` (Relu) reads `z` and nothing gives it");
    insta::assert_snapshot!(of(&[1, 2], vec![node("Add", &["x", "b"], "a", Vec::new()), node("Relu", &["a"], "b", Vec::new()), node("Relu", &["b"], "y", Vec::new())], Vec::new()), @"zknn::onnx::name: node `the Add` (Add) reads `b` before a node has given it, or in a circle");
    insta::assert_snapshot!(of(&[1, 2], vec![relu(), relu()], Vec::new()), @"zknn::onnx::name: `y` is given twice, by node `the Relu` (Relu) too");
    insta::assert_snapshot!(of(&[1, 2], vec![node("Relu", &["x"], "z", Vec::new())], Vec::new()), @"zknn::onnx::ends: no node gives the output `y`");
    insta::assert_snapshot!(of(&[1, 2], vec![node("Max", &[], "y", Vec::new())], Vec::new()), @"zknn::onnx::node: node `the Max` (Max): it has no operands");
    insta::assert_snapshot!(of(&[1, 0], vec![relu()], Vec::new()), @"zknn::onnx::ends: input `x` leaves axis 1 open");
    let gemm = || vec![node("Gemm", &["x", "w"], "y", Vec::new())];
    insta::assert_snapshot!(of(&[1, 2], gemm(), vec![floats("w", &[3, 1], &[1.0, 2.0, 3.0])]), @"zknn::onnx::node: node `the Gemm` (Gemm): `weights` has 3 columns, but the input has 2 elements");
    insta::assert_snapshot!(of(&[1, 2], gemm(), vec![floats("w", &[2, 1], &[1.0])]), @"zknn::onnx::tensor: tensor `w` has shape [2, 1], which takes 8 bytes, and the file has 4 of them");
    insta::assert_snapshot!(of(&[1, 2], gemm(), vec![floats("w", &[2, 1], &[1.0, f32::NAN])]), @"zknn::onnx::tensor: tensor `w` has element 1, which is not finite");
    insta::assert_snapshot!(of(&[1, 2], gemm(), vec![floats("w", &[1 << 40, 1 << 40], &[])]), @"zknn::onnx::tensor: tensor `w` has shape [1099511627776, 1099511627776], which no tensor has");
    insta::assert_snapshot!(of(&[2, 3, 4, 4], vec![node("GlobalAveragePool", &["x"], "y", Vec::new())], Vec::new()), @"zknn::onnx::node: node `the GlobalAveragePool` (GlobalAveragePool): its operand of shape [2, 3, 4, 4] has no batch axis of length one");
    let old = ModelProto {
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 5 }],
        ..network(&[1, 2], vec![relu()], Vec::new())
    };
    insta::assert_snapshot!(refusal(&old), @"zknn::onnx::version: the network is of version 5 of ONNX's operators");
    let quantized = network(
        &[1, 2],
        vec![node("QuantizeLinear", &["x", "s"], "q", Vec::new()), node("Relu", &["q"], "y", Vec::new())],
        vec![floats("s", &[], &[0.5])],
    );
    insta::assert_snapshot!(refusal(&quantized), @"zknn::onnx::node: node `the Relu` (Relu): it reads integers of a type");
}

/// Lengths and tags of a file may be anything, and what is made of it is a model or a refusal.
#[test]
fn a_damaged_file_is_a_model_or_refused() {
    let bytes = convolution_and_matrix().encode_to_vec();
    for end in 0..bytes.len() {
        let _ = read(Path::new("cut.onnx"), &bytes[..end], &Reading::default());
    }
    proptest!(|(at in 0..bytes.len(), byte: u8, other in 0..bytes.len(), second: u8)| {
        let mut damaged = bytes.clone();
        (damaged[at], damaged[other]) = (byte, second);
        if let Err(error) = read(Path::new("damaged.onnx"), &damaged, &Reading::default()) {
            prop_assert!(miette::Diagnostic::code(&*error).is_some());
        }
    });
}

/// The table of operators as the README has it.
fn table() -> String {
    let mut lines = String::from("| | operators |\n|---|---|\n");
    for family in operators::FAMILIES {
        let operator = |operator: &Operator| {
            let of = if operator.domain.is_empty() { String::new() } else { format!("of {}", operator.domain) };
            let notes: Vec<&str> = [&of[..], operator.limits].into_iter().filter(|note| !note.is_empty()).collect();
            match &notes[..] {
                [] => format!("`{}`", operator.name),
                notes => format!("`{}` ({})", operator.name, notes.join("; ")),
            }
        };
        let operators: Vec<String> = family.operators.iter().map(operator).collect();
        lines += &format!("| {} | {} |\n", family.title, operators.join(", "));
    }
    lines
}

/// `UPDATE_README=1 cargo test --lib operators_in_the_readme` writes it.
#[test]
fn operators_in_the_readme_are_those_of_the_table() {
    const BEGIN: &str = "<!-- operators -->\n";
    const END: &str = "<!-- end of operators -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (now, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(now, table());
    }
}
