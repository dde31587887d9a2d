//! Lower, compile, prove, verify.

use crate::artifact::{CircuitFile, Description, Options, ProofFile, Statement, TensorInfo, VerifyingKey};
use crate::circuit::{self, AnyProver, Checker, CircuitShape, ProveError, Secrets, Timings, VerifyError, Witness};
use crate::diagnose;
use crate::front::{self, LayerDiagnostic, Model};
use crate::input::{self, InputError};
use crate::passes::{self, Context};
use crate::plan::{Plan, PlanError};
use miette::Diagnostic;
use ndarray::ArrayD;
use tracing::{debug, debug_span, info_span, trace};
use zknn_ir::Graph;
use zknn_ir::eval::{EvalError, eval_fixed};

/// The input range of a model that declares none: that of a signed byte.
pub const DEFAULT_INPUT_RANGE: (i64, i64) = (-128, 127);

/// The model as a graph of integers, which computes exactly what the model does on integers in the input range.
///
/// The observer sees the graph as lowered and after each pass, with the names that [`passes::names`] lists.
///
/// # Errors
/// A diagnostic that points at the layer to blame, for instance at a weight that is not an integer.
pub fn lower_exact(
    model: &Model,
    input_range: (i64, i64),
    observer: &mut dyn FnMut(&str, &Graph),
) -> Result<Graph, Box<LayerDiagnostic>> {
    let _span = info_span!("lower").entered();
    let lowered = front::lower(model);
    let mut graph = lowered.map_err(|error| diagnose::lowering(model, &error))?;
    let context = Context { input_range, fixed: None };
    passes::run(&mut graph, &context, observer).map_err(|error| diagnose::pass(model, &error))?;
    Ok(graph)
}

/// A circuit ready to prove with.
pub struct Circuit {
    file: CircuitFile,
    plan: Plan,
    prover: AnyProver,
}

/// Compiles an integer program to a circuit.
///
/// # Errors
/// The graph has numbers that can't be proved, or is too large.
pub fn compile(graph: Graph, options: Options) -> Result<Circuit, CompileError> {
    let _span = info_span!("compile").entered();
    let draft = Draft::new(graph, options)?;
    let prover = debug_span!("commit").in_scope(|| AnyProver::new(&draft.plan, options.scheme.hash));
    Ok(draft.with(prover))
}

/// A circuit that nothing is committed to yet.
struct Draft {
    graph: Graph,
    plan: Plan,
    description: Description,
    shape: CircuitShape,
}

impl Draft {
    fn new(mut graph: Graph, options: Options) -> Result<Self, CompileError> {
        zknn_ir::validate(&graph).map_err(|violations| CompileError::Invalid { first: violations[0].to_string() })?;
        graph.remove_dead();
        let plan = || debug_span!("plan").in_scope(|| Plan::new(&graph, options.visibility, options.scheme));
        let (description, plan) = rayon::join(|| describe(&graph, options), plan);
        let (description, plan) = (description?, plan?);
        log(&plan);
        let shape = CircuitShape::new(&plan);
        if let Some(what) = shape.problem() {
            return Err(PlanError::Impossible { what }.into());
        }
        Ok(Self { graph, plan, description, shape })
    }

    fn with(self, mut prover: AnyProver) -> Circuit {
        let options = self.description.options;
        let key = VerifyingKey { description: self.description, shape: self.shape, cap: prover.cap() };
        prover.bind(&key.binding());
        let leaves = prover.leaves();
        Circuit { file: CircuitFile { options, graph: self.graph, key, leaves }, plan: self.plan, prover }
    }
}

/// Checks a proof and says what it proves.
///
/// # Errors
/// The proof is for another key, is malformed, or does not hold.
pub fn verify(key: &VerifyingKey, proof: &ProofFile) -> Result<Statement, RejectError> {
    let _span = info_span!("verify").entered();
    let shape = &key.shape;
    if let Some(problem) = shape.problem() {
        return Err(RejectError::InvalidKey { problem });
    }
    if Statement::public_inputs(&key.description) != Some(shape.public_inputs)
        || key.description.options.scheme != shape.scheme
    {
        return Err(RejectError::InvalidKey { problem: "the statement does not fit the circuit" });
    }
    if proof.key != key.digest() {
        return Err(RejectError::OtherKey);
    }
    let public = circuit::verify(shape.scheme.hash, shape, &key.cap, &key.binding(), &proof.proof)?;
    let invalid = RejectError::InvalidKey { problem: "the statement does not fit the circuit" };
    Statement::new(&key.description, key.digest(), &public, shape.soundness().security()).ok_or(invalid)
}

