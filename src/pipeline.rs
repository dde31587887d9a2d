//! Lower, compile, prove, verify.

mod prove;

pub use prove::{Input, ProofError, Proved, Request};

use crate::artifact::{CircuitFile, Description, Options, VerifyingKey, hex, tensor_of};
use crate::circuit::{AnyProver, CircuitShape, shape_of};
use crate::diagnose;
use crate::front::{self, LayerDiagnostic, Model};
use crate::input;
use crate::passes::{self, Context};
use crate::plan::{LeastSize, Plan, PlanError};
use miette::Diagnostic;
use tracing::{debug, debug_span, info, info_span, trace};
use zknn_ir::{Graph, NodeId};

/// The model as a graph of integers, which computes exactly what the model does on integers in the input range,
/// which is that of all its inputs.
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
    let mut context = Context { inputs: vec![input_range.into(); model.inputs().len()], fixed: None };
    passes::run(&mut graph, &mut context, observer).map_err(|error| diagnose::pass(model, &error))?;
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
    let draft = Draft::new(graph, options.clone(), |graph| Plan::new(graph, options.claims(), options.scheme))?;
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
    fn new(
        mut graph: Graph,
        options: Options,
        plan: impl FnOnce(&Graph) -> Result<Plan, PlanError> + Send,
    ) -> Result<Self, CompileError> {
        zknn_ir::validate(&graph).map_err(|violations| CompileError::Invalid { first: violations[0].to_string() })?;
        graph.remove_dead();
        let plan = || debug_span!("plan").in_scope(|| plan(&graph));
        let (description, plan) = rayon::join(|| describe(&graph, options), plan);
        let (description, plan) = (description?, plan?);
        log(&plan);
        let shape = shape_of(&plan);
        if let Some(what) = shape.problem() {
            return Err(PlanError::Impossible { what }.into());
        }
        Ok(Self { graph, plan, description, shape })
    }

    fn with(self, prover: AnyProver) -> Circuit {
        let options = self.description.options.clone();
        let key = VerifyingKey { description: self.description, shape: self.shape, cap: prover.cap() };
        let leaves = prover.leaves();
        let choices = self.plan.choices.clone();
        Circuit { file: CircuitFile { options, graph: self.graph, choices, key, leaves }, plan: self.plan, prover }
    }
}

impl Circuit {
    /// Makes a circuit from its file ready to prove with.
    ///
    /// Program, statement and gates are compared with the key. The commitment is not: its leaves are taken from the file, as
    /// to compute them would take as long as to compile. So a file from an enemy can have the key of another circuit, with
    /// the statement of this one; whoever proves with it discloses no more than with an honest one, but whoever verifies
    /// with that key is told nothing. [`Circuit::check_commitment`] finds out.
    ///
    /// # Errors
    /// The file's parts do not belong together: it was made by another version of this program, or tampered with.
    pub fn load(file: CircuitFile) -> Result<Self, LoadError> {
        let _span = info_span!("load").entered();
        if !is_as_large_as_its_program(&file) {
            return Err(LoadError::Differs);
        }
        let options = file.options.clone();
        let replay = |graph: &Graph| Plan::replay(graph, options.claims(), options.scheme, &file.choices);
        let draft = Draft::new(file.graph, options.clone(), replay)?;
        // A program that is not the key's is refused before it costs much.
        if draft.description != file.key.description {
            return Err(LoadError::Differs);
        }
        let prover = AnyProver::with_leaves(&draft.plan, file.options.scheme.hash, &file.leaves);
        let circuit = draft.with(prover.ok_or(LoadError::Differs)?);
        let digest = circuit.file.key.digest();
        if digest != file.key.digest() {
            return Err(LoadError::Differs);
        }
        let key = hex(&digest);
        info!(key, "the commitment is the file's own, and not compared with the program: `zknn audit` does that");
        Ok(circuit)
    }

    /// Computes the commitment to the constants and the permutation of the program anew, and compares. It takes as long as
    /// to compile.
    ///
    /// # Errors
    /// The circuit was loaded from a file with another commitment: its key is that of another circuit.
    pub fn check_commitment(&self) -> Result<(), LoadError> {
        let _span = info_span!("check the commitment").entered();
        self.prover.has_own_leaves().then_some(()).ok_or(LoadError::Commitment)
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
}

/// Whether the file has leaves for rows enough to hold its program: a file that says much in few bytes is refused before
/// anything is made of what it says.
fn is_as_large_as_its_program(file: &CircuitFile) -> bool {
    let shape = &file.key.shape;
    shape.problem().is_none()
        && file.choices.parts() <= shape.gates.iter().map(Vec::len).sum()
        && file.leaves.len() >= shape.rows()
        && file.graph.try_input().and(file.graph.try_output()).is_some()
        && LeastSize::of_any(&file.graph, file.options.claims())
            .is_ok_and(|size| size.may_fit(shape.degree_bits, file.options.scheme))
}

/// What a key says about a program.
fn describe(graph: &Graph, options: Options) -> Result<Description, PlanError> {
    let real = || PlanError::NotFixed { node: "the model".into() };
    let tensor = |&node: &NodeId| tensor_of(&graph.node(node).fact).ok_or_else(real);
    let tensors = |nodes: &[NodeId]| nodes.iter().map(tensor).collect::<Result<Vec<_>, _>>();
    let (inputs, outputs) = (tensors(graph.inputs())?, tensors(graph.outputs())?);
    Ok(Description { inputs, outputs, rounds: input::rounds(graph), model: graph.digest(), options })
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
    /// Its key commits to other columns than its program has.
    #[error("the circuit's key commits to another circuit than that of its program")]
    #[diagnostic(
        code(zknn::circuit::commitment),
        help("proofs under this key state nothing: use neither, and compile the model yourself")
    )]
    Commitment,
}

#[cfg(test)]
mod commitment_tests;
#[cfg(test)]
mod ends_tests;
#[cfg(test)]
mod tests;
