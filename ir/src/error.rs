//! Why an operation does not fit its operands.

use thiserror::Error;

use crate::op::Arity;
use crate::{NodeId, infer};

/// Why [`crate::infer()`] has no fact for an operation on given operands.
///
/// Messages speak of the operation and its operand, not of where they stand; [`InferError::At`] adds that
/// where a whole graph is gone through.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InferError {
    /// Too few or too many operands.
    #[error("{op} has {got} operands, it takes {expected}")]
    OperandCount {
        /// The operation's name.
        op: &'static str,
        /// How many it takes.
        expected: Arity,
        /// How many there are.
        got: usize,
    },
    /// Operands that must have one shape and do not.
    #[error("operand {operand} of {op} has shape {got:?}, the first has {expected:?}")]
    OperandShape {
        /// The operation's name.
        op: &'static str,
        /// Which operand, counted from zero.
        operand: usize,
        /// The shape of the first.
        expected: Vec<usize>,
        /// The shape of this one.
        got: Vec<usize>,
    },
    /// Operands that must have one scale and do not.
    #[error("operand {operand} of {op} has scale {got}, the first has {expected}")]
    OperandScale {
        /// The operation's name.
        op: &'static str,
        /// Which operand, counted from zero.
        operand: usize,
        /// The scale of the first.
        expected: f64,
        /// The scale of this one.
        got: f64,
    },
    /// Operands of which some are real and some are not.
    #[error("operand {operand} of {op} and the first are not both real or both fixed-point")]
    MixedOperands {
        /// The operation's name.
        op: &'static str,
        /// The first that differs, counted from zero.
        operand: usize,
    },
    /// Operands that can't stand end to end.
    #[error("operand {operand} of {op} has shape {got:?}, which must be {expected:?} but for axis {axis}")]
    ConcatShape {
        /// The operation's name.
        op: &'static str,
        /// The axis along which they stand.
        axis: usize,
        /// Which operand, counted from zero.
        operand: usize,
        /// The shape of the first.
        expected: Vec<usize>,
        /// The shape of this one.
        got: Vec<usize>,
    },
    /// A shape for another number of elements.
    #[error("a tensor of shape {from:?} can't be one of shape {to:?}: the number of elements differs")]
    Reshape {
        /// The shape of the operand.
        from: Vec<usize>,
        /// The shape asked for.
        to: Vec<usize>,
    },
    /// What is no order of the axes.
    #[error("transpose has axes {got:?}, it takes each from 0 to {} once", axes - 1)]
    AxisOrder {
        /// How many axes there are.
        axes: usize,
        /// What is given as their order.
        got: Vec<usize>,
    },
    /// An axis that the operand does not have.
    #[error("{op} goes along axis {axis} of an input with {axes} axes, counted from zero")]
    NoAxis {
        /// The operation's name.
        op: &'static str,
        /// The axis asked for.
        axis: usize,
        /// The axes of the operand.
        axes: usize,
    },
    /// An index past the end of an axis.
    #[error("gather takes index {index} of axis {axis}, which has length {length}")]
    Index {
        /// The axis.
        axis: usize,
        /// Its length.
        length: usize,
        /// The first such index.
        index: usize,
    },
    /// Borders for another number of axes.
    #[error("pad has borders for {got} axes, its input has {axes}")]
    Borders {
        /// The axes of the operand.
        axes: usize,
        /// How many borders there are, before, after or between.
        got: usize,
    },
    /// A tensor with the wrong number of axes.
    #[error("the {tensor} of {op} has rank {got}, it must have rank {expected}")]
    Rank {
        /// The operation's name.
        op: &'static str,
        /// Which tensor of it.
        tensor: &'static str,
        /// How many axes it must have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// A tensor without axes, or with an axis of length zero.
    #[error("the {tensor} of {op} needs axes of length 1 or more, its shape is {shape:?}")]
    EmptyTensor {
        /// The operation's name.
        op: &'static str,
        /// Which tensor of it.
        tensor: &'static str,
        /// The shape it has.
        shape: Vec<usize>,
    },
    /// A result with more than [`crate::MAX_ELEMENTS`] numbers.
    #[error("a tensor of shape {shape:?} has more than {} elements", infer::MAX_ELEMENTS)]
    TooManyElements {
        /// The shape it would have.
        shape: Vec<usize>,
    },
    /// A convolution kernel made for another number of channels.
    #[error("kernel has {kernel} input channels, its input has {input}")]
    InputChannels {
        /// Input channels of the kernel.
        kernel: usize,
        /// Channels of the operand.
        input: usize,
    },
    /// A kernel that does not fit into its image.
    #[error("kernel of {} by {} does not fit into an input of {} by {}", kernel[0], kernel[1], input[0], input[1])]
    KernelTooLarge {
        /// Height and width of the kernel.
        kernel: [usize; 2],
        /// Height and width of the operand.
        input: [usize; 2],
    },
    /// A stride or dilation of zero.
    #[error("conv2d: {attribute} is {sides:?}, and must be positive along both axes")]
    EmptyStep {
        /// Which of the two.
        attribute: &'static str,
        /// Along height and width.
        sides: [usize; 2],
    },
    /// A number of groups that output channels can't be divided into.
    #[error("conv2d: {outputs} output channels can't be divided into {groups} groups")]
    Groups {
        /// How many groups.
        groups: usize,
        /// How many output channels.
        outputs: usize,
    },
    /// A matrix made for a vector of another length.
    #[error("weights take {weights} inputs, their input has {input}")]
    InputLength {
        /// Columns of the matrix.
        weights: usize,
        /// Length of the operand.
        input: usize,
    },
    /// One bias per output channel is needed.
    #[error("bias has length {got}, the number of output channels is {expected}")]
    BiasLength {
        /// Output channels.
        expected: usize,
        /// Elements of the bias.
        got: usize,
    },
    /// A pooling window without area, or windows that do not move.
    #[error("windows of {} by {} with stride {stride:?} are empty, or do not move", window[0], window[1])]
    EmptyWindow {
        /// Height and width of the window.
        window: [usize; 2],
        /// From one window to the next.
        stride: [usize; 2],
    },
    /// Pooling windows that are too large for their image, or lie beyond its edges altogether.
    #[error("windows of {} by {} do not each hold some of an input of {} by {}", window[0], window[1], input[0], input[1])]
    WindowOutside {
        /// Height and width of the window.
        window: [usize; 2],
        /// Height and width of the operand.
        input: [usize; 2],
    },
    /// A vector too long to be normalized.
    #[error("normalize takes at most {} elements, got {got}", infer::MAX_NORMALIZE_LENGTH)]
    NormalizeLength {
        /// Length of the operand.
        got: usize,
    },
    /// A precision of normalize outside its range.
    #[error("fraction_bits must lie in 1..={}, got {got}", infer::MAX_FRACTION_BITS)]
    FractionBits {
        /// The fraction bits asked for.
        got: u32,
    },
    /// More of the greatest than there are, or none.
    #[error("top_k takes the greatest {count} along axis {axis}, which has length {length}")]
    Count {
        /// How many are asked for.
        count: usize,
        /// The axis.
        axis: usize,
        /// Its length.
        length: usize,
    },
    /// An operation on real numbers that is given integers.
    #[error("{op} takes real numbers, its input is fixed-point")]
    NotReal {
        /// The operation's name.
        op: &'static str,
    },
    /// Multiples of a scale that floats of 32 bits do not tell apart.
    #[error("quantize gives multiples from {lo} to {hi}, they must stay within ±2^24")]
    Levels {
        /// The least.
        lo: i64,
        /// The greatest.
        hi: i64,
    },
    /// Weights of which each output channel has a scale, and there is another number of them.
    #[error("{op} has {got} scales for its {tensor}, the number of output channels is {expected}")]
    Scales {
        /// The operation's name.
        op: &'static str,
        /// What the operation calls the tensor.
        tensor: &'static str,
        /// Output channels.
        expected: usize,
        /// How many scales there are.
        got: usize,
    },
    /// Ends that are not two, or in the wrong order.
    #[error("clip takes two ends, of which the first is not above the second, got {count}")]
    Ends {
        /// How many there are.
        count: usize,
    },
    /// An operation on integers whose operand has none.
    #[error("{op} takes fixed-point numbers, its input is real")]
    NotFixed {
        /// The operation's name.
        op: &'static str,
    },
    /// Neither one multiplier nor one for each channel.
    #[error("requantize has {got} multipliers, it takes 1 or one for each of {channels} channels")]
    Multipliers {
        /// The length of the operand's last axis.
        channels: usize,
        /// How many multipliers there are.
        got: usize,
    },
    /// A multiplier that would turn the order of numbers round.
    #[error("a multiplier of requantize is negative: {got}")]
    NegativeMultiplier {
        /// The first such multiplier.
        got: i64,
    },
    /// A shift outside its range.
    #[error("the shift of requantize must lie in 1..={}, got {got}", crate::MAX_SHIFT)]
    Shift {
        /// The shift asked for.
        got: u32,
    },
    /// Real and fixed-point numbers in one operation.
    #[error("the {tensor} of {op} must be {expected} like its input, not {got}")]
    MixedNumbers {
        /// The operation's name.
        op: &'static str,
        /// Which tensor differs from the operand.
        tensor: &'static str,
        /// The kind of the operand: `real` or `fixed-point`.
        expected: &'static str,
        /// The kind of the tensor.
        got: &'static str,
    },
    /// A bias that counts in other units than the products it is added to.
    #[error("bias has scale {got}, the products have scale {expected}")]
    BiasScale {
        /// Scale of the operand times scale of the weights.
        expected: f64,
        /// Scale of the bias.
        got: f64,
    },
    /// A scale that is zero, negative, infinite or not a number.
    #[error("the scale of the {tensor} of {op} must be positive and finite, it is {got}")]
    BadScale {
        /// The operation's name.
        op: &'static str,
        /// Which tensor of it.
        tensor: &'static str,
        /// The scale it has.
        got: f64,
    },
    /// Real weights with an infinity or a NaN among them.
    #[error("the {tensor} of {op} must be finite, element {index} is not")]
    NotFinite {
        /// The operation's name.
        op: &'static str,
        /// Which tensor of it.
        tensor: &'static str,
        /// Row-major position of the first such element.
        index: usize,
    },
    /// An interval whose ends are the wrong way round.
    #[error("interval {lo}..={hi} is empty")]
    EmptyInterval {
        /// The lower end.
        lo: i64,
        /// The upper end.
        hi: i64,
    },
    /// Integers beyond ±2^62, be it in the result or in a partial sum on the way.
    #[error(
        "{op}{} spans {lo}..={hi} and needs magnitudes up to {magnitude}, beyond ±2^62",
        channel.map(|at| format!(" channel {at}")).unwrap_or_default()
    )]
    Overflow {
        /// The operation's name.
        op: &'static str,
        /// The first output channel for which it happens; `None` for an input.
        channel: Option<usize>,
        /// The lower end of the result's interval; saturated at the ends of `i128`.
        lo: i128,
        /// The upper end of the result's interval; saturated likewise.
        hi: i128,
        /// The most that the absolute values of all summands can add up to; saturated likewise.
        magnitude: i128,
    },
    /// A node that depends on its own result.
    #[error("{node} depends on itself")]
    Cycle {
        /// One node of the cycle.
        node: NodeId,
    },
    /// An error with the node it was met at.
    #[error("{node}: {error}")]
    At {
        /// The node.
        node: NodeId,
        /// The model layer that the node came from.
        layer: Option<usize>,
        /// What is wrong there.
        error: Box<InferError>,
    },
}

impl InferError {
    /// The error itself, without the place that [`InferError::At`] adds.
    pub fn root(&self) -> &InferError {
        let mut error = self;
        while let InferError::At { error: inner, .. } = error {
            error = inner;
        }
        error
    }
}
