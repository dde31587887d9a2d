//! Running the program as a user would: each command a process of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command in a folder. It may fail, and never panics.
#[track_caller]
pub fn zknn(folder: &Path, args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_zknn"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    assert!(!stderr(&output).contains("panicked"), "{args:?}: {}", stderr(&output));
    output
}

/// The same, with this exit code.
#[track_caller]
pub fn exits(folder: &Path, args: &[&str], code: i32) -> Output {
    let output = zknn(folder, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
    output
}

/// What it said.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
