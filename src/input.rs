//! The integers that stand for an input.

use miette::Diagnostic;
use ndarray::{ArrayBase, ArrayD, Axis, Data, Dimension};
use thiserror::Error;
use zknn_ir::{Fact, Graph, NodeId, Number, Op, op};

/// Up to here a float of 32 bits tells halves of integers apart.
const FINE: f32 = (1 << 22) as f32;

/// Why a tensor is no input of a graph. An input may be private: no message holds a value of it.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum InputError {
    /// A tensor of another shape than the graph takes.
    #[error("the network takes an input of shape {expected:?}, got {got:?}")]
    #[diagnostic(code(zknn::input::shape), help("{}", shape_help(expected, got)))]
    Shape {
        /// The shape that the graph takes.
        expected: Vec<usize>,
        /// The shape of the tensor.
        got: Vec<usize>,
    },
    /// A tensor that is no batch of inputs.
    #[error("the network takes inputs of shape {expected:?} in a batch, got {got:?}")]
    #[diagnostic(
        code(zknn::input::batch_shape),
        help("the first extent of `dim` is the number of inputs, the others are the `input_shape` of the first layer")
    )]
    BatchShape {
        /// The shape of one input.
        expected: Vec<usize>,
        /// The shape of the tensor.
        got: Vec<usize>,
    },
    /// Too few or too many inputs.
    #[error("there are {got} inputs, the network takes {expected}")]
    #[diagnostic(code(zknn::input::count), help("give each input of the model, in their order"))]
    Count {
        /// How many the graph has.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// Batches of unlike lengths.
    #[error("there are {got} samples of one input, and {expected} of the first")]
    #[diagnostic(code(zknn::input::samples), help("the nth of each belong together, so there must be as many"))]
    Samples {
        /// How many there are of the first input.
        expected: usize,
        /// How many there are of another.
        got: usize,
    },
    /// An element that is not a whole multiple of the input's scale.
    #[error("the input has at {index:?} a number that is not a multiple of {scale}")]
    #[diagnostic(
        code(zknn::input::fractional),
        help(
            "the network computes with integers exactly, so it takes multiples of {scale} only; round the input, or \
             round the network as well: compile it with `--bits`"
        )
    )]
    Fractional {
        /// Where the first such element stands.
        index: Vec<usize>,
        /// The real value of the integer one.
        scale: String,
    },
    /// An element outside the declared range.
    #[error("the input has at {index:?} a number outside the input range {lo}..{hi}")]
    #[diagnostic(
        code(zknn::input::out_of_range),
        help(
            "clip the input, or declare a wider range: `input_range` in the model, `--input-range`, or `--range` of `commit`"
        )
    )]
    OutOfRange {
        /// Where the first such element stands.
        index: Vec<usize>,
        /// The least number allowed.
        lo: f64,
        /// The greatest number allowed.
        hi: f64,
    },
    /// A graph of real numbers, or without an input.
    #[error("the network does not compute in integers")]
    #[diagnostic(code(zknn::input::not_fixed), help("this is a fault in zknn, not in the input; please report it"))]
    NotFixed,
}

/// What a model is given: a tensor for each of its inputs, in their order. A tensor alone is for the only input. Elements are
/// of any type that real numbers of 64 bits hold exactly: `f64`, `f32`, and integers of up to 32 bits.
pub trait Inputs {
    /// The tensors.
    fn tensors(&self) -> Vec<ArrayD<f64>>;
}

impl<T: Copy + Into<f64>, S: Data<Elem = T>, D: Dimension> Inputs for ArrayBase<S, D> {
    fn tensors(&self) -> Vec<ArrayD<f64>> {
        vec![self.mapv(Into::into).into_dyn()]
    }
}

impl<I: Inputs> Inputs for [I] {
    fn tensors(&self) -> Vec<ArrayD<f64>> {
        self.iter().flat_map(Inputs::tensors).collect()
    }
}

