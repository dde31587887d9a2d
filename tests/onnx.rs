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
