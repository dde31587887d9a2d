//! Running the program as a user would: each command a process of its own.

use serde_json::Value;
use std::fs;
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

/// The JSON that it prints in a folder, where it succeeds; null if it prints none.
#[track_caller]
#[allow(dead_code, reason = "not every test asks for JSON")]
pub fn told(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_slice(&exits(folder, args, 0).stdout).unwrap_or_default()
}

/// A JSON file.
#[allow(dead_code, reason = "not every test reads one")]
pub fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// The first samples of a tensor, along its first axis.
#[allow(dead_code, reason = "not every test has samples")]
pub fn first(tensor: &Value, count: usize) -> Value {
    let mut few = tensor.clone();
    let numbers = few["data"].as_array_mut().expect("numbers");
    let samples = tensor["dim"][0].as_u64().expect("a count") as usize;
    numbers.truncate(numbers.len() / samples * count);
    few["dim"][0] = count.into();
    few
}