/// Whether an integer program rounds the numbers of its inputs, and those on the way, instead of computing exactly.
pub fn rounds(graph: &Graph) -> bool {
    (0..graph.inputs().len()).any(|position| input_of(graph, position).is_ok_and(|(_, rounds)| rounds))
}

/// The integers that stand for the input, in the range that the graph demands.
///
/// A graph whose input rounds takes the nearest multiples of its scale, of two equally near ones the even multiple; the quotient is
/// rounded to a float of 32 bits before, as QuantizeLinear of ONNX does. Any other takes multiples alone.
///
/// # Errors
///
/// The first element that no such integer stands for.
pub fn integers(graph: &Graph, input: &ArrayD<f64>) -> Result<ArrayD<i64>, InputError> {
    integers_at(graph, 0, input)
}

/// As [`integers`], for each of the graph's inputs.
///
/// # Errors
///
/// As for [`integers`], or there are too few or too many.
pub fn integers_of_each(graph: &Graph, inputs: &[ArrayD<f64>]) -> Result<Vec<ArrayD<i64>>, InputError> {
    check_count(graph, inputs.len())?;
    inputs.iter().enumerate().map(|(position, input)| integers_at(graph, position, input)).collect()
}

/// Refuses another number of inputs than the graph has.
pub(crate) fn check_count(graph: &Graph, got: usize) -> Result<(), InputError> {
    let expected = graph.inputs().len();
    if expected == got { Ok(()) } else { Err(InputError::Count { expected, got }) }
}

/// As [`integers`], for the input at this position among the graph's.
///
/// # Errors
///
/// As for [`integers`].
pub fn integers_at(graph: &Graph, position: usize, input: &ArrayD<f64>) -> Result<ArrayD<i64>, InputError> {
    let (fact, rounds) = input_of(graph, position)?;
    integers_of(fact, rounds, input)
}

/// The integers that stand for a tensor of `fact`: the nearest multiples of its scale, or multiples alone.
///
/// # Errors
///
/// As for [`integers`].
pub fn integers_of(fact: &Fact, rounds: bool, input: &ArrayD<f64>) -> Result<ArrayD<i64>, InputError> {
    if input.shape() != fact.shape {
        return Err(InputError::Shape { expected: fact.shape.clone(), got: input.shape().to_vec() });
    }
    converted(fact, rounds, input)
}

/// Whether there is a tensor for each of the graph's inputs, and all have one axis more than these: batches of them.
pub fn are_batches(graph: &Graph, inputs: &[ArrayD<f64>]) -> bool {
    let has_one_axis_more = |(input, &id): (&ArrayD<f64>, &NodeId)| input.ndim() == graph.node(id).fact.shape.len() + 1;
    inputs.len() == graph.inputs().len() && inputs.iter().zip(graph.inputs()).all(has_one_axis_more)
}

/// As [`integers`], for a batch of each of the graph's inputs, along the first axis.
///
/// # Errors
///
/// As for [`integers`], where the first index of an element is that of its sample; or there is not a batch of each input, all
/// of one length.
pub fn integers_of_batches(graph: &Graph, batches: &[ArrayD<f64>]) -> Result<Vec<ArrayD<i64>>, InputError> {
    check_batches(graph, batches)?;
    let integers = |(position, batch): (usize, &ArrayD<f64>)| {
        let (fact, rounds) = input_of(graph, position)?;
        converted(fact, rounds, batch)
    };
    batches.iter().enumerate().map(integers).collect()
}

/// The indices of the samples that integers stand for.
///
/// # Errors
///
/// As for [`integers_of_batches`], if there are samples and it is none of them.
pub(crate) fn accepted(graph: &Graph, batches: &[ArrayD<f64>]) -> Result<Vec<usize>, InputError> {
    check_batches(graph, batches)?;
    let check = |index: usize| -> Result<(), InputError> {
        for (position, batch) in batches.iter().enumerate() {
            let (fact, rounds) = input_of(graph, position)?;
            converted(fact, rounds, &batch.index_axis(Axis(0), index).to_owned())?;
        }
        Ok(())
    };
    let samples = batches[0].shape()[0];
    let accepted: Vec<usize> = (0..samples).filter(|&index| check(index).is_ok()).collect();
    if accepted.is_empty() && samples > 0 {
        integers_of_batches(graph, batches)?;
    }
    Ok(accepted)
}

