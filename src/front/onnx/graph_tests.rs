//! What surrounds operators: constants that a network computes, functions, conditions, tensors in files, lengths that are open.

use std::collections::BTreeMap;

use super::tests::*;
use super::*;
use crate::front::onnx::proto::*;

fn int64s(name: &str, dims: &[i64], data: &[i64]) -> TensorProto {
    let (name, dims) = (name.to_string(), dims.to_vec());
    TensorProto { name, dims, data_type: 7, int64_data: data.to_vec(), ..TensorProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_string(), i: value, ..AttributeProto::default() }
}

fn value_of(model: &ModelProto, x: &[f64]) -> Vec<f64> {
    output(&imported(model).expect("a model"), x)
}

/// The first output for the elements of the only input.
fn output(model: &Model, x: &[f64]) -> Vec<f64> {
    let input = ndarray::ArrayD::from_shape_vec(model.input_shape(), x.to_vec()).expect("an input");
    crate::nn::run(model, &input).expect("an output").into_iter().collect()
}

/// As exporters write `x.view(x.size(0), -1)`.
#[test]
fn shapes_that_a_network_computes_are_worked_out() {
    let nodes = vec![
        node("Shape", &["x"], "shape", Vec::new()),
        node("Gather", &["shape", "zero"], "batch", Vec::new()),
        node("Unsqueeze", &["batch", "axes"], "first", Vec::new()),
        node("Concat", &["first", "rest"], "target", vec![int("axis", 0)]),
        node("Reshape", &["x", "target"], "r", Vec::new()),
        node("MatMul", &["r", "w"], "y", Vec::new()),
    ];
    let tensors = vec![
        int64s("zero", &[], &[0]),
        int64s("axes", &[1], &[0]),
        int64s("rest", &[1], &[-1]),
        floats("w", &[4, 1], &[1.0, 10.0, 100.0, 1000.0]),
    ];
    let model = network(&[1, 2, 2], nodes, tensors);
    assert_eq!(value_of(&model, &[1.0, 2.0, 3.0, 4.0]), [4321.0]);
    // Nothing of it is left.
    assert_eq!(imported(&model).unwrap().layers().len(), 2);
}

/// Quotients of integers are cut off, and so are casts to them.
#[test]
fn integers_that_a_network_computes_are_integers() {
    let nodes = vec![
        node("Shape", &["x"], "shape", Vec::new()),
        node("Div", &["shape", "two"], "half", Vec::new()),
        node("Cast", &["fraction"], "whole", vec![int("to", 7)]),
        node("Concat", &["half", "whole"], "repeats", vec![int("axis", 0)]),
        node("Tile", &["y0", "repeats"], "t", Vec::new()),
        node("Unsqueeze", &["x", "axis"], "y0", Vec::new()),
    ];
    let mut nodes = nodes;
    nodes.swap(4, 5);
    let mut model = network(
        &[7],
        nodes,
        vec![int64s("two", &[1], &[2]), floats("fraction", &[1], &[1.9]), int64s("axis", &[1], &[1])],
    );
    model.graph.as_mut().unwrap().output = vec![value_info("t", &[])];
    let model = imported(&model).unwrap();
    assert_eq!(model.output_shape(), [21, 1]);
}

#[test]
fn a_condition_that_is_constant_chooses_a_graph() {
    let branch = |op_type: &str, name: &str| AttributeProto {
        name: name.to_string(),
        g: Some(GraphProto {
            node: vec![node(op_type, &["x"], &format!("{name}_y"), Vec::new())],
            output: vec![value_info(&format!("{name}_y"), &[])],
            ..GraphProto::default()
        }),
        ..AttributeProto::default()
    };
    let choice = |flag: f32| {
        let nodes = vec![node("If", &["flag"], "y", vec![branch("Neg", "then_branch"), branch("Abs", "else_branch")])];
        network(&[1, 2], nodes, vec![floats("flag", &[], &[flag])])
    };
    assert_eq!(value_of(&choice(1.0), &[3.0, -4.0]), [-3.0, 4.0]);
    assert_eq!(value_of(&choice(0.0), &[3.0, -4.0]), [3.0, 4.0]);
    let mut of_input = choice(0.0);
    of_input.graph.as_mut().unwrap().node[0].input = vec!["x".to_string()];
    insta::assert_snapshot!(refusal(&of_input), @"zknn::onnx::node: node `the If` (If): operand 0 depends on the input");
}

