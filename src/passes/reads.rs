//! Which channels of its operand a linear operation reads.

use std::ops::Range;

use zknn_ir::Op;

/// The channels, indices of the last axis of an operand that has so many, that the weights of one of the output channels read, in
/// turn and again from the first. Each group of output channels reads channels of its own; that of an affine is one channel, and
/// reads one.
pub(super) fn channels_read(op: &Op, [output, outputs]: [usize; 2], channels: usize) -> Range<usize> {
    let groups = match op {
        Op::Affine(_) => channels,
        Op::Conv2d(conv) => conv.groups,
        _ => 1,
    };
    let of_group = channels / groups;
    let first = output * groups / outputs * of_group;
    first..first + of_group
}
