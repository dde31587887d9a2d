//! Commitments, contexts, and whose key it is, from outside: each command a process of its own.

mod shared;

use serde_json::{Value, json};
use shared::stderr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;
use zknn::artifact::{FileKind, Opening, TensorInfo, read, write_file};

const DONE: i32 = 0;
const REJECTED: i32 = 1;
const BAD_INPUT: i32 = 2;

#[track_caller]
fn exits(folder: &Path, line: &str, code: i32) -> Output {
    shared::exits(folder, &line.split(' ').collect::<Vec<_>>(), code)
}

/// A command that fails with this code of a diagnostic, and prints no result.
#[track_caller]
fn refuses(folder: &Path, line: &str, code: i32, diagnostic: &str) -> String {
    let output = exits(folder, line, code);
    assert!(stderr(&output).contains(diagnostic), "{line}: {}", stderr(&output));
    assert!(output.stdout.is_empty(), "{line}");
    stderr(&output)
}

#[track_caller]
fn verified(folder: &Path, line: &str) -> Value {
    serde_json::from_slice(&exits(folder, &format!("verify --json {line}"), DONE).stdout).expect("JSON")
}

fn stdout(output: Output) -> String {
    String::from_utf8(output.stdout).expect("text").trim_end().to_string()
}

fn tensor(dim: &str, data: &str) -> String {
    format!(r#"{{"v": 1, "dim": {dim}, "data": [{data}]}}"#)
}

/// A model of one matrix and a relu.
fn dense(range: &str, inputs: usize, weights: &str) -> String {
    let outputs = weights.split(',').count() / inputs;
    let weights = tensor(&format!("[{outputs}, {inputs}]"), weights);
    format!(
        r#"{{{range}"layers": [{{"layer_type": "fully_connected", "input_shape": [{inputs}], "weights": {weights}}},
            {{"layer_type": "relu", "input_shape": [{outputs}]}}]}}"#
    )
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

const RANGE: &str = r#""input_range": [-9, 9], "#;
const INPUT: &str = "3, -7, 9";

/// Two models of one sort of input, compiled, and the input.
fn two_models() -> TempDir {
    let folder = folder(&[
        ("a.json", &dense(RANGE, 3, "1, -2, 3, 4, 5, 6")),
        ("b.json", &dense(RANGE, 3, "-1, 0, 1, 2, 2, 2")),
        ("input.json", &tensor("[3]", INPUT)),
        ("other.json", &tensor("[3]", "3, -7, 8")),
    ]);
    exits(folder.path(), "compile a.json", DONE);
    exits(folder.path(), "compile b.json", DONE);
    folder
}

/// Makes a file another opening, in a whole envelope.
fn changed_opening(from: &Path, to: &Path, change: impl Fn(&mut [i64])) {
    let opening: Opening = read(from, FileKind::Opening).expect("an opening");
    let mut integers: Vec<i64> = opening.integers().into_iter().collect();
    change(&mut integers);
    // The salt is a new one, as nothing else than an opening tells it.
    let changed = Opening::new(opening.tensor().clone(), integers).expect("an opening");
    write_file(to, FileKind::Opening, &changed).expect("a file");
}

