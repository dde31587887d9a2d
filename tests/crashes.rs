//! What happens when things go wrong around the program: it is killed, the disk is full, many run at once.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use zknn::artifact::{CircuitFile, FileKind, ProofFile, VerifyingKey, read};

const DONE: i32 = 0;
const BAD_INPUT: i32 = 2;

/// Numbers that stand in no file by chance.
const SECRETS: [i64; 4] = [73519, -68213, 91367, -57649];

const MODEL: &str = r#"{"input_range": [-100000, 100000], "layers": [
{"layer_type": "fully_connected", "input_shape": [4], "weights": {"v": 1, "dim": [3, 4],
 "data": [1, -2, 3, 4, 5, -6, 7, 8, 9, 1, 2, 3]}}, {"layer_type": "relu", "input_shape": [3]}]}"#;

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zknn"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Inputs in the batch.
const BATCH: usize = 3;

/// A folder with model, input, and a batch of inputs.
fn prepared() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("model.json"), MODEL).expect("a file");
    let input = format!(r#"{{"v": 1, "dim": [4], "data": {SECRETS:?}}}"#);
    fs::write(folder.path().join("input.json"), input).expect("a file");
    let batch = format!(r#"{{"v": 1, "dim": [{BATCH}, 4], "data": {:?}}}"#, SECRETS.repeat(BATCH));
    fs::write(folder.path().join("inputs.json"), batch).expect("a file");
    folder
}

const COMPILE: &[&str] = &["compile", "model.json"];
const PROVE: &[&str] = &["prove", "model.zkc", "--input", "input.json"];
const PROVE_MANY: &[&str] = &["prove", "model.zkc", "--input", "inputs.json"];
const VERIFY: &[&str] = &["verify", "model.vk", "proof.zkp"];

/// A folder with everything in it, and all that the program said on the way.
fn proved() -> (&'static Path, &'static str) {
    static FOLDER: OnceLock<(TempDir, String)> = OnceLock::new();
    let (folder, said) = FOLDER.get_or_init(|| {
        let folder = prepared();
        let mut said = String::new();
        for args in [COMPILE, PROVE, VERIFY] {
            let output = run(folder.path(), args);
            assert_eq!(output.status.code(), Some(DONE), "{}", stderr(&output));
            said += &stderr(&output);
            said += &String::from_utf8_lossy(&output.stdout);
        }
        (folder, said)
    });
    (folder.path(), said)
}

/// A process that is killed after a share of the time that it takes.
fn killed(mut child: Child, after: Duration) {
    thread::sleep(after);
    // It may have ended already, which is one of the moments to look at.
    let _ = child.kill();
    child.wait().expect("it ends");
}

/// How many files there are under the names that they are meant to have. All of them are whole.
fn whole_files(folder: &Path) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("zkc") => drop(read::<CircuitFile>(&path, FileKind::Circuit).expect("a whole circuit")),
            Some("vk") => drop(read::<VerifyingKey>(&path, FileKind::Key).expect("a whole key")),
            Some("zkp") => drop(read::<ProofFile>(&path, FileKind::Proof).expect("a whole proof")),
            _ => continue,
        }
        found += 1;
    }
    found
}

#[test]
fn killing_leaves_whole_files_or_none() {
    const MOMENTS: u32 = 8;
    let (done, _) = proved();
    // What each command leaves in the end, beside the circuit that it started with.
    for (args, files) in [(COMPILE, 2), (PROVE, 2), (PROVE_MANY, 1 + BATCH)] {
        let with_circuit = || {
            let folder = prepared();
            if args != COMPILE {
                fs::copy(done.join("model.zkc"), folder.path().join("model.zkc")).expect("a copy");
            }
            folder
        };
        let reference = with_circuit();
        let start = Instant::now();
        assert_eq!(run(reference.path(), args).status.code(), Some(DONE));
        let whole = start.elapsed();
        assert_eq!(whole_files(reference.path()), files);
        for moment in 0..MOMENTS {
            let folder = with_circuit();
            let child = command(folder.path(), args).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
            // The last moments are those in which files are written.
            killed(child.expect("it starts"), whole * (moment + 1) / MOMENTS);
            assert!(whole_files(folder.path()) <= files);
            // What a kill leaves behind is in nobody's way.
            if moment == MOMENTS / 2 {
                assert_eq!(run(folder.path(), args).status.code(), Some(DONE));
                assert_eq!(whole_files(folder.path()), files);
            }
        }
    }
}

/// A limit on the size of files stands for a full disk: every write beyond it fails.
#[test]
fn a_write_that_fails_leaves_nothing() {
    let folder = prepared();
    fs::copy(proved().0.join("model.zkc"), folder.path().join("model.zkc")).expect("a copy");
    let script = r#"trap "" XFSZ; ulimit -f 1; exec "$0" "$@""#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_zknn")])
        .args(PROVE)
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    assert_eq!(output.status.code(), Some(BAD_INPUT), "{}", stderr(&output));
    assert!(stderr(&output).contains("zknn::write::"), "{}", stderr(&output));
    let names: Vec<_> = fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry")).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told() {
    let folder = proved().0;
    for place in ["/proc/proof.zkp", "/dev/null/proof.zkp", "nowhere/proof.zkp", "."] {
        let output = run(folder, &[PROVE, &["-o", place]].concat());
        assert_eq!(output.status.code(), Some(BAD_INPUT), "{place}: {}", stderr(&output));
        assert!(stderr(&output).contains("zknn::write::"), "{place}: {}", stderr(&output));
    }
}

#[test]
fn many_verifications_at_once() {
    let folder = proved().0;
    let start = || command(folder, VERIFY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let children: Vec<Child> = (0..24).map(|_| start()).collect();
    for mut child in children {
        assert_eq!(child.wait().expect("it ends").code(), Some(DONE));
    }
}

/// Neither as text nor as bytes is a number of the input in any file but the input's own, or in anything said.
#[test]
fn the_input_is_nowhere() {
    let (folder, said) = proved();
    let texts: Vec<Vec<u8>> = SECRETS.iter().map(|x| x.unsigned_abs().to_string().into_bytes()).collect();
    // As integers, and as the field elements that stand for them.
    let forms = |x: i64| [x, x.wrapping_sub(if x < 0 { 0xFFFF_FFFF } else { 0 })];
    let words: Vec<[u8; 8]> = SECRETS.iter().flat_map(|&x| forms(x)).map(i64::to_le_bytes).collect();
    let parts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).chain(words.iter().map(|word| &word[..])).collect();
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            let bytes = fs::read(&path).expect("a file");
            assert!(!parts.iter().any(|part| contains(&bytes, part)), "{}", path.display());
        }
    }
    assert!(!texts.iter().any(|part| contains(said.as_bytes(), part)), "{said}");
    // The most talkative that the program and its libraries can be made.
    let output = command(folder, &[PROVE, &["-vvv", "-o", "again.zkp"]].concat())
        .envs([("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")])
        .output();
    let said = stderr(&output.expect("it starts"));
    assert!(said.lines().count() > 10, "{said}");
    assert!(!texts.iter().any(|part| contains(said.as_bytes(), part)), "{said}");
}
