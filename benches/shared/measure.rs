//! What it takes to compile, prove and verify a model: by the command line, as a user would, in a process for each proof, and by
//! a program that has the circuit loaded and proves again and again, which is the benchmark itself.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use zknn::Circuit;
use zknn::artifact::{FileKind, read};
use zknn::front::read_tensor;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Seconds, mebibytes, and bytes.
#[allow(dead_code, reason = "each benchmark prints some of them")]
pub struct Figures {
    /// To prove, in a program that has the circuit loaded.
    pub prove: f64,
    /// To prove, a process.
    pub whole: f64,
    /// At most, while that process proves.
    pub prove_memory: f64,
    /// To compile, a process.
    pub compile: f64,
    /// At most, while it compiles.
    pub compile_memory: f64,
    /// To load the circuit, whose file was read.
    pub load: f64,
    /// To verify, in a program that has the key loaded.
    pub verify: f64,
    /// To verify, a process.
    pub verify_whole: f64,
    /// Of the files.
    pub circuit: u64,
    /// The key.
    pub key: u64,
    /// The proof.
    pub proof: u64,
    /// Rows of the circuit, and columns of wires.
    pub rows: usize,
    /// See there.
    pub wires: usize,
}

/// Compiles the folder's `model.json` with these options and proves it on its `input.json` as often as `runs` says, here and in a
/// process of its own, each time after `before`.
pub fn measure(
    folder: &Path,
    runs: usize,
    options: &[&str],
    mut before: impl FnMut() -> Outcome<()>,
) -> Outcome<Figures> {
    let start = Instant::now();
    let compiled = run(zknn().current_dir(folder).args(["compile", "model.json", "--timings"]).args(options))?;
    let compile = start.elapsed().as_secs_f64();
    let file = read(&folder.join("model.zkc"), FileKind::Circuit)?;
    let start = Instant::now();
    let circuit = Circuit::load(file)?;
    let load = start.elapsed().as_secs_f64();
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
        let start = Instant::now();
        run(zknn().current_dir(folder).args(["verify", "model.vk", "proof.zkp"]))?;
        let verify_whole = start.elapsed().as_secs_f64();
        proofs.push([prove, whole, step_memory(&proved)?, step(&proved, "verification")?, verify_whole]);
    }
    let [prove, whole, prove_memory, verify, verify_whole] =
        std::array::from_fn(|figure| median(proofs.iter().map(|proof| proof[figure]).collect()));
    let size = |name: &str| fs::metadata(folder.join(name)).map(|file| file.len());
    let layout = &circuit.plan().layout;
    Ok(Figures {
        prove,
        whole,
        prove_memory,
        compile,
        compile_memory: step_memory(&compiled)?,
        load,
        verify,
        verify_whole,
        circuit: size("model.zkc")?,
        key: size("model.vk")?,
        proof: size("proof.zkp")?,
        rows: layout.rows(),
        wires: layout.wires,
    })
}

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The command.
pub fn zknn() -> Command {
    Command::new(env!("CARGO_BIN_EXE_zknn"))
}

/// What the command says on stderr, and then on stdout.
pub fn run(command: &mut Command) -> Outcome<String> {
    let output = command.output()?;
    let text = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() { Ok(text) } else { Err(format!("{command:?} failed: {text}").into()) }
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
