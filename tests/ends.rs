//! Models of several inputs and outputs, from outside: each command a process of its own.

mod shared;

use serde_json::{Value, json};
use shared::stderr;
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

const DONE: i32 = 0;
const BAD_INPUT: i32 = 2;

/// A question to a table: the row with the greatest score, and all scores.
const LOOKUP: &str = r#"{
    "inputs": [{"name": "question", "shape": [2], "range": [0, 3]}, {"name": "table", "shape": [3, 2], "range": [-5, 4]}],
    "outputs": ["best", "scores"],
    "layers": [
        {"layer_type": "multiply", "input_shape": [3, 2], "inputs": ["table", "question"]},
        {"layer_type": "reduce_sum", "input_shape": [3, 2], "axes": [1], "name": "scores"},
        {"layer_type": "argmax", "input_shape": [3], "name": "best"}
    ]
}"#;

#[track_caller]
fn exits(folder: &Path, line: &str, code: i32) -> Output {
    shared::exits(folder, &line.split(' ').collect::<Vec<_>>(), code)
}

#[track_caller]
fn json_of(folder: &Path, line: &str) -> Value {
    serde_json::from_slice(&exits(folder, line, DONE).stdout).expect("JSON")
}

#[track_caller]
fn refuses(folder: &Path, line: &str, diagnostic: &str) {
    let output = exits(folder, line, BAD_INPUT);
    assert!(stderr(&output).contains(diagnostic), "{line}: {}", stderr(&output));
}

fn write(folder: &Path, name: &str, dim: &[usize], data: &[f64]) {
    let text = json!({"v": 1, "dim": dim, "data": data}).to_string();
    fs::write(folder.join(name), text).expect("a file is written");
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::write(path.join("lookup.json"), LOOKUP).expect("a model is written");
    write(path, "question.json", &[2], &[3.0, 1.0]);
    write(path, "table.json", &[3, 2], &[1.0, 4.0, 4.0, -4.0, 2.0, 0.0]);
    write(path, "questions.json", &[2, 2], &[3.0, 1.0, 0.0, 2.0]);
    write(path, "tables.json", &[2, 3, 2], &[1.0, 4.0, 4.0, -4.0, 2.0, 0.0, 0.0, 1.0, 3.0, 2.0, 2.0, 2.0]);
    folder
}

#[test]
fn a_public_question_is_answered_from_a_committed_table() {
    let folder = folder();
    let path = folder.path();
    let run = json_of(path, "run lookup.json --bits 8 --input question.json --input table.json --json");
    assert_eq!(run["outputs"][0]["float"], json!({"dim": [1], "data": [1.0]}));
    assert_eq!(run["outputs"][1]["float"], json!({"dim": [3], "data": [7.0, 8.0, 6.0]}));
    assert_eq!(run["outputs"].as_array().map(Vec::len), Some(2));

    let visibility = "--input-visibility question=public --output-visibility scores=committed";
    exits(path, &format!("compile lookup.json {visibility}"), DONE);
    exits(path, "commit table.json --key lookup.vk --position 1 -o table.opening", DONE);
    let prove = "prove lookup.zkc --input question.json --opening table.opening --disclose-input";
    exits(path, prove, DONE);
    let statement = json_of(path, "verify lookup.vk proof.zkp --json");
    assert_eq!(statement["inputs"][0]["visibility"], "public");
    assert_eq!(statement["inputs"][0]["data"], json!([3.0, 1.0]));
    let table = json_of(
        path,
        "open COMMITMENT table.opening --json"
            .replace("COMMITMENT", statement["inputs"][1]["commitment"].as_str().expect("a digest"))
            .as_str(),
    );
    assert_eq!(table["data"], json!([1.0, 4.0, 4.0, -4.0, 2.0, 0.0]));
    assert_eq!(statement["outputs"][0]["data"], json!([1.0]));
    let scores = statement["outputs"][1]["commitment"].as_str().expect("a digest");
    let scores = json_of(path, &format!("open {scores} proof.zkp.output.1.opening --json"));
    assert_eq!(scores["data"], json!([7.0, 8.0, 6.0]));
    // The opening of the table was there before, and nothing opens what is public.
    for name in ["proof.zkp.0.opening", "proof.zkp.1.opening", "proof.zkp.output.0.opening"] {
        assert!(!path.join(name).exists(), "{name}");
    }
    // With tensors for both inputs, that of the opening is compared.
    exits(path, &format!("{prove} --input table.json"), DONE);
    refuses(path, &format!("{prove} --input questions.json"), "zknn::input::shape");
    refuses(path, "prove lookup.zkc --opening table.opening --disclose-input", "zknn::input::count");
    // Whoever has the model derives the same key from it.
    json_of(path, &format!("verify --model lookup.json {visibility} lookup.vk proof.zkp --json"));
}

