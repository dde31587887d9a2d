//! The operations of the language.

use serde::{Deserialize, Serialize};

use crate::{Number, Requantize, Weights};

/// One operation: the tensor it yields is a function of its operands and of what it holds itself.
///
/// Images are `[height, width, channels]`. What each operation requires of its operand, and the fact about
/// its result, is decided by [`crate::infer()`]; what it computes, by [`crate::eval`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// The input of the network; no operand.
    Input {
        /// The shape that the input must have.
        shape: Vec<usize>,
        /// The numbers that the input must consist of; an interval here is a *demand*, and every other
        /// interval of the graph rests on it.
        number: Number,
    },
    /// Cross-correlation with stride 1 and without padding:
    /// `out[y, x, o] = bias[o] + Σ kernel[o, i, j, c] · in[y + i, x + j, c]`.
    Conv2d {
        /// `[c_out, height, width, c_in]`.
        kernel: Weights,
        /// `[c_out]`, at the scale of the result.
        bias: Option<Weights>,
    },
    /// A matrix times a vector: `out[o] = bias[o] + Σ weights[o, i] · in[i]`.
    Dense {
        /// `[out, in]`.
        weights: Weights,
        /// `[out]`, at the scale of the result.
        bias: Option<Weights>,
    },
    /// The greatest number of each window of an image, channel by channel. Windows do not overlap and tile
    /// the image exactly.
    MaxPool {
        /// Height and width of a window.
        window: [usize; 2],
        /// Whether zero takes part in each maximum.
        relu: bool,
    },
    /// `max(0, x)`, number by number.
    Relu,
    /// The same numbers in row-major order along one axis.
    Flatten,
    /// A vector divided by its Euclidean norm; the zero vector stays zero. `IR.md` defines the rounding.
    Normalize {
        /// A fixed-point result has the scale `2^-fraction_bits`.
        fraction_bits: u32,
    },
    /// Integers at another scale, nearest to what they were and clamped.
    Requantize(Requantize),
    /// The index of the greatest number of a vector, the lowest of several.
    Argmax,
}

impl Op {
    /// The name in the text form.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input { .. } => "input",
            Op::Conv2d { .. } => "conv2d",
            Op::Dense { .. } => "dense",
            Op::MaxPool { .. } => "max_pool",
            Op::Relu => "relu",
            Op::Flatten => "flatten",
            Op::Normalize { .. } => "normalize",
            Op::Requantize(_) => "requantize",
            Op::Argmax => "argmax",
        }
    }

    /// How many operands the operation takes.
    pub fn arity(&self) -> usize {
        match self {
            Op::Input { .. } => 0,
            Op::Conv2d { .. }
            | Op::Dense { .. }
            | Op::MaxPool { .. }
            | Op::Relu
            | Op::Flatten
            | Op::Normalize { .. }
            | Op::Requantize(_)
            | Op::Argmax => 1,
        }
    }

    /// The same operation with its weights laid out row by row, which evaluation wants.
    pub(crate) fn into_standard_layout(self) -> Self {
        match self {
            Op::Conv2d { kernel, bias } => {
                Op::Conv2d { kernel: kernel.into_standard_layout(), bias: bias.map(Weights::into_standard_layout) }
            }
            Op::Dense { weights, bias } => {
                Op::Dense { weights: weights.into_standard_layout(), bias: bias.map(Weights::into_standard_layout) }
            }
            other => other,
        }
    }
}
