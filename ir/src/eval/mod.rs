//! The interpreter: what a graph means.
//!
//! [`eval_fixed`] is exact integer arithmetic and the reference for everything downstream; [`eval_real`] is
//! the floating-point network, whose sums depend in their last bits on the order of addition, but for
//! [`eval_real_batch_in_order`]. All yield
//! every node's tensor, which is what calibration and a circuit's witness need. The batch forms take many inputs
//! at once, along a first axis that all results have too, and share the work on the weights among them.

mod batch;
pub(crate) mod linear;
pub(crate) mod ordered;
mod patches;

use std::borrow::Cow;
use std::collections::HashMap;

use ndarray::{ArrayBase, ArrayD, Data, IxDyn};
use thiserror::Error;

pub use crate::op::normalize_roots;
pub use batch::{parts, samples};

use crate::op::Operand;
use crate::validate::structure;
use crate::weights::contiguous;
use crate::{Fact, Graph, NodeId, Number, Op, Violation};

/// What a graph is given: a tensor for each of its inputs, in their order. A tensor alone is for the only input.
pub trait Inputs<T> {
    /// The tensors.
    fn tensors(&self) -> &[ArrayD<T>];
}

impl<T> Inputs<T> for ArrayD<T> {
    fn tensors(&self) -> &[ArrayD<T>] {
        std::slice::from_ref(self)
    }
}

impl<T> Inputs<T> for [ArrayD<T>] {
    fn tensors(&self) -> &[ArrayD<T>] {
        self
    }
}

/// The tensor that each node of a graph yields for one input.
#[derive(Clone, Debug)]
pub struct Values<T> {
    tensors: HashMap<NodeId, ArrayD<T>>,
    outputs: Vec<NodeId>,
}

impl<T> Values<T> {
    /// What a node yields.
    ///
    /// # Panics
    ///
    /// If the evaluated graph has no such node.
    pub fn get(&self, id: NodeId) -> &ArrayD<T> {
        &self.tensors[&id]
    }

    /// What a graph with one output yields; of several, the first.
    pub fn output(&self) -> &ArrayD<T> {
        // A graph without outputs is not evaluated.
        self.get(self.outputs[0])
    }

    /// What the graph yields, output by output.
    pub fn outputs(&self) -> impl Iterator<Item = &ArrayD<T>> {
        self.outputs.iter().map(|&id| self.get(id))
    }
}