fn check_batches(graph: &Graph, batches: &[ArrayD<f64>]) -> Result<(), InputError> {
    check_count(graph, batches.len())?;
    for (position, batch) in batches.iter().enumerate() {
        let (fact, _) = input_of(graph, position)?;
        if !matches!(batch.shape(), [_, input @ ..] if input == fact.shape) {
            return Err(InputError::BatchShape { expected: fact.shape.clone(), got: batch.shape().to_vec() });
        }
        let (expected, got) = (batches[0].shape()[0], batch.shape()[0]);
        if expected != got {
            return Err(InputError::Samples { expected, got });
        }
    }
    Ok(())
}

/// The samples of batches with these indices.
pub(crate) fn selected(batches: &[ArrayD<f64>], indices: &[usize]) -> Vec<ArrayD<f64>> {
    batches.iter().map(|batch| batch.select(Axis(0), indices)).collect()
}

/// What to do about an input of the wrong shape, which most often is an image as other tools order it.
fn shape_help(expected: &[usize], got: &[usize]) -> &'static str {
    match (expected, got) {
        (&[height, width, channels], got) if *got == [channels, height, width] => {
            "the input has its channels first, the network takes them last; transpose it: in numpy, \
             `x.transpose(1, 2, 0)`"
        }
        _ => "the shape of an input is its `dim`; the network's is the `input_shape` of its first layer",
    }
}

/// The fact about an input, and whether it rounds.
fn input_of(graph: &Graph, position: usize) -> Result<(&Fact, bool), InputError> {
    let node = graph.node(*graph.inputs().get(position).ok_or(InputError::NotFixed)?);
    Ok((&node.fact, matches!(node.op, Op::Input(op::Input { rounds: true, .. }))))
}

/// The integer nearest to a quotient.
fn nearest(quotient: f64) -> f64 {
    let narrow = quotient as f32;
    if narrow.abs() < FINE { narrow.round_ties_even().into() } else { quotient.round_ties_even() }
}

fn converted(fact: &Fact, rounds: bool, input: &ArrayD<f64>) -> Result<ArrayD<i64>, InputError> {
    let Number::Fixed { scale, lo, hi } = fact.number else {
        return Err(InputError::NotFixed);
    };
    let place = |nth: usize| index(input.shape(), nth);
    let integer_of = |value: f64| if rounds { nearest(value / scale) } else { value / scale };
    for (nth, &value) in input.iter().enumerate() {
        let integer = integer_of(value);
        // NaN and the infinities have no integral part either.
        if integer.fract() != 0.0 {
            return Err(InputError::Fractional { index: place(nth), scale: scale.to_string() });
        }
        // The cast saturates, and the range is far from the ends of `i64`.
        if !(lo..=hi).contains(&(integer as i64)) {
            let [lo, hi] = [lo, hi].map(|end| end as f64 * scale);
            return Err(InputError::OutOfRange { index: place(nth), lo, hi });
        }
    }
    Ok(input.mapv(|value| integer_of(value) as i64))
}

