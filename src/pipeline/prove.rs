//! Proving, and the openings of what proofs commit to.

use super::{Circuit, RejectError, verify_in_context};
use crate::artifact::{
    Disclosure, Opening, OpeningError, OutputDisclosure, ProofFile, Statement, TensorInfo, context_digest,
};
use crate::circuit::{Checker, ProveError, Secrets, Timings, Witness};
use crate::input::{self, InputError};
use crate::plan::{OutputVisibility, Visibility};
use miette::Diagnostic;
use ndarray::ArrayD;
use tracing::{debug, debug_span, info_span};
use zeroize::{Zeroize, Zeroizing};
use zknn_ir::eval::{EvalError, eval_fixed};

/// What is to be proved of a model.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The input.
    pub input: Input<'a>,
    /// The text that the proof is to be bound to.
    pub context: Option<&'a str>,
}

/// An input of a model.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Real numbers, to be rounded if the model rounds; if it commits to its input, with a new salt.
    Tensor(&'a ArrayD<f64>),
    /// Integers that are committed to already, by a model that commits to its input.
    Opening(&'a Opening),
}

/// A proof, and what is behind its commitments.
#[derive(Debug)]
pub struct Proved {
    /// The proof.
    pub proof: ProofFile,
    /// The opening of the commitment to the input, if there is one.
    pub input: Option<Opening>,
    /// The opening of the commitment to the output, if there is one.
    pub output: Option<Opening>,
}

impl Circuit {
    /// Proves what the model gives on `input`.
    ///
    /// # Errors
    /// The input has the wrong shape, or an element that is no integer in the declared range; or the proof system
    /// failed.
    pub fn prove(&self, input: &ArrayD<f64>) -> Result<ProofFile, ProofError> {
        self.prove_timed(input, &mut Timings::default())
    }

    /// As [`Circuit::prove`], and notes where the time goes.
    ///
    /// # Errors
    /// The same.
    pub fn prove_timed(&self, input: &ArrayD<f64>, timings: &mut Timings) -> Result<ProofFile, ProofError> {
        let request = Request { input: Input::Tensor(input), context: None };
        Ok(self.prove_request(request, timings)?.proof)
    }

    /// Proves what a request asks for, and gives the openings of what the proof commits to.
    ///
    /// # Errors
    /// As [`Circuit::prove`]; or the input is an opening, and of another shape, scale or range than the model's input, or
    /// the circuit does not commit to its input.
    pub fn prove_request(&self, request: Request<'_>, timings: &mut Timings) -> Result<Proved, ProofError> {
        let _span = info_span!("prove").entered();
        let (input, secrets) = self.secrets(request.input)?;
        let input = Wiped(input);
        let flat = Zeroizing::new(input.0.iter().copied().collect::<Vec<i64>>());
        let (salt, output_salt) = (secrets.salt, secrets.output_salt);
        let (expected, witness) = timings.measure("evaluation and witness", || {
            rayon::join(|| eval_fixed(&self.file.graph, &input.0), || Witness::new(&self.plan, &flat, secrets))
        });
        let expected = expected?;
        // The circuit computes what the interpreter defines; if it ever did not, no proof should leave.
        if !witness.outputs().eq(expected.output().iter().copied()) {
            return Err(self.fault(&flat).unwrap_or(ProofError::Disagreement));
        }
        let (options, key) = (self.file.options, self.key());
        let opening = |is_committed: bool, tensor: &TensorInfo, salt, integers: &ArrayD<i64>| {
            let open = || Opening::with_salt(tensor.clone(), salt, integers.iter().copied().collect());
            is_committed.then(open).transpose()
        };
        let output_is_committed = options.output_visibility == OutputVisibility::Committed;
        let proved_input =
            opening(options.visibility == Visibility::Committed, &key.description.input, salt, &input.0)?;
        let proved_output = opening(output_is_committed, &key.description.output, output_salt, expected.output())?;

        let binding = key.binding(request.context);
        let proof = debug_span!("proof system").in_scope(|| self.prover.prove(&witness, &binding, timings))?;
        debug!(bytes = proof.len(), "proved");
        let proof = ProofFile { key: key.digest(), context: context_digest(request.context), proof };
        let proved = Proved { proof, input: proved_input, output: proved_output };
        // What does not hold should not leave either, whatever the reason; nor what nobody could open.
        let verified = timings.measure("verification", || verify_in_context(key, request.context, &proved.proof));
        let statement = verified.map_err(|error| self.fault(&flat).unwrap_or(ProofError::DoesNotHold(error)))?;
        if !proved.opens(&statement) {
            return Err(ProofError::Disagreement);
        }
        Ok(proved)
    }

    /// The integers of an input, and the secrets to prove them with.
    fn secrets(&self, input: Input<'_>) -> Result<(ArrayD<i64>, Secrets), ProofError> {
        let opening = match input {
            Input::Tensor(tensor) => return Ok((input::integers(&self.file.graph, tensor)?, Secrets::fresh())),
            Input::Opening(opening) => opening,
        };
        if self.file.options.visibility != Visibility::Committed {
            return Err(ProofError::NotCommitted);
        }
        let expected = &self.key().description.input;
        if opening.tensor() != expected {
            let (expected, got) = (expected.to_string(), opening.tensor().to_string());
            return Err(ProofError::OtherTensor { expected, got });
        }
        Ok((opening.integers(), Secrets::with_salt(opening.salt())))
    }

    /// What a witness for `input` breaks, if anything: a proof that fails for another reason may succeed next time.
    pub(super) fn fault(&self, input: &[i64]) -> Option<ProofError> {
        let checker = Checker::new(&self.plan);
        let violations = checker.check(&Witness::new(&self.plan, input, Secrets::fresh()));
        let first = violations.first()?;
        Some(ProofError::Unsatisfied { count: violations.len(), first: checker.describe(first) })
    }
}

/// An input that is overwritten when it is dropped.
struct Wiped(ArrayD<i64>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl Proved {
    /// Whether the openings are of the commitments in the statement.
    fn opens(&self, statement: &Statement) -> bool {
        let input = match &statement.disclosure {
            Disclosure::Committed(commitment) => Some(*commitment),
            Disclosure::Public(_) | Disclosure::Private => None,
        };
        let output = match &statement.output.disclosure {
            OutputDisclosure::Committed(commitment) => Some(*commitment),
            OutputDisclosure::Public(_) => None,
        };
        let commitment = |opening: &Option<Opening>| opening.as_ref().map(Opening::commitment);
        (commitment(&self.input), commitment(&self.output)) == (input, output)
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ProofError {
    /// The input is not one that the model takes.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Input(#[from] InputError),
    /// The opening is of another sort of tensor.
    #[error("the opening is of another tensor than the circuit takes: expected {expected}, got {got}")]
    #[diagnostic(
        code(zknn::prove::other_tensor),
        help(
            "a commitment binds shape, scale and range: commit with `--key` and this circuit's key, or compile the model \
             that takes another's output with `--input-from` and the other's key"
        )
    )]
    OtherTensor {
        /// What the circuit takes.
        expected: String,
        /// What the opening is of.
        got: String,
    },
    /// An opening for a circuit that commits to nothing.
    #[error("the circuit does not commit to its input")]
    #[diagnostic(
        code(zknn::prove::not_committed),
        help("prove with `--input`, or compile with `--input-visibility committed`")
    )]
    NotCommitted,
    /// A tensor that can't be opened.
    #[error("the commitment has no opening: {0}")]
    #[diagnostic(code(zknn::prove::opening), help("this is a bug in zknn: please report it with the model"))]
    Opening(#[from] OpeningError),
    /// The interpreter refuses it.
    #[error("the model can't be evaluated: {0}")]
    #[diagnostic(code(zknn::prove::eval), help("this is a bug in zknn: please report it with the model"))]
    Eval(#[from] EvalError),
    /// Witness and interpreter differ.
    #[error("the circuit and the interpreter disagree")]
    #[diagnostic(code(zknn::prove::internal), help("this is a bug in zknn: please report it with the model"))]
    Disagreement,
    /// The witness breaks constraints.
    #[error("the witness does not satisfy the circuit ({count} violations), first: {first}")]
    #[diagnostic(code(zknn::prove::unsatisfied), help("this is a bug in zknn: please report it with the model"))]
    Unsatisfied {
        /// How many.
        count: usize,
        /// The first, in words; no value is told.
        first: String,
    },
    /// The circuit file is not what it was made as.
    #[error("the proof does not hold: {0}")]
    #[diagnostic(code(zknn::prove::rejected), help("compile the model again: the circuit file may be damaged"))]
    DoesNotHold(#[source] RejectError),
    /// The proof system failed.
    #[error(transparent)]
    #[diagnostic(code(zknn::prove::failed), help("try again: an honest proof fails only by an unlikely chance"))]
    System(#[from] ProveError),
}