impl Circuit {
    /// Makes a circuit from its file ready.
    ///
    /// # Errors
    /// The file's parts do not belong together: it was made by another version of this program, or tampered with.
    pub fn load(file: CircuitFile) -> Result<Self, LoadError> {
        let _span = info_span!("load").entered();
        let draft = Draft::new(file.graph, file.options)?;
        // A program that is not the key's is refused before it costs much.
        if draft.description != file.key.description {
            return Err(LoadError::Differs);
        }
        let prover = AnyProver::with_leaves(&draft.plan, file.options.scheme.hash, &file.leaves);
        let circuit = draft.with(prover.ok_or(LoadError::Differs)?);
        if circuit.file.key.digest() != file.key.digest() {
            return Err(LoadError::Differs);
        }
        Ok(circuit)
    }

    /// The file that the circuit is kept in.
    pub fn file(&self) -> &CircuitFile {
        &self.file
    }

    /// The key that its proofs are verified with.
    pub fn key(&self) -> &VerifyingKey {
        &self.file.key
    }

    /// Its rows and columns.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

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
        let _span = info_span!("prove").entered();
        let input = input::integers(&self.file.graph, input)?;
        let flat: Vec<i64> = input.iter().copied().collect();
        let (expected, witness) = timings.measure("evaluation and witness", || {
            rayon::join(|| eval_fixed(&self.file.graph, &input), || Witness::new(&self.plan, &flat, Secrets::fresh()))
        });
        let expected = expected?;
        // The circuit computes what the interpreter defines; if it ever did not, no proof should leave.
        if !witness.outputs().eq(expected.output().iter().copied()) {
            return Err(self.fault(&flat).unwrap_or(ProofError::Disagreement));
        }
        let proof = debug_span!("proof system").in_scope(|| self.prover.prove(&witness, timings))?;
        debug!(bytes = proof.len(), "proved");
        let proof = ProofFile { key: self.file.key.digest(), proof };
        // What does not hold should not leave either, whatever the reason.
        let verified = timings.measure("verification", || verify(&self.file.key, &proof));
        verified.map_err(|error| self.fault(&flat).unwrap_or(ProofError::DoesNotHold(error)))?;
        Ok(proof)
    }

    /// What a witness for `input` breaks, if anything: a proof that fails for another reason may succeed next time.
    fn fault(&self, input: &[i64]) -> Option<ProofError> {
        let checker = Checker::new(&self.plan);
        let violations = checker.check(&Witness::new(&self.plan, input, Secrets::fresh()));
        let first = violations.first()?;
        Some(ProofError::Unsatisfied { count: violations.len(), first: checker.describe(first) })
    }
}

/// What a key says about a program.
fn describe(graph: &Graph, options: Options) -> Result<Description, PlanError> {
    let real = || PlanError::NotFixed { node: "the model".into() };
    let tensor = |node| TensorInfo::of(&graph.node(node).fact).ok_or_else(real);
    Ok(Description { input: tensor(graph.input())?, output: tensor(graph.output())?, model: graph.digest(), options })
}

/// Plans tell nothing that the key does not.
fn log(plan: &Plan) {
    let layout = &plan.layout;
    let (rows, wires, constants) = (layout.rows(), layout.wires, layout.constants);
    debug!(rows, wires, constants, "laid out");
    trace!("\n{plan}");
}

/// Why there is no circuit.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum CompileError {
    /// The graph breaks a rule of the IR.
    #[error("the program is not valid: {first}")]
    #[diagnostic(code(zknn::internal::invalid_graph), help("this is a bug in zknn: please report it with the model"))]
    Invalid {
        /// The first of its violations.
        first: String,
    },
    /// It can't be laid out.
    #[error("the model has no circuit: {0}")]
    #[diagnostic(code(zknn::plan), help("{}", .0.help()))]
    Plan(#[from] PlanError),
}

/// Why a circuit file can't be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LoadError {
    /// Its program has no circuit.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Compile(#[from] CompileError),
    /// What its program compiles to is not what its key says.
    #[error("the circuit's key is not the one that its program compiles to")]
    #[diagnostic(code(zknn::circuit::differs), help("compile the model again with this version of zknn"))]
    Differs,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ProofError {
    /// The input is not one that the model takes.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Input(#[from] InputError),
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

#[cfg(test)]
mod tests;
