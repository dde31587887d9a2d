//! The option `--threads`.

use clap::builder::RangedU64ValueParser;
use miette::Diagnostic;
use thiserror::Error;

/// The option, for all commands.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// How many threads to compute on [default: as many as there are cores]
    #[arg(long, value_name = "N", global = true, value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_THREADS))]
    threads: Option<usize>,
}

const MAX_THREADS: u64 = 1024;

#[derive(Debug, Error, Diagnostic)]
#[error("cannot start {threads} threads: {error}")]
#[diagnostic(code(zknn::threads), help("ask for fewer `--threads`"))]
struct ThreadsError {
    threads: usize,
    error: rayon::ThreadPoolBuildError,
}

impl Args {
    /// Makes the thread pool of the process, before anything computes on it.
    pub(super) fn set(&self) -> Result<(), miette::Report> {
        let Some(threads) = self.threads else { return Ok(()) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().map_err(|error| ThreadsError { threads, error })?;
        Ok(())
    }
}
