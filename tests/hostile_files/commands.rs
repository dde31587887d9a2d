//! The same from outside: whatever the file, a command ends with 1 or 2 and the reason, and within bounds of memory that
//! no length in a file can move.
#![cfg(unix)]

use super::mutate::{HEADER, HUGE, mutated};
use super::wrong_leaf;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;
use zknn::artifact::{CircuitFile, FileKind, VerifyingKey, hex, read, seal, to_bytes};
use zknn::plan::Visibility;

const DONE: i32 = 0;
const REJECTED: i32 = 1;
const BAD_INPUT: i32 = 2;

/// Address space of a command: it takes a fraction of this for files as they should be, and ends with a signal if it
/// asks for more.
const KILOBYTES: &str = "1500000";

fn zknn(folder: &Path, args: &[&str]) -> Output {
    let script = format!(r#"ulimit -v {KILOBYTES}; exec "$0" "$@""#);
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_zknn")])
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("a shell")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a model's files.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/models");
        for (from, to) in [("tiny_mlp.json", "model.json"), ("tiny_mlp_input.json", "input.json")] {
            fs::copy(models.join(from), folder.path().join(to)).expect("test data");
        }
        let prove = &["prove", "model.zkc", "--input", "input.json", "--disclose-input"];
        for args in [&["compile", "model.json", "--no-zk"][..], prove] {
            let output = zknn(folder.path(), args);
            assert_eq!(output.status.code(), Some(DONE), "{}", stderr(&output));
        }
        folder
    });
    folder.path()
}

fn bytes_of(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).expect("a file")
}

/// Files that are no more what they were, most of them in a whole envelope.
fn hostile(kind: FileKind, file: &[u8], seed: u64) -> Vec<Vec<u8>> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let body = &file[HEADER..];
    let mut files = vec![Vec::new(), b"Z".to_vec(), vec![0; 4096], vec![0xFF; 4096]];
    files.extend([1, HEADER - 1, HEADER, HEADER + 1, file.len() / 2, file.len() - 1].map(|len| file[..len].to_vec()));
    files.extend([1, 1 << 20].map(|more| [file, &vec![0; more]].concat()));
    let edits: &[(usize, &[u8])] = &[
        (0, b"ZKN0"),
        (4, &[0, 0]),
        (4, &[2, 0]),
        (4, &[0xFF, 0xFF]),
        (6, &[0]),
        (6, &[0xFF]),
        (6, &[kind as u8 % 3 + 1]),
        (7, &[1]),
        (8, &[0xFF; 8]),
        (8, &[0; 8]),
        (8, &[0, 0, 0, 0, 1, 0, 0, 0]),
        (8, &[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]),
        (16, &[0; 32]),
    ];
    for &(at, new) in edits {
        let mut edited = file.to_vec();
        edited[at..at + new.len()].copy_from_slice(new);
        files.push(edited);
    }
    // From here on the envelope is whole.
    files.extend([&[][..], &[0; 100], &[0xFF; 100], &body[..body.len() - 1]].map(|body| seal(kind, body)));
    files.push(seal(kind, &[body, &[0; 8]].concat()));
    for at in 0..48.min(body.len()) {
        let huge = HUGE[at % HUGE.len()];
        files.push(seal(kind, &[&body[..at], huge, &body[at + 1..]].concat()));
    }
    for _ in 0..60 {
        files.push(seal(kind, &mutated(body, body, &mut random)));
    }
    for other in ["model.zkc", "model.vk", "proof.zkp", "proof.zkp.opening"] {
        files.push(seal(kind, &bytes_of(other)[HEADER..]));
    }
    let noise: Vec<u8> = (0..512).map(|_| random.r#gen()).collect();
    files.push(seal(kind, &noise));
    files.retain(|hostile| hostile != file);
    files
}

/// Runs a command on a file that it must refuse.
#[track_caller]
fn refuses(args: &[&str], codes: &[i32]) {
    let output = zknn(folder(), args);
    let code = output.status.code();
    assert!(code.is_some_and(|code| codes.contains(&code)), "{args:?}: {code:?}: {}", stderr(&output));
    assert!(output.stdout.is_empty() && stderr(&output).contains("zknn::"), "{args:?}: {}", stderr(&output));
}

/// Writes each hostile file in turn and gives its name to `run`.
fn each(kind: FileKind, honest: &str, seed: u64, run: impl Fn(&str)) {
    let file = tempfile::tempdir().expect("a folder");
    let path: PathBuf = file.path().join("hostile");
    let hostile = hostile(kind, &bytes_of(honest), seed);
    assert!(hostile.len() > 100);
    for bytes in hostile {
        fs::write(&path, bytes).expect("a file");
        run(&path.to_string_lossy());
    }
}

#[test]
fn commands_refuse_hostile_proofs() {
    each(FileKind::Proof, "proof.zkp", 1, |path| refuses(&["verify", "model.vk", path], &[REJECTED, BAD_INPUT]));
}

