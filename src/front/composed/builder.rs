//! What the layers in the table are built with.

use ndarray::{ArrayD, IxDyn};
use zknn_ir::{Graph, NodeId, Op, Weights, op};

use super::{Attribute, Composed, Refusal};

/// The most elements that a list or a tensor may have which a layer's fields alone do not hold.
const MAX_MADE: usize = 1 << 24;

/// A layer's fields, the nodes that it reads, and the graph that its operations are added to.
pub(super) struct Builder<'a> {
    pub(super) graph: &'a mut Graph,
    pub(super) operands: &'a [NodeId],
    pub(super) layer: Option<usize>,
    pub(super) composed: &'a Composed,
}

impl Builder<'_> {
    /// The first node that the layer reads.
    pub(super) fn operand(&self) -> NodeId {
        self.operands[0]
    }

    pub(super) fn shape(&self, node: NodeId) -> Vec<usize> {
        self.graph.node(node).fact.shape.clone()
    }

    pub(super) fn add(&mut self, op: Op, operands: &[NodeId]) -> Result<NodeId, Refusal> {
        Ok(self.graph.add(op, operands, self.layer)?)
    }

    /// A tensor that the layer may have.
    pub(super) fn tensor(&self, field: &str) -> Option<ArrayD<f64>> {
        self.composed.attribute(field).and_then(Attribute::tensor).cloned()
    }

    /// A tensor of so many axes that the layer must have, or may.
    pub(super) fn tensor_of(
        &self,
        field: &'static str,
        axes: usize,
        meaning: &'static str,
    ) -> Result<Option<ArrayD<f64>>, Refusal> {
        match self.tensor(field) {
            Some(tensor) if tensor.ndim() != axes => {
                let message = format!("`{field}` must have rank {axes}, got shape {:?}", tensor.shape());
                Err(Refusal::Field { field, message, help: meaning })
            }
            tensor => Ok(tensor),
        }
    }

    /// A number that the layer has, or what it is without.
    pub(super) fn number(&self, field: &str) -> Option<f64> {
        match self.composed.attribute(field) {
            Some(Attribute::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn flag(&self, field: &str) -> bool {
        matches!(self.composed.attribute(field), Some(Attribute::Flag(true)))
    }

    /// The integers of a field; none without it.
    pub(super) fn integers(&self, field: &str) -> Option<Vec<usize>> {
        match self.composed.attribute(field) {
            Some(Attribute::Integers(integers)) => Some(integers.clone()),
            _ => None,
        }
    }

    /// Two integers, or what they are without the field.
    pub(super) fn pair(&self, field: &str, missing: [usize; 2]) -> [usize; 2] {
        match self.integers(field).as_deref() {
            Some([first, second]) => [*first, *second],
            _ => missing,
        }
    }

    /// An integer, or what it is without the field.
    pub(super) fn integer(&self, field: &str, missing: usize) -> usize {
        self.integers(field).and_then(|integers| integers.first().copied()).unwrap_or(missing)
    }

    /// The axes of a tensor, which must be so many.
    pub(super) fn axes<const N: usize>(&self, node: NodeId, help: &'static str) -> Result<[usize; N], Refusal> {
        let shape = self.shape(node);
        let message = format!("{} takes an input of rank {N}, got shape {shape:?}", self.composed.layer_type());
        shape.try_into().map_err(|_| Refusal::Field { field: "input_shape", message, help })
    }

    /// An axis that the operand has.
    pub(super) fn axis(&self, field: &'static str) -> Result<usize, Refusal> {
        let (axis, axes) = (self.integer(field, 0), self.shape(self.operand()).len());
        if axis < axes {
            return Ok(axis);
        }
        let message = format!("there is no axis {axis} in an input of {axes} axes, counted from zero");
        Err(Refusal::Field { field, message, help: "axes are those of `input_shape`; there is no batch axis" })
    }

    /// Refuses what would be large without a large file.
    pub(super) fn check_size(&self, field: &'static str, factors: &[usize]) -> Result<(), Refusal> {
        let size = factors.iter().try_fold(1usize, |product, factor| product.checked_mul(*factor));
        if size.is_some_and(|size| size <= MAX_MADE) {
            return Ok(());
        }
        let message = format!("`{field}` makes more than {MAX_MADE} elements");
        Err(Refusal::Field { field, message, help: "no circuit holds so many of them" })
    }

    pub(super) fn reshape(&mut self, node: NodeId, shape: &[usize]) -> Result<NodeId, Refusal> {
        self.add(Op::Reshape(op::Reshape { shape: shape.to_vec() }), &[node])
    }

    /// The node along one axis, index by index.
    pub(super) fn gather(&mut self, node: NodeId, axis: usize, indices: Vec<usize>) -> Result<NodeId, Refusal> {
        self.add(Op::Gather(op::Gather { axis, indices }), &[node])
    }

    /// A factor and an offset for each index of the last axis.
    pub(super) fn affine(
        &mut self,
        node: NodeId,
        weights: Vec<f64>,
        biases: Option<Vec<f64>>,
    ) -> Result<NodeId, Refusal> {
        let affine = op::Affine { weights: vector(weights), bias: biases.map(vector) };
        self.add(Op::Affine(affine), &[node])
    }

    /// All elements times one factor.
    pub(super) fn scaled(&mut self, node: NodeId, factor: f64) -> Result<NodeId, Refusal> {
        let channels = self.shape(node).last().copied().unwrap_or(1);
        self.affine(node, vec![factor; channels], None)
    }

    /// A factor and an offset for each element.
    pub(super) fn affine_each(
        &mut self,
        node: NodeId,
        weights: Vec<f64>,
        biases: Option<Vec<f64>>,
    ) -> Result<NodeId, Refusal> {
        let shape = self.shape(node);
        let flat = self.reshape(node, &[weights.len()])?;
        let flat = self.affine(flat, weights, biases)?;
        self.reshape(flat, &shape)
    }

    /// The node repeated along axes of length one, and along new ones before its own, as numpy does.
    pub(super) fn broadcast(&mut self, node: NodeId, shape: &[usize]) -> Result<NodeId, Refusal> {
        let own = self.shape(node);
        let mut spread = node;
        let padded = [&vec![1; shape.len().saturating_sub(own.len())][..], &own].concat();
        if padded != own {
            spread = self.reshape(spread, &padded)?;
        }
        for (axis, (&from, &to)) in padded.iter().zip(shape).enumerate() {
            if from != to {
                self.check_size("input_shape", &[to])?;
                spread = self.gather(spread, axis, vec![0; to])?;
            }
        }
        Ok(spread)
    }

    /// What the layer reads, all at the shape that they broadcast to.
    pub(super) fn operands_at_one_shape(&mut self) -> Result<Vec<NodeId>, Refusal> {
        let operands = self.operands;
        let shapes: Vec<Vec<usize>> = operands.iter().map(|&node| self.shape(node)).collect();
        let shape = broadcast_shape(&shapes)?;
        operands.iter().map(|&node| self.broadcast(node, &shape)).collect()
    }

    /// A border of zeros around height and width.
    pub(super) fn padded(&mut self, node: NodeId, before: [usize; 2], after: [usize; 2]) -> Result<NodeId, Refusal> {
        if before == [0, 0] && after == [0, 0] {
            return Ok(node);
        }
        let border = |[rows, columns]: [usize; 2]| vec![rows, columns, 0];
        self.add(Op::Pad(op::Pad::border(border(before), border(after))), &[node])
    }
}

/// The shape that tensors of these shapes broadcast to, by numpy's rule.
pub(super) fn broadcast_shape(shapes: &[Vec<usize>]) -> Result<Vec<usize>, Refusal> {
    let all = shapes.iter().try_fold(Vec::new(), |shape, other| super::super::shapes::broadcast(&shape, other));
    all.ok_or_else(|| Refusal::Field {
        field: "input_shape",
        message: format!("tensors of shapes {shapes:?} do not broadcast to one shape"),
        help: "lengths of an axis, counted from the last, must be equal or one",
    })
}

pub(super) fn vector(elements: Vec<f64>) -> Weights {
    Weights::Real(ndarray::Array1::from(elements).into_dyn().into_shared())
}

pub(super) fn weights(tensor: ArrayD<f64>) -> Weights {
    Weights::Real(tensor.into_shared())
}

/// A kernel of one filter a channel, all weights of which are one.
pub(super) fn depthwise(channels: usize, window: [usize; 2], weight: f64) -> Weights {
    Weights::Real(ArrayD::from_elem(IxDyn(&[channels, window[0], window[1], 1]), weight).into_shared())
}
