//! Tensors in JSON files, one for each input of a model.

use miette::Report;
use ndarray::{ArrayD, Axis};
use std::path::PathBuf;
use zknn::front::read_tensor;
use zknn_ir::{Graph, NodeId};

/// The tensor in each file, for inputs or outputs of these shapes. Many samples may each have a batch axis of length one, as models
/// of ONNX take them, which is left out.
pub(super) fn read<'a>(
    paths: impl IntoIterator<Item = &'a PathBuf>,
    shapes: &[Vec<usize>],
) -> Result<Vec<ArrayD<f64>>, Report> {
    let read = |(position, path): (usize, &PathBuf)| {
        let tensor = read_tensor(path).map_err(|error| Report::new(*error))?;
        let has_batch_axis =
            shapes.get(position).is_some_and(|shape| tensor.shape().get(1..) == Some(&[&[1], &shape[..]].concat()));
        Ok(if has_batch_axis { tensor.remove_axis(Axis(1)) } else { tensor })
    };
    paths.into_iter().enumerate().map(read).collect()
}

/// The shapes of nodes of a program.
pub(super) fn shapes(graph: &Graph, nodes: &[NodeId]) -> Vec<Vec<usize>> {
    nodes.iter().map(|&id| graph.node(id).fact.shape.clone()).collect()
}
