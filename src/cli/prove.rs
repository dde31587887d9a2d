//! `zknn prove`

use super::output;
use super::progress::step;
use miette::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::Circuit;
use zknn::artifact::{FileKind, read, write_file};
use zknn::front::read_tensor;

/// Prove what a circuit's model gives on an input.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The circuit, as `zknn compile` wrote it
    circuit: PathBuf,

    /// The input, a tensor in a JSON file
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// The proof to write
    #[arg(short, long, value_name = "FILE", default_value = "proof.zkp")]
    output: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let input = read_tensor(&self.input).map_err(|error| Report::new(*error))?;
        let file = read(&self.circuit, FileKind::Circuit)?;
        let circuit = step("load the circuit", || Circuit::load(file))?;
        let proof = step("prove", || circuit.prove(&input))?;
        write_file(&self.output, FileKind::Proof, &proof)?;
        output::talk(&format!("wrote {}", self.output.display()));
        Ok(ExitCode::SUCCESS)
    }
}
