//! Printing, without the panics of `println!`.

use std::io::{self, ErrorKind, Write};

use miette::{Diagnostic, Report};
use thiserror::Error;

#[derive(Debug, Error, Diagnostic)]
#[error("cannot write to the standard output: {0}")]
#[diagnostic(code(zknn::output::failed), help("the output is not complete; see to the cause and try again"))]
struct OutputError(io::Error);

/// Prints a result to stdout, with a line end if it has none.
///
/// A reader that went away has all that it wanted, and is no error.
pub(super) fn result(text: &str) -> Result<(), Report> {
    let mut stdout = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written = write!(stdout, "{text}{end}").and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputError(error).into()),
        _ => Ok(()),
    }
}

/// Prints a line to stderr. If that fails there is no one to tell.
pub(super) fn talk(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end_matches('\n'));
}
