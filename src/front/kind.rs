//! What layers there are.

use ndarray::ArrayD;

use super::Composed;
use super::composed::Reads;

/// What a layer does.
#[derive(Debug, Clone, PartialEq)]
pub enum LayerKind {
    /// A convolution.
    Convolution {
        /// `[c_out, height, width, c_in / groups]`
        kernel: ArrayD<f64>,
        /// `[c_out]`, added to every position.
        biases: Option<ArrayD<f64>>,
        /// What the kernel reads.
        steps: Steps,
    },
    /// The maximum of each window, channel by channel.
    MaxPool {
        /// Height and width of a window.
        window: [usize; 2],
        /// From one window to the next. Without it, windows tile the image.
        stride: Option<[usize; 2]>,
        /// How far windows reach over the upper and the left edge; what lies beyond takes no part.
        before: [usize; 2],
        /// How far they reach over the lower and the right edge.
        after: [usize; 2],
    },
    /// `max(x, 0)`
    Relu,
    /// The same values in one dimension, the last index fastest.
    Flatten,
    /// A matrix-vector product.
    FullyConnected {
        /// `[outputs, inputs]`
        weights: ArrayD<f64>,
        /// `[outputs]`
        biases: Option<ArrayD<f64>>,
    },
    /// `x / ‖x‖`
    Normalize,
    /// The index of the greatest value, the lowest of several.
    Argmax {
        /// The axis along which; without it the input has one.
        axis: Option<usize>,
    },
    /// A border of zeros, or of another number.
    Padding {
        /// How many stand before the elements along each extent.
        before: Vec<usize>,
        /// How many stand behind them.
        after: Vec<usize>,
        /// What the border consists of.
        value: f64,
    },
    /// A layer that several operations say together.
    Composed(Composed),
}

/// How the kernel of a convolution steps through what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// From one position of the kernel to the next, along height and width.
    pub stride: [usize; 2],
    /// From one element of the kernel to the next, likewise.
    pub dilation: [usize; 2],
    /// How many groups the channels are in; each is convolved by itself.
    pub groups: usize,
    /// How many zeros stand above and left of the image.
    pub before: [usize; 2],
    /// How many stand below and right of it.
    pub after: [usize; 2],
}

/// One of each, and no border.
impl Default for Steps {
    fn default() -> Self {
        Self { stride: [1, 1], dilation: [1, 1], groups: 1, before: [0, 0], after: [0, 0] }
    }
}

impl LayerKind {
    /// The maximum of each window of an image that they tile.
    pub fn tiles(window: [usize; 2]) -> Self {
        Self::MaxPool { window, stride: None, before: [0, 0], after: [0, 0] }
    }

    /// The name of the layer's type in JSON.
    pub fn layer_type(&self) -> &'static str {
        match self {
            LayerKind::Convolution { .. } => "convolution",
            LayerKind::MaxPool { .. } => "max_pool",
            LayerKind::Relu => "relu",
            LayerKind::Flatten => "flatten",
            LayerKind::FullyConnected { .. } => "fully_connected",
            LayerKind::Normalize => "normalize",
            LayerKind::Argmax { .. } => "argmax",
            LayerKind::Composed(composed) => composed.layer_type(),
            LayerKind::Padding { .. } => "padding",
        }
    }

    /// How many tensors it reads.
    pub(super) fn reads(&self) -> Reads {
        match self {
            LayerKind::Composed(composed) => composed.reads(),
            LayerKind::Convolution { .. }
            | LayerKind::MaxPool { .. }
            | LayerKind::Relu
            | LayerKind::Flatten
            | LayerKind::FullyConnected { .. }
            | LayerKind::Normalize
            | LayerKind::Argmax { .. }
            | LayerKind::Padding { .. } => Reads::One,
        }
    }
}
