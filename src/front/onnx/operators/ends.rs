//! Functions that end a network and are not computed: what goes into them is the output, and the statement says so.

use super::super::importer::Importer;
use super::super::node::{Imported, Node};
use super::super::stream::{Along, Omitted, Stream};
use crate::front::Last;

/// Softmax and LogSoftmax. Before version 13 they go along all axes from one on, as if these were one.
pub(super) fn softmax(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    let x = importer.stream(node, 0)?;
    let is_old = node.version < 13;
    let axis = x.full_axis(node.int("axis", if is_old { 1 } else { -1 }))?;
    let last = if node.proto.op_type == "Softmax" { Last::Softmax } else { Last::LogSoftmax };
    let along = if is_old { Along::From(axis) } else { Along::Only(axis) };
    Ok(omitting(x, last, along, node))
}

/// Sigmoid.
pub(super) fn sigmoid(importer: &mut Importer, node: &Node<'_>) -> Imported<Stream> {
    Ok(omitting(importer.stream(node, 0)?, Last::Sigmoid, Along::From(0), node))
}

fn omitting(x: Stream, last: Last, along: Along, node: &Node<'_>) -> Stream {
    Stream { omitted: Some(Omitted { last, along, node: node.name().to_string() }), ..x }
}
