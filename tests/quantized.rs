//! Networks that another tool has quantized: proved with its integers, and no others.
//!
//! `ref_cnn/generate_quantized.py` wrote them, and ran them in onnxruntime.

mod shared;

use ndarray::{ArrayD, IxDyn};
use serde_json::{Value, json};
use shared::{exits, first, read, told};
use std::fs;
use std::path::{Path, PathBuf};

/// Inputs that are proved of each network.
const PROOFS: usize = 2;

fn testdata(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/quantized").join(file)
}

fn numbers(tensor: &Value) -> Vec<f64> {
    tensor["data"].as_array().expect("numbers").iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// Images with their channels first, as the ONNX file takes them.
fn channels_first(images: &Value) -> Value {
    let dim: Vec<usize> = serde_json::from_value(images["dim"].clone()).expect("lengths");
    let images = ArrayD::from_shape_vec(dim, numbers(images)).expect("as many numbers");
    let turned = images.permuted_axes(IxDyn(&[0, 3, 1, 2]));
    json!({"v": 1, "dim": turned.shape(), "data": turned.iter().collect::<Vec<_>>()})
}

/// All outputs are onnxruntime's, and those of a proof are stated.
fn is_what_the_runtime_computes(network: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let files = [
        (".json", "model.json"),
        (".onnx", "model.onnx"),
        (".inputs.json", "inputs.json"),
        (".outputs.json", "outputs.json"),
    ];
    for (suffix, name) in files {
        fs::copy(testdata(&format!("{network}{suffix}")), folder.join(name)).expect("a copy");
    }
    let inputs = read(&folder.join("inputs.json"));
    fs::write(folder.join("turned.json"), channels_first(&inputs).to_string()).expect("written");
    for (model, inputs) in [("model.json", "inputs.json"), ("model.onnx", "turned.json")] {
        let figures = told(folder, &["eval", model, "--inputs", inputs, "--targets", "outputs.json", "--json"]);
        assert_eq!((&figures["equal"], &figures["refused"]), (&json!(1.0), &json!(0)), "{model}: {figures}");
    }

    fs::write(folder.join("inputs.json"), first(&inputs, PROOFS).to_string()).expect("the inputs are written");
    // Nothing is rounded but as the network says, so nothing is asked of calibration.
    let compiled = exits(folder, &["compile", "model.json"], 0);
    assert!(!String::from_utf8_lossy(&compiled.stderr).contains("rounding"), "{compiled:?}");
    told(folder, &["prove", "model.zkc", "--input", "inputs.json"]);
    let outputs = read(&folder.join("outputs.json"));
    let expected = numbers(&outputs);
    let count = outputs["dim"][1].as_u64().expect("a count") as usize;
    for (at, expected) in expected.chunks(count).take(PROOFS).enumerate() {
        let statement = told(folder, &["verify", "model.vk", &format!("proof-{at}.zkp"), "--json"]);
        // Their numbers are floats of 32 bits.
        let narrow = |numbers: &[f64]| numbers.iter().map(|number| *number as f32).collect::<Vec<_>>();
        assert_eq!(narrow(&numbers(&statement["output"])), narrow(expected), "{statement}");
    }
}

#[test]
fn convolutions_by_channel() {
    is_what_the_runtime_computes("images");
}

#[test]
fn scales_that_are_round_numbers() {
    is_what_the_runtime_computes("round_scales");
}

#[test]
fn sums_and_tensors_at_unlike_scales() {
    is_what_the_runtime_computes("branches");
}
