//! The command line, from outside: exit codes, what goes to stdout and to stderr, and what is left on the disk.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const MLP: &str = "testdata/models/tiny_mlp.json";
const MLP_INPUT: &str = "testdata/models/tiny_mlp_input.json";
const CNN: &str = "testdata/models/tiny_cnn.json";

const DONE: i32 = 0;
const BAD_INPUT: i32 = 2;

fn zknn(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zknn"));
    command.args(args).stdin(Stdio::null());
    command
}

/// What a command that succeeds prints.
fn stdout(args: &[&str]) -> String {
    let output = zknn(args);
    assert_eq!(output.status.code(), Some(DONE), "{args:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What a command that fails tells. It prints no result, and does not panic.
fn failure(args: &[&str]) -> String {
    let output = zknn(args);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(BAD_INPUT), "{args:?}: {told}");
    assert!(output.stdout.is_empty(), "{args:?} printed a result");
    assert!(!told.contains("panicked"), "{told}");
    told
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file in a folder of its own.
fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_string();
    (folder, path)
}

fn dense(weights: &str) -> String {
    format!(
        r#"{{"layers": [{{"layer_type": "fully_connected", "input_shape": [2],
            "weights": {{"v": 1, "dim": [1, 2], "data": [{weights}]}}}}]}}"#
    )
}