/// A function with an attribute of the caller's, called twice, in another function.
#[test]
fn functions_of_the_file_are_replaced_by_their_nodes() {
    let mut leaky = node("LeakyRelu", &["a"], "b", Vec::new());
    leaky.attribute.push(AttributeProto {
        name: "alpha".to_string(),
        ref_attr_name: "slope".to_string(),
        ..AttributeProto::default()
    });
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<String>>();
    let function = |name: &str, node: Vec<NodeProto>| FunctionProto {
        name: name.to_string(),
        domain: "ours".to_string(),
        input: names(&["a"]),
        output: names(&["b"]),
        node,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        attribute_proto: vec![AttributeProto { name: "slope".to_string(), f: 0.5, ..AttributeProto::default() }],
        ..FunctionProto::default()
    };
    let call = |name: &str, from: &str, to: &str, slope: Option<f32>| NodeProto {
        domain: "ours".to_string(),
        attribute: slope
            .map(|f| AttributeProto { name: "slope".to_string(), f, ..AttributeProto::default() })
            .into_iter()
            .collect(),
        ..node(name, &[from], to, Vec::new())
    };
    let twice = function("Twice", vec![call("Leaky", "a", "c", Some(0.25)), call("Leaky", "c", "b", None)]);
    let mut model = network(&[1, 2], vec![call("Twice", "x", "y", None)], Vec::new());
    model.functions = vec![function("Leaky", vec![leaky]), twice];
    model.opset_import.push(OperatorSetIdProto { domain: "ours".to_string(), version: 1 });
    assert_eq!(value_of(&model, &[8.0, -8.0]), [8.0, -1.0]);
    // One that calls itself.
    model.functions[0].node = vec![call("Leaky", "a", "b", None)];
    insta::assert_snapshot!(refusal(&model), @"zknn::onnx::malformed: net.onnx is no ONNX model: functions call each other more than 16 times, in `Leaky`");
}

#[test]
fn floats_of_sixteen_bits_are_read() {
    let halves = |data_type: i32, bits: [u16; 2]| TensorProto {
        name: "w".to_string(),
        dims: vec![2],
        data_type,
        raw_data: bits.iter().flat_map(|bits| bits.to_le_bytes()).collect(),
        ..TensorProto::default()
    };
    for (data_type, bits) in [(10, [0x3e00, 0xc000]), (16, [0x3fc0, 0xc000])] {
        let model = network(&[1, 2], vec![node("Mul", &["x", "w"], "y", Vec::new())], vec![halves(data_type, bits)]);
        assert_eq!(value_of(&model, &[1.0, 1.0]), [1.5, -2.0]);
    }
}

#[test]
fn tensors_lie_in_files_beside_the_model_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let bytes: Vec<u8> = [9.0f32, 2.0, 3.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(inside.join("weights.bin"), &bytes).unwrap();
    std::fs::write(folder.path().join("secret.bin"), &bytes).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("secret.bin"), inside.join("link.bin")).unwrap();
    let of = |location: &str, offset: &str, length: &str| {
        let entry = |(key, value): (&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
        let entries = [("location", location), ("offset", offset), ("length", length)].map(entry);
        let w = TensorProto {
            name: "w".to_string(),
            dims: vec![2],
            data_type: 1,
            data_location: 1,
            external_data: entries.to_vec(),
            ..TensorProto::default()
        };
        let model = network(&[1, 2], vec![node("Mul", &["x", "w"], "y", Vec::new())], vec![w]);
        read(&inside.join("net.onnx"), &model.encode_to_vec(), &Reading::default())
    };
    assert_eq!(output(&of("weights.bin", "4", "8").unwrap(), &[1.0, 1.0]), [2.0, 3.0]);
    let why = |location: &str, offset: &str, length: &str| of(location, offset, length).unwrap_err().to_string();
    insta::assert_snapshot!(why("../secret.bin", "0", "8"), @"tensor `w` lies in `../secret.bin`, which is not in the model's folder");
    insta::assert_snapshot!(why("/etc/hostname", "0", "8"), @"tensor `w` lies in `/etc/hostname`, which is not in the model's folder");
    #[cfg(unix)]
    insta::assert_snapshot!(why("link.bin", "0", "8"), @"tensor `w` lies in `link.bin`, which is not in the model's folder");
    insta::assert_snapshot!(why("weights.bin", "8", "8"), @"tensor `w` takes 8 bytes of `weights.bin` from 8, and the file has 12");
    insta::assert_snapshot!(why("weights.bin", "0", "18446744073709551615"), @"tensor `w` takes 18446744073709551615 bytes of `weights.bin` from 0, and the file has 12");
    let mut nowhere = network(&[1, 2], vec![node("Mul", &["x", "w"], "y", Vec::new())], Vec::new());
    let location = StringStringEntryProto { key: "location".into(), value: "weights.bin".into() };
    let w = TensorProto { data_location: 1, external_data: vec![location], ..floats("w", &[2], &[]) };
    nowhere.graph.as_mut().unwrap().initializer.push(w);
    let parsed = Model::parse_onnx("net.onnx", &nowhere.encode_to_vec(), &Reading::default()).unwrap_err().to_string();
    insta::assert_snapshot!(parsed, @"tensor `w` lies in `weights.bin`, which is not in the model's folder");
    insta::assert_snapshot!(why("weights.bin", "-1", "8"), @"tensor `w` lies in `weights.bin` at an offset that is no number");
}

