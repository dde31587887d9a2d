//! `zknn prove`

use super::progress::step;
use super::{output, timings};
use miette::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zknn::artifact::{FileKind, ProofFile, read, write_file};
use zknn::front::read_tensor;
use zknn::input::integers_batch;
use zknn::{Circuit, Timings};

/// Prove what a circuit's model gives on an input.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The circuit, as `zknn compile` wrote it
    circuit: PathBuf,

    /// The input, a tensor in a JSON file; or many, in a tensor with one more axis, the first, which makes as many proofs
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// The proof to write; of many inputs proof-0.zkp, proof-1.zkp and so on
    #[arg(short, long, value_name = "FILE", default_value = "proof.zkp")]
    output: PathBuf,

    #[command(flatten)]
    timings: timings::Args,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let input = read_tensor(&self.input).map_err(|error| Report::new(*error))?;
        let mut timings = Timings::default();
        let file = timings.measure("reading", || read(&self.circuit, FileKind::Circuit))?;
        let circuit = step("load the circuit", || timings.measure("loading", || Circuit::load(file)))?;
        let axes = circuit.key().description.input.shape.len();
        if input.ndim() != axes + 1 {
            let proof = step("prove", || circuit.prove_timed(&input, &mut timings))?;
            self.timings.tell(&timings);
            return write(&self.output, &proof);
        }
        // Before the first proof, for each takes its time.
        integers_batch(&circuit.file().graph, &input)?;
        for (index, input) in input.outer_iter().enumerate() {
            let proof = step("prove", || circuit.prove_timed(&input.to_owned(), &mut timings))?;
            self.timings.tell(&timings);
            timings = Timings::default();
            write(&numbered(&self.output, index), &proof)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, proof: &ProofFile) -> Result<ExitCode, Report> {
    write_file(path, FileKind::Proof, proof)?;
    output::talk(&format!("wrote {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// `proof-3.zkp` for `proof.zkp` and 3.
fn numbered(path: &Path, index: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{index}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_comes_before_the_extension() {
        assert_eq!(numbered(Path::new("a/proof.zkp"), 12), Path::new("a/proof-12.zkp"));
        assert_eq!(numbered(Path::new("p"), 0), Path::new("p-0"));
    }
}
