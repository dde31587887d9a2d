use std::fs;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use ndarray::{ArrayD, arr1, arr2};
use proptest::prelude::*;

use super::*;

/// As the command line prints it, without colours.
fn render(diagnostic: &dyn Diagnostic) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let mut rendered = String::new();
    handler.render_report(&mut rendered, diagnostic).unwrap();
    rendered
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// One snapshot a file, named after it.
fn snapshot_errors<T>(folder: &str, prefix: &str, read: impl Fn(&Path) -> Result<T, Box<FrontError>>) {
    for path in files(folder) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let Err(error) = read(&path) else { panic!("{} is valid", path.display()) };
        insta::assert_snapshot!(format!("{prefix}_{name}"), render(&*error));
    }
}

#[test]
fn invalid_models() {
    snapshot_errors("testdata/invalid", "model", Model::read);
}

#[test]
fn invalid_tensors() {
    snapshot_errors("testdata/invalid/tensors", "tensor", read_tensor);
}

#[test]
fn lists_in_lists_are_tensors() {
    let read = |text: &str| parse_tensor("tensor.json", text.to_string());
    let tensor = read(" [[[1, 2.5], [3, -4e1]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]]\n").unwrap();
    let numbers = [1.0, 2.5, 3.0, -40.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
    assert_eq!(tensor, ArrayD::from_shape_vec(vec![3, 2, 2], numbers.to_vec()).unwrap());
    assert_eq!(read("[1, 2]").unwrap(), arr1(&[1.0, 2.0]).into_dyn());
    let code = |text: &str| read(text).unwrap_err().code().unwrap().to_string();
    for ragged in
        ["[[1, 2], [3]]", "[[1], [2, 3]]", "[[1], 2]", "[1, [2]]", "[[[1]], [2]]", "[[1], [[2]]]", "[[1, 2], [[3, 4]]]"]
    {
        assert!(
            ["zknn::tensor::ragged", "zknn::json::wrong_type"].contains(&&*code(ragged)),
            "{ragged}: {}",
            code(ragged)
        );
    }
    for empty in ["[]", "[[]]", "[[1], []]"] {
        assert_eq!(code(empty), "zknn::tensor::no_extents", "{empty}");
    }
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(&deep(MAX_RANK)).unwrap().ndim(), MAX_RANK);
    assert_eq!(code(&deep(MAX_RANK + 1)), "zknn::tensor::too_many_extents");
    code(&deep(100_000));
    code(&"[".repeat(100_000));
}

#[test]
fn files_that_cannot_be_read() {
    insta::assert_snapshot!("file_not_found", render(&*Model::read(Path::new("testdata/none.json")).unwrap_err()));
    insta::assert_snapshot!("file_directory", render(&*Model::read(Path::new("testdata")).unwrap_err()));
    // A file as if it were a folder.
    let error = Model::read(Path::new("Cargo.toml/model.json")).unwrap_err();
    assert_eq!(error.code().unwrap().to_string(), "zknn::file::unreadable");
}

#[test]
fn a_later_pass_can_point_at_the_file() {
    let path = "testdata/models/tiny_mlp.json";
    let model = Model::read(Path::new(path)).unwrap();
    let point = |place| {
        let diagnostic = model.layer_diagnostic(place, "zknn::test::code", "message", "help", "label");
        render(&diagnostic)
    };
    let places = [
        LayerPlace::of(1),
        LayerPlace::of(2).field("biases"),
        LayerPlace::of(0).field("input_shape").element(0),
        LayerPlace::of(0).field("weights").element(23),
        LayerPlace::of(1).field("weights"),
        LayerPlace::of(0).field("weights").element(24),
    ];
    insta::assert_snapshot!("layer_diagnostics", places.map(point).join("\n"));
    insta::assert_snapshot!("layer_diagnostic_of_no_layer", point(LayerPlace::of(9)));
}

