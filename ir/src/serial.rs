//! The serde forms of weights and graphs.
//!
//! A graph is stored as a plain list of operations in topological order. Facts are not stored: reading
//! infers them, so a file cannot claim what does not follow. Reading an untrusted file yields a graph with
//! true facts, an input and an output, or an error, and never panics; memory grows only with bytes that
//! were really there, as long as the format checks lengths likewise. (bincode does where bytes are borrowed.)
//!
//! Integers of a tensor are stored in as few bytes as its largest needs, the same number for each: millions of
//! them are read as fast as they are copied.

use std::borrow::Cow;
use std::fmt;

use ndarray::{ArcArray, IxDyn};
use rayon::prelude::*;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fact::element_count;
use crate::validate::structure;
use crate::weights::contiguous;
use crate::{Graph, NodeId, Op, Weights};

#[derive(Serialize, Deserialize)]
enum WeightsForm<'a> {
    Real {
        shape: Cow<'a, [usize]>,
        data: Cow<'a, [f64]>,
    },
    Fixed {
        shape: Cow<'a, [usize]>,
        scale: f64,
        #[serde(borrow)]
        data: IntegersForm<'a>,
    },
    Scaled {
        shape: Cow<'a, [usize]>,
        scales: Cow<'a, [f64]>,
        #[serde(borrow)]
        data: IntegersForm<'a>,
    },
}

/// Integers of `width` bytes each, in two's complement, the lowest byte first.
#[derive(Serialize, Deserialize)]
struct IntegersForm<'a> {
    width: u8,
    #[serde(borrow, with = "serde_bytes")]
    bytes: Cow<'a, [u8]>,
}

impl IntegersForm<'_> {
    fn of(integers: &[i64]) -> Self {
        // How far the numbers reach from zero or from minus one: each has this and a sign.
        let reach = integers.par_iter().map(|&n| (n ^ (n >> 63)).cast_unsigned()).reduce(|| 0, |a, b| a | b);
        let width = (u64::BITS - reach.leading_zeros()) as usize / 8 + 1;
        let bytes = match width {
            1 => integers.par_iter().map(|&n| n as u8).collect(),
            _ => integers.par_iter().flat_map_iter(|n| n.to_le_bytes().into_iter().take(width)).collect(),
        };
        // At most eight.
        Self { width: width as u8, bytes: Cow::Owned(bytes) }
    }

    fn integers<E: serde::de::Error>(&self) -> Result<Vec<i64>, E> {
        let width = usize::from(self.width);
        if !(1..=8).contains(&width) || !self.bytes.len().is_multiple_of(width) {
            return Err(E::custom(format!("{} bytes are no integers of {width} bytes", self.bytes.len())));
        }
        Ok(match width {
            1 => self.bytes.par_iter().map(|&byte| i64::from(byte.cast_signed())).collect(),
            _ => self.bytes.par_chunks_exact(width).map(integer).collect(),
        })
    }
}

fn integer(bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_le_bytes(word) >> (64 - 8 * bytes.len())
}

#[derive(Serialize, Deserialize)]
struct GraphForm<'a> {
    nodes: Vec<NodeForm<'a>>,
    outputs: OutputsForm,
}

/// The positions of the outputs. One is stored as it is; several as [`OutputsForm::SEVERAL`], which is no position, and
/// the list of them.
#[derive(Debug, PartialEq)]
struct OutputsForm(Vec<u32>);

impl OutputsForm {
    const SEVERAL: u32 = u32::MAX;
}

impl Serialize for OutputsForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [output] => (output,).serialize(serializer),
            outputs => (Self::SEVERAL, outputs).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OutputsForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(2, OutputsVisitor)
    }
}

struct OutputsVisitor;

