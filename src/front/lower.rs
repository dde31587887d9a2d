//! From a model's layers to the IR: one node a layer, behind the input node, every number real.
//!
//! The lowering decides nothing. Which integers stand for the numbers, and in which range the input lies, is the
//! business of the passes that follow.

use ndarray::ArrayD;
use thiserror::Error;
use zknn_ir::{Graph, InferError, NodeId, Number, Op, Weights, op};

use super::{LayerKind, Model, Source};

/// The precision of a normalized output: as fine as the IR has it, some seven decimal digits.
const NORMALIZE_FRACTION_BITS: u32 = zknn_ir::MAX_FRACTION_BITS;

/// A layer that a model may have and the IR may not, for instance one with an output too large for any circuit.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("layer {layer}: {error}")]
pub struct LowerError {
    /// The layer of the model, counted from zero.
    pub layer: usize,
    /// What the IR says of it.
    pub error: InferError,
}

/// The model as a graph of real numbers. Each node names the layer that it came from; the input came from none.
pub fn lower(model: &Model) -> Result<Graph, LowerError> {
    let mut graph = Graph::new();
    let input = Op::Input(op::Input { shape: model.input_shape().to_vec(), number: Number::Real, rounds: false });
    let added = graph.add(input, &[], None);
    let input = added.map_err(|error| LowerError { layer: 0, error })?;
    // The input stands for every layer that is not there yet, and the order has none such read.
    let mut nodes = vec![input; model.layers().len()];
    for &layer in model.order() {
        let node = |source: &Source| match source {
            Source::Input => input,
            Source::Layer(read) => nodes[*read],
        };
        let operands: Vec<NodeId> = model.reads(layer).iter().map(node).collect();
        let added = graph.add(op(&model.layers()[layer].kind), &operands, Some(layer));
        nodes[layer] = added.map_err(|error| LowerError { layer, error })?;
    }
    // A model has a layer.
    graph.set_output(nodes[nodes.len() - 1]);
    Ok(graph)
}

fn op(kind: &LayerKind) -> Op {
    match kind {
        LayerKind::Convolution { kernel, biases, steps } => Op::Conv2d(op::Conv2d {
            kernel: weights(kernel),
            bias: biases.as_ref().map(weights),
            stride: steps.stride,
            dilation: steps.dilation,
            groups: steps.groups,
        }),
        LayerKind::FullyConnected { weights: matrix, biases } => {
            Op::Dense(op::Dense { weights: weights(matrix), bias: biases.as_ref().map(weights) })
        }
        LayerKind::MaxPool { window, stride, before, after } => Op::MaxPool(op::MaxPool {
            window: *window,
            relu: false,
            stride: stride.unwrap_or(*window),
            before: *before,
            after: *after,
        }),
        LayerKind::Relu => Op::Relu,
        LayerKind::Flatten => Op::Flatten,
        LayerKind::Argmax => Op::Argmax,
        LayerKind::Add => Op::Add,
        LayerKind::Padding { before, after } => Op::Pad(op::Pad::border(before.clone(), after.clone())),
        LayerKind::Normalize => Op::Normalize(op::Normalize { fraction_bits: NORMALIZE_FRACTION_BITS }),
    }
}

fn weights(tensor: &ArrayD<f64>) -> Weights {
    Weights::Real(tensor.clone().into_shared())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ndarray::ArrayD;

    use super::*;
    use crate::front::Layer;

    #[test]
    fn every_kind_of_layer_becomes_a_node() {
        let model = Model::read(Path::new("testdata/models/wide_pool.json")).unwrap();
        let graph = lower(&model).unwrap();
        assert_eq!(zknn_ir::validate(&graph), Ok(()));
        insta::assert_snapshot!(zknn_ir::print(&graph));
    }

    #[test]
    fn a_layer_that_the_ir_does_not_have_is_named() {
        let normalize = |length: usize| Model::new(vec![Layer::new(LayerKind::Normalize, [length])], None);
        assert!(lower(&normalize(4096).unwrap()).is_ok());
        let error = lower(&normalize(4097).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "layer 0: normalize takes at most 4096 elements, got 4097");

        let dense = LayerKind::FullyConnected { weights: ArrayD::from_elem(vec![1, 2], f64::NAN), biases: None };
        let layers = vec![Layer::new(LayerKind::Relu, [2]), Layer::new(dense, [2])];
        let error = lower(&Model::new(layers, None).unwrap()).unwrap_err();
        assert_eq!(error.layer, 1);
    }
}
