//! `zknn audit`

use super::output;
use super::progress::step;
use miette::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::artifact::{FileKind, read};
use zknn::{Audit, Circuit};

/// Print what a circuit's soundness rests on: intervals, constraints, security bits, zero knowledge; and the digest of its
/// key, which is found to be the one that its program has.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The circuit, as `zknn compile` wrote it
    circuit: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let file = read(&self.circuit, FileKind::Circuit)?;
        let circuit = step("load the circuit", || Circuit::load(file))?;
        let audit = step("compute its commitment", || Audit::new(&circuit))?;
        output::result(&audit.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