#[test]
fn open_lengths_are_given_by_the_name_of_an_axis_or_of_an_input() {
    let mut model = network(&[0, 0, 0], vec![node("Relu", &["x"], "y", Vec::new())], Vec::new());
    let graph = model.graph.as_mut().unwrap();
    let shape = graph.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
    for (dim, name) in shape.dim.iter_mut().zip(["batch", "length", ""]) {
        *dim = DimensionProto { dim_value: None, dim_param: Some(name.to_string()) };
    }
    shape.dim[2] = DimensionProto { dim_value: Some(3), dim_param: None };
    let with = |given: &[(&str, &[usize])]| {
        let lengths = given.iter().map(|(name, lengths)| (name.to_string(), lengths.to_vec()));
        let reading = Reading { lengths: lengths.collect::<BTreeMap<_, _>>(), outputs: Vec::new() };
        read(Path::new("net.onnx"), &model.encode_to_vec(), &reading)
    };
    assert_eq!(with(&[("length", &[5])]).unwrap().input_shape(), [5, 3]);
    assert_eq!(with(&[("batch", &[2]), ("length", &[5])]).unwrap().input_shape(), [2, 5, 3]);
    assert_eq!(with(&[("x", &[1, 5, 3])]).unwrap().input_shape(), [5, 3]);
    let why = |given: &[(&str, &[usize])]| with(given).unwrap_err().to_string();
    insta::assert_snapshot!(why(&[]), @"input `x` leaves axis 1, `length`, open");
    insta::assert_snapshot!(why(&[("x", &[1, 5, 4])]), @"input `x` does not have the shape [1, 5, 4]");
    insta::assert_snapshot!(why(&[("width", &[5])]), @"no input is called `width`, and no open axis of one");
}

#[test]
fn a_tensor_of_its_own_may_be_the_output() {
    let nodes = vec![node("Neg", &["x"], "scores", Vec::new()), node("Sin", &["scores"], "y", Vec::new())];
    let model = network(&[1, 2], nodes, Vec::new());
    let reading = Reading { lengths: BTreeMap::new(), outputs: vec!["scores".to_string()] };
    let model = read(Path::new("net.onnx"), &model.encode_to_vec(), &reading).unwrap();
    assert_eq!(output(&model, &[1.0, -2.0]), [-1.0, 2.0]);
}