#[test]
fn batches_make_a_proof_of_each_sample() {
    let folder = folder();
    let path = folder.path();
    exits(path, "compile lookup.json --no-zk", DONE);
    exits(path, "prove lookup.zkc --input questions.json --input tables.json --disclose-input", DONE);
    for (proof, best) in [("proof-0.zkp", 1.0), ("proof-1.zkp", 1.0)] {
        assert_eq!(json_of(path, &format!("verify lookup.vk {proof} --json"))["outputs"][0]["data"], json!([best]));
        // One for each input, as both are committed to.
        assert!(path.join(format!("{proof}.0.opening")).exists() && path.join(format!("{proof}.1.opening")).exists());
    }
    fs::write(path.join("labels.json"), "[1, 1]").expect("labels are written");
    let inputs = "--inputs questions.json --inputs tables.json --labels labels.json";
    let figures = json_of(path, &format!("eval lookup.json {inputs} --bits 8 --json"));
    assert_eq!((&figures["float_accuracy"], &figures["integer_accuracy"]), (&json!(1.0), &json!(1.0)));
    let calibrate = "--calibrate questions.json --calibrate tables.json";
    let run = format!("run lookup.json --bits 8 {calibrate} --input question.json --input table.json --json");
    assert_eq!(json_of(path, &run)["rounding"]["samples"], 2);
}

#[test]
fn what_does_not_fit_several_inputs_is_refused() {
    let folder = folder();
    let path = folder.path();
    refuses(path, "run lookup.json --input question.json", "zknn::input::count");
    refuses(path, "run lookup.json --input table.json --input question.json", "zknn::input::shape");
    refuses(path, "compile lookup.json --input-visibility tables=public", "named question, table");
    refuses(path, "compile lookup.json --output-visibility worst=public", "named best, scores");
    refuses(path, "compile lookup.json --calibrate questions.json", "zknn::fixed::calibration_inputs");
    write(path, "three.json", &[3, 2], &[0.0; 6]);
    refuses(
        path,
        "compile lookup.json --calibrate three.json --calibrate tables.json",
        "zknn::fixed::calibration_count",
    );
    exits(path, "compile lookup.json", DONE);
    refuses(path, "prove lookup.zkc --input question.json", "zknn::input::count");
    assert!(!path.join("proof.zkp").exists());
}

/// The committed output of one model is one of two inputs of another.
#[test]
fn an_input_by_name_is_another_models_output() {
    let folder = folder();
    let path = folder.path();
    let first = r#"{"input_range": [0, 1], "layers": [{"layer_type": "fully_connected", "input_shape": [2],
        "weights": {"v": 1, "dim": [2, 2], "data": [1, 2, 3, 0]}}]}"#;
    fs::write(path.join("first.json"), first).expect("a model is written");
    write(path, "bits.json", &[2], &[1.0, 1.0]);
    exits(path, "compile first.json --output-visibility committed", DONE);
    exits(path, "prove first.zkc --input bits.json -o first.zkp", DONE);
    exits(path, "compile lookup.json --input-from question=first.vk", DONE);
    exits(path, "prove lookup.zkc --opening first.zkp.output.opening --input table.json", DONE);
    let statement = json_of(path, "verify lookup.vk proof.zkp --json");
    let handed_over = json_of(path, "verify first.vk first.zkp --json");
    assert_eq!(statement["inputs"][0]["commitment"], handed_over["output"]["commitment"]);
    assert_eq!(statement["outputs"][1]["data"], json!([15.0, 0.0, 6.0]));
}
