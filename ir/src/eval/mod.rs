//! The interpreter: what a graph means.
//!
//! [`eval_fixed`] is exact integer arithmetic and the reference for everything downstream; [`eval_real`] is
//! the floating-point network, whose sums depend in their last bits on the order of addition, but for
//! [`eval_real_batch_in_order`]. All yield
//! every node's tensor, which is what calibration and a circuit's witness need. The batch forms take many inputs
//! at once, along a first axis that all results have too, and share the work on the weights among them.

mod linear;
mod normalize;
mod ordered;
mod pool;
mod select;

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
    Ok(run(graph, input, &[], real_step))
}

/// Evaluates a graph in floating point on a batch: inputs, and all results, have one more axis, the first.
///
/// # Errors
///
/// As for [`eval_real`].
pub fn eval_real_batch(graph: &Graph, inputs: &ArrayD<f64>) -> Result<Values<f64>, EvalError> {
    let count = check_batch(graph, inputs.shape())?;
    Ok(run(graph, inputs, &[count], real_step))
}

/// As [`eval_real_batch`], but with all sums in one order, each product and each sum rounded by itself: the result is the
/// same to the last bit on every machine, and each input's is the same in every batch. It takes longer.
///
/// # Errors
///
/// As for [`eval_real`].
pub fn eval_real_batch_in_order(graph: &Graph, inputs: &ArrayD<f64>) -> Result<Values<f64>, EvalError> {
    let count = check_batch(graph, inputs.shape())?;
    Ok(run(graph, inputs, &[count], ordered_step))
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
    check_range(graph, input)?;
    Ok(run(graph, input, &[], fixed_step))
}

/// Evaluates a fixed-point graph in exact integer arithmetic on a batch: inputs, and all results, have one more axis,
/// the first. Each result is that of [`eval_fixed`] on its input.
///
/// # Errors
///
/// As for [`eval_fixed`].
pub fn eval_fixed_batch(graph: &Graph, inputs: &ArrayD<i64>) -> Result<Values<i64>, EvalError> {
    let count = check_batch(graph, inputs.shape())?;
    check_range(graph, inputs)?;
    Ok(run(graph, inputs, &[count], fixed_step))
}

fn real_step(op: &Op, fact: &Fact, operand: &[f64], shape: &[usize]) -> Vec<f64> {
    match op {
        Op::Input { .. } | Op::Flatten => operand.to_vec(),
        Op::Conv2d { kernel, bias } => linear::conv2d_real(kernel, bias.as_ref(), operand, shape),
        Op::Dense { weights, bias } => linear::dense_real(weights, bias.as_ref(), operand),
        Op::MaxPool { window, relu } => {
            each(operand, fact, |image| pool::max_pool(*window, relu.then_some(0.0), image, shape, f64::max))
        }
        Op::Relu => operand.iter().map(|value| value.max(0.0)).collect(),
        Op::Normalize { .. } => each(operand, fact, normalize::normalize_real),
        Op::Requantize(op) => {
            let unit = fact.scale().unwrap_or(1.0);
            operand.iter().enumerate().map(|(at, &value)| op.apply_real(at, value, unit)).collect()
        }
        Op::Argmax => each(operand, fact, |x| vec![select::argmax(x) as f64]),
    }
}

/// As [`real_step`], where that leaves no choice of order.
fn ordered_step(op: &Op, fact: &Fact, operand: &[f64], shape: &[usize]) -> Vec<f64> {
    match op {
        Op::Conv2d { kernel, bias } => ordered::conv2d(kernel, bias.as_ref(), operand, shape),
        Op::Dense { weights, bias } => ordered::dense(weights, bias.as_ref(), operand),
        _ => real_step(op, fact, operand, shape),
    }
}

fn fixed_step(op: &Op, fact: &Fact, operand: &[i64], shape: &[usize]) -> Vec<i64> {
    match op {
        Op::Input { .. } | Op::Flatten => operand.to_vec(),
        Op::Conv2d { kernel, bias } => linear::conv2d_fixed(kernel, bias.as_ref(), operand, fact, shape),
        Op::Dense { weights, bias } => linear::dense_fixed(weights, bias.as_ref(), operand, fact),
        Op::MaxPool { window, relu } => {
            each(operand, fact, |image| pool::max_pool(*window, relu.then_some(0), image, shape, i64::max))
        }
        Op::Relu => operand.iter().map(|&value| value.max(0)).collect(),
        Op::Normalize { fraction_bits } => each(operand, fact, |x| normalize::normalize_fixed(x, *fraction_bits)),
        Op::Requantize(op) => operand.iter().enumerate().map(|(at, &value)| op.apply(at, value)).collect(),
        Op::Argmax => each(operand, fact, |x| vec![select::argmax(x) as i64]),
    }
}

/// The results for each of the operands in a row, one after the other.
fn each<T>(operands: &[T], fact: &Fact, step: impl Fn(&[T]) -> Vec<T>) -> Vec<T> {
    operands.chunks(fact.elements().max(1)).flat_map(step).collect()
}

/// As [`check`], for a batch; how many inputs there are.
fn check_batch(graph: &Graph, got: &[usize]) -> Result<usize, EvalError> {
    let (count, input) = match got {
        [] => (0, got),
        [count, input @ ..] => (*count, input),
    };
    check(graph, input)?;
    Ok(count)
}

fn check_range(graph: &Graph, input: &ArrayD<i64>) -> Result<(), EvalError> {
    let node = graph.input();
    let Number::Fixed { lo, hi, .. } = graph.node(node).fact.number else {
        return Err(EvalError::NotFixed { node });
    };
    match input.iter().position(|value| !(lo..=hi).contains(value)) {
        Some(index) => Err(EvalError::OutOfRange { index, lo, hi }),
        None => Ok(()),
    }
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
/// the result; for the input node the operand is the input itself. `batch` is what all tensors have before their
/// shape: the elements are those of as many operands in a row.
fn run<T: Copy>(
    graph: &Graph,
    input: &ArrayD<T>,
    batch: &[usize],
    step: impl Fn(&Op, &Fact, &[T], &[usize]) -> Vec<T>,
) -> Values<T> {
    let mut tensors: HashMap<NodeId, ArrayD<T>> = HashMap::with_capacity(graph.len());
    for id in graph.topological() {
        let node = graph.node(id);
        let elements = match graph.operands(id).first() {
            None => step(&node.op, &node.fact, &contiguous(input), &node.fact.shape),
            Some(operand) => {
                step(&node.op, &graph.node(*operand).fact, &contiguous(&tensors[operand]), &node.fact.shape)
            }
        };
        tensors.insert(id, tensor(&[batch, &node.fact.shape].concat(), elements));
    }
    Values { tensors, output: graph.output() }
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
