//! `zknn commit`

use super::{output, range};
use miette::{Diagnostic, Report};
use ndarray::ArrayD;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::artifact::{FileKind, Opening, TensorInfo, VerifyingKey, fact_of, hex, read, write_file};
use zknn::front::read_tensor;
use zknn::input::integers_of;

/// Commit to an input: print a salted digest of it, and write the opening, to prove with and to open the digest with.
///
/// The digest binds the elements, their number and order, and shape, range and scale: a model takes it for its input only
/// if its own input has the same shape, range and scale.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The input, a tensor in a JSON file
    input: PathBuf,

    /// Take shape, range and scale from the input of this key's model
    #[arg(long, value_name = "KEY", conflicts_with_all = ["range", "scale"], required_unless_present = "range")]
    key: Option<PathBuf>,

    /// Which of the inputs of this key's model, if it has several, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0, requires = "key")]
    position: usize,

    /// The least and the greatest integer that an input of the model may hold, both inclusive, for example -5..4
    #[arg(long, value_name = "LO..HI", allow_hyphen_values = true)]
    range: Option<range::InputRange>,

    /// What these integers are multiplied by to give the real numbers of the input, which are rounded to multiples of it;
    /// without it the input consists of integers
    #[arg(long, value_name = "SCALE")]
    scale: Option<f64>,

    /// The opening to write. It holds the input, and is readable by its owner only
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Nothing that can be committed to.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("there are no commitments to tensors of {tensor}")]
#[diagnostic(
    code(zknn::commit::tensor),
    help("the scale must be a positive number, and a range of integers not wider than 2^62")
)]
struct Unpackable {
    tensor: TensorInfo,
}

/// An input that the model does not have.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the model has no input {position}, it has {inputs}")]
#[diagnostic(code(zknn::commit::position), help("inputs are counted from 0, in the order in which the key has them"))]
struct NoSuchInput {
    position: usize,
    inputs: usize,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let input = read_tensor(&self.input).map_err(|error| Report::new(*error))?;
        let (tensor, rounds) = self.tensor(&input)?;
        if !tensor.is_packable() {
            return Err(Unpackable { tensor }.into());
        }
        let integers = integers_of(&fact_of(&tensor), rounds, &input)?;
        let opening = Opening::new(tensor, integers.into_iter().collect())?;
        write_file(&self.output, FileKind::Opening, &opening)?;
        output::talk(&format!("wrote {}, which is secret", self.output.display()));
        output::result(&hex(&opening.commitment()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is committed to, but for its elements; and whether they are to be rounded.
    fn tensor(&self, input: &ArrayD<f64>) -> Result<(TensorInfo, bool), Report> {
        if let Some(path) = &self.key {
            let key: VerifyingKey = read(path, FileKind::Key)?;
            let inputs = key.description.inputs.len();
            let tensor = key.description.inputs.into_iter().nth(self.position);
            let tensor = tensor.ok_or(NoSuchInput { position: self.position, inputs })?;
            return Ok((tensor, key.description.rounds));
        }
        // clap asks for one of the two.
        let (lo, hi) = self.range.map(range::InputRange::ends).unwrap_or(zknn::DEFAULT_INPUT_RANGE);
        let tensor = TensorInfo { shape: input.shape().to_vec(), scale: self.scale.unwrap_or(1.0), lo, hi };
        Ok((tensor, self.scale.is_some()))
    }
}