#[test]
fn commands_refuse_hostile_keys() {
    each(FileKind::Key, "model.vk", 2, |path| refuses(&["verify", path, "proof.zkp"], &[REJECTED, BAD_INPUT]));
}

#[test]
fn commands_refuse_hostile_circuits() {
    let output = folder().join("never.zkp");
    each(FileKind::Circuit, "model.zkc", 3, |path| {
        let output = output.to_string_lossy();
        refuses(&["prove", path, "--input", "input.json", "--disclose-input", "-o", &output], &[BAD_INPUT]);
        refuses(&["audit", path], &[BAD_INPUT]);
    });
    assert!(!output.exists());
}

/// A circuit in good order, but for what it commits to.
#[test]
fn an_audit_refuses_wrong_leaves() {
    let file = tempfile::tempdir().expect("a folder");
    let path = file.path().join("false.zkc");
    fs::write(&path, to_bytes(FileKind::Circuit, &wrong_leaf(&bytes_of("model.zkc")))).expect("a file");
    refuses(&["audit", &path.to_string_lossy()], &[BAD_INPUT]);
    let output = zknn(folder(), &["audit", "model.zkc"]);
    assert_eq!(output.status.code(), Some(DONE), "{}", stderr(&output));
    let key: VerifyingKey = read(&folder().join("model.vk"), FileKind::Key).expect("a key");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&hex(&key.digest())));
}

/// A tensor of a hundred million elements costs a model a few bytes, and a program in a circuit file too. Before any memory is
/// taken for them, such a model is found to fit no circuit.
#[test]
fn commands_refuse_shapes_that_fit_no_circuit() {
    let file = tempfile::tempdir().expect("a folder");
    let path = file.path().join("model.json");
    let layers = [
        r#"{"layer_type": "flatten", "input_shape": [67108864, 1, 1]}"#,
        r#"{"layer_type": "relu", "input_shape": [16384, 8192, 1]}"#,
        r#"{"layer_type": "max_pool", "input_shape": [8192, 8192, 1], "window": [8192, 8192]}"#,
        r#"{"layer_type": "convolution", "input_shape": [8192, 8192, 1],
            "kernel": {"v": 1, "dim": [1, 1, 1, 1], "data": [1]}}, {"layer_type": "relu", "input_shape": [8192, 8192, 1]}"#,
    ];
    for layers in layers {
        fs::write(&path, format!(r#"{{"layers": [{layers}]}}"#)).expect("a file");
        let path = path.to_string_lossy();
        for options in [&[][..], &["--input-visibility", "private"], &["--no-zk"]] {
            refuses(&[&["compile", &path, "-o", "never.zkc"], options].concat(), &[BAD_INPUT]);
        }
    }
    assert!(!folder().join("never.zkc").exists());

    // The leaves of a small circuit, and a program that no such circuit holds.
    let mut circuit: CircuitFile = read(&folder().join("model.zkc"), FileKind::Circuit).expect("as written");
    circuit.graph = zknn_ir::parse(
        "%0 = input : [8192, 8192, 1] fixed(scale 1, 0..=1)
        %1 = max_pool %0 window=[64, 64]
        %2 = flatten %1
        %3 = argmax %2 axis=0
        output %3",
    )
    .expect("a graph");
    circuit.options.visibility = Visibility::Private.into();
    circuit.options.scheme.zero_knowledge = false;
    let path = file.path().join("large.zkc");
    fs::write(&path, to_bytes(FileKind::Circuit, &circuit)).expect("a file");
    refuses(&["audit", &path.to_string_lossy()], &[BAD_INPUT]);
}

#[test]
fn commands_refuse_hostile_openings() {
    let commitment = "0".repeat(64);
    each(FileKind::Opening, "proof.zkp.opening", 4, |path| {
        refuses(&["open", &commitment, path], &[REJECTED, BAD_INPUT])
    });
    let output = folder().join("never-opened.zkp");
    let honest = "proof.zkp.opening";
    for args in [["open", "0x12", honest], ["open", &commitment[1..], honest], ["open", &commitment, "model.vk"]] {
        refuses(&args, &[BAD_INPUT]);
    }
    let name = output.to_string_lossy();
    refuses(&["prove", "model.zkc", "--opening", "model.vk", "--disclose-input", "-o", &name], &[BAD_INPUT]);
    assert!(!output.exists());
}

/// What is no file of ours, or no file at all.
#[test]
fn commands_refuse_what_is_no_artifact() {
    for path in ["model.json", "nowhere", ".", "/dev/zero", "/dev/null"] {
        refuses(&["verify", path, "proof.zkp"], &[BAD_INPUT]);
        refuses(&["verify", "model.vk", path], &[BAD_INPUT]);
        refuses(&["prove", path, "--input", "input.json", "-o", "never.zkp"], &[BAD_INPUT]);
    }
    for path in ["model.vk", "nowhere", ".", "/dev/null"] {
        refuses(&["prove", "model.zkc", "--input", path, "-o", "never.zkp"], &[BAD_INPUT]);
        refuses(&["compile", path, "-o", "never.zkc"], &[BAD_INPUT]);
    }
}
