//! Networks in ONNX files, as exporters write them: what floating point gives is onnxruntime's, and what is proved is what the
//! program computes.
//!
//! `ref_cnn/generate_onnx.py` wrote them.

mod shared;

use serde_json::Value;
use shared::{first, read, told};
use std::fs;
use std::path::{Path, PathBuf};

/// Inputs that are proved of each network.
const PROOFS: usize = 2;

/// As floats of 32 bits differ, relative to the greatest output.
const MAX_DISTANCE: f64 = 1e-5;

fn testdata(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/onnx").join(file)
}

fn folder(network: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let names = [(format!("{network}.onnx"), "model.onnx"), (format!("{network}.outputs.json"), "outputs.json")];
    for (from, to) in names.iter().map(|(from, to)| (from.as_str(), *to)).chain([("inputs.json", "inputs.json")]) {
        fs::copy(testdata(from), folder.path().join(to)).expect("a copy");
    }
    let few = first(&read(&folder.path().join("inputs.json")), PROOFS);
    fs::write(folder.path().join("few.json"), few.to_string()).expect("written");
    folder
}

/// The figures of `eval` on onnxruntime's outputs; in floating point they are these.
fn compared(folder: &Path, options: &[&str]) -> Value {
    let args = ["eval", "model.onnx", "--inputs", "inputs.json", "--targets", "outputs.json", "--json"];
    let figures = told(folder, &[&args, options].concat());
    let outputs = read(&folder.join("outputs.json"));
    let numbers = outputs["data"].as_array().expect("numbers").iter().filter_map(Value::as_f64);
    let reach = numbers.fold(0.0, |reach, number| f64::max(reach, number.abs()));
    let distance = figures["float_distance"].as_f64().expect("a distance");
    assert!(distance <= MAX_DISTANCE * reach, "{distance} of {reach}");
    figures
}

/// Proofs state what `run` computes in integers.
fn is_proved(folder: &Path, options: &[&str]) {
    told(folder, &[&["compile", "model.onnx"], options].concat());
    told(folder, &["prove", "model.zkc", "--input", "few.json"]);
    let run = told(folder, &[&["run", "model.onnx", "--input", "few.json", "--json"], options].concat());
    let integers = run["outputs"][0]["integer"]["integers"].as_array().expect("integers");
    for at in 0..PROOFS {
        let statement = told(folder, &["verify", "model.vk", &format!("proof-{at}.zkp"), "--json"]);
        let count = integers.len() / PROOFS;
        assert_eq!(statement["output"]["integers"], Value::from(integers[at * count..(at + 1) * count].to_vec()));
    }
}

#[test]
fn trained_networks_are_imported_and_proved() {
    for network in ["cnn", "residual", "mobile"] {
        let folder = folder(network);
        let calibrate = ["--calibrate", "inputs.json"];
        let figures = compared(folder.path(), &calibrate);
        assert_eq!(figures["agreement"], 1.0, "{network}: {figures}");
        is_proved(folder.path(), &calibrate);
    }
}

#[test]
fn a_network_that_onnxruntime_has_quantized_keeps_its_integers() {
    let folder = folder("cnn_quantized");
    let figures = compared(folder.path(), &[]);
    assert_eq!((&figures["equal"], &figures["refused"]), (&1.0.into(), &0.into()), "{figures}");
    is_proved(folder.path(), &[]);
}

/// A file in the reference format that computes the same.
#[test]
fn export_writes_an_imported_network_as_json() {
    let folder = folder("residual");
    told(folder.path(), &["export", "model.onnx", "-o", "model.json"]);
    let integers = |model: &str| {
        let run = told(folder.path(), &["run", model, "--input", "few.json", "--json"]);
        run["outputs"][0]["integer"]["integers"].clone()
    };
    assert_eq!(integers("model.json"), integers("model.onnx"));
}

/// And one in ONNX that does: inputs and outputs have their names and order of axes, and what is not computed is told.
#[test]
fn export_writes_a_model_in_json_as_onnx() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = r#"{
        "inputs": [{"name": "table", "shape": [3, 2], "range": [-8, 8]}, {"name": "question", "shape": [2], "range": [-8, 8]}],
        "outputs": ["scores", "best"],
        "omitted": ["softmax", "none"],
        "layers": [
            {"layer_type": "multiply", "input_shape": [3, 2], "inputs": ["table", "question"]},
            {"layer_type": "reduce_sum", "input_shape": [3, 2], "axes": [1], "name": "scores"},
            {"layer_type": "argmax", "input_shape": [3], "name": "best"}
        ]
    }"#;
    fs::write(folder.path().join("model.json"), model).expect("written");
    fs::write(folder.path().join("table.json"), "[[1, 2], [3, -4], [5, 6]]").expect("written");
    fs::write(folder.path().join("question.json"), "[7, -8]").expect("written");
    told(folder.path(), &["export", "model.json", "-o", "model.onnx"]);
    let outputs = |model: &str| {
        let inputs = ["--input", "table.json", "--input", "question.json", "--input-range", "-8..8", "--json"];
        let run = told(folder.path(), &[&["run", model], &inputs[..]].concat());
        let told = |output: &Value| {
            (output["float"].clone(), output["integer"]["integers"].clone(), output["omitted"].clone())
        };
        run["outputs"].as_array().expect("outputs").iter().map(told).collect::<Vec<_>>()
    };
    let of_json = outputs("model.json");
    assert_eq!((of_json.len(), of_json[0].0["data"].clone()), (2, serde_json::json!([-9.0, 53.0, -13.0])));
    assert_eq!(of_json[0].2, "softmax");
    assert_eq!(outputs("model.onnx"), of_json);
}

/// Under a key that says so, and in the statement.
#[test]
fn a_statement_tells_that_a_last_softmax_is_not_computed() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = r#"{"input_range": [-8, 8], "omitted": ["softmax"], "layers": [
        {"layer_type": "fully_connected", "input_shape": [2], "weights": {"v": 1, "dim": [2, 2], "data": [1, 2, 3, -4]}}
    ]}"#;
    fs::write(folder.path().join("model.json"), model).expect("written");
    fs::write(folder.path().join("input.json"), "[5, 6]").expect("written");
    told(folder.path(), &["export", "model.json", "-o", "net.onnx"]);
    told(folder.path(), &["compile", "net.onnx", "--input-range", "-8..8"]);
    told(folder.path(), &["prove", "net.zkc", "--input", "input.json"]);
    let statement = told(folder.path(), &["verify", "net.vk", "proof.zkp", "--json"]);
    assert_eq!(
        (&statement["output"]["integers"], &statement["output"]["omitted"]),
        (&serde_json::json!([17, -9]), &"softmax".into())
    );
}
