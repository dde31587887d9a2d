//! The canonical encoding that digests are taken of.
//!
//! Every list is preceded by its length and every choice by a tag byte, integers are 64-bit little-endian,
//! floats are their bits: no two graphs that differ in meaning share an encoding. What a graph's history
//! leaves behind (node numbers, dead nodes, layer annotations, memory layout) is not in it.

use std::convert::Infallible;

use crate::op::attribute::Visitor;
use crate::weights::contiguous;
use crate::{Fact, Graph, Number, Op, Weights};

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
    /// The canonical encoding of all inputs and everything the outputs depend on: operations with their weights, facts,
    /// edges, and which nodes are the outputs.
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
        match &listing.outputs[..] {
            [] => sink.put(&[0]),
            [output] => {
                sink.put(&[1]);
                length(*output, sink);
            }
            outputs => {
                sink.put(&[2]);
                shape(outputs, sink);
            }
        }
    }
}

/// Kind, shape, scale or scales, and elements.
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
        Weights::Scaled { data, scales } => {
            sink.put(&[2]);
            shape(data.shape(), sink);
            length(scales.len(), sink);
            words(scales, f64::to_bits, sink);
            words(&contiguous(data), i64::cast_unsigned, sink);
        }
    }
}

fn op(op: &Op, sink: &mut impl Sink) {
    sink.put(&[op.tag()]);
    // A visitor may change what it is shown, so it is shown a copy; weights are shared.
    let Ok(()) = op.clone().attributes(&mut Encoder(sink));
}

/// Writes attributes in their order.
struct Encoder<'a, S>(&'a mut S);

impl<S: Sink> Visitor for Encoder<'_, S> {
    type Error = Infallible;

    fn fact(&mut self, axes: &mut Vec<usize>, kind: &mut Number) -> Result<(), Infallible> {
        shape(axes, self.0);
        number(kind, self.0);
        Ok(())
    }

    fn weights(&mut self, _: &'static str, tensor: &mut Weights) -> Result<(), Infallible> {
        weights(tensor, self.0);
        Ok(())
    }

    fn optional_weights(&mut self, _: &'static str, tensor: &mut Option<Weights>) -> Result<(), Infallible> {
        self.0.put(&[u8::from(tensor.is_some())]);
        if let Some(tensor) = tensor {
            weights(tensor, self.0);
        }
        Ok(())
    }

    fn bits(&mut self, _: &'static str, bits: &mut u32) -> Result<(), Infallible> {
        self.0.put(&u64::from(*bits).to_le_bytes());
        Ok(())
    }

    fn flag(&mut self, _: &'static str, flag: &mut bool) -> Result<(), Infallible> {
        self.0.put(&[u8::from(*flag)]);
        Ok(())
    }

    fn height_and_width(&mut self, _: &'static str, sides: &mut [usize; 2]) -> Result<(), Infallible> {
        length(sides[0], self.0);
        length(sides[1], self.0);
        Ok(())
    }

    fn sides_unless(&mut self, name: &'static str, sides: &mut [usize; 2], _: [usize; 2]) -> Result<(), Infallible> {
        self.height_and_width(name, sides)
    }

    fn count_unless_one(&mut self, _: &'static str, count: &mut usize) -> Result<(), Infallible> {
        length(*count, self.0);
        Ok(())
    }

    fn lengths(&mut self, _: &'static str, lengths: &mut Vec<usize>) -> Result<(), Infallible> {
        shape(lengths, self.0);
        Ok(())
    }

    fn lengths_unless_zero(&mut self, _: &'static str, lengths: &mut Vec<usize>, _: usize) -> Result<(), Infallible> {
        shape(lengths, self.0);
        Ok(())
    }

    fn axis(&mut self, axis: &mut usize) -> Result<(), Infallible> {
        length(*axis, self.0);
        Ok(())
    }

    fn indices(&mut self, _: &'static str, indices: &mut Vec<usize>) -> Result<(), Infallible> {
        shape(indices, self.0);
        Ok(())
    }

    fn integers(&mut self, _: &'static str, integers: &mut Vec<i64>) -> Result<(), Infallible> {
        length(integers.len(), self.0);
        words(integers, i64::cast_unsigned, self.0);
        Ok(())
    }

    fn interval(&mut self, _: &'static str, lo: &mut i64, hi: &mut i64) -> Result<(), Infallible> {
        self.0.put(&lo.to_le_bytes());
        self.0.put(&hi.to_le_bytes());
        Ok(())
    }

    fn scale(&mut self, scale: &mut f64) -> Result<(), Infallible> {
        float(*scale, self.0);
        Ok(())
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
