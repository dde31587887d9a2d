//! What proving takes, model by model: `cargo bench targets`.
//!
//! Each model is compiled and proved with zero knowledge and the input committed: by the command line, as a user would, in a
//! process for each proof, and by a program that has the circuit loaded and proves again and again, which is this one.

#[path = "shared/asked.rs"]
mod asked;
#[path = "shared/python.rs"]
mod python;

use asked::is_asked_for;
use python::python_seconds;
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::Path;
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
    if !is_asked_for("targets") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    println!("targets: medians of {RUNS} proofs, of the reference CNN of {REFERENCE_RUNS}");
    println!(
        "{:<20} {:>9} {:>9} {:>10} {:>11} {:>11} {:>10} {:>11} {:>10}",
        "model", "prove s", "whole s", "prove MiB", "compile s", "compile MiB", "verify ms", "circuit MB", "proof MB"
    );
    let reference = folder.path().join("reference");
    fs::create_dir(&reference)?;
    run(zknn().args(["export", "--reference"]).arg(&reference))?;
    let mut python = Vec::new();
    let figures = measure(&reference, REFERENCE_RUNS, || {
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
    for (name, model, shape) in [
        ("CNN 28x28", cnn(), vec![28, 28, 1]),
        ("MLP 256-256-256-10", mlp(&[256, 256, 256, 10]), vec![256]),
        ("MLP of 4 M weights", mlp(&[4, 1024, 1024, 1024, 1024, 1024, 3]), vec![4]),
        ("matvec 1000x1000", mlp(&[1000, 1000]), vec![1000]),
    ] {
        let folder = folder.path().join(name);
        fs::create_dir(&folder)?;
        fs::write(folder.join("model.json"), model.to_string())?;
        let mut random = Random(7);
        let input = tensor(&shape, || (random.next() * 127.0).round());
        fs::write(folder.join("input.json"), input.to_string())?;
        print(name, &measure(&folder, RUNS, || Ok(()))?);
    }
    Ok(())
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

/// Compiles the folder's `model.json` and proves it on its `input.json` as often as `runs` says, here and in a process of its
/// own, each time after `before`.
fn measure(folder: &Path, runs: usize, mut before: impl FnMut() -> Outcome<()>) -> Outcome<Figures> {
    let start = Instant::now();
    let compiled = run(zknn().current_dir(folder).args(["compile", "model.json", "--timings"]))?;
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

/// Convolution, pooling and relu twice, then 256-64-10.
fn cnn() -> Value {
    let mut random = Random(1);
    let mut layers = Vec::new();
    for (size, inputs, outputs) in [(28, 1, 8), (12, 8, 16)] {
        let (filtered, pooled) = (size - 4, (size - 4) / 2);
        let kernel = tensor(&[outputs, 5, 5, inputs], || random.next() / 5.0);
        layers.extend([
            json!({"layer_type": "convolution", "input_shape": [size, size, inputs], "kernel": kernel}),
            json!({"layer_type": "max_pool", "input_shape": [filtered, filtered, outputs], "window": 2}),
            json!({"layer_type": "relu", "input_shape": [pooled, pooled, outputs]}),
        ]);
    }
    layers.push(json!({"layer_type": "flatten", "input_shape": [4, 4, 16]}));
    layers.extend(dense_layers(&[256, 64, 10], &mut random));
    json!({"input_range": [0, 127], "layers": layers})
}

/// Dense layers of these widths, with relu between them.
fn mlp(widths: &[usize]) -> Value {
    json!({"input_range": [0, 127], "layers": dense_layers(widths, &mut Random(2))})
}

fn dense_layers(widths: &[usize], random: &mut Random) -> Vec<Value> {
    let mut layers = Vec::new();
    for (i, pair) in widths.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        if i > 0 {
            layers.push(json!({"layer_type": "relu", "input_shape": [inputs]}));
        }
        let bound = (inputs as f64).sqrt().recip();
        let weights = tensor(&[outputs, inputs], || (random.next() - 0.5) * bound);
        layers.push(json!({"layer_type": "fully_connected", "input_shape": [inputs], "weights": weights}));
    }
    layers
}

fn tensor(dim: &[usize], mut element: impl FnMut() -> f64) -> Value {
    let data: Vec<f64> = (0..dim.iter().product()).map(|_| element()).collect();
    json!({"v": 1, "dim": dim, "data": data})
}

/// Numbers in 0..1, the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        // Knuth's linear congruential generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}
