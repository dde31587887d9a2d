//! The commands, one a file. Each takes its arguments apart, calls the library, and prints.
//!
//! Results go to stdout, talk to stderr. The exit code is 0 when all went well, 1 when `verify` rejects a proof, and 2
//! for bad input and everything else that can go wrong, wrong arguments included.

mod audit;
mod compile;
mod demo;
mod export;
mod ir;
mod options;
mod output;
mod plan;
mod progress;
mod prove;
mod range;
mod run;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use miette::Report;

/// Compile neural networks to zero-knowledge circuits.
#[derive(Debug, Parser)]
#[command(name = "zknn", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Compile(compile::Args),
    Prove(prove::Args),
    Verify(verify::Args),
    Run(run::Args),
    Ir(ir::Args),
    Plan(plan::Args),
    Audit(audit::Args),
    Export(export::Args),
}

const EXIT_REJECTED: u8 = 1;
const EXIT_BAD_INPUT: u8 = 2;

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Also `--help` and `--version`, which go to stdout and are no errors.
            let _ = message.print();
            return match message.use_stderr() {
                true => ExitCode::from(EXIT_BAD_INPUT),
                false => ExitCode::SUCCESS,
            };
        }
    };
    match cli.command.run() {
        Ok(code) => code,
        Err(report) => {
            output::talk(&format!("{report:?}"));
            ExitCode::from(EXIT_BAD_INPUT)
        }
    }
}

impl Command {
    fn run(self) -> Result<ExitCode, Report> {
        match self {
            Command::Demo(args) => args.run(),
            Command::Compile(args) => args.run(),
            Command::Prove(args) => args.run(),
            Command::Verify(args) => args.run(),
            Command::Run(args) => args.run(),
            Command::Ir(args) => args.run(),
            Command::Plan(args) => args.run(),
            Command::Audit(args) => args.run(),
            Command::Export(args) => args.run(),
        }
    }
}
