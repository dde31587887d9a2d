//! What others take, over what zknn takes: Python for an inference, the plain circuit for a proof.
//!
//! `cargo bench comparison` runs all three; `comparison_inference`, `comparison_proving` and `comparison_matvec` name
//! them one by one. Each is a program of its own or runs alone, so that none disturbs another's time and memory.

#[path = "shared/asked.rs"]
mod asked;
#[path = "shared/python.rs"]
mod python;

use asked::is_asked_for;
use python::python_seconds;
use std::error::Error;
use std::process::Command;
use std::time::Instant;
use zknn::artifact::Options;
use zknn::nn::reference::reference_cnn;
use zknn::{DEFAULT_INPUT_RANGE, compile, lower_exact, verify};

type Outcome<T> = Result<T, Box<dyn Error>>;

type Comparison = fn() -> Outcome<()>;

const COMPARISONS: [(&str, Comparison); 3] =
    [("comparison_inference", inference), ("comparison_proving", proving), ("comparison_matvec", matvec)];

const PYTHON_RUNS: usize = 3;
const RUST_RUNS: usize = 11;
const PROOFS: usize = 3;

fn main() -> Outcome<()> {
    for (name, comparison) in COMPARISONS {
        if is_asked_for(name) {
            println!("{name}");
            comparison()?;
            println!();
        }
    }
    Ok(())
}

/// One inference of the reference CNN in floating point.
fn inference() -> Outcome<()> {
    let python = python_seconds(PYTHON_RUNS)?;
    let (model, input) = reference_cnn();
    zknn::nn::run(&model, &input)?;
    let rust = median_seconds(RUST_RUNS, || Ok(zknn::nn::run(&model, &input)?))?;
    println!("  python: {python:.3} s    zknn: {rust:.4} s    zknn is {:.1} times faster", python / rust);
    Ok(())
}

/// A proof of the reference CNN, with zero knowledge, against one inference in Python.
fn proving() -> Outcome<()> {
    let python = python_seconds(PYTHON_RUNS)?;
    let (model, input) = reference_cnn();
    let range = model.input_range().unwrap_or(DEFAULT_INPUT_RANGE);
    let start = Instant::now();
    let circuit = compile(lower_exact(&model, range, &mut |_, _| {})?, Options::default())?;
    println!("  compile: {:.1} s, once", start.elapsed().as_secs_f64());
    let prove = median_seconds(PROOFS, || Ok(circuit.prove(&input)?))?;
    println!("  python: {python:.3} s    prove: {prove:.2} s    a proof takes {:.2} times as long", prove / python);
    let proof = circuit.prove(&input)?;
    let check = median_seconds(RUST_RUNS, || Ok(verify(circuit.key(), &proof)?))?;
    println!("  verify: {check:.4} s, {:.0} times faster than the inference", python / check);
    Ok(())
}

/// One product of 1000 × 1000 random 16-bit coefficients, compiled and as the plain circuit, each in a process.
fn matvec() -> Outcome<()> {
    let ours = product(&[])?;
    let naive = product(&["--naive"])?;
    println!("  prove: {:.2} s against {:.2} s, {:.1} times faster", ours.prove, naive.prove, naive.prove / ours.prove);
    let gigabytes = [ours.memory, naive.memory].map(|bytes| bytes / 1e9);
    let share = naive.memory / ours.memory;
    println!("  memory: {:.2} GB against {:.2} GB, a share of 1/{share:.1}", gigabytes[0], gigabytes[1]);
    Ok(())
}

struct Product {
    prove: f64,
    memory: f64,
}

/// The row that the command line prints.
fn product(method: &[&str]) -> Outcome<Product> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zknn"));
    command.args(["--input-size", "1000", "--output-size", "1000"]).args(method);
    let stdout = output(command)?;
    let mut lines = stdout.lines();
    let (Some(header), Some(row)) = (lines.next(), lines.next()) else {
        return Err("the benchmark printed no row".into());
    };
    println!("  {header}\n  {row}");
    let field = |name: &str| -> Outcome<f64> {
        let index = header.split(',').position(|column| column == name).ok_or("a column is missing")?;
        Ok(row.split(',').nth(index).ok_or("a field is missing")?.parse()?)
    };
    Ok(Product { prove: field("proof_time_s")?, memory: field("proof_mem_b")? })
}

fn output(mut command: Command) -> Outcome<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn median_seconds<T>(runs: usize, work: impl Fn() -> Outcome<T>) -> Outcome<f64> {
    let mut seconds = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        work()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[runs / 2])
}