impl<'de> Visitor<'de> for OutputsVisitor {
    type Value = OutputsForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the positions of the outputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<OutputsForm, A::Error> {
        let missing = |at: usize| A::Error::invalid_length(at, &self);
        let first: u32 = elements.next_element()?.ok_or_else(|| missing(0))?;
        if first != OutputsForm::SEVERAL {
            return Ok(OutputsForm(vec![first]));
        }
        let outputs: Vec<u32> = elements.next_element()?.ok_or_else(|| missing(1))?;
        match outputs.len() {
            0 | 1 => Err(A::Error::custom("a list of several outputs has fewer than two")),
            _ => Ok(OutputsForm(outputs)),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct NodeForm<'a> {
    op: Cow<'a, Op>,
    operands: Vec<u32>,
    layer: Option<usize>,
}

impl Serialize for Weights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shape = Cow::Borrowed(self.shape());
        match self {
            Weights::Real(data) => WeightsForm::Real { shape, data: contiguous(data) },
            Weights::Fixed { data, scale } => {
                WeightsForm::Fixed { shape, scale: *scale, data: IntegersForm::of(&contiguous(data)) }
            }
            Weights::Scaled { data, scales } => {
                let data = IntegersForm::of(&contiguous(data));
                WeightsForm::Scaled { shape, scales: Cow::Borrowed(scales), data }
            }
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match WeightsForm::deserialize(deserializer)? {
            WeightsForm::Real { shape, data } => Weights::Real(tensor(&shape, data.into_owned())?),
            WeightsForm::Fixed { shape, scale, data } => {
                Weights::Fixed { data: tensor(&shape, data.integers()?)?, scale }
            }
            WeightsForm::Scaled { shape, scales, data } => {
                Weights::Scaled { data: tensor(&shape, data.integers()?)?, scales: scales.into_owned() }
            }
        })
    }
}

fn tensor<T: Clone, E: serde::de::Error>(shape: &[usize], mut data: Vec<T>) -> Result<ArcArray<T, IxDyn>, E> {
    if element_count(shape) != Some(data.len()) {
        return Err(E::custom(format!("shape {shape:?} does not have {} elements", data.len())));
    }
    data.shrink_to_fit();
    ArcArray::from_shape_vec(shape, data).map_err(E::custom)
}

impl Serialize for Graph {
    /// # Errors
    ///
    /// For a graph without an output, or one that could not be read back because its facts are stale.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(violation) = structure(self).into_iter().next() {
            return Err(S::Error::custom(violation));
        }
        if self.is_stale() {
            return Err(S::Error::custom("the graph's facts are stale"));
        }
        let position = |at: usize| u32::try_from(at).map_err(|_| S::Error::custom("the graph has too many nodes"));
        let listing = self.listing();
        let nodes = listing
            .nodes
            .iter()
            .map(|listed| {
                let node = self.node(listed.id);
                Ok(NodeForm {
                    op: Cow::Borrowed(&node.op),
                    operands: listed.operands.iter().map(|&at| position(at)).collect::<Result<_, _>>()?,
                    layer: node.layer,
                })
            })
            .collect::<Result<_, S::Error>>()?;
        let outputs = listing.outputs.iter().map(|&at| position(at)).collect::<Result<_, _>>()?;
        GraphForm { nodes, outputs: OutputsForm(outputs) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = GraphForm::deserialize(deserializer)?;
        let mut graph = Graph::new();
        let mut ids: Vec<NodeId> = Vec::new();
        let find = |ids: &[NodeId], at: u32| {
            ids.get(at as usize)
                .copied()
                .ok_or_else(|| D::Error::custom(format!("no node {at} among the first {}", ids.len())))
        };
        for (at, node) in form.nodes.into_iter().enumerate() {
            let operands = node.operands.iter().map(|&operand| find(&ids, operand)).collect::<Result<Vec<_>, _>>()?;
            let id = graph
                .add(node.op.into_owned(), &operands, node.layer)
                .map_err(|error| D::Error::custom(format!("node {at}: {error}")))?;
            ids.push(id);
        }
        let outputs = form.outputs.0.iter().map(|&at| find(&ids, at)).collect::<Result<_, _>>()?;
        graph.set_outputs(outputs);
        match structure(&graph).into_iter().next() {
            Some(violation) => Err(D::Error::custom(violation)),
            None => Ok(graph),
        }
    }
}

#[cfg(test)]
mod tests;
