//! `zknn open`

use super::{EXIT_REJECTED, output};
use miette::{Diagnostic, IntoDiagnostic, Report};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::artifact::{FileKind, Opening, hex, parse_hex, read};

/// Check that an opening is of a commitment, which a proof states or `zknn commit` printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The commitment, 64 hexadecimal digits
    commitment: String,

    /// The opening, as `zknn commit` or `zknn prove` wrote it
    opening: PathBuf,

    /// Print JSON with all that is committed to, secrets included, but for the salt
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{text:?} is no commitment")]
#[diagnostic(
    code(zknn::open::commitment),
    help("a commitment is 64 hexadecimal digits, as `zknn commit` and `zknn verify` print them")
)]
struct NoCommitment {
    text: String,
}

/// The opening is of something else.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the opening is of another commitment: {got}")]
#[diagnostic(
    code(zknn::open::other_commitment),
    help("input, salt, shape, range or scale differ from what was committed to")
)]
struct OtherCommitment {
    got: String,
}

#[derive(Serialize)]
struct Opened {
    valid: bool,
    commitment: String,
    dim: Vec<usize>,
    range: [i64; 2],
    scale: f64,
    integers: Vec<i64>,
    /// The real numbers that the integers stand for.
    data: Vec<f64>,
}

#[derive(Serialize)]
struct Rejection {
    valid: bool,
    reason: String,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let expected = parse_hex(&self.commitment).ok_or(NoCommitment { text: self.commitment })?;
        let opening: Opening = read(&self.opening, FileKind::Opening)?;
        let commitment = opening.commitment();
        if commitment != expected {
            let error = OtherCommitment { got: hex(&commitment) };
            if self.json {
                let rejection = Rejection { valid: false, reason: error.to_string() };
                output::result(&serde_json::to_string(&rejection).into_diagnostic()?)?;
            }
            output::talk(&format!("{:?}", Report::new(error)));
            return Ok(ExitCode::from(EXIT_REJECTED));
        }
        let tensor = opening.tensor();
        if self.json {
            let integers: Vec<i64> = opening.integers().into_iter().collect();
            let opened = Opened {
                valid: true,
                commitment: hex(&commitment),
                dim: tensor.shape.clone(),
                range: [tensor.lo, tensor.hi],
                scale: tensor.scale,
                data: integers.iter().map(|&x| x as f64 * tensor.scale).collect(),
                integers,
            };
            output::result(&serde_json::to_string(&opened).into_diagnostic()?)?;
        } else {
            output::result(&format!("The opening is of the commitment {}: a tensor of {tensor}.", hex(&commitment)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
