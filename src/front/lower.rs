//! From a model's layers to the IR: one node a layer, or several, behind the input node, every number real.
//!
//! The lowering decides nothing. Which integers stand for the numbers, and in which range the input lies, is the
//! business of the passes that follow.

use miette::Diagnostic;
use ndarray::{Array1, ArrayD, IxDyn};
use thiserror::Error;
use zknn_ir::{Graph, InferError, NodeId, Number, Op, Weights, op};

use super::composed::Refusal;
use super::{LayerKind, Model, Source};

/// The precision of a normalized output: as fine as the IR has it, some seven decimal digits.
const NORMALIZE_FRACTION_BITS: u32 = zknn_ir::MAX_FRACTION_BITS;

/// A layer that a model may have and the IR may not, for instance one with an output too large for any circuit.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
#[error("layer {layer}: {error}")]
#[diagnostic(code(zknn::model::no_operation), help("`zknn plan` says more of what fits no circuit"))]
pub struct LowerError {
    /// The layer of the model, counted from zero.
    pub layer: usize,
    /// What the IR says of it.
    pub error: InferError,
}

/// The model as a graph of real numbers. Each node names the layer that it came from; the input came from none.
pub fn lower(model: &Model) -> Result<Graph, LowerError> {
    let mut graph = Graph::new();
    let mut inputs = Vec::new();
    for input in model.inputs() {
        let op = Op::Input(op::Input { shape: input.shape.clone(), number: Number::Real, rounds: false });
        inputs.push(graph.add(op, &[], None).map_err(|error| LowerError { layer: 0, error })?);
    }
    // The first input stands for every layer that is not there yet, and the order has none such read.
    let mut nodes = vec![inputs[0]; model.layers().len()];
    for &layer in model.order() {
        let node = |source: &Source| match source {
            Source::Input(position) => inputs[*position],
            Source::Layer(read) => nodes[*read],
        };
        let operands: Vec<NodeId> = model.reads(layer).iter().map(node).collect();
        let added = add(&mut graph, &model.layers()[layer].kind, &operands, layer);
        nodes[layer] = added.map_err(|error| LowerError { layer, error })?;
    }
    graph.set_outputs(model.outputs().iter().map(|&layer| nodes[layer]).collect());
    Ok(graph)
}

/// Adds the nodes of a layer; the last of them is its output.
fn add(graph: &mut Graph, kind: &LayerKind, operands: &[NodeId], layer: usize) -> Result<NodeId, InferError> {
    let mut operand = operands[0];
    let mut add = |op: Op| {
        operand = graph.add(op, &[operand], Some(layer))?;
        Ok(operand)
    };
    let op = match kind {
        LayerKind::Convolution { kernel, biases, steps } => {
            let [before, after] = [steps.before, steps.after];
            if [before, after] != [[0, 0]; 2] {
                let border = |[rows, columns]: [usize; 2]| vec![rows, columns, 0];
                add(Op::Pad(op::Pad::border(border(before), border(after))))?;
            }
            Op::Conv2d(op::Conv2d {
                kernel: weights(kernel),
                bias: biases.as_ref().map(weights),
                stride: steps.stride,
                dilation: steps.dilation,
                groups: steps.groups,
            })
        }
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
        LayerKind::Argmax { axis } => Op::Argmax(op::Argmax { axis: axis.unwrap_or(0) }),
        LayerKind::Padding { before, after, value } => {
            let pad = Op::Pad(op::Pad::border(before.clone(), after.clone()));
            if *value == 0.0 {
                return add(pad);
            }
            add(pad)?;
            return offset_of_border(graph, operand, operands[0], before, *value, layer);
        }
        LayerKind::Normalize => Op::Normalize(op::Normalize { fraction_bits: NORMALIZE_FRACTION_BITS }),
        LayerKind::Composed(composed) => {
            return composed.build(graph, operands, Some(layer)).map_err(|refusal| match refusal {
                Refusal::Operation(error) => error,
                Refusal::Field { message, .. } => unreachable!("a model's layers were built once: {message}"),
            });
        }
    };
    add(op)
}

/// Adds a number to what lies outside the operand that was padded.
fn offset_of_border(
    graph: &mut Graph,
    padded: NodeId,
    inner: NodeId,
    before: &[usize],
    value: f64,
    layer: usize,
) -> Result<NodeId, InferError> {
    let (shape, inside) = (graph.node(padded).fact.shape.clone(), graph.node(inner).fact.shape.clone());
    let is_inside = |axis: usize, at: usize| (before[axis]..before[axis] + inside[axis]).contains(&at);
    let offsets = ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        if (0..shape.len()).all(|axis| is_inside(axis, at[axis])) { 0.0 } else { value }
    });
    let count = offsets.len();
    let flat =
        |tensor: ArrayD<f64>| Weights::Real(tensor.into_iter().collect::<Array1<f64>>().into_dyn().into_shared());
    let affine = op::Affine { weights: flat(ArrayD::from_elem(IxDyn(&[count]), 1.0)), bias: Some(flat(offsets)) };
    let list = graph.add(Op::Reshape(op::Reshape { shape: vec![count] }), &[padded], Some(layer))?;
    let offset = graph.add(Op::Affine(affine), &[list], Some(layer))?;
    graph.add(Op::Reshape(op::Reshape { shape }), &[offset], Some(layer))
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
