//! Reading a file that may be anything.

use std::panic;
use std::path::Path;

use peak_alloc::PeakAlloc;
use zknn::front::{Model, inspect};

/// The most memory that reading a small file may take: what the reader makes of a few numbers, and copies of it.
const MOST: usize = 2 << 30;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What became of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is a model.
    Model,
    /// It is refused with this code.
    Refused(String),
    /// Reading it went wrong.
    Failed(String),
}

/// Reads a file of these bytes, and lists what is in it.
pub fn outcome(folder: &Path, bytes: &[u8]) -> Outcome {
    let path = folder.join("hostile.onnx");
    std::fs::write(&path, bytes).expect("a folder to write to");
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let read = panic::catch_unwind(|| {
        let _ = inspect(&path, &Default::default());
        Model::read(&path)
    });
    let took = MEMORY.peak_usage().saturating_sub(before);
    match read {
        Err(_) => Outcome::Failed("it panicked".to_string()),
        Ok(_) if took > MOST => Outcome::Failed(format!("it took {took} bytes")),
        Ok(Ok(_)) => Outcome::Model,
        Ok(Err(error)) => match miette::Diagnostic::code(&*error) {
            Some(code) => Outcome::Refused(code.to_string()),
            None => Outcome::Failed(format!("it has no code: {error}")),
        },
    }
}
