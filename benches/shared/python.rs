//! The reference CNN in Python.

use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// The median of so many inferences, in seconds.
pub fn python_seconds(runs: usize) -> Result<f64, Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ref_cnn/benchmark_cnn.py");
    let mut command = Command::new("python3");
    let output = command.arg(script).args(["--json", "--runs", &runs.to_string()]).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let result: Value = serde_json::from_slice(&output.stdout)?;
    Ok(result["median_s"].as_f64().ok_or("the Python benchmark gave no median")?)
}
