//! Proving, and the openings of what proofs commit to.

use super::Circuit;
use crate::artifact::{
    Disclosure, Opening, OpeningError, OutputDisclosure, ProofFile, Statement, TensorInfo, context_digest,
};
use crate::circuit::{Checker, ProveError, Secrets, Timings, Witness};
use crate::gadget::field::F;
use crate::input::{self, InputError, Inputs};
use crate::plan::{DIGEST, OutputVisibility, Visibility};
use crate::saturation::{Saturation, list, saturations};
use miette::Diagnostic;
use ndarray::ArrayD;
use tracing::{debug, debug_span, info_span};
use zeroize::{Zeroize, Zeroizing};
use zknn_ir::eval::{EvalError, eval_fixed};
use zknn_verifier::{RejectError, verify_in_context};

/// What is to be proved of a model.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The inputs, as many as the model has, in their order.
    pub inputs: &'a [Input<'a>],
    /// The text that the proof is to be bound to.
    pub context: Option<&'a str>,
    /// Whether there is to be no proof where a number is saturated.
    pub deny_saturation: bool,
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
    /// For each input the opening of the commitment to it, if there is one.
    pub inputs: Vec<Option<Opening>>,
    /// For each output likewise.
    pub outputs: Vec<Option<Opening>>,
    /// What was saturated on the way, which no proof tells.
    pub saturations: Vec<Saturation>,
}

impl Circuit {
    /// Proves what the model gives on `inputs`: a tensor for each of its inputs, or the only one, of `f64`, `f32` or integers.
    ///
    /// # Errors
    /// There are too few or too many inputs; one has the wrong shape, or an element that is no integer in the declared range;
    /// or the proof system failed.
    pub fn prove<I: Inputs + ?Sized>(&self, inputs: &I) -> Result<ProofFile, ProofError> {
        self.prove_timed(inputs, &mut Timings::default())
    }

    /// As [`Circuit::prove`], and notes where the time goes.
    ///
    /// # Errors
    /// The same.
    pub fn prove_timed<I: Inputs + ?Sized>(&self, inputs: &I, timings: &mut Timings) -> Result<ProofFile, ProofError> {
        let tensors = Wiped(inputs.tensors());
        let inputs: Vec<Input<'_>> = tensors.0.iter().map(Input::Tensor).collect();
        Ok(self.prove_request(Request { inputs: &inputs, context: None, deny_saturation: false }, timings)?.proof)
    }

    /// Proves what a request asks for, and gives the openings of what the proof commits to.
    ///
    /// # Errors
    /// As [`Circuit::prove`]; or an input is an opening, and of another shape, scale or range than the model's input, or
    /// the circuit does not commit to its inputs.
    pub fn prove_request(&self, request: Request<'_>, timings: &mut Timings) -> Result<Proved, ProofError> {
        let _span = info_span!("prove").entered();
        let (inputs, secrets) = self.secrets(request.inputs)?;
        let inputs = Wiped(inputs);
        let flat = Zeroizing::new(inputs.0.iter().flatten().copied().collect::<Vec<i64>>());
        let (expected, witness) = timings.measure("evaluation and witness", || {
            rayon::join(
                || eval_fixed(&self.file.graph, inputs.0.as_slice()),
                || Witness::new(&self.plan, &flat, secrets),
            )
        });
        let expected = expected?;
        let saturations = saturations(&self.file.graph, &expected);
        if !saturations.is_empty() && (request.deny_saturation || self.file.options.unsaturated) {
            return Err(ProofError::Saturated { list: list(&saturations) });
        }
        // The circuit computes what the interpreter defines; if it ever did not, no proof should leave.
        if !witness.outputs().eq(expected.outputs().flatten().copied()) {
            return Err(self.fault(&flat).unwrap_or(ProofError::Disagreement));
        }
        let key = self.key();
        let (input_salts, output_salts) = witness.salts();
        let of_inputs = key.description.told_inputs().map(|(tensor, told)| (tensor, told == Visibility::Committed));
        let of_outputs =
            key.description.told_outputs().map(|(tensor, told)| (tensor, told == OutputVisibility::Committed));
        let input_openings = openings(of_inputs, input_salts, inputs.0.iter())?;
        let output_openings = openings(of_outputs, output_salts, expected.outputs())?;

        let digests = key.digests(request.context);
        let proof = debug_span!("proof system").in_scope(|| self.prover.prove(&witness, &digests.binding, timings))?;
        debug!(bytes = proof.len(), "proved");
        let proof = ProofFile { key: digests.key, context: context_digest(request.context), proof };
        let proved = Proved { proof, inputs: input_openings, outputs: output_openings, saturations };
        // What does not hold should not leave either, whatever the reason; nor what nobody could open.
        let verified = timings.measure("verification", || verify_in_context(key, request.context, &proved.proof));
        let statement = verified.map_err(|error| self.fault(&flat).unwrap_or(ProofError::DoesNotHold(error)))?;
        if !proved.opens(&statement) {
            return Err(ProofError::Disagreement);
        }
        Ok(proved)
    }