#[test]
fn a_model_made_in_memory_is_checked_too() {
    let code = |layers, range| Model::new(layers, range).unwrap_err().code().unwrap().to_string();
    let relu = |shape: &[usize]| Layer::new(LayerKind::Relu, shape);
    assert_eq!(code(vec![], None), "zknn::model::no_layers");
    assert_eq!(code(vec![relu(&[3])], Some((1, 0))), "zknn::model::input_range");
    assert_eq!(code(vec![relu(&[3]), relu(&[4])], None), "zknn::shape::chain");
    assert_eq!(code(vec![relu(&[3, 0])], None), "zknn::shape::empty");
    assert_eq!(code(vec![relu(&[1 << 20, 1 << 20])], None), "zknn::shape::too_large");
    let vector = arr1(&[1.0, 2.0]).into_dyn();
    let dense = LayerKind::FullyConnected { weights: vector.clone(), biases: None };
    assert_eq!(code(vec![Layer::new(dense, [2])], None), "zknn::shape::tensor_rank");
    let convolution = LayerKind::Convolution { kernel: vector, biases: None, steps: Steps::default() };
    assert_eq!(code(vec![Layer::new(convolution, [2, 2, 1])], None), "zknn::shape::tensor_rank");
    let pool = LayerKind::tiles([1, 0]);
    assert_eq!(code(vec![Layer::new(pool, [2, 2, 1])], None), "zknn::shape::empty");
}

/// A layer may be read before it stands there.
const RESIDUAL: &str = r#"{"layers": [{"layer_type": "padding", "input_shape": [2, 2, 1], "before": [1, 1, 0], "after": [1, 0, 0], "name": "framed", "inputs": ["input"]}, {"layer_type": "add", "input_shape": [2, 2, 1], "name": "sum", "inputs": ["input", "pooled", "input"]}, {"layer_type": "flatten", "input_shape": [4, 3, 1], "name": "flat", "inputs": ["framed"]}, {"layer_type": "fully_connected", "input_shape": [12], "weights": {"v": 1, "dim": [1, 12], "data": [0.0, 0.0, 0.0, 0.0, 1.0, 10.0, 0.0, 100.0, 1000.0, 0.0, 0.0, 0.0]}, "name": "read"}, {"layer_type": "max_pool", "input_shape": [2, 2, 1], "window": 1, "name": "pooled", "inputs": ["input"]}, {"layer_type": "flatten", "input_shape": [2, 2, 1], "name": "summed", "inputs": ["sum"]}, {"layer_type": "fully_connected", "input_shape": [4], "weights": {"v": 1, "dim": [1, 4], "data": [1.0, 1.0, 1.0, 1.0]}, "name": "total"}, {"layer_type": "add", "input_shape": [1], "inputs": ["total", "read"]}]}"#;

#[test]
fn layers_read_what_they_name_in_any_order() {
    let model = Model::parse("residual", RESIDUAL.to_string()).unwrap();
    assert_eq!((model.input_shape(), model.output_shape()), (&[2, 2, 1][..], &[1][..]));
    assert_eq!(model.reads(1), [Source::Input(0), Source::Layer(4), Source::Input(0)]);
    assert_eq!(model.reads(3), [Source::Layer(2)]);
    let mut written = Vec::new();
    model.write(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), RESIDUAL);

    let input = ArrayD::from_shape_vec(vec![2, 2, 1], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    // Three times the sum of all, and the digits that the border leaves in their places.
    let expected = arr1(&[30.0 + 4321.0]).into_dyn();
    assert_eq!(crate::nn::run(&model, &input).unwrap(), expected);
    let graph = lower(&model).unwrap();
    assert_eq!(zknn_ir::validate(&graph), Ok(()));
    assert_eq!(zknn_ir::eval::eval_real(&graph, &input).unwrap().output(), &expected);
    insta::assert_snapshot!(zknn_ir::print(&graph));
}

