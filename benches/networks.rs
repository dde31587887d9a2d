//! Deep networks of well-known architectures, rounded to 8 bits: `cargo bench networks` for images of 32 by 32, and
//! `cargo bench imagenet` for images of 224 by 224. Both need Python with numpy.
//!
//! `ref_cnn/generate_networks.py` writes them, with what numpy makes of the input. Floating point has to agree with that, and the
//! proof states the integers that the interpreter computes, or it is no proof.

#[path = "shared/asked.rs"]
mod asked;
#[path = "shared/measure.rs"]
mod measure;

use asked::is_asked_for;
use measure::{Figures, Outcome, measure, run, zknn};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The command's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How the networks are rounded. Weights are drawn, not trained, and what rounding does to such is told by no warning.
const ROUNDED: [&str; 5] = ["--bits", "8", "--calibrate", "calibration.json", "--force"];

/// As far as floating point may differ from numpy's, which adds in another order, relative to the greatest output.
const CLOSE: f64 = 1e-4;

fn main() -> Outcome<()> {
    if is_asked_for("networks") {
        table(&["lenet5", "vgg11", "resnet18", "mobilenet_v1", "mobilenet_v2"], 3)?;
    }
    if is_asked_for("imagenet") {
        table(&["resnet18_224", "mobilenet_v2_224"], 1)?;
    }
    Ok(())
}

fn table(names: &[&str], runs: usize) -> Outcome<()> {
    println!("8 bits, zero knowledge, input committed; medians of {runs} proofs");
    println!(
        "{:<17} {:>9} {:>7} {:>14} {:>8} {:>8} {:>8} {:>9} {:>10} {:>9} {:>9} {:>9} {:>7}",
        "network",
        "weights M",
        "MMAC",
        "rows x wires",
        "load s",
        "prove s",
        "whole s",
        "prove MiB",
        "verify s",
        "proof MB",
        "key MB",
        "circuit MB",
        "lost %"
    );
    for name in names {
        let folder = tempfile::tempdir()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ref_cnn/generate_networks.py");
        run(Command::new("python3").arg(script).arg(folder.path()).arg(name))?;
        let folder = folder.path().join(name);
        let told = evaluated(&folder)?;
        let figures = measure(&folder, runs, &ROUNDED, || Ok(()))?;
        print(name, &told, &figures);
    }
    Ok(())
}

/// What the network is, and what rounding costs on the calibration inputs.
struct Told {
    weights: u64,
    products: u64,
    error: f64,
}

/// Runs the network, and holds its floating point to numpy's.
fn evaluated(folder: &Path) -> Outcome<Told> {
    let arguments = ["run", "model.json", "--input", "input.json", "--json"];
    let told = run(zknn().current_dir(folder).args(arguments).args(&ROUNDED[..4]))?;
    // Warnings come before it.
    let told: Value = serde_json::from_str(told.get(told.find("\n{").map_or(0, |at| at + 1)..).unwrap_or_default())?;
    let expected: Value = serde_json::from_slice(&fs::read(folder.join("output.json"))?)?;
    let [got, expected] = [&told["outputs"][0]["float"]["data"], &expected["data"]].map(|data| data.as_array());
    let (got, expected) = got.zip(expected).ok_or("there are no outputs")?;
    let pairs = || got.iter().zip(expected).filter_map(|(a, b)| Some((a.as_f64()?, b.as_f64()?)));
    let greatest = pairs().map(|(_, b)| b.abs()).fold(0.0, f64::max);
    if got.len() != expected.len() || !pairs().all(|(a, b)| (a - b).abs() <= CLOSE * greatest) {
        return Err(format!("floating point differs from numpy's: {got:?} {expected:?}").into());
    }
    let sum = |field: &str| {
        let layers = told["table"].as_array().into_iter().flatten();
        layers.filter_map(|layer| layer[field].as_u64()).sum::<u64>()
    };
    let error = told["rounding"]["error"].as_f64().ok_or("what rounding costs is not told")?;
    Ok(Told { weights: sum("parameters"), products: sum("ops"), error })
}

fn print(name: &str, told: &Told, figures: &Figures) {
    println!(
        "{name:<17} {:>9.2} {:>7.0} {:>14} {:>8.2} {:>8.2} {:>8.2} {:>9.0} {:>10.2} {:>9.2} {:>9.1} {:>9.1} {:>7.1}",
        told.weights as f64 / 1e6,
        told.products as f64 / 1e6,
        format!("2^{} x {}", figures.rows.ilog2(), figures.wires),
        figures.load,
        figures.prove,
        figures.whole,
        figures.prove_memory,
        figures.verify_whole,
        figures.proof as f64 / 1e6,
        figures.key as f64 / 1e6,
        figures.circuit as f64 / 1e6,
        told.error * 100.0
    );
}