    /// The integers of the inputs, and the secrets to prove them with.
    fn secrets(&self, inputs: &[Input<'_>]) -> Result<(Vec<ArrayD<i64>>, Secrets), ProofError> {
        input::check_count(&self.file.graph, inputs.len())?;
        let (mut integers, mut salts) = (Vec::new(), Vec::new());
        let told = self.key().description.told_inputs();
        for (position, (input, (expected, visibility))) in inputs.iter().zip(told).enumerate() {
            let (of_input, salt) = match input {
                Input::Tensor(tensor) => (input::integers_at(&self.file.graph, position, tensor)?, None),
                Input::Opening(_) if visibility != Visibility::Committed => return Err(ProofError::NotCommitted),
                Input::Opening(opening) if opening.tensor() != expected => {
                    let (expected, got) = (expected.to_string(), opening.tensor().to_string());
                    return Err(ProofError::OtherTensor { expected, got });
                }
                Input::Opening(opening) => (opening.integers(), Some(opening.salt())),
            };
            integers.push(of_input);
            salts.push(salt);
        }
        Ok((integers, Secrets::with_salts(salts)))
    }

    /// What a witness for `input` breaks, if anything: a proof that fails for another reason may succeed next time.
    pub(super) fn fault(&self, input: &[i64]) -> Option<ProofError> {
        let checker = Checker::new(&self.plan);
        let violations = checker.check(&Witness::new(&self.plan, input, Secrets::fresh()));
        let first = violations.first()?;
        Some(ProofError::Unsatisfied { count: violations.len(), first: checker.describe(first) })
    }
}

/// The openings of commitments to tensors with these salts, of those that are committed to.
fn openings<'a>(
    tensors: impl Iterator<Item = (&'a TensorInfo, bool)>,
    salts: &[[F; DIGEST]],
    integers: impl Iterator<Item = &'a ArrayD<i64>>,
) -> Result<Vec<Option<Opening>>, OpeningError> {
    let opening = |(((tensor, is_committed), &salt), integers): (((&TensorInfo, bool), _), &ArrayD<i64>)| {
        is_committed.then(|| Opening::with_salt(tensor.clone(), salt, integers.iter().copied().collect())).transpose()
    };
    tensors.zip(salts).zip(integers).map(opening).collect()
}

/// Inputs that are overwritten when they are dropped.
struct Wiped<T: Zeroize>(Vec<ArrayD<T>>);

impl<T: Zeroize> Drop for Wiped<T> {
    fn drop(&mut self) {
        self.0.iter_mut().flatten().for_each(Zeroize::zeroize);
    }
}

impl Proved {
    /// Whether the openings are of the commitments in the statement.
    fn opens(&self, statement: &Statement) -> bool {
        let inputs = statement.inputs.iter().filter_map(|input| match &input.disclosure {
            Disclosure::Committed(commitment) => Some(*commitment),
            Disclosure::Public(_) | Disclosure::Private => None,
        });
        let outputs = statement.outputs.iter().filter_map(|output| match &output.disclosure {
            OutputDisclosure::Committed(commitment) => Some(*commitment),
            OutputDisclosure::Public(_) => None,
        });
        inputs.eq(self.inputs.iter().flatten().map(Opening::commitment))
            && outputs.eq(self.outputs.iter().flatten().map(Opening::commitment))
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
    /// Numbers are saturated, and were not to be.
    #[error("numbers of the network are too large for the room that rounding leaves them: {list}")]
    #[diagnostic(
        code(zknn::prove::saturated),
        help(
            "calibrate with inputs such as this one; of a circuit that was compiled with `--prove-no-saturation`, there is no proof \
             for it, of others there is, without `--deny-saturation`"
        )
    )]
    Saturated {
        /// How many, layer by layer.
        list: String,
    },
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