#[test]
fn two_models_prove_on_a_commitment_that_was_published_before() {
    let folder = two_models();
    let path = folder.path();
    let digest = stdout(exits(path, "commit input.json --range -9..9 -o x.opening", DONE));
    assert_eq!(digest.len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path.join("x.opening")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for model in ["a", "b"] {
        let told = stderr(&exits(path, &format!("prove {model}.zkc --opening x.opening -o {model}.zkp"), DONE));
        assert!(told.contains("About to prove") && told.contains(&digest), "{told}");
        let statement = verified(path, &format!("{model}.vk {model}.zkp"));
        assert_eq!(statement["input"]["commitment"], digest);
        assert!(!path.join(format!("{model}.zkp.opening")).exists(), "there is an opening already");
    }
    // With the input beside it, which must be the same.
    exits(path, "prove a.zkc --opening x.opening --input input.json -o c.zkp", DONE);
    refuses(path, "prove a.zkc --opening x.opening --input other.json -o d.zkp", BAD_INPUT, "zknn::prove::other_input");
    assert!(!path.join("d.zkp").exists());

    exits(path, &format!("open {digest} x.opening"), DONE);
    let opened = stdout(exits(path, &format!("open {digest} x.opening --json"), DONE));
    let opened: Value = serde_json::from_str(&opened).expect("JSON");
    let expected = json!({"valid": true, "commitment": digest, "dim": [3], "range": [-9, 9], "scale": 1.0,
        "integers": [3, -7, 9], "data": [3.0, -7.0, 9.0]});
    assert_eq!(opened, expected);
}

#[test]
fn a_changed_input_or_salt_is_refused() {
    let folder = two_models();
    let path = folder.path();
    let digest = stdout(exits(path, "commit input.json --key a.vk -o x.opening", DONE));
    changed_opening(&path.join("x.opening"), &path.join("salt.opening"), |_| {});
    changed_opening(&path.join("x.opening"), &path.join("input.opening"), |integers| integers[2] = 8);
    for changed in ["salt", "input"] {
        refuses(path, &format!("open {digest} {changed}.opening"), REJECTED, "zknn::open::other_commitment");
        let output = exits(path, &format!("open {digest} {changed}.opening --json"), REJECTED);
        assert!(stdout(output).starts_with(r#"{"valid":false"#));
        exits(path, &format!("prove a.zkc --opening {changed}.opening"), DONE);
        assert_ne!(verified(path, "a.vk proof.zkp")["input"]["commitment"], digest);
    }
    // Any byte, in the envelope as it was.
    let bytes = fs::read(path.join("x.opening")).expect("a file");
    for at in [0, 6, 20, 50, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(path.join("damaged.opening"), changed).expect("a file");
        refuses(path, &format!("open {digest} damaged.opening"), BAD_INPUT, "zknn::artifact");
        refuses(path, "prove a.zkc --opening damaged.opening -o none.zkp", BAD_INPUT, "zknn::artifact");
    }
    // Equal inputs have unlike digests, and another range is another sort of input.
    assert_ne!(stdout(exits(path, "commit input.json --key a.vk -o y.opening", DONE)), digest);
    exits(path, "commit input.json --range -9..10 -o z.opening", DONE);
    let told = refuses(path, "prove a.zkc --opening z.opening -o none.zkp", BAD_INPUT, "zknn::prove::other_tensor");
    assert!(told.contains("-9..=10"), "{told}");
    assert!(!path.join("none.zkp").exists());
    for (line, diagnostic) in [
        ("commit input.json --range -5..5 -o none.opening", "zknn::input::out_of_range"),
        ("commit input.json --range 0..9 --scale 0 -o none.opening", "zknn::commit::tensor"),
        ("commit input.json --range 0..9 --scale NaN -o none.opening", "zknn::commit::tensor"),
        ("commit input.json -o none.opening", "required"),
    ] {
        refuses(path, line, BAD_INPUT, diagnostic);
    }
    assert!(!path.join("none.opening").exists());
}

#[test]
fn openings_stand_beside_the_proof_unless_told_not_to() {
    let folder = two_models();
    let path = folder.path();
    exits(path, "prove a.zkc --input input.json", DONE);
    let commitment = verified(path, "a.vk proof.zkp")["input"]["commitment"].clone();
    exits(path, &format!("open {} proof.zkp.opening", commitment.as_str().expect("a digest")), DONE);
    exits(path, "prove a.zkc --input input.json -o p.zkp --no-opening", DONE);
    assert!(path.join("p.zkp").exists() && !path.join("p.zkp.opening").exists());
    exits(path, "compile a.json -o private.zkc --input-visibility private", DONE);
    exits(path, "prove private.zkc --input input.json -o q.zkp", DONE);
    assert!(path.join("q.zkp").exists() && !path.join("q.zkp.opening").exists());
    refuses(path, "prove private.zkc --opening proof.zkp.opening", BAD_INPUT, "zknn::prove::not_committed");
}

/// A proof whose commitment nobody could open does not stay.
#[test]
fn where_no_opening_can_be_written_no_proof_is_left() {
    let folder = two_models();
    let path = folder.path();
    fs::create_dir(path.join("proof.zkp.opening")).expect("a folder");
    refuses(path, "prove a.zkc --input input.json", BAD_INPUT, "zknn::write::directory");
    assert!(!path.join("proof.zkp").exists());
    exits(path, "prove a.zkc --input input.json --no-opening", DONE);
}

/// Fractional weights and real inputs: the second model takes what the first gives, at its scale, and neither proof tells it.
#[test]
fn a_committed_output_is_the_next_models_input() {
    let folder = folder(&[
        ("first.json", &dense(RANGE, 3, "0.5, -0.25, 0.75, 0.125, 1.5, -0.5")),
        ("second.json", &dense("", 2, "0.5, 0.25, -1.25, 0.75")),
        ("input.json", &tensor("[3]", "3, -7, 9")),
    ]);
    let path = folder.path();
    exits(path, "compile first.json --output-visibility committed", DONE);
    exits(path, "compile second.json --input-from first.vk", DONE);
    exits(path, "prove first.zkc --input input.json -o first.zkp", DONE);
    exits(path, "prove second.zkc --opening first.zkp.output.opening -o second.zkp", DONE);
    let first = verified(path, "first.vk first.zkp");
    let second = verified(path, "second.vk second.zkp");
    let digest = first["output"]["commitment"].as_str().expect("a digest");
    assert_eq!(second["input"]["commitment"], digest);
    for name in ["dim", "range", "scale"] {
        assert_eq!(first["output"][name], second["input"][name], "{name}");
    }
    assert_eq!(first["output"].get("integers"), None, "the output is not told");
    assert_ne!(first["output"]["scale"], 1.0);

    // What was handed over is what the first model gives, and the second's output is of that.
    let opened = stdout(exits(path, &format!("open {digest} first.zkp.output.opening --json"), DONE));
    let opened: Value = serde_json::from_str(&opened).expect("JSON");
    let run = |line: &str| serde_json::from_str::<Value>(&stdout(exits(path, line, DONE))).expect("JSON");
    let expected = run("run first.json --input input.json --json");
    assert_eq!(opened["integers"], expected["outputs"][0]["integer"]["integers"]);
    fs::write(path.join("middle.json"), tensor("[2]", &opened["data"].to_string().replace(['[', ']'], "")))
        .expect("a file");
    let expected = run("run second.json --input-from first.vk --input middle.json --json");
    assert_eq!(second["output"]["integers"], expected["outputs"][0]["integer"]["integers"]);

    let statement = stdout(exits(path, "verify first.vk first.zkp", DONE));
    assert!(statement.contains("an output of shape [2]") && statement.contains(digest), "{statement}");
    // A verifier that has only the models comes to the same keys.
    verified(path, "--model first.json --output-visibility committed first.vk first.zkp");
    verified(path, "--model second.json --input-from first.vk second.zkp");
    refuses(
        path,
        "compile second.json --input-from second.vk -o none.zkc --input-range 0..1",
        BAD_INPUT,
        "--input-range",
    );
    refuses(path, "compile first.json --input-from first.vk -o none.zkc", BAD_INPUT, "zknn::fixed::input_shape");
}

/// Numbers that are rounded to the model's scale are committed to as the model rounds them.
#[test]
fn real_numbers_are_committed_to_by_the_key() {
    let calibration = tensor("[2, 3]", "0.5, -1.25, 0.75, 1.25, 0.1, -0.3");
    let folder = folder(&[
        ("model.json", &dense("", 3, "0.5, -0.25, 0.75")),
        ("calibration.json", &calibration),
        ("input.json", &tensor("[3]", "0.3, -1.17, 0.9")),
    ]);
    let path = folder.path();
    exits(path, "compile model.json --calibrate calibration.json", DONE);
    let digest = stdout(exits(path, "commit input.json --key model.vk -o x.opening", DONE));
    exits(path, "prove model.zkc --opening x.opening --input input.json --key model.vk", DONE);
    let statement = verified(path, "model.vk proof.zkp");
    assert_eq!(statement["input"]["commitment"], digest);
    // The same, from what the statement says of the input.
    let (range, scale) = (&statement["input"]["range"], &statement["input"]["scale"]);
    exits(path, &format!("commit input.json --range {}..{} --scale {scale} -o y.opening", range[0], range[1]), DONE);
    exits(path, "prove model.zkc --opening y.opening --input input.json", DONE);
    let opening: Opening = read(&path.join("y.opening"), FileKind::Opening).expect("an opening");
    let TensorInfo { shape, lo, hi, .. } = opening.tensor();
    assert_eq!((json!(shape), json!([lo, hi])), (json!([3]), range.clone()));
}

#[test]
fn a_proof_of_another_context_is_rejected() {
    let folder = two_models();
    let path = folder.path();
    let told = stderr(&exits(path, "prove a.zkc --input input.json --context auction-17", DONE));
    assert!(told.contains(r#"context: "auction-17""#), "{told}");
    assert_eq!(verified(path, "a.vk proof.zkp --context auction-17")["context"], "auction-17");
    let statement = stdout(exits(path, "verify a.vk proof.zkp --context auction-17", DONE));
    assert!(statement.contains(r#"for the context "auction-17""#), "{statement}");
    for other in ["", " --context auction-18", " --context="] {
        refuses(path, &format!("verify a.vk proof.zkp{other}"), REJECTED, "zknn::verify::other_context");
        exits(path, &format!("verify a.vk proof.zkp --json{other}"), REJECTED);
    }
    exits(path, "prove a.zkc --input input.json -o plain.zkp", DONE);
    refuses(path, "verify a.vk plain.zkp --context auction-17", REJECTED, "zknn::verify::other_context");
}

#[test]
fn the_key_is_the_models() {
    let folder = two_models();
    let path = folder.path();
    refuses(path, "prove a.zkc --input input.json --key b.vk -o none.zkp", BAD_INPUT, "zknn::prove::other_key");
    assert!(!path.join("none.zkp").exists());
    exits(path, "prove a.zkc --input input.json --key a.vk", DONE);
    let statement = verified(path, "a.vk proof.zkp");
    assert_eq!(verified(path, "--model a.json proof.zkp"), statement);
    assert_eq!(verified(path, "--model a.json a.vk proof.zkp"), statement);
    refuses(path, "verify --model b.json proof.zkp", REJECTED, "zknn::verify::other_key");
    refuses(path, "verify --model b.json a.vk proof.zkp", REJECTED, "zknn::verify::other_model");
    let output = exits(path, "verify --model b.json a.vk proof.zkp --json", REJECTED);
    assert!(stdout(output).starts_with(r#"{"valid":false"#));
    // Other options are another key.
    refuses(path, "verify --model a.json --hash poseidon a.vk proof.zkp", REJECTED, "zknn::verify::other_model");
    refuses(path, "verify --model a.json --input-range -9..8 proof.zkp", REJECTED, "zknn::verify::other_key");
    refuses(path, "verify --model none.json proof.zkp", BAD_INPUT, "zknn::file::not_found");
    for line in
        ["verify proof.zkp", "verify a.vk proof.zkp --no-zk", "verify a.vk proof.zkp --bits 8", "verify --model a.json"]
    {
        refuses(path, line, BAD_INPUT, "Usage");
    }
}

/// An output that is the input in another form.
#[test]
fn a_view_of_the_input_needs_leave() {
    let flatten = r#"{"input_range": [0, 9], "layers": [{"layer_type": "flatten", "input_shape": [1, 2, 1]}]}"#;
    let folder = folder(&[("model.json", flatten), ("input.json", &tensor("[1, 2, 1]", "4, 7"))]);
    let path = folder.path();
    exits(path, "compile model.json", DONE);
    let told = refuses(path, "prove model.zkc --input input.json", BAD_INPUT, "zknn::prove::discloses_input");
    assert!(told.contains("every element of the input"), "{told}");
    assert!(!path.join("proof.zkp").exists() && !path.join("proof.zkp.opening").exists());
    exits(path, "prove model.zkc --input input.json --disclose-input", DONE);
    exits(path, "compile model.json --output-visibility committed", DONE);
    exits(path, "prove model.zkc --input input.json", DONE);
    assert_eq!(verified(path, "model.vk proof.zkp")["output"]["visibility"], "committed");
    let all: Vec<PathBuf> = ["proof.zkp.opening", "proof.zkp.output.opening"].map(|name| path.join(name)).into();
    assert!(all.iter().all(|path| path.exists()));
}
