//! The integers that stand for an input.

use miette::Diagnostic;
use ndarray::ArrayD;
use thiserror::Error;
use zknn_ir::{Graph, Number};

/// Why a tensor is no input of a graph. An input may be private: no message holds a value of it.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum InputError {
    /// A tensor of another shape than the graph takes.
    #[error("the network takes an input of shape {expected:?}, got {got:?}")]
    #[diagnostic(
        code(zknn::input::shape),
        help("the shape of an input is its `dim`; the network's is the `input_shape` of its first layer")
    )]
    Shape {
        /// The shape that the graph takes.
        expected: Vec<usize>,
        /// The shape of the tensor.
        got: Vec<usize>,
    },
    /// An element that is not a whole multiple of the input's scale.
    #[error("the input has at {index:?} a number that is not a multiple of {scale}")]
    #[diagnostic(
        code(zknn::input::fractional),
        help("the network is proved exactly, for inputs that are multiples of {scale}; scale and round the input")
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
        help("clip the input, or declare a wider range: `input_range` in the model, or `--input-range`")
    )]
    OutOfRange {
        /// Where the first such element stands.
        index: Vec<usize>,
        /// The least integer allowed.
        lo: i64,
        /// The greatest integer allowed.
        hi: i64,
    },
    /// A graph of real numbers, or without an input.
    #[error("the network does not compute in integers")]
    #[diagnostic(code(zknn::input::not_fixed), help("this is a fault in zknn, not in the input; please report it"))]
    NotFixed,
}

/// The integers that stand for the input, in the range that the graph demands.
///
/// # Errors
///
/// The first element that no such integer stands for.
pub fn integers(graph: &Graph, input: &ArrayD<f64>) -> Result<ArrayD<i64>, InputError> {
    let node = graph.try_input().ok_or(InputError::NotFixed)?;
    let fact = &graph.node(node).fact;
    let Number::Fixed { scale, lo, hi } = fact.number else {
        return Err(InputError::NotFixed);
    };
    if input.shape() != fact.shape {
        return Err(InputError::Shape { expected: fact.shape.clone(), got: input.shape().to_vec() });
    }
    let place = |nth: usize| index(input.shape(), nth);
    for (nth, value) in input.iter().enumerate() {
        let integer = value / scale;
        // NaN and the infinities have no integral part either.
        if integer.fract() != 0.0 {
            return Err(InputError::Fractional { index: place(nth), scale: scale.to_string() });
        }
        // The cast saturates, and the range is far from the ends of `i64`.
        if !(lo..=hi).contains(&(integer as i64)) {
            return Err(InputError::OutOfRange { index: place(nth), lo, hi });
        }
    }
    Ok(input.mapv(|value| (value / scale) as i64))
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
            assert_eq!(error.to_string(), "the input has at [1, 1] a number outside the input range -4..5");
        }
        let error = integers(&graph, &ndarray::arr1(&[1.0]).into_dyn()).unwrap_err();
        assert_eq!(error.to_string(), "the network takes an input of shape [2, 2], got [1]");
    }

    #[test]
    fn real_graphs_take_no_integers() {
        let graph = zknn_ir::parse("%0 = input : [1] real\noutput %0").unwrap();
        let input = ndarray::arr1(&[1.0]).into_dyn();
        assert_eq!(integers(&graph, &input), Err(InputError::NotFixed));
        assert_eq!(integers(&Graph::new(), &input), Err(InputError::NotFixed));
    }
}
