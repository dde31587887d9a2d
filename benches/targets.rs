//! What proving takes, model by model: `cargo bench targets`; and at both levels of security: `cargo bench security`.
//!
//! Each model is compiled and proved with zero knowledge and the input committed: by the command line, as a user would, in a
//! process for each proof, and by a program that has the circuit loaded and proves again and again, which is this one.

#[path = "shared/asked.rs"]
mod asked;
#[path = "shared/measure.rs"]
mod measure;
#[path = "shared/models.rs"]
mod models;
#[path = "shared/python.rs"]
mod python;
#[path = "shared/random.rs"]
mod random;

use asked::is_asked_for;
use measure::{Figures, Outcome, measure, median, run, zknn};
use models::models;
use python::python_seconds;
use random::{Random, tensor};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The command's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Proofs of each model.
const RUNS: usize = 3;
/// Proofs of the reference CNN, each after one inference in Python: how fast a shared machine is changes from one second to
/// the next.
const REFERENCE_RUNS: usize = 7;

fn main() -> Outcome<()> {
    if is_asked_for("targets") {
        targets()?;
    }
    if is_asked_for("security") {
        security()?;
    }
    Ok(())
}

/// All figures of each model, compiled with the defaults.
fn targets() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    println!("targets: medians of {RUNS} proofs, of the reference CNN of {REFERENCE_RUNS}");
    println!(
        "{:<20} {:>9} {:>9} {:>10} {:>11} {:>11} {:>10} {:>11} {:>10}",
        "model", "prove s", "whole s", "prove MiB", "compile s", "compile MiB", "verify ms", "circuit MB", "proof MB"
    );
    let (_, reference) = reference(folder.path())?;
    let mut python = Vec::new();
    let figures = measure(&reference, REFERENCE_RUNS, &[], || {
        python.push(python_seconds(1)?);
        Ok(())
    })?;
    let python = median(python);
    print("reference CNN", &figures);
    println!(
        "  Python, one inference: {python:.2} s; prove {:.2}, whole process {:.2}, compile {:.2} times as long",
        figures.prove / python,
        figures.whole / python,
        figures.compile / python
    );
    for (name, folder) in others(folder.path())? {
        print(name, &measure(&folder, RUNS, &[], || Ok(()))?);
    }
    Ok(())
}

/// What `--security proven` costs.
fn security() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    println!("security: medians of {RUNS} proofs");
    println!(
        "{:<20} {:<12} {:>9} {:>9} {:>10} {:>10} {:>12} {:>9} {:>16}",
        "model",
        "--security",
        "prove s",
        "verify ms",
        "circuit MB",
        "proof MB",
        "conjectured",
        "Johnson",
        "unique decoding"
    );
    let mut all = vec![reference(folder.path())?];
    all.extend(others(folder.path())?);
    for (name, folder) in all {
        for level in ["conjectured", "proven"] {
            let figures = measure(&folder, RUNS, &["--security", level], || Ok(()))?;
            let told = run(zknn().current_dir(&folder).args(["verify", "model.vk", "proof.zkp", "--json"]))?;
            let told: Value = serde_json::from_str(&told)?;
            let bits = |regime: &str| told["security"][regime].as_f64().ok_or("verify tells no bits");
            println!(
                "{name:<20} {level:<12} {:>9.3} {:>9.1} {:>10.2} {:>10.3} {:>12.1} {:>9.1} {:>16.1}",
                figures.prove,
                figures.verify * 1e3,
                figures.circuit as f64 / 1e6,
                figures.proof as f64 / 1e6,
                bits("conjectured")?,
                bits("proven_johnson")?,
                bits("proven_unique_decoding")?
            );
        }
    }
    Ok(())
}

/// The reference CNN, in a folder of its own.
fn reference(folder: &Path) -> Outcome<(&'static str, PathBuf)> {
    let folder = folder.join("reference");
    fs::create_dir(&folder)?;
    run(zknn().args(["export", "--reference"]).arg(&folder))?;
    Ok(("reference CNN", folder))
}

/// The other models, with an input for each, likewise.
fn others(folder: &Path) -> Outcome<Vec<(&'static str, PathBuf)>> {
    let mut all = Vec::new();
    for (name, model, shape) in models() {
        let folder = folder.join(name);
        fs::create_dir(&folder)?;
        fs::write(folder.join("model.json"), model.to_string())?;
        let mut random = Random(7);
        let input = tensor(&shape, || (random.next() * 127.0).round());
        fs::write(folder.join("input.json"), input.to_string())?;
        all.push((name, folder));
    }
    Ok(all)
}

fn print(name: &str, figures: &Figures) {
    println!(
        "{name:<20} {:>9.3} {:>9.3} {:>10.0} {:>11.2} {:>11.0} {:>10.1} {:>11.2} {:>10.3}",
        figures.prove,
        figures.whole,
        figures.prove_memory,
        figures.compile,
        figures.compile_memory,
        figures.verify * 1e3,
        figures.circuit as f64 / 1e6,
        figures.proof as f64 / 1e6
    );
}