/// Why a graph was not evaluated.
///
/// The input may be private: no message holds a value of it.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EvalError {
    /// The graph has no input or no output.
    #[error(transparent)]
    Structure(#[from] Violation),
    /// The graph was rewritten since its facts were inferred.
    #[error("the graph's facts are stale")]
    Stale,
    /// Too few or too many inputs.
    #[error("there are {got} inputs, the network takes {expected}")]
    InputCount {
        /// How many the graph has.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// An error with the input it is about, where the graph has several.
    #[error("input {input}: {error}")]
    Input {
        /// Which of the inputs, counted from zero.
        input: usize,
        /// What is wrong with it.
        error: Box<EvalError>,
    },
    /// Batches of different lengths.
    #[error("the batches of the inputs have lengths {counts:?}, they must be equal")]
    BatchLengths {
        /// The length of each batch.
        counts: Vec<usize>,
    },
    /// An input of the wrong shape.
    #[error("the input has shape {got:?}, the network takes {expected:?}")]
    Shape {
        /// What the input node declares.
        expected: Vec<usize>,
        /// What was given.
        got: Vec<usize>,
    },
    /// An input integer outside the declared interval.
    #[error("element {index} of the input lies outside {lo}..={hi}")]
    OutOfRange {
        /// Row-major position of the first such integer.
        index: usize,
        /// The least integer allowed.
        lo: i64,
        /// The greatest integer allowed.
        hi: i64,
    },
    /// Integer evaluation of a network in real numbers.
    #[error("{node} yields real numbers, which integer evaluation does not cover")]
    NotFixed {
        /// The input node.
        node: NodeId,
    },
}

/// Evaluates a graph in floating point.
///
/// A fixed-point graph is evaluated as the real function it stands for: input and results are real values
/// (`scale * integer`), normalize does not round, and the declared input interval is not enforced.
///
/// # Errors
///
/// For a graph or an input that cannot be evaluated; see [`EvalError`].
pub fn eval_real<I: Inputs<f64> + ?Sized>(graph: &Graph, inputs: &I) -> Result<Values<f64>, EvalError> {
    check(graph, inputs.tensors(), &[])?;
    Ok(run(graph, inputs.tensors(), &[], Op::eval_real))
}

/// Evaluates a graph in floating point on a batch: inputs, and all results, have one more axis, the first.
///
/// # Errors
///
/// As for [`eval_real`].
pub fn eval_real_batch<I: Inputs<f64> + ?Sized>(graph: &Graph, inputs: &I) -> Result<Values<f64>, EvalError> {
    let batch = check_batch(graph, inputs.tensors())?;
    Ok(run(graph, inputs.tensors(), &batch, Op::eval_real))
}

/// As [`eval_real_batch`], but with all sums in one order, each product and each sum rounded by itself: the result is the
/// same to the last bit on every machine, and each input's is the same in every batch. It takes longer.
///
/// # Errors
///
/// As for [`eval_real`].
pub fn eval_real_batch_in_order<I: Inputs<f64> + ?Sized>(graph: &Graph, inputs: &I) -> Result<Values<f64>, EvalError> {
    let batch = check_batch(graph, inputs.tensors())?;
    Ok(run(graph, inputs.tensors(), &batch, Op::eval_real_in_order))
}

/// Evaluates a fixed-point graph in exact integer arithmetic.
///
/// Every integer of the result lies in the interval that its node's fact states.
///
/// # Errors
///
/// For a graph or an input that cannot be evaluated; see [`EvalError`].
pub fn eval_fixed<I: Inputs<i64> + ?Sized>(graph: &Graph, inputs: &I) -> Result<Values<i64>, EvalError> {
    check(graph, inputs.tensors(), &[])?;
    check_ranges(graph, inputs.tensors())?;
    Ok(run(graph, inputs.tensors(), &[], Op::eval_fixed))
}

/// Evaluates a fixed-point graph in exact integer arithmetic on a batch: inputs, and all results, have one more axis,
/// the first. Each result is that of [`eval_fixed`] on its input.
///
/// # Errors
///
/// As for [`eval_fixed`].
pub fn eval_fixed_batch<I: Inputs<i64> + ?Sized>(graph: &Graph, inputs: &I) -> Result<Values<i64>, EvalError> {
    let batch = check_batch(graph, inputs.tensors())?;
    check_ranges(graph, inputs.tensors())?;
    Ok(run(graph, inputs.tensors(), &batch, Op::eval_fixed))
}

/// As [`check`], for a batch; the axis that it has more.
fn check_batch<T>(graph: &Graph, inputs: &[ArrayD<T>]) -> Result<[usize; 1], EvalError> {
    let counts: Vec<usize> = inputs.iter().map(|input| input.shape().first().copied().unwrap_or(0)).collect();
    let batch = [counts.first().copied().unwrap_or(0)];
    check(graph, inputs, &batch)?;
    match counts.iter().all(|&count| [count] == batch) {
        true => Ok(batch),
        false => Err(EvalError::BatchLengths { counts }),
    }
}

fn check_ranges(graph: &Graph, inputs: &[ArrayD<i64>]) -> Result<(), EvalError> {
    for (at, (&node, input)) in graph.inputs().iter().zip(inputs).enumerate() {
        let Number::Fixed { lo, hi, .. } = graph.node(node).fact.number else {
            return Err(EvalError::NotFixed { node });
        };
        if let Some(index) = input.iter().position(|value| !(lo..=hi).contains(value)) {
            return Err(of_input(graph, at, EvalError::OutOfRange { index, lo, hi }));
        }
    }
    Ok(())
}

/// Whether facts can be relied on, and the inputs are of the shapes they speak of, behind as many axes as `batch` has.
fn check<T>(graph: &Graph, inputs: &[ArrayD<T>], batch: &[usize]) -> Result<(), EvalError> {
    if let Some(violation) = structure(graph).into_iter().next() {
        return Err(violation.into());
    }
    if graph.is_stale() {
        return Err(EvalError::Stale);
    }
    if inputs.len() != graph.inputs().len() {
        return Err(EvalError::InputCount { expected: graph.inputs().len(), got: inputs.len() });
    }
    for (at, (&node, input)) in graph.inputs().iter().zip(inputs).enumerate() {
        let expected = &graph.node(node).fact.shape;
        let got = input.shape().get(batch.len()..);
        if got != Some(expected) {
            let got = got.unwrap_or_default().to_vec();
            return Err(of_input(graph, at, EvalError::Shape { expected: expected.clone(), got }));
        }
    }
    Ok(())
}

/// The error, with the input it is about where there are several.
fn of_input(graph: &Graph, input: usize, error: EvalError) -> EvalError {
    match graph.inputs().len() {
        1 => error,
        _ => EvalError::Input { input, error: Box::new(error) },
    }
}

/// Goes through a checked graph. `step` gets an operation, its operands and the fact about the result; for an input the
/// operand is what was given. `batch` is what all tensors have before their shape: the elements are those of as many
/// operands in a row.
fn run<T: Copy>(
    graph: &Graph,
    inputs: &[ArrayD<T>],
    batch: &[usize],
    step: impl Fn(&Op, &[Operand<'_, T>], &Fact) -> Vec<T>,
) -> Values<T> {
    let given: HashMap<NodeId, &ArrayD<T>> = graph.inputs().iter().copied().zip(inputs).collect();
    let mut tensors: HashMap<NodeId, ArrayD<T>> = HashMap::with_capacity(graph.len());
    for id in graph.topological() {
        let node = graph.node(id);
        let sources: Vec<(&Fact, Cow<'_, [T]>)> = match given.get(&id) {
            Some(input) => vec![(&node.fact, contiguous(*input))],
            None => graph
                .operands(id)
                .iter()
                .map(|operand| (&graph.node(*operand).fact, contiguous(&tensors[operand])))
                .collect(),
        };
        let operands: Vec<Operand<'_, T>> = sources.iter().map(|(fact, elements)| Operand { fact, elements }).collect();
        let elements = step(&node.op, &operands, &node.fact);
        tensors.insert(id, tensor(&[batch, &node.fact.shape].concat(), elements));
    }
    Values { tensors, outputs: graph.outputs().to_vec() }
}

/// The elements as a tensor of the shape that a fact states.
fn tensor<T>(shape: &[usize], elements: Vec<T>) -> ArrayD<T> {
    // Every step yields one element for each index of the shape that `infer` gave its result, and `check`
    // compared the input with its own; a layout of a fact's shape does not overflow (`MAX_ELEMENTS`), and of a batch
    // there is a tensor in memory.
    ArrayD::from_shape_vec(shape, elements).expect("as many elements as the fact states")
}

/// The elements of a constant as `f64`, row by row; integers without their scale.
fn as_f64<S: Data<Elem = i64>>(data: &ArrayBase<S, IxDyn>) -> Vec<f64> {
    data.iter().map(|&value| value as f64).collect()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;
