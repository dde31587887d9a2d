//! The canonical encoding that digests are taken of.
//!
//! Every list is preceded by its length and every choice by a tag byte, integers are 64-bit little-endian,
//! floats are their bits: no two graphs that differ in meaning share an encoding. What a graph's history
//! leaves behind (node numbers, dead nodes, layer annotations, memory layout) is not in it.

use crate::weights::contiguous;
use crate::{Fact, Graph, Number, Op, Requantize, Weights};

/// Where encoded bytes go.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for blake3::Hasher {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Graph {
    /// The canonical encoding of everything the output depends on: operations with their weights, facts,
    /// edges, and which node is the output.
    ///
    /// Nodes are numbered in an order that only the shape of the graph decides, so the way a graph was built
    /// leaves no trace. [`crate::Node::layer`] and dead nodes are not part of it.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    /// BLAKE3 of [`Graph::canonical_bytes`], without holding those bytes in memory.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        self.encode(&mut hasher);
        *hasher.finalize().as_bytes()
    }

    fn encode(&self, sink: &mut impl Sink) {
        let listing = self.live_listing();
        sink.put(b"zknn-ir graph 1\n");
        length(listing.nodes.len(), sink);
        for listed in &listing.nodes {
            let node = self.node(listed.id);
            op(&node.op, sink);
            length(listed.operands.len(), sink);
            for &operand in &listed.operands {
                length(operand, sink);
            }
            fact(&node.fact, sink);
        }
        sink.put(&[u8::from(listing.output.is_some())]);
        if let Some(position) = listing.output {
            length(position, sink);
        }
    }
}

/// Kind, shape, scale and elements.
pub(crate) fn weights(weights: &Weights, sink: &mut impl Sink) {
    match weights {
        Weights::Real(data) => {
            sink.put(&[0]);
            shape(data.shape(), sink);
            words(&contiguous(data), |value| value.to_bits(), sink);
        }
        Weights::Fixed { data, scale } => {
            sink.put(&[1]);
            shape(data.shape(), sink);
            float(*scale, sink);
            words(&contiguous(data), i64::cast_unsigned, sink);
        }
    }
}

fn op(op: &Op, sink: &mut impl Sink) {
    match op {
        Op::Input { shape: axes, number: kind } => {
            sink.put(&[0]);
            shape(axes, sink);
            number(kind, sink);
        }
        Op::Conv2d { kernel, bias } => linear(1, kernel, bias.as_ref(), sink),
        Op::Dense { weights, bias } => linear(2, weights, bias.as_ref(), sink),
        Op::MaxPool { window, relu } => {
            sink.put(&[3]);
            length(window[0], sink);
            length(window[1], sink);
            sink.put(&[u8::from(*relu)]);
        }
        Op::Relu => sink.put(&[4]),
        Op::Flatten => sink.put(&[5]),
        Op::Normalize { fraction_bits } => {
            sink.put(&[6]);
            sink.put(&u64::from(*fraction_bits).to_le_bytes());
        }
        Op::Requantize(Requantize { multipliers, shift, lo, hi, scale }) => {
            sink.put(&[7]);
            length(multipliers.len(), sink);
            words(multipliers, i64::cast_unsigned, sink);
            for word in [i64::from(*shift), *lo, *hi] {
                sink.put(&word.to_le_bytes());
            }
            float(*scale, sink);
        }
        Op::Argmax => sink.put(&[8]),
    }
}

fn linear(tag: u8, matrix: &Weights, bias: Option<&Weights>, sink: &mut impl Sink) {
    sink.put(&[tag]);
    weights(matrix, sink);
    sink.put(&[u8::from(bias.is_some())]);
    if let Some(bias) = bias {
        weights(bias, sink);
    }
}

fn fact(fact: &Fact, sink: &mut impl Sink) {
    shape(&fact.shape, sink);
    number(&fact.number, sink);
}

fn number(number: &Number, sink: &mut impl Sink) {
    match *number {
        Number::Real => sink.put(&[0]),
        Number::Fixed { scale, lo, hi } => {
            sink.put(&[1]);
            float(scale, sink);
            sink.put(&lo.to_le_bytes());
            sink.put(&hi.to_le_bytes());
        }
    }
}

fn shape(shape: &[usize], sink: &mut impl Sink) {
    length(shape.len(), sink);
    for &axis in shape {
        length(axis, sink);
    }
}

fn length(value: usize, sink: &mut impl Sink) {
    sink.put(&(value as u64).to_le_bytes());
}

fn float(value: f64, sink: &mut impl Sink) {
    sink.put(&value.to_bits().to_le_bytes());
}

/// The elements, block by block: hashing is fast only on long inputs. Their number follows from the shape.
fn words<T: Copy>(elements: &[T], bits: impl Fn(T) -> u64, sink: &mut impl Sink) {
    const BLOCK: usize = 1 << 14;
    let mut block = Vec::with_capacity(8 * BLOCK.min(elements.len()));
    for chunk in elements.chunks(BLOCK) {
        block.clear();
        block.extend(chunk.iter().flat_map(|&word| bits(word).to_le_bytes()));
        sink.put(&block);
    }
}
