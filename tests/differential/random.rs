//! The comparison of `tests/differential` on models that nobody has seen: `cargo bench --bench differential -- --minutes 60`.
//!
//! Draws trials, each of an ordinary model, of a degenerate one and of one with branches, until the time or the count is used up, and goes on
//! when one fails. Prints the seed of the run, and of
//! each trial that fails; `--trial SEED` runs that one again and prints its programs. Does nothing when it is told neither how long nor what.

mod error;
mod models;
mod trial;

use clap::Parser;
use proptest::test_runner::TestCaseError;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::panic;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trial::Trial;

/// How often the run says how far it is.
const REPORT: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
struct Args {
    /// How long to draw trials
    #[arg(long)]
    minutes: Option<f64>,

    /// How many trials to draw
    #[arg(long)]
    count: Option<u64>,

    /// What the run's trials are drawn from [default: the system's randomness]
    #[arg(long)]
    seed: Option<u64>,

    /// One trial instead, by its own seed
    #[arg(long, value_name = "SEED", conflicts_with_all = ["minutes", "count", "seed"])]
    trial: Vec<u64>,

    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,

    /// The names that `cargo bench NAME` passes to all
    #[arg(hide = true)]
    names: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.trial.is_empty() {
        args.trial.iter().for_each(|&seed| trials(seed).iter().for_each(|trial| println!("{trial}\n")));
        let failed = args.trial.iter().filter(|&&seed| outcome(seed).is_none()).count();
        println!("{} trials, {failed} failed", args.trial.len());
        return if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match (args.minutes, args.count) {
        (None, None) => ExitCode::SUCCESS,
        (minutes, count) => run(args.seed, minutes.unwrap_or(f64::INFINITY), count.unwrap_or(u64::MAX)),
    }
}

fn run(seed: Option<u64>, minutes: f64, count: u64) -> ExitCode {
    let seed = seed.unwrap_or_else(|| rand::rngs::OsRng.next_u64());
    println!("run {seed}");
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let start = Instant::now();
    let mut reported = start;
    let [mut trials, mut proved, mut failed] = [0; 3];
    while trials < count && start.elapsed().as_secs_f64() < 60.0 * minutes {
        match outcome(random.r#gen()) {
            Some(circuits) => proved += circuits,
            None => failed += 1,
        }
        trials += 1;
        if reported.elapsed() > REPORT {
            reported = Instant::now();
            println!("{trials} trials, {failed} failed, {:.0} minutes", start.elapsed().as_secs_f64() / 60.0);
        }
    }
    println!("run {seed}: {trials} trials, {proved} circuits, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The trials of a seed.
fn trials(seed: u64) -> [Trial; 5] {
    [Trial::new(seed), Trial::degenerate(seed), Trial::graph(seed), Trial::stepping(seed), Trial::composed(seed)]
}

/// Runs the trials of a seed: how many have a circuit. Prints the seed if one fails, or panics, and why.
fn outcome(seed: u64) -> Option<u64> {
    let compare = || -> Result<u64, TestCaseError> {
        trials(seed).iter().try_fold(0, |proved, trial| Ok(proved + u64::from(trial.compare()?.is_some())))
    };
    let why = match panic::catch_unwind(compare) {
        Ok(Ok(proved)) => return Some(proved),
        Ok(Err(error)) => error.to_string(),
        // The panic has printed its message.
        Err(_) => "panicked".to_string(),
    };
    println!("trial {seed} failed: {why}");
    None
}