/// A question to a table: the scores of its rows, and the row with the greatest.
const LOOKUP: &str = r#"{"inputs": [{"name": "question", "shape": [2], "range": [0, 3]}, {"name": "table", "shape": [3, 2], "range": [-5, 4]}], "outputs": ["best", "scores"], "layers": [{"layer_type": "multiply", "input_shape": [3, 2], "inputs": ["table", "question"]}, {"layer_type": "reduce_sum", "input_shape": [3, 2], "axes": [1], "name": "scores"}, {"layer_type": "argmax", "input_shape": [3], "name": "best"}]}"#;

#[test]
fn inputs_and_outputs_have_names() {
    let model = Model::parse("lookup", LOOKUP.to_string()).unwrap();
    let ranges: Vec<_> = model.inputs().iter().map(|input| (input.name.as_str(), input.range)).collect();
    assert_eq!(ranges, [("question", Some((0, 3))), ("table", Some((-5, 4)))]);
    assert_eq!((model.reads(0), model.outputs()), (&[Source::Input(1), Source::Input(0)][..], &[2, 1][..]));
    let mut written = Vec::new();
    model.write(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), LOOKUP);

    let inputs = [arr1(&[3.0, 1.0]).into_dyn(), arr2(&[[1.0, 4.0], [4.0, -5.0], [2.0, 0.0]]).into_dyn()];
    let [scores, best] = [arr1(&[7.0, 7.0, 6.0]).into_dyn(), arr1(&[0.0]).into_dyn()];
    assert_eq!(crate::nn::run(&model, &inputs[..]).unwrap(), best);
    assert_eq!(crate::nn::run_all(&model, &inputs[..]).unwrap()[1..], [scores.clone(), best.clone()]);
    let error = crate::nn::run(&model, &inputs[0]).unwrap_err();
    assert_eq!(error.to_string(), "the model takes inputs of shapes [[2], [3, 2]], got an input of shape [2]");
    let graph = lower(&model).unwrap();
    assert_eq!(zknn_ir::validate(&graph), Ok(()));
    let values = zknn_ir::eval::eval_real(&graph, &inputs[..]).unwrap();
    assert_eq!(values.outputs().collect::<Vec<_>>(), [&best, &scores]);

    // The same in memory; and the form of a model with one input, where a file says no more than that.
    let again = Model::with_ends(model.inputs().to_vec(), model.layers().to_vec(), &["best", "scores"]).unwrap();
    assert_eq!((again.outputs(), again.read_shapes(0)), (model.outputs(), model.read_shapes(0)));
    let short = r#"{"layers": [{"layer_type": "relu", "input_shape": [2]}]}"#;
    let long = short.replace("{\"layers", r#"{"inputs": [{"name": "input", "shape": [2]}], "layers"#);
    let mut written = Vec::new();
    Model::parse("long", long).unwrap().write(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), short);
}

#[test]
fn ends_made_in_memory_are_checked_too() {
    let input = |range| ModelInput { name: "x".into(), shape: vec![2], range };
    let relu = || vec![Layer::new(LayerKind::Relu, [2]).named("y")];
    let code = |inputs, outputs: &[&str]| {
        Model::with_ends(inputs, relu(), outputs).map(|_| ()).map_err(|error| error.code().unwrap().to_string())
    };
    assert_eq!(code(vec![input(None)], &["y"]), Ok(()));
    assert_eq!(code(vec![], &["y"]), Err("zknn::model::no_ends".to_string()));
    assert_eq!(code(vec![input(None)], &[]), Err("zknn::model::no_ends".to_string()));
    assert_eq!(code(vec![input(None)], &["x"]), Err("zknn::model::unknown_output".to_string()));
    assert_eq!(code(vec![input(Some((1, 0)))], &["y"]), Err("zknn::model::input_range".to_string()));
    assert_eq!(code(vec![input(None), input(None)], &["y"]), Err("zknn::model::repeated_input".to_string()));
}

