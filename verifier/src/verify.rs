//! Checking proofs.

use crate::artifact::{ProofFile, Statement, VerifyingKey, context_digest};
use crate::circuit::{self, VerifyError};
use miette::Diagnostic;

/// Checks a proof that was made in no context, and says what it proves.
///
/// # Errors
/// The proof is for another key or for some context, is malformed, or does not hold.
pub fn verify(key: &VerifyingKey, proof: &ProofFile) -> Result<Statement, RejectError> {
    verify_in_context(key, None, proof)
}

/// Checks a proof and says what it proves. If there is a context, the proof was made for just that text: one that answers a
/// fresh challenge is no copy of an earlier proof.
///
/// # Errors
/// The proof is for another key or another context, is malformed, or does not hold.
pub fn verify_in_context(
    key: &VerifyingKey,
    context: Option<&str>,
    proof: &ProofFile,
) -> Result<Statement, RejectError> {
    let shape = &key.shape;
    if let Some(problem) = shape.problem() {
        return Err(RejectError::InvalidKey { problem });
    }
    if Statement::public_inputs(&key.description) != Some(shape.public_inputs)
        || key.description.options.scheme != shape.scheme
    {
        return Err(RejectError::InvalidKey { problem: "the statement does not fit the circuit" });
    }
    let digests = key.digests(context);
    if proof.key != digests.key {
        return Err(RejectError::OtherKey);
    }
    if proof.context != context_digest(context) {
        return Err(RejectError::OtherContext);
    }
    let public = circuit::verify(shape.scheme.hash, shape, &key.cap, &digests.binding, &proof.proof)?;
    let invalid = RejectError::InvalidKey { problem: "the statement does not fit the circuit" };
    Statement::new(&key.description, digests.key, context, &public, shape.soundness().security()).ok_or(invalid)
}

/// Why a proof was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub enum RejectError {
    /// It names another key.
    #[error("the proof was made for another key")]
    #[diagnostic(
        code(zknn::verify::other_key),
        help("verify with the key that `zknn compile` wrote beside the circuit")
    )]
    OtherKey,
    /// It was made for another context.
    #[error("the proof was made for another context")]
    #[diagnostic(
        code(zknn::verify::other_context),
        help(
            "give with `--context` the text that the proof was asked for with; if it is the right one, ask for a new proof"
        )
    )]
    OtherContext,
    /// The key makes no sense.
    #[error("the key is invalid: {problem}")]
    #[diagnostic(code(zknn::verify::key), help("make the key again with `zknn compile`"))]
    InvalidKey {
        /// What about it.
        problem: &'static str,
    },
    /// The proof itself.
    #[error(transparent)]
    #[diagnostic(code(zknn::verify::proof), help("the statement is not proved: ask the prover for a new proof"))]
    Proof(#[from] VerifyError),
}
