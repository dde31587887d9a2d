//! The model that a command takes.

use std::path::PathBuf;
use std::str::FromStr;

use miette::Report;
use zknn::front::{Model, Reading};

/// A model, and what its file may leave open.
#[derive(Debug, clap::Args)]
#[group(id = "network")]
pub(super) struct Args {
    /// The model, a JSON file, or an ONNX file, whose name ends in .onnx
    #[arg(value_name = "MODEL")]
    pub(super) path: PathBuf,

    /// Of an ONNX file, lengths of axes that it leaves open, batch=1,length=64, or the shape of an input, image=1x3x48x192
    #[arg(long, value_name = "NAME=LENGTHS", value_delimiter = ',')]
    shape: Vec<Shape>,

    /// Of an ONNX file, end the network at this tensor instead of its outputs; may be given several times
    #[arg(long, value_name = "NAME")]
    output_name: Vec<String>,
}

/// The length of an axis, or the lengths of all axes of an input.
#[derive(Debug, Clone)]
struct Shape {
    name: String,
    lengths: Vec<usize>,
}

impl Args {
    pub(super) fn reading(&self) -> Reading {
        let lengths = self.shape.iter().map(|shape| (shape.name.clone(), shape.lengths.clone()));
        Reading { lengths: lengths.collect(), outputs: self.output_name.clone() }
    }

    pub(super) fn read(&self) -> Result<Model, Report> {
        Model::read_with(&self.path, &self.reading()).map_err(|error| Report::new(*error))
    }
}

impl FromStr for Shape {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "an axis has a length, length=64, an input a shape, image=1x3x48x192; none is zero";
        let (name, lengths) = text.rsplit_once('=').ok_or(EXPECTED)?;
        let lengths: Option<Vec<usize>> =
            lengths.split('x').map(|length| length.parse().ok().filter(|length| *length > 0)).collect();
        Ok(Self { name: name.to_string(), lengths: lengths.ok_or(EXPECTED)? })
    }
}