/// A chain whose layers name each other the wrong way round, so that the walk goes all the way down.
#[test]
fn a_long_chain_that_stands_in_reverse_does_not_use_up_the_stack() {
    let count = 50_000;
    let layer = |index: usize| {
        let read = if index + 1 == count { INPUT.to_string() } else { format!("l{}", index + 1) };
        Layer::new(LayerKind::Relu, [1]).named(&format!("l{index}")).reading(&[&read])
    };
    let mut layers: Vec<Layer> = (0..count).map(layer).collect();
    layers.push(Layer::new(LayerKind::Relu, [1]).reading(&["l0"]));
    let model = Model::new(layers, None).unwrap();
    assert_eq!((model.order()[0], model.order()[count]), (count - 1, count));
}

#[test]
fn fields_may_stand_in_any_order_and_lines() {
    let text = r#"
        {"layers": [{
            "biases": {"data": [7], "v": 1, "dim": [1]},
            "weights": {"dim": [1, 2], "data": [1, -2e0], "v": 1},
            "input_shape": [2], "layer_t\u0079pe": "fully_connected"
        }]}"#;
    let model = Model::parse("text", text.to_string()).unwrap();
    assert_eq!((model.input_shape(), model.output_shape(), model.input_range()), (&[2][..], &[1][..], None));
    let LayerKind::FullyConnected { weights, biases: Some(biases) } = &model.layers()[0].kind else { panic!() };
    assert_eq!((weights.shape(), biases.shape()), (&[1, 2][..], &[1][..]));
    assert_eq!(weights.iter().copied().collect::<Vec<_>>(), [1.0, -2.0]);
}

/// Names in a file could carry escape sequences to the terminal.
#[test]
fn control_characters_are_not_printed() {
    let text = "{\"layers\": [{\"layer_type\": \"\\u001b[31mred\\u0007\"}]}";
    let rendered = render(&*Model::parse("text", text.to_string()).unwrap_err());
    assert!(!rendered.contains(['\u{1b}', '\u{7}']), "{rendered}");
}

#[test]
fn nesting_does_not_use_up_the_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    for text in
        [deep.clone(), format!("{{\"layers\": {deep}}}"), format!("{{\"layers\": [{{\"layer_type\": {deep}}}]}}")]
    {
        assert_eq!(Model::parse("deep", text).unwrap_err().code().unwrap().to_string(), "zknn::json::wrong_type");
    }
}

proptest! {
    /// Reading ends with a model or with an error that can be printed, whatever becomes of a valid file.
    #[test]
    fn no_damage_makes_reading_panic(
        file in 0..3_usize,
        at in any::<prop::sample::Index>(),
        remove in 0..40_usize,
        insert in prop::sample::select(vec![
            "", "0", "-", "[", "]", "{", "}", "\"", ",", ":", "e", ".", "null", "true", "1e999", "NaN", "\n", "é", "[]", "\\ud800",
            "99999999999999999999", "\"v\": 1, ", "\"layer_type\"", "-1", "1e5",
        ]),
    ) {
        let name = ["tiny_mlp", "tiny_cnn", "wide_pool"][file];
        let mut text = fs::read_to_string(format!("testdata/models/{name}.json")).unwrap();
        let start = at.index(text.len());
        let end = (start + remove).min(text.len());
        text.replace_range(start..end, insert);
        if let Err(error) = Model::parse("damaged", text) {
            let rendered = render(&*error);
            prop_assert!(rendered.contains("zknn::") && rendered.contains("help"), "{}", rendered);
        }
    }
}

/// The table in the README has every type, with every field.
#[test]
fn the_readme_lists_every_layer() {
    let readme = include_str!("../../README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    for layer_type in composed::layer_types() {
        let name = format!("`{}`", layer_type.name);
        let row = rows.iter().find(|row| row.split(" | ").next().is_some_and(|cell| cell.contains(&name)));
        let row = row.unwrap_or_else(|| panic!("the README has no {name}"));
        for field in layer_type.fields {
            let is_told = row.contains(&format!("`{}`", field.name)) || row.contains("the others");
            assert!(is_told, "the README says nothing of `{}` of {name}", field.name);
        }
    }
}
