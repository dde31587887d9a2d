//! The graphs of `tests/hostile_onnx` that nobody has seen: `cargo bench --bench hostile_onnx -- --minutes 60`.
//!
//! Draws files until the time is used up, and goes on when one fails. Prints the seed of the run, and of each file that fails;
//! `--file SEED` reads that one again. Does nothing when it is told neither how long nor what.

mod graphs;
#[path = "../../src/front/onnx/proto.rs"]
#[allow(dead_code, missing_docs, reason = "the messages of the library's own reader")]
mod proto;
mod trial;

use clap::Parser;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::process::ExitCode;
use std::time::Instant;
use trial::{Outcome, outcome};

#[derive(Debug, Parser)]
struct Args {
    /// How long to draw files
    #[arg(long)]
    minutes: Option<f64>,

    /// What they are drawn from [default: the system's randomness]
    #[arg(long)]
    seed: Option<u64>,

    /// One file instead, by its own seed
    #[arg(long, value_name = "SEED", conflicts_with_all = ["minutes", "seed"])]
    file: Vec<u64>,

    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,

    /// The names that `cargo bench NAME` passes to all
    #[arg(hide = true)]
    names: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (folder, operators) = (tempfile::tempdir().expect("a folder"), graphs::operators());
    let of = |seed: u64| outcome(folder.path(), &graphs::file(&mut ChaCha20Rng::seed_from_u64(seed), &operators));
    args.file.iter().for_each(|&seed| println!("file {seed}: {:?}", of(seed)));
    let Some(minutes) = args.minutes else { return ExitCode::SUCCESS };
    let seed = args.seed.unwrap_or_else(|| rand::rngs::OsRng.next_u64());
    println!("run {seed}");
    let (mut random, start) = (ChaCha20Rng::seed_from_u64(seed), Instant::now());
    let [mut files, mut models, mut failed] = [0u64; 3];
    while start.elapsed().as_secs_f64() < 60.0 * minutes {
        let seed = random.next_u64();
        match of(seed) {
            Outcome::Model => models += 1,
            Outcome::Refused(_) => {}
            Outcome::Failed(why) => {
                failed += 1;
                println!("file {seed}: {why}");
            }
        }
        files += 1;
    }
    println!("run {seed}: {files} files, {models} models, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
