//! The main job from outside: compile, prove, verify, each a process of its own, and the ways in which they refuse.

mod shared;

use serde_json::Value;
use shared::{exits, stderr};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;
use tempfile::TempDir;

const DONE: i32 = 0;
const REJECTED: i32 = 1;
const BAD_INPUT: i32 = 2;

fn stdout_lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn copy_model(name: &str, folder: &Path) {
    for (from, to) in [(format!("{name}.json"), "model.json"), (format!("{name}_input.json"), "input.json")] {
        fs::copy(testdata("models").join(from), folder.join(to)).expect("test data");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A folder in which the small CNN was compiled and proved, with the default options.
fn proved() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        copy_model("tiny_cnn", folder.path());
        exits(folder.path(), &["compile", "model.json"], DONE);
        exits(folder.path(), &["prove", "model.zkc", "--input", "input.json"], DONE);
        folder
    });
    folder.path()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

#[test]
fn the_defaults_name_the_files() {
    for name in ["input.json", "model.json", "model.vk", "model.zkc", "proof.zkp"] {
        assert!(names(proved()).contains(&name.to_string()), "{name}");
    }
}

#[test]
fn the_proved_output_is_the_one_that_run_computes() {
    let proved_output = json(&exits(proved(), &["verify", "model.vk", "proof.zkp", "--json"], DONE));
    let computed = json(&exits(proved(), &["run", "model.json", "--input", "input.json", "--json"], DONE));
    assert_eq!(proved_output["valid"], true);
    let computed = computed["outputs"][0]["integer"].as_object().expect("an output");
    assert_eq!(computed.keys().collect::<Vec<_>>(), ["data", "dim", "integers", "scale"]);
    for (name, value) in computed {
        assert_eq!(&proved_output["output"][name], value, "{name}");
    }
    assert_eq!(proved_output["output"]["visibility"], "public");
    assert_eq!(proved_output["context"], Value::Null);
    assert_eq!(proved_output["input"]["dim"], serde_json::json!([8, 8, 1]));
    assert_eq!(proved_output["input"]["range"], serde_json::json!([-8, 7]));
    assert_eq!(proved_output["input"]["scale"], 1.0);
    assert_eq!(proved_output["zero_knowledge"], true);
    let security = |regime: &str| proved_output["security"][regime].as_f64().expect("bits");
    assert!((100.0..102.0).contains(&security("conjectured")));
    assert!((55.0..61.0).contains(&security("proven_johnson")));
    assert!((39.0..41.0).contains(&security("proven_unique_decoding")));
    assert_eq!(proved_output["input"]["visibility"], "committed");
    assert_eq!(proved_output["input"]["commitment"].as_str().map(str::len), Some(64));
    assert_eq!(proved_output["model"].as_str().map(str::len), Some(64));
}

#[test]
fn verify_says_in_words_what_is_proved() {
    let output = exits(proved(), &["verify", "model.vk", "proof.zkp"], DONE);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("The proof holds") && text.contains("There is an input X"), "{text}");
}

#[test]
fn the_proven_level_is_asked_for_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_model("tiny_mlp", folder.path());
    exits(folder.path(), &["compile", "model.json", "--security", "proven"], DONE);
    exits(folder.path(), &["prove", "model.zkc", "--input", "input.json"], DONE);
    let told = json(&exits(folder.path(), &["verify", "model.vk", "proof.zkp", "--json"], DONE));
    assert!(told["security"]["proven_unique_decoding"].as_f64().expect("bits") >= 100.0, "{told}");
    let audit = exits(folder.path(), &["audit", "model.zkc"], DONE);
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    for round in ["permutation argument", "combined constraints", "opening point", "batching", "fold 1", "queries"] {
        assert!(audit.contains(round), "{round} is not in {audit}");
    }
}

