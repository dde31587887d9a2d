//! What calibration inputs showed, in a file: enough to derive the same program, and the same key, without these inputs.

use crate::artifact::{WriteError, hex, write_atomically};
use crate::passes::FoundRanges;
use crate::rounding::RoundingLoss;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zknn_ir::Graph;

/// The version of the file's form.
const VERSION: u32 = 1;

/// The ranges that were found on calibration inputs, and what the program that they led to loses on these. Least and greatest
/// numbers of every channel tell something of the inputs, though much less than the inputs do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrated {
    v: u32,
    /// The digest of the program, in hexadecimal digits.
    program: String,
    loss: RoundingLoss,
    ranges: FoundRanges,
}

/// Why there are no ranges to be had from a file.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum CalibratedError {
    /// It can't be read.
    #[error("cannot read {}: {error}", path.display())]
    #[diagnostic(code(zknn::ranges::unreadable), help("check the path, and that you may read the file"))]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is no file of ranges.
    #[error("{} holds no ranges: {reason}", path.display())]
    #[diagnostic(
        code(zknn::ranges::malformed),
        help("give a file as `zknn compile --calibrate` writes it, MODEL.ranges.json")
    )]
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it, and at which line and column.
        reason: String,
    },
}

impl Calibrated {
    /// Of a program that was made with these ranges, with what it loses on the inputs that they were found on.
    pub fn new(program: &Graph, ranges: FoundRanges, loss: RoundingLoss) -> Self {
        Self { v: VERSION, program: hex(&program.digest()), loss, ranges }
    }

    /// # Errors
    /// The file can't be read, or is none of ranges.
    pub fn read(path: &Path) -> Result<Self, CalibratedError> {
        let malformed = |reason: String| CalibratedError::Malformed { path: path.into(), reason };
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => malformed("it is not UTF-8".to_string()),
            _ => CalibratedError::Unreadable { path: path.into(), error },
        })?;
        let read: Self = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        match read.v {
            VERSION => Ok(read),
            other => Err(malformed(format!("its version is {other}, this program reads {VERSION}"))),
        }
    }

    /// Writes the file whole, or not at all.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        write_atomically(path, |file| {
            serde_json::to_writer(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }

    /// What was found.
    pub fn ranges(&self) -> &FoundRanges {
        &self.ranges
    }

    /// What a program loses on the calibration inputs, if it is the one that was measured.
    pub fn loss_of(&self, program: &Graph) -> Option<&RoundingLoss> {
        (self.program == hex(&program.digest())).then_some(&self.loss)
    }
}
