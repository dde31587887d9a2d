//! The errors of the whole way from a model to a statement, as one type.

use crate::artifact::{ArtifactError, ArtifactProblem, OpeningError, WriteError};
use crate::calibrated::CalibratedError;
use crate::evaluate::EvaluateError;
use crate::front::{FrontError, LayerDiagnostic};
use crate::input::InputError;
use crate::{CompileError, LoadError, LoweringError, ProofError, RejectError};
use miette::Diagnostic;

/// What the library's functions give, in a program that tells all of their errors alike.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of the way from a model to a statement. Each function has a narrower type of its own, which `?` converts; message,
/// code, help and place are those of that type.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A model or a tensor is not well-formed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Front(#[from] Box<FrontError>),
    /// A model has no form in integers.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lowering(#[from] LoweringError),
    /// A program has no circuit.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Compile(#[from] CompileError),
    /// The parts of a circuit file do not belong together.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadError),
    /// A file holds no ranges.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Calibrated(#[from] CalibratedError),
    /// A tensor is not one that the model takes.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Input(#[from] InputError),
    /// There is no proof.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Proof(#[from] ProofError),
    /// A proof was not accepted.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reject(#[from] RejectError),
    /// Numbers are no opening of a commitment.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Opening(#[from] OpeningError),
    /// The bytes of a key, a proof, a circuit or an opening can't be used.
    #[error(transparent)]
    #[diagnostic(code(zknn::artifact), help("{}", .0.help()))]
    Bytes(#[from] ArtifactProblem),
    /// A file with these bytes can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] ArtifactError),
    /// A file was not written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Write(#[from] WriteError),
    /// What rounding costs was not measured.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Evaluate(#[from] EvaluateError),
}

impl From<Box<LayerDiagnostic>> for Error {
    fn from(layer: Box<LayerDiagnostic>) -> Self {
        Self::Lowering(LoweringError::Layer(layer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{FileKind, Options, ProofFile, from_bytes};
    use crate::front::{Model, parse_tensor};
    use crate::{Lowering, compile, lower, verify_in_context};

    const LAYER: &str = r#"{"layer_type": "fully_connected", "input_shape": [2],
        "weights": {"v": 1, "dim": [1, 2], "data": [1, -2]}}"#;

    /// From a model to the output that is proved on an input, for a verifier who expects a context.
    fn proved(layer: &str, bits: Option<u32>, input: &str, context: Option<&str>) -> Result<Vec<i64>> {
        let model = Model::parse("model.json", format!(r#"{{"input_range": [-4, 3], "layers": [{layer}]}}"#))?;
        let graph = lower(&model, &Lowering { bits, ..Lowering::default() }, &mut |_, _| {})?;
        let circuit = compile(graph, Options::default())?;
        let proof = circuit.prove(&parse_tensor("input.json", input.to_string())?)?;
        let statement = verify_in_context(circuit.key(), context, &proof)?;
        Ok(statement.output().integers().expect("a public output").iter().copied().collect())
    }

    fn code(error: &Error) -> String {
        error.code().map(|code| code.to_string()).unwrap_or_default()
    }

    #[test]
    fn every_step_converts_and_keeps_its_code_and_place() {
        let input = r#"{"v": 1, "dim": [2], "data": [3, -4]}"#;
        assert_eq!(proved(LAYER, None, input, None).expect("all is well"), [11]);

        let misspelt = proved("{\"layer_type\": \"rellu\"}", None, input, None).expect_err("no layer type");
        assert!(matches!(misspelt, Error::Front(_)) && code(&misspelt).starts_with("zknn::"), "{misspelt:?}");
        assert!(misspelt.labels().is_some_and(|mut labels| labels.next().is_some()), "the place is lost");
        let bits = proved(LAYER, Some(99), input, None).expect_err("too many bits");
        assert!(matches!(bits, Error::Lowering(_)) && code(&bits) == "zknn::fixed::bits", "{bits:?}");
        let outside = proved(LAYER, None, &input.replace("-4", "-5"), None).expect_err("out of range");
        assert!(matches!(outside, Error::Proof(_)) && code(&outside) == "zknn::input::out_of_range", "{outside:?}");
        let context = proved(LAYER, None, input, Some("today")).expect_err("made in no context");
        assert!(matches!(context, Error::Reject(RejectError::OtherContext)), "{context:?}");
        assert_eq!(code(&context), "zknn::verify::other_context");
    }

    #[test]
    fn bytes_that_are_no_file_get_a_code_and_a_help() {
        let error: Error = from_bytes::<ProofFile>(FileKind::Proof, b"{}").expect_err("no file").into();
        assert_eq!(error.to_string(), "this is not a zknn file");
        assert_eq!(code(&error), "zknn::artifact");
        assert!(error.help().is_some_and(|help| help.to_string().contains(".zkp")));
    }
}
