//! `zknn verify`

use super::{EXIT_REJECTED, output};
use miette::{IntoDiagnostic, Report};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::artifact::{Disclosure, FileKind, ProofFile, Statement, VerifyingKey, hex, read};
use zknn::plan::security::Security;
use zknn::{RejectError, verify};

/// Check a proof, and print what it proves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The key, as `zknn compile` wrote it
    key: PathBuf,

    /// The proof, as `zknn prove` wrote it
    proof: PathBuf,

    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let key: VerifyingKey = read(&self.key, FileKind::Key)?;
        let proof: ProofFile = read(&self.proof, FileKind::Proof)?;
        match verify(&key, &proof) {
            Ok(statement) => {
                output::result(&if self.json { json(&statement)? } else { text(&statement) })?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error @ RejectError::InvalidKey { .. }) => Err(error.into()),
            Err(error) => {
                if self.json {
                    let rejection = Rejection { valid: false, reason: error.to_string() };
                    output::result(&serde_json::to_string(&rejection).into_diagnostic()?)?;
                }
                output::talk(&format!("{:?}", Report::new(error)));
                Ok(ExitCode::from(EXIT_REJECTED))
            }
        }
    }
}

/// The statement in words, and how far it can be trusted.
pub(super) fn text(statement: &Statement) -> String {
    let hidden = if statement.zero_knowledge {
        "Made with zero knowledge: nothing else about the input is meant to be told."
    } else {
        "Made without zero knowledge: the proof may tell more about the input."
    };
    format!(
        "The proof holds under the key {}.\n\n{statement}\n\n{hidden}\nSecurity: {}.\nAll of this is worth what the key is: take it from someone you trust, or compile the model \
         yourself.",
        hex(&statement.key),
        statement.security
    )
}

#[derive(Serialize)]
struct Rejection {
    valid: bool,
    reason: String,
}

#[derive(Serialize)]
struct Acceptance {
    valid: bool,
    /// Digest of the key.
    key: String,
    /// Digest of the integer program.
    model: String,
    input: Input,
    output: Output,
    zero_knowledge: bool,
    security: Security,
}

#[derive(Serialize)]
#[serde(tag = "visibility", rename_all = "lowercase")]
enum Input {
    Committed { commitment: String },
    Public(Output),
    Private,
}

#[derive(Serialize)]
struct Output {
    dim: Vec<usize>,
    /// The real numbers that the integers stand for.
    data: Vec<f64>,
    integers: Vec<i64>,
    scale: f64,
}

impl Output {
    fn new(integers: &ndarray::ArrayD<i64>, scale: f64) -> Self {
        Self {
            dim: integers.shape().to_vec(),
            data: integers.iter().map(|&y| y as f64 * scale).collect(),
            integers: integers.iter().copied().collect(),
            scale,
        }
    }
}

fn json(statement: &Statement) -> Result<String, Report> {
    let acceptance = Acceptance {
        valid: true,
        key: hex(&statement.key),
        model: hex(&statement.model),
        input: match &statement.disclosure {
            Disclosure::Committed(digest) => Input::Committed { commitment: hex(digest) },
            Disclosure::Public(integers) => Input::Public(Output::new(integers, statement.input.scale)),
            Disclosure::Private => Input::Private,
        },
        output: Output::new(&statement.output.integers, statement.output.scale),
        zero_knowledge: statement.zero_knowledge,
        security: statement.security.in_tenths(),
    };
    serde_json::to_string(&acceptance).into_diagnostic()
}
