//! `zknn verify`

mod json;

use super::progress::step;
use super::{EXIT_REJECTED, lowering, options, output};
use clap::error::ErrorKind;
use miette::{Diagnostic, IntoDiagnostic, Report};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zknn::artifact::{
    ArtifactError, ArtifactProblem, FileKind, ProofFile, Statement, VerifyingKey, hex, read, to_bytes,
};
use zknn::front::Model;
use zknn::{RejectError, compile, verify_in_context};

/// Check proofs, and print what they prove.
///
/// With --model the key is derived from the model, and with the options that it was compiled with; a key that is given as
/// well must be the same byte by byte.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "zknn verify [OPTIONS] <KEY> <PROOF>...\n       zknn verify --model <MODEL> [OPTIONS] [KEY] <PROOF>..."
)]
pub(super) struct Args {
    /// The key, as `zknn compile` wrote it, and one proof or several, as `zknn prove` wrote them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Derive the key by compiling this model
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,

    /// The text that the proof must be bound to
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,

    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    lowering: lowering::Args,

    #[command(flatten)]
    options: options::Args,
}

/// The key that was given is not the model's.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the key {} is not the one that {} compiles to", key.display(), model.display())]
#[diagnostic(
    code(zknn::verify::other_model),
    help("give the options that the model was compiled with; if they are right, the key is of another model")
)]
struct OtherModel {
    key: PathBuf,
    model: PathBuf,
}

impl Args {
    /// What is wrong with the arguments, if anything: how many files there must be depends on `--model`, and so does whether
    /// options to compile with make sense.
    pub(super) fn problem(&self) -> Option<(ErrorKind, String)> {
        let given = self.lowering.given().or(self.options.given());
        match (&self.model, self.files.len(), given) {
            (None, 1, _) => {
                let text = "a key is needed before the proof, or a model with --model";
                Some((ErrorKind::MissingRequiredArgument, text.into()))
            }
            (None, _, Some(option)) => {
                Some((ErrorKind::ArgumentConflict, format!("{option} is for compiling a model, which --model names")))
            }
            (None, _, None) | (Some(_), _, _) => None,
        }
    }

    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let (given, paths) = self.given_key()?;
        let proofs = paths.iter().map(|path| read(path, FileKind::Proof)).collect::<Result<Vec<ProofFile>, _>>()?;
        let derived = self.model.as_ref().map(|path| self.derived(path)).transpose()?;
        let bytes = |key: &VerifyingKey| to_bytes(FileKind::Key, key);
        let key = match (derived, given) {
            (Some(derived), Some(given)) if bytes(&derived) != bytes(&given) => {
                let path = |path: Option<&PathBuf>| path.cloned().unwrap_or_default();
                return self.reject(OtherModel { key: path(self.files.first()), model: path(self.model.as_ref()) });
            }
            (Some(key), _) | (None, Some(key)) => key,
            // There is a key where there is no model.
            (None, None) => return Ok(ExitCode::from(super::EXIT_BAD_INPUT)),
        };
        let mut exit = ExitCode::SUCCESS;
        for (path, proof) in paths.iter().zip(&proofs) {
            let is_one_of_several = proofs.len() > 1;
            match verify_in_context(&key, self.context.as_deref(), proof) {
                Ok(statement) if self.json => output::result(&json::statement(&statement)?)?,
                Ok(statement) if is_one_of_several => {
                    output::result(&format!("{}:\n{}\n", path.display(), text(&statement)))?;
                }
                Ok(statement) => output::result(&text(&statement))?,
                Err(error @ RejectError::InvalidKey { .. }) => return Err(error.into()),
                Err(error) => {
                    if is_one_of_several {
                        output::talk(&format!("{}:", path.display()));
                    }
                    exit = self.reject(error)?;
                }
            }
        }
        Ok(exit)
    }

    /// The key among the files, if there is one, and the proofs. Without a model the first file is the key; with one it may be.
    fn given_key(&self) -> Result<(Option<VerifyingKey>, &[PathBuf]), Report> {
        // clap asks for one file at least.
        let Some((first, rest)) = self.files.split_first() else { return Ok((None, &[])) };
        if self.model.is_some() && rest.is_empty() {
            return Ok((None, &self.files));
        }
        match read(first, FileKind::Key) {
            Err(ArtifactError { problem: ArtifactProblem::Kind { got: FileKind::Proof, .. }, .. })
                if self.model.is_some() =>
            {
                Ok((None, &self.files))
            }
            key => Ok((Some(key?), rest)),
        }
    }

    /// The key of the model, compiled with the options.
    fn derived(&self, path: &Path) -> Result<VerifyingKey, Report> {
        let model = step("read the model", || Model::read(path)).map_err(|error| Report::new(*error))?;
        let graph = self.lowering.lower(&model, &mut |_, _| {})?;
        let options = self.options.options(&model)?;
        let circuit = step("compile", || compile(graph, options))?;
        Ok(circuit.key().clone())
    }

    fn reject(&self, error: impl Diagnostic + Send + Sync + 'static) -> Result<ExitCode, Report> {
        if self.json {
            let rejection = Rejection { valid: false, reason: error.to_string() };
            output::result(&serde_json::to_string(&rejection).into_diagnostic()?)?;
        }
        output::talk(&format!("{:?}", Report::new(error)));
        Ok(ExitCode::from(EXIT_REJECTED))
    }
}

/// The statement in words, and how far it can be trusted.
pub(super) fn text(statement: &Statement) -> String {
    let hidden = if statement.zero_knowledge {
        "Made with zero knowledge: nothing else about the input is meant to be told."
    } else {
        "Made without zero knowledge: the proof may tell more about the input."
    };
    format!(
        "The proof holds under the key {}.\n\n{statement}\n\n{hidden}\nSecurity: {}.\nAll of this is worth what the key is: take it from someone you trust, or compile the model \
         yourself.",
        hex(&statement.key),
        statement.security
    )
}

#[derive(Serialize)]
struct Rejection {
    valid: bool,
    reason: String,
}