/// The index of the `nth` element in row-major order.
fn index(shape: &[usize], mut nth: usize) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|extent| {
            let along = nth % extent;
            nth /= extent;
            along
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    #[test]
    fn integers_stand_for_multiples_of_the_scale() {
        let graph = zknn_ir::parse("%0 = input : [2, 2] fixed(scale 2^-1, -4..=5)\noutput %0").unwrap();
        let input = |last: f64| arr2(&[[0.5, -2.0], [-0.0, last]]).into_dyn();
        let expected = arr2(&[[1, -4], [0, 5]]).into_dyn();
        assert_eq!(integers(&graph, &input(2.5)), Ok(expected));

        for fraction in [0.25, f64::NAN, f64::INFINITY] {
            let error = integers(&graph, &input(fraction)).unwrap_err();
            assert_eq!(error.to_string(), "the input has at [1, 1] a number that is not a multiple of 0.5");
        }
        for outside in [3.0, -2.5, 1e300] {
            let error = integers(&graph, &input(outside)).unwrap_err();
            assert_eq!(error.to_string(), "the input has at [1, 1] a number outside the input range -2..2.5");
        }
        let error = integers(&graph, &ndarray::arr1(&[1.0]).into_dyn()).unwrap_err();
        assert_eq!(error.to_string(), "the network takes an input of shape [2, 2], got [1]");
    }

    #[test]
    fn tensors_may_be_of_any_number_that_a_float_holds() {
        let expected = vec![ndarray::arr1(&[1.0, 2.0]).into_dyn()];
        assert_eq!(ndarray::arr1(&[1.0f32, 2.0]).tensors(), expected);
        assert_eq!(ndarray::arr1(&[1u8, 2]).tensors(), expected);
        assert_eq!(ndarray::arr1(&[1, 2]).view().tensors(), expected);
        assert_eq!([ndarray::arr1(&[1.0, 2.0]), ndarray::arr1(&[3.0])][..].tensors().len(), 2);
    }

    #[test]
    fn inputs_that_round_take_the_nearest_multiple() {
        let text = |scale: &str| {
            format!(
                "%0 = input rounds : [2] fixed(scale {scale}, -4..=5)
                output %0"
            )
        };
        let input = |a: f64, b: f64| ndarray::arr1(&[a, b]).into_dyn();
        let graph = zknn_ir::parse(&text("2^-1")).unwrap();
        assert_eq!(integers(&graph, &input(0.7, -0.75)), Ok(ndarray::arr1(&[1, -2]).into_dyn()));
        assert_eq!(integers(&graph, &input(2.74, -2.24)), Ok(ndarray::arr1(&[5, -4]).into_dyn()));
        assert!(matches!(integers(&graph, &input(0.0, 2.76)), Err(InputError::OutOfRange { .. })));
        assert!(integers(&graph, &input(0.0, f64::NAN)).is_err());
        // At a scale of 1 as at any other.
        let graph = zknn_ir::parse(&text("1")).unwrap();
        assert_eq!(integers(&graph, &input(0.7, -1.4)), Ok(ndarray::arr1(&[1, -1]).into_dyn()));
        // What is on the way says nothing about the input.
        let text = "%0 = input : [2] fixed(scale 1, -4..=5)
            %1 = requantize %0 multipliers=[1] shift=1 clamp=-9..=9 scale 1
            output %1";
        let graph = zknn_ir::parse(text).unwrap();
        assert!(matches!(integers(&graph, &input(0.7, 0.0)), Err(InputError::Fractional { .. })));
    }

    #[test]
    fn a_tensor_that_is_committed_to_is_rounded_as_an_input() {
        let fact = |scale| Fact { shape: vec![2], number: Number::Fixed { scale, lo: -4, hi: 5 } };
        let input = |a: f64, b: f64| ndarray::arr1(&[a, b]).into_dyn();
        assert_eq!(integers_of(&fact(0.5), true, &input(0.7, -0.75)), Ok(ndarray::arr1(&[1, -2]).into_dyn()));
        assert!(matches!(integers_of(&fact(0.5), true, &input(0.0, 2.76)), Err(InputError::OutOfRange { .. })));
        assert!(matches!(integers_of(&fact(1.0), false, &input(0.7, 0.0)), Err(InputError::Fractional { .. })));
        assert!(matches!(
            integers_of(&fact(1.0), true, &ndarray::arr1(&[1.0]).into_dyn()),
            Err(InputError::Shape { .. })
        ));
    }

    #[test]
    fn real_graphs_take_no_integers() {
        let graph = zknn_ir::parse("%0 = input : [1] real\noutput %0").unwrap();
        let input = ndarray::arr1(&[1.0]).into_dyn();
        assert_eq!(integers(&graph, &input), Err(InputError::NotFixed));
        assert_eq!(integers(&Graph::new(), &input), Err(InputError::NotFixed));
    }
}
