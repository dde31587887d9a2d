//! What proving takes, model by model: `cargo bench targets`; and at both levels of security: `cargo bench security`.
//!
//! Each model is compiled and proved with zero knowledge and the input committed: by the command line, as a user would, in a
//! process for each proof, and by a program that has the circuit loaded and proves again and again, which is this one.

#[path = "shared/asked.rs"]
mod asked;
#[path = "shared/models.rs"]
mod models;
#[path = "shared/python.rs"]
mod python;
#[path = "shared/random.rs"]
mod random;

use asked::is_asked_for;
use models::models;
use python::python_seconds;
use random::{Random, tensor};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use zknn::Circuit;
use zknn::artifact::{FileKind, read};
use zknn::front::read_tensor;

/// The command's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

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

struct Figures {
    prove: f64,
    whole: f64,
    prove_memory: f64,
    compile: f64,
    compile_memory: f64,
    verify: f64,
    circuit: u64,
    proof: u64,
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

/// Compiles the folder's `model.json` with these options and proves it on its `input.json` as often as `runs` says, here and in a process of its
/// own, each time after `before`.
fn measure(folder: &Path, runs: usize, options: &[&str], mut before: impl FnMut() -> Outcome<()>) -> Outcome<Figures> {
    let start = Instant::now();
    let compiled = run(zknn().current_dir(folder).args(["compile", "model.json", "--timings"]).args(options))?;
    let compile = start.elapsed().as_secs_f64();
    let circuit = Circuit::load(read(&folder.join("model.zkc"), FileKind::Circuit)?)?;
    let input = read_tensor(&folder.join("input.json")).map_err(|error| error.to_string())?;
    let mut proofs = Vec::new();
    for _ in 0..runs {
        before()?;
        let start = Instant::now();
        circuit.prove(&input)?;
        let prove = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let proved =
            run(zknn().current_dir(folder).args(["prove", "model.zkc", "--input", "input.json", "--timings"]))?;
        let whole = start.elapsed().as_secs_f64();
        proofs.push((prove, whole, step_memory(&proved)?, step(&proved, "verification")?));
    }
    run(zknn().current_dir(folder).args(["verify", "model.vk", "proof.zkp"]))?;
    let of_proofs = |figure: fn(&(f64, f64, f64, f64)) -> f64| median(proofs.iter().map(figure).collect());
    Ok(Figures {
        prove: of_proofs(|proof| proof.0),
        whole: of_proofs(|proof| proof.1),
        prove_memory: of_proofs(|proof| proof.2),
        compile,
        compile_memory: step_memory(&compiled)?,
        verify: of_proofs(|proof| proof.3),
        circuit: fs::metadata(folder.join("model.zkc"))?.len(),
        proof: fs::metadata(folder.join("proof.zkp"))?.len(),
    })
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The seconds of a step, as `--timings` tells them.
fn step(told: &str, name: &str) -> Outcome<f64> {
    let of_line = |line: &str| line.trim().strip_suffix(name)?.trim().strip_suffix("ms")?.trim().parse::<f64>().ok();
    let milliseconds = told.lines().find_map(of_line).ok_or_else(|| format!("no step is called {name}:\n{told}"))?;
    Ok(milliseconds / 1e3)
}

/// The mebibytes of the peak.
fn step_memory(told: &str) -> Outcome<f64> {
    let of_line = |line: &str| line.trim().strip_suffix("MiB at most")?.trim().parse().ok();
    told.lines().find_map(of_line).ok_or_else(|| "the peak is not told".into())
}

fn zknn() -> Command {
    Command::new(env!("CARGO_BIN_EXE_zknn"))
}

/// What the command says on stderr, and then on stdout.
fn run(command: &mut Command) -> Outcome<String> {
    let output = command.output()?;
    let text = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() { Ok(text) } else { Err(format!("{command:?} failed: {text}").into()) }
}