#[test]
fn every_visibility_and_hash() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_model("tiny_mlp", folder.path());
    for (visibility, hash, zk) in
        [("public", "blake3", true), ("private", "blake3", false), ("committed", "poseidon", false)]
    {
        let mut args = vec!["compile", "model.json", "--input-visibility", visibility, "--hash", hash];
        if !zk {
            args.push("--no-zk");
        }
        exits(folder.path(), &args, DONE);
        let prove = ["prove", "model.zkc", "--input", "input.json"];
        if visibility == "public" || !zk {
            let refused = exits(folder.path(), &[&prove[..], &["-o", "none.zkp"]].concat(), BAD_INPUT);
            assert!(stderr(&refused).contains("zknn::prove::discloses_input"), "{}", stderr(&refused));
            assert!(!names(folder.path()).iter().any(|name| name.starts_with("none")));
        }
        exits(folder.path(), &[&prove[..], &["--disclose-input"]].concat(), DONE);
        let statement = json(&exits(folder.path(), &["verify", "model.vk", "proof.zkp", "--json"], DONE));
        assert_eq!(statement["input"]["visibility"], visibility);
        assert_eq!(statement["zero_knowledge"], zk);
        if visibility == "public" {
            let input: Value =
                serde_json::from_slice(&fs::read(folder.path().join("input.json")).expect("a file")).expect("JSON");
            assert_eq!(statement["input"]["data"], input["data"]);
        }
    }
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_model("tiny_cnn", folder.path());
    exits(folder.path(), &["compile", "model.json", "-o", "other.zkc", "--vk", "other.vk"], DONE);
    for (a, b) in [("model.zkc", "other.zkc"), ("model.vk", "other.vk")] {
        assert_eq!(fs::read(proved().join(a)).ok(), fs::read(folder.path().join(b)).ok());
    }
}

#[test]
fn the_key_of_a_model_with_another_weight_rejects() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(proved().join("model.json")).expect("a model");
    let at = text.rfind("\"data\": [").expect("weights") + "\"data\": [".len();
    let changed = format!("{}1{}", &text[..at], &text[at..]);
    assert_ne!(text, changed);
    fs::write(folder.path().join("model.json"), changed).expect("a file");
    exits(folder.path(), &["compile", "model.json"], DONE);
    let proof = proved().join("proof.zkp");
    let output = exits(folder.path(), &["verify", "model.vk", &proof.to_string_lossy(), "--json"], REJECTED);
    assert_eq!(json(&output)["valid"], false);
    assert!(stderr(&output).contains("zknn::verify::other_key"), "{}", stderr(&output));
}

#[test]
fn a_proof_with_another_byte_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let proof = fs::read(proved().join("proof.zkp")).expect("a proof");
    let key = proved().join("model.vk");
    for at in [0, 5, 6, 9, 20, 50, 90, proof.len() / 2, proof.len() - 1] {
        let mut changed = proof.clone();
        changed[at] ^= 1;
        fs::write(folder.path().join("proof.zkp"), changed).expect("a file");
        let output = exits(folder.path(), &["verify", &key.to_string_lossy(), "proof.zkp"], BAD_INPUT);
        assert!(output.stdout.is_empty() && stderr(&output).contains("zknn::artifact"), "{}", stderr(&output));
    }
    for bytes in [&proof[..proof.len() - 1], &[proof.as_slice(), b"x"].concat(), b""] {
        fs::write(folder.path().join("proof.zkp"), bytes).expect("a file");
        exits(folder.path(), &["verify", &key.to_string_lossy(), "proof.zkp"], BAD_INPUT);
    }
}

#[test]
fn files_in_the_wrong_order_are_told_apart() {
    let output = exits(proved(), &["verify", "proof.zkp", "model.vk"], BAD_INPUT);
    assert!(stderr(&output).contains("expected a verifying key, got a proof"), "{}", stderr(&output));
    let output = exits(proved(), &["prove", "model.json", "--input", "input.json", "-o", "x.zkp"], BAD_INPUT);
    assert!(stderr(&output).contains("not a zknn file"), "{}", stderr(&output));
    assert!(!proved().join("x.zkp").exists());
}

#[test]
fn an_input_out_of_range_is_refused_without_being_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(proved().join("input.json")).expect("an input");
    let at = text.find("\"data\": [").expect("data") + "\"data\": [".len();
    let end = at + text[at..].find([',', ']']).expect("an element");
    fs::write(folder.path().join("input.json"), format!("{}987654{}", &text[..at], &text[end..])).expect("a file");
    let circuit = proved().join("model.zkc");
    let output = exits(folder.path(), &["prove", &circuit.to_string_lossy(), "--input", "input.json"], BAD_INPUT);
    assert!(stderr(&output).contains("zknn::input::out_of_range"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("987654"), "the input is private");
    assert_eq!(names(folder.path()), ["input.json"]);
}

