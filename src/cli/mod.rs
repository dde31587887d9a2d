//! The commands, one a file. Each takes its arguments apart, calls the library, and prints.
//!
//! Results go to stdout, talk to stderr. The exit code is 0 when all went well, 1 when `verify` rejects a proof, `open` an
//! opening, or `eval` a loss of accuracy, and 2 for bad input and everything else that can go wrong, wrong arguments
//! included.

mod audit;
mod commit;
mod compile;
mod demo;
mod eval;
mod export;
mod inspect;
mod ir;
mod logs;
mod lowering;
mod matvec;
mod memory;
mod model;
mod open;
mod options;
mod output;
mod percent;
mod plan;
mod progress;
mod prove;
mod range;
mod rounding;
mod run;
mod tensors;
mod threads;
mod timings;
mod verify;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use miette::Report;

/// Compile neural networks to zero-knowledge circuits.
///
/// Without a command, and with --input-size and --output-size or with --bench, one matrix-vector product is compiled,
/// proved and verified, and what it took is printed as CSV.
#[derive(Debug, Parser)]
#[command(name = "zknn", version, arg_required_else_help = true, override_usage = USAGE)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    matvec: matvec::Args,

    #[command(flatten)]
    logs: logs::Args,

    #[command(flatten)]
    threads: threads::Args,
}

const USAGE: &str =
    "zknn <COMMAND>\n       zknn --input-size <N> --output-size <N> [OPTIONS]\n       zknn --bench [OPTIONS]";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Compile(compile::Args),
    Commit(commit::Args),
    Prove(prove::Args),
    Verify(verify::Args),
    Open(open::Args),
    Run(run::Args),
    Eval(eval::Args),
    Ir(ir::Args),
    Plan(plan::Args),
    Audit(audit::Args),
    Export(export::Args),
    Inspect(inspect::Args),
}

const EXIT_REJECTED: u8 = 1;
const EXIT_BAD_INPUT: u8 = 2;

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    match Cli::try_parse().and_then(Cli::checked) {
        Ok(cli) => cli.run().unwrap_or_else(|report| {
            output::talk(&format!("{report:?}"));
            ExitCode::from(EXIT_BAD_INPUT)
        }),
        Err(message) => {
            // Also `--help` and `--version`, which go to stdout and are no errors.
            let _ = message.print();
            match message.use_stderr() {
                true => ExitCode::from(EXIT_BAD_INPUT),
                false => ExitCode::SUCCESS,
            }
        }
    }
}

impl Cli {
    /// The arguments, if there is one thing that they ask for.
    fn checked(self) -> Result<Self, clap::Error> {
        let error = |kind, text: &str| Err(Self::command().error(kind, text));
        if let Some(Command::Verify(args)) = &self.command
            && let Some((kind, text)) = args.problem()
        {
            return error(kind, &text);
        }
        match (&self.command, self.matvec.any(), self.matvec.missing()) {
            (Some(_), Some(option), _) => {
                error(ErrorKind::ArgumentConflict, &format!("{option} is for the benchmark, which is no command"))
            }
            (None, Some(_), Some(option)) => {
                error(ErrorKind::MissingRequiredArgument, &format!("the benchmark needs {option}, or --bench"))
            }
            (None, None, _) => error(ErrorKind::MissingSubcommand, "a command is needed, or the sizes of a benchmark"),
            (Some(_), None, _) | (None, Some(_), None) => Ok(self),
        }
    }

    fn run(self) -> Result<ExitCode, Report> {
        self.logs.start();
        self.threads.set()?;
        match self.command {
            Some(command) => command.run(),
            None => self.matvec.run(),
        }
    }
}

impl Command {
    fn run(self) -> Result<ExitCode, Report> {
        match self {
            Command::Demo(args) => args.run(),
            Command::Compile(args) => args.run(),
            Command::Commit(args) => args.run(),
            Command::Prove(args) => args.run(),
            Command::Verify(args) => args.run(),
            Command::Open(args) => args.run(),
            Command::Run(args) => args.run(),
            Command::Eval(args) => args.run(),
            Command::Ir(args) => args.run(),
            Command::Plan(args) => args.run(),
            Command::Audit(args) => args.run(),
            Command::Export(args) => args.run(),
            Command::Inspect(args) => args.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// clap refuses to start with such a fault, but only in debug builds.
    #[test]
    fn no_two_groups_of_a_command_share_a_name() {
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            let mut names: Vec<String> = command.get_groups().map(|group| group.get_id().to_string()).collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{}", command.get_name());
            commands.extend(command.get_subcommands().cloned());
        }
        Cli::command().debug_assert();
    }
}
