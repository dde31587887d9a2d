//! `zknn demo`

use super::progress::step;
use super::{output, verify};
use miette::{IntoDiagnostic, Report, WrapErr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use zknn::artifact::{FileKind, Options, ProofFile, VerifyingKey, read, write_atomically, write_file};
use zknn::front::write_tensor;
use zknn::nn::reference::reference_cnn;
use zknn::{DEFAULT_INPUT_RANGE, compile, lower_exact};

/// Compile, prove and verify the reference CNN: 14.7 million weights, 83 million multiply-adds.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to leave model, input, circuit, key and proof in
    #[arg(short, long, value_name = "FOLDER", default_value = "zknn-demo")]
    output: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        std::fs::create_dir_all(&self.output)
            .into_diagnostic()
            .wrap_err_with(|| format!("can't make the folder {}", self.output.display()))?;
        let file = |name: &str| self.output.join(name);

        let (model, input) = step("make the model", reference_cnn);
        write_atomically(&file("model.json"), |w| model.write(w))?;
        write_atomically(&file("input.json"), |w| write_tensor(&input, w))?;
        output::result(&model.table().to_string())?;

        let start = Instant::now();
        let range = model.input_range().unwrap_or(DEFAULT_INPUT_RANGE);
        let graph = lower_exact(&model, range, &mut |_, _| {}).map_err(|error| Report::new(*error))?;
        let circuit = step("compile", || compile(graph, Options::default()))?;
        write_file(&file("model.zkc"), FileKind::Circuit, circuit.file())?;
        write_file(&file("model.vk"), FileKind::Key, circuit.key())?;
        output::result(&format!("\ncompiled in {:.1} s", start.elapsed().as_secs_f64()))?;

        let start = Instant::now();
        let proof = step("prove", || circuit.prove(&input))?;
        write_file(&file("proof.zkp"), FileKind::Proof, &proof)?;
        let megabytes = proof.proof.len() as f64 / 1e6;
        output::result(&format!("proved in {:.1} s, {megabytes:.2} MB", start.elapsed().as_secs_f64()))?;

        let start = Instant::now();
        let key: VerifyingKey = read(&file("model.vk"), FileKind::Key)?;
        let proof: ProofFile = read(&file("proof.zkp"), FileKind::Proof)?;
        let statement = zknn::verify(&key, &proof)?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        output::result(&format!("verified in {milliseconds:.0} ms\n\n{}", verify::text(&statement)))?;
        output::result(&format!("\nThe files are in {}.", self.output.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
