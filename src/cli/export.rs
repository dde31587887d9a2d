//! `zknn export`

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use miette::Report;
use zknn::artifact::write_atomically;
use zknn::front::{Exported, write_tensor};
use zknn::nn::reference::reference_cnn;

use super::{model, output};

/// Write a model as JSON: one that was read, or the reference CNN with its input.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["path", "reference"]))]
pub(super) struct Args {
    #[command(flatten)]
    model: Option<model::Args>,

    /// The file to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "reference")]
    output: Option<PathBuf>,

    /// Write model.json and input.json of the reference CNN into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "output")]
    reference: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        if let Some(folder) = &self.reference {
            let (model, input) = reference_cnn();
            write(&folder.join("input.json"), |w| write_tensor(&input, w))?;
            write(&folder.join("model.json"), |w| model.write(w))?;
        }
        if let (Some(model), Some(output)) = (&self.model, &self.output) {
            let model = model.read()?;
            if output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
                let exported = Exported::new(&model)?;
                write(output, |w| exported.write(w))?;
                if exported.rounded > 0 {
                    output::talk(&format!("{} numbers were rounded to floats of 32 bits", exported.rounded));
                }
            } else {
                write(output, |w| model.write(w))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, contents: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Report> {
    write_atomically(path, contents)?;
    output::talk(&format!("wrote {}", path.display()));
    Ok(())
}
