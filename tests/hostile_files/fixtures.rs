//! What this format version wrote, and must be able to read as long as it has this number.

use std::fs;
use std::path::{Path, PathBuf};
use zknn::artifact::{
    ArtifactError, ArtifactProblem, CircuitFile, FileKind, Options, ProofFile, VERSION, VerifyingKey, read, to_bytes,
};
use zknn::front::{Model, read_tensor};
use zknn::plan::Visibility;
use zknn::plan::security::{HashKind, Scheme};
use zknn::{Circuit, Lowering, compile, lower, verify};

/// With this set the files are written instead of read.
const WRITE: &str = "ZKNN_WRITE_FIXTURES";

fn fixtures() -> [(&'static str, Options); 3] {
    let options = |visibility: Visibility, hash, zero_knowledge| {
        let scheme = Scheme { zero_knowledge, hash, ..Scheme::default() };
        Options { visibility: visibility.into(), scheme, ..Options::default() }
    };
    [
        ("mlp", Options::default()),
        ("cnn", options(Visibility::Public, HashKind::Poseidon, true)),
        ("class", options(Visibility::Private, HashKind::Blake3, false)),
    ]
}

fn folder(version: u16, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/fixtures/v{version}/{name}"))
}

fn write(folder: &Path, options: Options) {
    let model = Model::read(&folder.join("model.json")).expect("a model");
    let graph = lower(&model, &Lowering::default(), &mut |_, _| {}).expect("a program");
    let circuit = compile(graph, options).expect("a circuit");
    let proof = circuit.prove(&read_tensor(&folder.join("input.json")).expect("an input")).expect("a proof");
    let statement = verify(circuit.key(), &proof).expect("it holds");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a folder to write to");
    write("model.zkc", &to_bytes(FileKind::Circuit, circuit.file()));
    write("model.vk", &to_bytes(FileKind::Key, circuit.key()));
    write("proof.zkp", &to_bytes(FileKind::Proof, &proof));
    write("statement.txt", format!("{statement}\n").as_bytes());
}

/// Files of this version are read, and circuits are laid out again as they were, by every program that has this number.
#[test]
fn fixtures_of_this_format_still_verify() {
    for (name, options) in fixtures() {
        let folder = folder(VERSION, name);
        if std::env::var_os(WRITE).is_some() {
            write(&folder, options);
        }
        let key: VerifyingKey = read(&folder.join("model.vk"), FileKind::Key).expect("a key");
        let proof: ProofFile = read(&folder.join("proof.zkp"), FileKind::Proof).expect("a proof");
        let statement = verify(&key, &proof).expect("it still holds");
        let expected = fs::read_to_string(folder.join("statement.txt")).expect("a fixture");
        assert_eq!(statement.to_string(), expected.trim_end(), "{name}");

        let file: CircuitFile = read(&folder.join("model.zkc"), FileKind::Circuit).expect("a circuit");
        assert_eq!(file.key.digest(), key.digest());
        let circuit = Circuit::load(file).expect("it is laid out as the file says, whatever costs are");
        let input = read_tensor(&folder.join("input.json")).expect("a tensor");
        let again = verify(&key, &circuit.prove(&input).expect("a proof")).expect("it holds");
        assert_eq!(again.output(), statement.output(), "{name}");
    }
}

/// Files of earlier versions are refused by the version's number, whatever is in them.
#[test]
fn fixtures_of_earlier_formats_are_refused_by_version() {
    for version in 1..VERSION {
        for (name, _) in fixtures() {
            let folder = folder(version, name);
            let is_refused =
                |error: ArtifactError| matches!(error.problem, ArtifactProblem::Version { got } if got == version);
            assert!(read::<CircuitFile>(&folder.join("model.zkc"), FileKind::Circuit).is_err_and(is_refused));
            assert!(read::<VerifyingKey>(&folder.join("model.vk"), FileKind::Key).is_err_and(is_refused));
            assert!(read::<ProofFile>(&folder.join("proof.zkp"), FileKind::Proof).is_err_and(is_refused));
        }
    }
}