/// What can be told is told at once: operators with their counts, and nodes that are wrong, but not those behind them.
#[test]
fn all_that_is_wrong_is_told_at_once() {
    let nodes = vec![
        node("Sin", &["x"], "a", Vec::new()),
        node("Sin", &["a"], "b", Vec::new()),
        node("MatMul", &["x", "w"], "c", Vec::new()),
        node("Flatten", &["x"], "d", vec![int("axis", 7)]),
        node("Sum", &["b", "c", "d"], "y", Vec::new()),
    ];
    let model = network(&[1, 2], nodes, vec![floats("w", &[3, 1], &[1.0, 2.0, 3.0])]);
    let error = imported(&model).unwrap_err();
    let mut text = String::new();
    miette::NarratableReportHandler::new().render_report(&mut text, &*error).unwrap();
    insta::assert_snapshot!(text, @r#"
    3 things are wrong with the network
        Diagnostic severity: error
    diagnostic help: each has its own help below
    diagnostic code: zknn::onnx::several

    Error: operators are not supported: Sin (2 nodes, the first `the Sin`)
        Diagnostic severity: error

    diagnostic help: the README lists the operators that are, under `ONNX`; say the network by these, or end it before them
    diagnostic code: zknn::onnx::unsupported
    Error: node `the MatMul` (MatMul): it multiplies [1, 2] by [3, 1]
        Diagnostic severity: error

    diagnostic help: the last axis must be as long as the other's second to last
    diagnostic code: zknn::onnx::node
    Error: node `the Flatten` (Flatten): axis 7 is none of 2
        Diagnostic severity: error

    diagnostic help: see the operator's definition
    diagnostic code: zknn::onnx::node
    "#);
}

#[test]
fn a_last_softmax_is_told_and_not_computed() {
    let of = |nodes: Vec<NodeProto>| imported(&network(&[1, 3], nodes, Vec::new()));
    let ended = of(vec![
        node("Neg", &["x"], "scores", Vec::new()),
        node("Softmax", &["scores"], "p", Vec::new()),
        node("Squeeze", &["p"], "y", Vec::new()),
    ])
    .unwrap();
    assert_eq!(ended.omitted(), [Some(crate::front::Last::Softmax)]);
    assert_eq!(output(&ended, &[1.0, 2.0, -3.0]), [-1.0, -2.0, 3.0]);
    // It is so in JSON, too.
    let mut text = Vec::new();
    ended.write(&mut text).unwrap();
    let again = Model::parse("again.json", String::from_utf8(text).unwrap()).unwrap();
    assert_eq!(again.omitted(), ended.omitted());

    // The index of the greatest is the same without.
    let chosen = of(vec![
        node("Sigmoid", &["x"], "p", Vec::new()),
        node("Transpose", &["p"], "t", Vec::new()),
        node("ArgMax", &["t"], "y", vec![int("axis", 0)]),
    ])
    .unwrap();
    assert_eq!(chosen.omitted(), [None]);
    assert_eq!(output(&chosen, &[1.0, 2.0, -3.0]), [1.0]);

    // Along another axis it need not be, and what is computed with shares would be another thing with scores.
    let along = |axis: i64| {
        let nodes = vec![
            node("Softmax", &["x"], "p", vec![int("axis", 1)]),
            node("ArgMax", &["p"], "y", vec![int("axis", axis)]),
        ];
        imported(&network(&[1, 3, 2], nodes, Vec::new()))
    };
    assert!(along(1).is_ok());
    insta::assert_snapshot!(along(2).unwrap_err(), @"operators are not supported: Softmax (node `the Softmax`)");
    let inside = of(vec![node("Sigmoid", &["x"], "p", Vec::new()), node("Mul", &["x", "p"], "y", Vec::new())]);
    insta::assert_snapshot!(inside.unwrap_err(), @"operators are not supported: Sigmoid (node `the Sigmoid`)");
}

/// As some tools leave weights: floats, quantized in the network.
#[test]
fn weights_that_the_network_quantizes_are_quantized_while_it_is_read() {
    let zero = TensorProto { name: "z".to_string(), data_type: 3, raw_data: vec![5], ..TensorProto::default() };
    let nodes = vec![
        node("QuantizeLinear", &["w", "s", "z"], "q", Vec::new()),
        node("DequantizeLinear", &["q", "s", "z"], "d", Vec::new()),
        node("Mul", &["x", "d"], "y", Vec::new()),
    ];
    // 0.3 and 100 as multiples of a half: 0.5, and the end of the type.
    let model = network(&[1, 2], nodes, vec![floats("w", &[2], &[0.3, 100.0]), floats("s", &[], &[0.5]), zero]);
    assert_eq!(value_of(&model, &[1.0, 1.0]), [0.5, 61.0]);
}

#[test]
fn constants_are_split_and_put_together() {
    let nodes = vec![
        NodeProto {
            output: vec!["a".to_string(), "b".to_string()],
            ..node("Split", &["w"], "a", vec![int("axis", 0)])
        },
        node("Concat", &["b", "x", "a"], "y", vec![int("axis", 0)]),
    ];
    let model = network(&[1], nodes, vec![floats("w", &[4], &[1.0, 2.0, 3.0, 4.0])]);
    assert_eq!(value_of(&model, &[9.0]), [3.0, 4.0, 9.0, 1.0, 2.0]);
}

#[test]
fn inputs_that_no_output_depends_on_are_left_out_and_outputs_may_be_the_same() {
    let mut model = network(&[1, 2], vec![node("Neg", &["x"], "y", Vec::new())], Vec::new());
    let graph = model.graph.as_mut().unwrap();
    graph.input.push(value_info("unread", &[1, 3]));
    graph.node.push(node("Identity", &["y"], "z", Vec::new()));
    graph.output.push(value_info("z", &[]));
    let model = imported(&model).unwrap();
    assert_eq!((model.inputs().len(), model.outputs().len()), (1, 2));
}

/// A function that is not computed, of a constant; integers that would wrap around, or lose what is behind the point.
#[test]
fn what_would_be_another_number_is_refused() {
    let w = || vec![floats("w", &[2], &[1.0, 2.0])];
    let nodes = vec![node("Sigmoid", &["w"], "s", Vec::new()), node("Mul", &["x", "s"], "y", Vec::new())];
    insta::assert_snapshot!(refusal(&network(&[1, 2], nodes, w())), @"zknn::onnx::node: node `the Sigmoid` (Sigmoid): it is of a constant");
    let argmax = |to: i64| {
        let nodes =
            vec![node("ArgMax", &["x"], "a", vec![int("axis", 1)]), node("Cast", &["a"], "y", vec![int("to", to)])];
        network(&[1, 2], nodes, Vec::new())
    };
    assert!(imported(&argmax(6)).is_ok());
    insta::assert_snapshot!(refusal(&argmax(3)), @"zknn::onnx::node: node `the Cast` (Cast): it casts Int64 to Int8");
    let nodes = vec![node("ArgMax", &["x"], "a", vec![int("axis", 1)]), node("ReduceMean", &["a"], "y", Vec::new())];
    insta::assert_snapshot!(refusal(&network(&[1, 2, 3], nodes, Vec::new())), @"zknn::onnx::node: node `the ReduceMean` (ReduceMean): it is of integers");
}

/// As scikit-learn's logistic regression is converted: classes, and shares that are normalized once more.
#[test]
fn a_linear_classifier_gives_its_class_and_what_its_softmax_is_given() {
    let floats_of = |name: &str, floats: &[f32]| AttributeProto {
        name: name.to_string(),
        floats: floats.to_vec(),
        ..AttributeProto::default()
    };
    let text = |name: &str, text: &str| AttributeProto {
        name: name.to_string(),
        s: text.as_bytes().to_vec(),
        ..AttributeProto::default()
    };
    let attributes = vec![
        floats_of("coefficients", &[1.0, 0.0, 0.0, 1.0, -1.0, -1.0]),
        floats_of("intercepts", &[0.0, 0.5, 1.0]),
        attribute("classlabels_ints", &[10, 20, 5]),
        text("post_transform", "SOFTMAX"),
    ];
    let of_ml = |node: NodeProto| NodeProto { domain: "ai.onnx.ml".to_string(), ..node };
    let mut classifier = of_ml(node("LinearClassifier", &["x"], "label", attributes));
    classifier.output.push("p".to_string());
    let normalizer = of_ml(node("Normalizer", &["p"], "y", vec![text("norm", "L1")]));
    let mut model = network(&[1, 2], vec![classifier, normalizer], Vec::new());
    model.opset_import.push(OperatorSetIdProto { domain: "ai.onnx.ml".to_string(), version: 1 });
    model.graph.as_mut().unwrap().output.push(value_info("label", &[]));
    let model = imported(&model).unwrap();
    assert_eq!(model.omitted(), [Some(crate::front::Last::Softmax), None]);
    let input = ndarray::ArrayD::from_shape_vec(vec![2], vec![2.0, 1.75]).unwrap();
    let layers = crate::nn::run_all(&model, &input).unwrap();
    let of = |output: usize| layers[model.outputs()[output]].iter().copied().collect::<Vec<f64>>();
    assert_eq!((of(0), of(1)), (vec![2.0, 2.25, -2.75], vec![20.0]));
}

/// What longer runs of `tests/hostile_onnx` have found, and made the reader panic.
#[test]
fn operands_of_unlike_shapes_are_refused() {
    let of = |name: &str, count: usize| floats(name, &[count as i64], &vec![1.0; count]);
    let operands = ["x", "scale", "shift", "mean", "variance"];
    let nodes = vec![node("BatchNormalization", &operands, "y", Vec::new())];
    let tensors = vec![of("scale", 3), of("shift", 3), of("mean", 2), of("variance", 3)];
    insta::assert_snapshot!(refusal(&network(&[2, 3], nodes, tensors)), @"zknn::onnx::node: node `the BatchNormalization` (BatchNormalization): operand 3 is not one number for each of 3 channels");

    let regressor = NodeProto { domain: "ai.onnx.ml".to_string(), ..node("LinearRegressor", &["x"], "y", Vec::new()) };
    let mut model = network(&[], vec![regressor], Vec::new());
    model.opset_import.push(OperatorSetIdProto { domain: "ai.onnx.ml".to_string(), version: 1 });
    insta::assert_snapshot!(refusal(&model), @"zknn::onnx::node: node `the LinearRegressor` (LinearRegressor): it has 1 targets for 1 features");
}
