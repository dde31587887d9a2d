//! The interpreter: what a graph means.
//!
//! [`eval_fixed`] is exact integer arithmetic and the reference for everything downstream; [`eval_real`] is
//! the floating-point network, whose sums depend in their last bits on the order of addition. Both yield
//! every node's tensor, which is what calibration and a circuit's witness need.

mod linear;
mod normalize;
mod pool;

use std::collections::HashMap;

use ndarray::{ArrayBase, ArrayD, Data, IxDyn};
use thiserror::Error;

pub use normalize::normalize_roots;

use crate::validate::structure;
use crate::weights::contiguous;
use crate::{Fact, Graph, NodeId, Number, Op, Violation};

/// The tensor that each node of a graph yields for one input.
#[derive(Clone, Debug)]
pub struct Values<T> {
    tensors: HashMap<NodeId, ArrayD<T>>,
    output: NodeId,
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

    /// What the graph yields.
    pub fn output(&self) -> &ArrayD<T> {
        self.get(self.output)
    }
}

/// Why a graph was not evaluated.
///
/// The input may be private: no message holds a value of it.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EvalError {
    /// The graph has no input or no output, or several inputs.
    #[error(transparent)]
    Structure(#[from] Violation),
    /// The graph was rewritten since its facts were inferred.
    #[error("the graph's facts are stale")]
    Stale,
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
pub fn eval_real(graph: &Graph, input: &ArrayD<f64>) -> Result<Values<f64>, EvalError> {
    check(graph, input.shape())?;
    Ok(run(graph, input, |op, _, operand, shape| match op {
        Op::Input { .. } | Op::Flatten => operand.to_vec(),
        Op::Conv2d { kernel, bias } => linear::conv2d_real(kernel, bias.as_ref(), operand, shape),
        Op::Dense { weights, bias } => linear::dense_real(weights, bias.as_ref(), operand),
        Op::MaxPool { window, relu } => pool::max_pool(*window, relu.then_some(0.0), operand, shape, f64::max),
        Op::Relu => operand.iter().map(|value| value.max(0.0)).collect(),
        Op::Normalize { .. } => normalize::normalize_real(operand),
    }))
}

/// Evaluates a fixed-point graph in exact integer arithmetic.
///
/// Every integer of the result lies in the interval that its node's fact states.
///
/// # Errors
///
/// For a graph or an input that cannot be evaluated; see [`EvalError`].
pub fn eval_fixed(graph: &Graph, input: &ArrayD<i64>) -> Result<Values<i64>, EvalError> {
    check(graph, input.shape())?;
    let node = graph.input();
    let Number::Fixed { lo, hi, .. } = graph.node(node).fact.number else {
        return Err(EvalError::NotFixed { node });
    };
    if let Some(index) = input.iter().position(|value| !(lo..=hi).contains(value)) {
        return Err(EvalError::OutOfRange { index, lo, hi });
    }
    Ok(run(graph, input, |op, fact, operand, shape| match op {
        Op::Input { .. } | Op::Flatten => operand.to_vec(),
        Op::Conv2d { kernel, bias } => linear::conv2d_fixed(kernel, bias.as_ref(), operand, fact, shape),
        Op::Dense { weights, bias } => linear::dense_fixed(weights, bias.as_ref(), operand),
        Op::MaxPool { window, relu } => pool::max_pool(*window, relu.then_some(0), operand, shape, i64::max),
        Op::Relu => operand.iter().map(|&value| value.max(0)).collect(),
        Op::Normalize { fraction_bits } => normalize::normalize_fixed(operand, *fraction_bits),
    }))
}

/// Whether facts can be relied on, and the input is of the shape they speak of.
fn check(graph: &Graph, got: &[usize]) -> Result<(), EvalError> {
    if let Some(violation) = structure(graph).into_iter().next() {
        return Err(violation.into());
    }
    if graph.is_stale() {
        return Err(EvalError::Stale);
    }
    let expected = &graph.node(graph.input()).fact.shape;
    if expected != got {
        return Err(EvalError::Shape { expected: expected.clone(), got: got.to_vec() });
    }
    Ok(())
}

/// Goes through a checked graph. `step` gets an operation, its operand's fact and elements, and the shape of
/// the result; for the input node the operand is the input itself.
fn run<T: Copy>(graph: &Graph, input: &ArrayD<T>, step: impl Fn(&Op, &Fact, &[T], &[usize]) -> Vec<T>) -> Values<T> {
    let mut tensors: HashMap<NodeId, ArrayD<T>> = HashMap::with_capacity(graph.len());
    for id in graph.topological() {
        let node = graph.node(id);
        let elements = match graph.operands(id).first() {
            None => step(&node.op, &node.fact, &contiguous(input), &node.fact.shape),
            Some(operand) => {
                step(&node.op, &graph.node(*operand).fact, &contiguous(&tensors[operand]), &node.fact.shape)
            }
        };
        tensors.insert(id, tensor(&node.fact.shape, elements));
    }
    Values { tensors, output: graph.output() }
}

/// The elements as a tensor of the shape that a fact states.
fn tensor<T>(shape: &[usize], elements: Vec<T>) -> ArrayD<T> {
    // Every step yields one element for each index of the shape that `infer` gave its result, and `check`
    // compared the input with its own; a layout of a fact's shape does not overflow (`MAX_ELEMENTS`).
    ArrayD::from_shape_vec(shape, elements).expect("as many elements as the fact states")
}

/// The elements of a constant as `f64`, row by row; integers without their scale.
fn as_f64<S: Data<Elem = i64>>(data: &ArrayBase<S, IxDyn>) -> Vec<f64> {
    data.iter().map(|&value| value as f64).collect()
}

#[cfg(test)]
mod tests;