#[test]
fn bad_models_leave_no_file_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(testdata("invalid")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let output = exits(
                folder.path(),
                &["compile", &path.to_string_lossy(), "-o", "model.zkc", "--vk", "model.vk"],
                BAD_INPUT,
            );
            assert!(stderr(&output).contains("zknn::"), "{}: {}", path.display(), stderr(&output));
        }
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn the_input_is_in_no_file() {
    // The first row of the input as its JSON has it, and as the integers' bytes.
    let proof = fs::read(proved().join("proof.zkp")).expect("a proof");
    let circuit = fs::read(proved().join("model.zkc")).expect("a circuit");
    let input: Value = serde_json::from_slice(&fs::read(proved().join("input.json")).expect("a file")).expect("JSON");
    let elements = input["data"].as_array().expect("data");
    let bytes: Vec<u8> = elements.iter().take(8).map(|x| x.as_f64().expect("a number") as i64 as u8).collect();
    let words: Vec<u8> =
        elements.iter().take(4).flat_map(|x| (x.as_f64().expect("a number") as i64).to_le_bytes()).collect();
    for file in [&proof, &circuit] {
        assert!(!file.windows(bytes.len()).any(|window| window == bytes));
        assert!(!file.windows(words.len()).any(|window| window == words));
    }
}

/// A folder with the digit CNN, its class for an output, compiled, and the first test images proved with one circuit.
#[test]
fn digits_are_proved_and_only_the_class_is_told() {
    const IMAGES: usize = 3;
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str| -> Value {
        let text = fs::read_to_string(testdata("digits").join(name)).expect("test data");
        serde_json::from_str(&text).expect("JSON")
    };
    let mut model = read("cnn.json");
    let argmax = serde_json::json!({"layer_type": "argmax", "input_shape": [10]});
    model["layers"].as_array_mut().expect("layers").push(argmax);
    fs::write(folder.path().join("model.json"), model.to_string()).expect("the model is written");
    let mut images = read("test_inputs.json");
    images["dim"][0] = IMAGES.into();
    images["data"].as_array_mut().expect("pixels").truncate(IMAGES * 64);
    fs::write(folder.path().join("images.json"), images.to_string()).expect("the images are written");

    let calibration = testdata("digits").join("calibration.json");
    let calibration = calibration.to_str().expect("a path");
    exits(folder.path(), &["compile", "model.json", "--calibrate", calibration, "--bits", "8"], DONE);
    exits(folder.path(), &["prove", "model.zkc", "--input", "images.json"], DONE);
    let labels = read("test_labels.json");
    for (image, label) in labels.as_array().expect("labels").iter().take(IMAGES).enumerate() {
        let proof = format!("proof-{image}.zkp");
        let output = exits(folder.path(), &["verify", "model.vk", &proof, "--json"], DONE);
        let statement: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(statement["output"]["integers"], serde_json::json!([label]));
    }
    assert!(!names(folder.path()).contains(&format!("proof-{IMAGES}.zkp")));
    // All at once: a line for each, with or without the model; and one that does not hold does not hide the others.
    let all: Vec<String> = (0..IMAGES).map(|image| format!("proof-{image}.zkp")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let model = ["--model", "model.json", "--calibrate", calibration, "--bits", "8"];
    for first in [
        &["verify", "model.vk"][..],
        &[&["verify"], &model[..]].concat(),
        &[&["verify"], &model[..], &["model.vk"]].concat(),
    ] {
        let output = exits(folder.path(), &[first, &all, &["--json"]].concat(), DONE);
        let told: Vec<Value> =
            stdout_lines(&output).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let told: Vec<&Value> = told.iter().map(|statement| &statement["output"]["integers"][0]).collect();
        assert_eq!(told, labels.as_array().expect("labels").iter().take(IMAGES).collect::<Vec<_>>());
    }
    let bound = ["prove", "model.zkc", "--input", "images.json", "--context", "another", "-o", "bound.zkp"];
    exits(folder.path(), &bound, DONE);
    let output = exits(folder.path(), &["verify", "model.vk", all[0], "bound-1.zkp", all[2], "--json"], REJECTED);
    let lines = stdout_lines(&output);
    let valid = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["valid"].clone());
    assert_eq!(valid.collect::<Vec<_>>(), [true, false, true]);
    assert!(stderr(&output).contains("bound-1.zkp"), "{}", stderr(&output));
    exits(folder.path(), &["verify", "model.vk", all[0], "missing.zkp"], BAD_INPUT);

    // One pixel beyond the range, and nothing is proved.
    images["data"][64 + 7] = 17.into();
    fs::write(folder.path().join("bright.json"), images.to_string()).expect("the images are written");
    let output = exits(folder.path(), &["prove", "model.zkc", "--input", "bright.json", "-o", "none.zkp"], BAD_INPUT);
    assert!(stderr(&output).contains("[1, 0, 7, 0]"), "{}", stderr(&output));
    assert!(!names(folder.path()).iter().any(|name| name.starts_with("none")));
}
