//! What names of a graph stand for: tensors that depend on the inputs, and constants.

use ndarray::{ArrayD, IxDyn};

use super::super::{Last, shapes};
use super::constant::{Constant, Element};
use super::node::{Imported, refused};

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A tensor that depends on the inputs.
    Stream(Stream),
    /// One that does not.
    Constant(Constant),
}

/// A tensor that depends on the inputs: the output of a layer, or an input.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// The name of the layer.
    pub(super) layer: String,
    /// The shape in the order of ONNX, without the batch axis. A number has no axes; its layer gives a tensor of one element.
    pub(super) shape: Vec<usize>,
    /// Whether there is a batch axis, of length one, before these.
    pub(super) has_batch: bool,
    /// Whether the layer's output has the first of these axes last, as images have it here.
    pub(super) is_last: bool,
    /// The type of its elements in the file.
    pub(super) element: Element,
    /// The scale, zero point and ends of the type, if it was quantized.
    pub(super) quantized: Option<[f64; 4]>,
    /// The function of this that the network gives, which is not computed.
    pub(super) omitted: Option<Omitted>,
}

/// A function that a network may end with, whose result is told by what goes into it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Omitted {
    pub(super) last: Last,
    /// Along which axes it leaves the greatest the greatest.
    pub(super) along: Along,
    /// The node, for whoever must refuse it.
    pub(super) node: String,
}

/// The axes along which an order is kept, of the full shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// This one and all behind it.
    From(usize),
    Only(usize),
    /// None that is known, behind a view.
    Unknown,
}

impl Omitted {
    /// What the operator is called.
    pub(super) fn operator(&self) -> &'static str {
        match self.last {
            Last::Softmax => "Softmax",
            Last::LogSoftmax => "LogSoftmax",
            Last::Sigmoid => "Sigmoid",
        }
    }

    /// Whether the index of the greatest along an axis is what it would be without.
    pub(super) fn keeps_greatest(&self, axis: usize) -> bool {
        match self.along {
            Along::From(first) => first <= axis,
            Along::Only(only) => only == axis,
            Along::Unknown => false,
        }
    }

    /// The same behind a view.
    pub(super) fn moved(self) -> Self {
        Self { along: if self.along == Along::From(0) { self.along } else { Along::Unknown }, ..self }
    }
}

impl Value {
    pub(super) fn full_shape(&self) -> Vec<usize> {
        match self {
            Value::Stream(stream) => stream.full_shape(),
            Value::Constant(constant) => constant.data.shape().to_vec(),
        }
    }

    pub(super) fn element(&self) -> Element {
        match self {
            Value::Stream(stream) => stream.element,
            Value::Constant(constant) => constant.element,
        }
    }
}

impl Stream {
    /// The shape of the layer's output.
    pub(super) fn layer_shape(&self) -> Vec<usize> {
        match &self.shape[..] {
            [] => vec![1],
            [first, others @ ..] if self.is_last => [others, &[*first]].concat(),
            shape => shape.to_vec(),
        }
    }

    /// The result of a layer that keeps the order of axes, from its own.
    pub(super) fn with_layer_order(self, is_last: bool) -> Stream {
        if !is_last {
            return self;
        }
        let (channels, others) = self.shape.split_last().unwrap_or((&1, &[]));
        let shape = [&[*channels], others].concat();
        Stream { shape, is_last, ..self }
    }

    /// The same, quantized to a scale.
    pub(super) fn quantized_to(self, quantized: Option<[f64; 4]>) -> Stream {
        Stream { quantized, ..self }
    }

    /// The same, of elements of another type.
    pub(super) fn of(self, element: Element) -> Stream {
        Stream { element, ..self }
    }

    /// An array in the order of ONNX, of the stream's shape, in the order of the layer's output.
    pub(super) fn in_layer_order(&self, array: ArrayD<f64>) -> ArrayD<f64> {
        if !self.is_last {
            return array;
        }
        let order: Vec<usize> = (1..self.shape.len()).chain([0]).collect();
        array.permuted_axes(IxDyn(&order)).as_standard_layout().into_owned()
    }

    /// The shape with the batch axis, if there is one.
    pub(super) fn full_shape(&self) -> Vec<usize> {
        if self.has_batch { [&[1], &self.shape[..]].concat() } else { self.shape.clone() }
    }

    /// An axis of ONNX, which may count from the end, among those of the full shape.
    pub(super) fn full_axis(&self, axis: i64) -> Imported<usize> {
        axis_of(axis, self.full_shape().len())
    }

    /// An axis of ONNX among the stream's, which are without the batch axis.
    pub(super) fn axis(&self, axis: i64) -> Imported<usize> {
        let axis = self.full_axis(axis)?;
        match axis.checked_sub(usize::from(self.has_batch)) {
            Some(axis) => Ok(axis),
            None => refused("it goes along the batch axis", "there is one sample, and no axis of samples"),
        }
    }
}

/// An axis, which may count from the end, among so many.
pub(super) fn axis_of(axis: i64, axes: usize) -> Imported<usize> {
    let counted = if axis < 0 { axis + axes as i64 } else { axis };
    match (0..axes as i64).contains(&counted) {
        true => Ok(counted as usize),
        false => refused(format!("axis {axis} is none of {axes}"), "see the operator's definition"),
    }
}

/// The shape that tensors of two shapes broadcast to, by numpy's rule.
pub(super) fn broadcast(first: &[usize], second: &[usize]) -> Imported<Vec<usize>> {
    match shapes::broadcast(first, second) {
        Some(shape) => Ok(shape),
        None => refused(
            format!("shapes {first:?} and {second:?} do not broadcast to one"),
            "lengths of an axis, counted from the last, must be equal or one",
        ),
    }
}
