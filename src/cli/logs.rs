//! The option `-v`, and where logs go.

use std::io::{self, IsTerminal};

use clap::ArgAction;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::FmtSpan;

/// The option, for all commands.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Log to stderr what is done: once for the steps, twice for their parts, three times for everything
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
}

impl Args {
    /// Logs from here on, also what the proof system has to say. A step is logged as it ends, with its time.
    pub(super) fn start(&self) {
        let level = match self.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let subscriber = fmt()
            .with_max_level(level)
            .with_span_events(FmtSpan::CLOSE)
            .with_ansi(io::stderr().is_terminal())
            // If stderr can't be written to, there is no one to tell.
            .log_internal_errors(false)
            .with_writer(io::stderr);
        // It fails only where logging has started already.
        let _ = subscriber.try_init();
    }
}