#[test]
fn usage_errors_exit_as_bad_input() {
    for args in [
        &[][..],
        &["nonsense"],
        &["ir"],
        &["ir", MLP, "--nonsense"],
        &["run", MLP],
        &["export"],
        &["export", MLP],
        &["export", "-o", "out.json"],
        &["export", MLP, "-o", "out.json", "--reference", "."],
    ] {
        assert!(failure(args).contains("Usage"), "{args:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    assert!(stdout(&["--help"]).contains("Commands:"));
    assert!(stdout(&["--version"]).starts_with("zknn "));
    let help = stdout(&["ir", "--help"]);
    assert!(help.contains("-128..127") && help.contains("quantize_exact"), "{help}");
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let told = failure(&["ir", "testdata/none.json"]);
    assert!(told.contains("zknn::file::not_found") && told.contains("testdata/none.json"), "{told}");
    assert!(failure(&["ir", "testdata"]).contains("zknn::file::directory"));
    let told = failure(&["run", "testdata/invalid/nan.json", "--input", MLP_INPUT]);
    assert!(told.contains("zknn::json::not_finite"), "{told}");
    let told = failure(&["run", MLP, "--input", "testdata/none.json"]);
    assert!(told.contains("zknn::file::not_found"), "{told}");
}

#[test]
fn names_of_other_tools_are_understood() {
    let label = |layer_type: &str| {
        let (_folder, path) = file(&format!(r#"{{"layers": [{{"layer_type": "{layer_type}", "input_shape": [2]}}]}}"#));
        failure(&["compile", &path])
    };
    for (name, ours) in [
        ("dense", "fully_connected"),
        ("Linear", "fully_connected"),
        ("conv2d", "convolution"),
        ("MaxPool2d", "max_pool"),
        ("AveragePooling2D", "average_pool"),
        ("conv1d", "convolution_1d"),
        ("ReLU6", "clip"),
    ] {
        assert!(label(name).contains(&format!("did you mean `{ours}`?")), "{name}");
    }
    for name in ["Softmax", "sigmoid", "conv3d"] {
        let told = label(name);
        assert!(told.contains("not supported") && !told.contains("did you mean"), "{told}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [("net.h5", "a Keras model"), ("net.PTH", "a PyTorch file"), ("net.json.gz", "compressed")] {
        let path = folder.path().join(name);
        fs::write(&path, b"\x08\x07\x12\xff").unwrap();
        let told = failure(&["compile", path.to_str().unwrap()]);
        assert!(told.contains("zknn::file::other_format") && told.contains(format), "{told}");
    }
    assert_eq!(names(folder.path()), ["net.PTH", "net.h5", "net.json.gz"]);
    let path = folder.path().join("net.onnx");
    fs::write(&path, b"\x08\x07\x12\xff").unwrap();
    let told = failure(&["compile", path.to_str().unwrap()]);
    assert!(told.contains("zknn::onnx::malformed"), "{told}");
}

#[test]
fn ir_prints_the_last_pass_or_the_one_named() {
    let text = stdout(&["ir", CNN]);
    assert!(text.starts_with("%0 = input : [8, 8, 1] fixed(scale 1, -8..=7)\n"), "{text}");
    assert!(text.contains("max_pool %1 window=[2, 2] relu"), "{text}");
    assert_eq!(text, stdout(&["ir", CNN, "--after", "fold_multipliers"]));

    let lowered = stdout(&["ir", CNN, "--after", "lower"]);
    assert!(lowered.starts_with("%0 = input : [8, 8, 1] real\n"), "{lowered}");
    assert!(lowered.contains("= relu %2"), "{lowered}");

    let told = failure(&["ir", CNN, "--after", "fuse"]);
    for pass in zknn::passes::names() {
        assert!(told.contains(pass), "{told}");
    }
}

#[test]
fn the_input_range_is_that_of_the_option_the_model_or_the_default() {
    let input = |args: &[&str]| stdout(args).lines().next().unwrap().to_string();
    for args in [&["ir", MLP, "--input-range", "-5..4"][..], &["ir", MLP, "--input-range=-5..4"]] {
        assert_eq!(input(args), "%0 = input : [4] fixed(scale 1, -5..=4)");
    }
    assert_eq!(input(&["ir", MLP]), "%0 = input : [4] fixed(scale 1, -8..=7)");
    let (_folder, path) = file(&dense("1, 2"));
    assert_eq!(input(&["ir", &path]), "%0 = input : [2] fixed(scale 1, -128..=127)");
    for range in ["4..-5", "1", "a..b", "0..4294967296"] {
        let told = failure(&["ir", MLP, "--input-range", range]);
        assert!(told.contains("--input-range"), "{told}");
    }
}

#[test]
fn a_model_with_fractions_is_rounded_to_fixed_point() {
    let (_folder, path) = file(&dense("1, 2.5"));
    assert!(stdout(&["ir", &path, "--after", "quantize_exact"]).contains("2.5"));
    let text = stdout(&["ir", &path]);
    assert!(text.contains("= requantize %1") && text.contains("rounds : [2] fixed(scale 2^-2, -512..=508)"), "{text}");
    assert_eq!(text, stdout(&["ir", &path, "--bits", "10"]));
    assert_ne!(text, stdout(&["ir", &path, "--bits", "16"]));
    // Integers are rounded only if asked for.
    let (_folder, path) = file(&dense("1, 2"));
    assert!(!stdout(&["ir", &path]).contains("requantize"));
    assert!(stdout(&["ir", &path, "--bits", "8"]).contains("requantize"));
    for bits in ["7", "17", "x"] {
        assert!(failure(&["ir", &path, "--bits", bits]).contains("--bits"));
    }
}

#[test]
fn calibration_inputs_are_checked() {
    let (_folder, path) = file(&dense("1, 2.5"));
    let calibrate = |dim: &str, data: &str| {
        let (folder, batch) = file(&format!(r#"{{"v": 1, "dim": {dim}, "data": [{data}]}}"#));
        let output = zknn(&["ir", &path, "--input-range", "0..1", "--calibrate", &batch]);
        drop(folder);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output))
    };
    let (code, text) = calibrate("[2, 2]", "0, 1, 0.5, 0.25");
    assert_eq!(code, Some(DONE), "{text}");
    assert!(text.contains("0..=1023"), "{text}");
    let (code, told) = calibrate("[4]", "0, 1, 1, 0");
    assert!(code == Some(BAD_INPUT) && told.contains("zknn::fixed::calibration_shape"), "{told}");
    let (code, told) = calibrate("[2, 2]", "0, 1, 1, 777");
    assert!(code == Some(BAD_INPUT) && told.contains("zknn::fixed::calibration_range"), "{told}");
    assert!(!told.contains("777"), "{told}");
}

#[test]
fn sums_that_do_not_fit_are_told_with_a_remedy() {
    let (_folder, path) = file(&dense("9007199254740992, 2"));
    let told = failure(&["ir", &path, "--input-range", "0..1024"]);
    assert!(told.contains("zknn::range::overflow") && told.contains("smaller"), "{told}");
    stdout(&["ir", &path, "--input-range", "0..256"]);
}

#[test]
fn run_prints_the_table_and_both_outputs() {
    let text = stdout(&["run", MLP, "--input", MLP_INPUT]);
    for part in ["#parameters", "conv 6x4", "float output", "integer output", "[277, -92, -240]", "max difference: 0.0"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn run_prints_json() {
    let text = stdout(&["run", MLP, "--input", MLP_INPUT, "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    let row = serde_json::json!({"name": "conv 6x4", "output_shape": [6], "parameters": 30, "ops": 24});
    assert_eq!(json["table"][0], row);
    assert_eq!(json["outputs"][0]["float"], serde_json::json!({"dim": [3], "data": [277.0, -92.0, -240.0]}));
    let output =
        serde_json::json!({"dim": [3], "data": [277.0, -92.0, -240.0], "integers": [277, -92, -240], "scale": 1.0});
    assert_eq!(json["outputs"][0]["integer"], output);
    assert_eq!(json["outputs"][0]["max_difference"], 0.0);
}

#[test]
fn normalized_outputs_differ_by_their_rounding_only() {
    let (_folder, model) = file(r#"{"layers": [{"layer_type": "normalize", "input_shape": [4]}]}"#);
    let text = stdout(&["run", &model, "--input", MLP_INPUT, "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    let unit = 2_f64.powi(-24);
    assert_eq!(json["outputs"][0]["integer"]["scale"], unit);
    let difference = json["outputs"][0]["max_difference"].as_f64().unwrap();
    assert!(difference > 0.0 && difference <= unit / 2.0, "{difference}");
}

/// The acceptance test of the exact lowering: the integers of the reference CNN are those that numpy computes.
#[test]
fn the_reference_cnn_runs_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    stdout(&["export", "--reference", &path("")]);
    assert_eq!(names(folder.path()), ["input.json", "model.json"]);
    let text = stdout(&["run", &path("model.json"), "--input", &path("input.json"), "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    // The logits over their norm, in units of 2^-24.
    let expected = serde_json::json!([-1916883, -2248735, -7006117, -4157192, 14365786]);
    assert_eq!(json["outputs"][0]["integer"]["integers"], expected);
    let difference = json["outputs"][0]["max_difference"].as_f64().unwrap();
    assert!(difference <= 2_f64.powi(-25), "{difference}");
}

/// The input may be private, so it is not repeated.
#[test]
fn wrong_inputs_are_told_without_their_values() {
    let input = |data: &str| file(&format!(r#"{{"v": 1, "dim": [4], "data": [{data}]}}"#));
    let (_folder, fraction) = input("1, 2, 4.125, 3");
    let told = failure(&["run", MLP, "--input", &fraction]);
    assert!(told.contains("zknn::input::fractional") && told.contains("[2]"), "{told}");
    assert!(!told.contains("4.125"), "{told}");

    let (_folder, outside) = input("1, 2, 3, 777");
    let told = failure(&["run", MLP, "--input", &outside]);
    assert!(told.contains("zknn::input::out_of_range") && told.contains("[3]"), "{told}");
    assert!(!told.contains("777"), "{told}");
    stdout(&["run", MLP, "--input", &outside, "--input-range", "0..777"]);

    let told = failure(&["run", CNN, "--input", MLP_INPUT]);
    assert!(told.contains("zknn::input::shape") && !told.contains("transpose"), "{told}");
}

/// Other tools have the channels of an image first.
#[test]
fn channels_first_get_a_hint() {
    let (_folder, model) =
        file(r#"{"input_range": [0, 9], "layers": [{"layer_type": "relu", "input_shape": [2, 3, 1]}]}"#);
    let image = |dim: &str| file(&format!(r#"{{"v": 1, "dim": {dim}, "data": [1, 2, 3, 4, 5, 6]}}"#));
    let (_folder, first) = image("[1, 2, 3]");
    let told = failure(&["run", &model, "--input", &first]);
    assert!(told.contains("zknn::input::shape") && told.contains("x.transpose(1, 2, 0)"), "{told}");
    let (_folder, other) = image("[3, 2, 1]");
    assert!(!failure(&["run", &model, "--input", &other]).contains("transpose"));
    let (_folder, last) = image("[2, 3, 1]");
    stdout(&["run", &model, "--input", &last]);
}

/// Sums that have no room exactly have it where numbers are rounded, and the help says with which option.
#[test]
fn the_help_for_an_overflow_names_the_option_that_avoids_it() {
    let (_folder, model) = file(&dense("4503599627370496, 4503599627370496"));
    let told = failure(&["ir", &model, "--input-range", "-1048576..1048576"]);
    assert!(told.contains("zknn::range::overflow") && told.contains("--bits 10"), "{told}");
    stdout(&["ir", &model, "--input-range", "-1048576..1048576", "--bits", "10"]);
}

#[test]
fn export_writes_the_file_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let output = zknn(&["export", MLP, "-o", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(DONE));
    assert!(output.stdout.is_empty() && stderr(&output).contains("out.json"));
    assert_eq!(fs::read(&out).unwrap(), fs::read(MLP).unwrap());
    assert_eq!(names(folder.path()), ["out.json"]);
}

#[test]
fn export_leaves_no_file_behind_on_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let told = failure(&["export", "testdata/invalid/nan.json", "-o", &path("out.json")]);
    assert!(told.contains("zknn::json::not_finite"), "{told}");
    let told = failure(&["export", MLP, "-o", &path("none/out.json")]);
    assert!(told.contains("zknn::write::missing_folder"), "{told}");
    let told = failure(&["export", MLP, "-o", &path("")]);
    assert!(told.contains("zknn::write::directory"), "{told}");
    let told = failure(&["export", "--reference", &path("none")]);
    assert!(told.contains("zknn::write::missing_folder"), "{told}");
    assert_eq!(names(folder.path()), [""; 0]);
}

/// A reader that goes away early, as `head` does, is no error.
#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = command(&["ir", CNN]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(DONE), String::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = command(&["ir", CNN]).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(BAD_INPUT));
    assert!(stderr(&output).contains("zknn::output::failed"));
    // Where even that cannot be told, the exit code does.
    let status = command(&["ir", "testdata/none.json"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(BAD_INPUT));
}

#[test]
fn eval_measures_accuracy_and_is_a_gate() {
    let digits = |name: &str| format!("testdata/digits/{name}.json");
    let (model, calibration) = (digits("mlp"), digits("calibration"));
    let (inputs, labels) = (digits("test_inputs"), digits("test_labels"));
    let args = ["eval", &model, "--calibrate", &calibration, "--inputs", &inputs, "--labels", &labels];
    let with = |more: &[&str]| -> Vec<String> { args.iter().chain(more).map(|arg| arg.to_string()).collect() };
    let gate = with(&["--max-drop", "0.5%", "--json"]);
    let gate: Vec<&str> = gate.iter().map(String::as_str).collect();
    let json: Value = serde_json::from_str(&stdout(&gate)).unwrap();
    assert_eq!(json["samples"], 599);
    let fraction = |name: &str| json[name].as_f64().unwrap();
    assert!(fraction("float_accuracy") - fraction("integer_accuracy") <= 0.005, "{json}");
    assert!(fraction("agreement") > 0.99, "{json}");
    let text = stdout(&args);
    assert!(text.contains("integer accuracy") && text.contains("after layer"), "{text}");

    // A gate that shuts: of two scores that nearly tie, rounding prefers the other.
    let (_model, model) = file(
        r#"{"input_range": [0, 1], "layers": [{"layer_type": "fully_connected", "input_shape": [1],
            "weights": {"v": 1, "dim": [2, 1], "data": [1.0, 1.0000001]}}, {"layer_type": "argmax", "input_shape": [2]}]}"#,
    );
    let (_inputs, inputs) = file(r#"{"v": 1, "dim": [1, 1], "data": [1]}"#);
    let (_labels, labels) = file("[1]");
    let output = zknn(&["eval", &model, "--inputs", &inputs, "--labels", &labels, "--max-drop", "0.5%"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("100.00 points"), "{}", stderr(&output));
    let told = failure(&["eval", &model, "--inputs", &inputs, "--labels", &inputs]);
    assert!(told.contains("the list of labels"), "{told}");
}
