//! Checks a proof against a key, with the verifier alone: `cargo run --example verify_files -- model.vk proof.zkp`.
//!
//! The statement goes to the standard output. The exit code is 0 if it is proved, 1 if not, and 2 if a file can't be used.

use std::path::Path;
use std::process::ExitCode;
use zknn_verifier::artifact::{ArtifactError, FileKind, ProofFile, Statement, VerifyingKey, read};
use zknn_verifier::{RejectError, verify};

/// Why there is no statement.
#[derive(Debug)]
enum Failure {
    File(ArtifactError),
    Proof(RejectError),
}

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [key, proof] = &paths[..] else {
        eprintln!("give a key and a proof: verify_files model.vk proof.zkp");
        return ExitCode::from(2);
    };
    match statement(Path::new(key), Path::new(proof)) {
        Ok(statement) => {
            println!("{statement}");
            ExitCode::SUCCESS
        }
        Err(Failure::Proof(error)) => {
            eprintln!("rejected: {error}");
            ExitCode::from(1)
        }
        Err(Failure::File(error)) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// What the proof in a file states, if it holds for the key in another.
fn statement(key: &Path, proof: &Path) -> Result<Statement, Failure> {
    let key: VerifyingKey = read(key, FileKind::Key).map_err(Failure::File)?;
    let proof: ProofFile = read(proof, FileKind::Proof).map_err(Failure::File)?;
    verify(&key, &proof).map_err(Failure::Proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zknn_verifier::FORMAT_VERSION;

    /// The files of this format that the tests of the whole project verify, too.
    fn fixture(name: &str, file: &str) -> std::path::PathBuf {
        let folder = format!("../testdata/fixtures/v{FORMAT_VERSION}/{name}");
        Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(file)
    }

    #[test]
    fn what_the_files_state_is_told() {
        for name in ["mlp", "cnn", "class"] {
            let statement = statement(&fixture(name, "model.vk"), &fixture(name, "proof.zkp")).expect("it holds");
            let expected = std::fs::read_to_string(fixture(name, "statement.txt")).expect("a fixture");
            assert_eq!(statement.to_string(), expected.trim_end());
        }
    }

    #[test]
    fn a_proof_of_another_key_is_rejected() {
        let rejected = statement(&fixture("mlp", "model.vk"), &fixture("class", "proof.zkp"));
        assert!(matches!(rejected, Err(Failure::Proof(RejectError::OtherKey))));
        let swapped = statement(&fixture("mlp", "proof.zkp"), &fixture("mlp", "model.vk"));
        assert!(matches!(swapped, Err(Failure::File(_))));
    }
}
