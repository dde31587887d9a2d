//! The command line of zknn.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
