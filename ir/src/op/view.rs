//! What views have in common: each element of the result stands somewhere in an operand, or is zero.

use super::{Operand, Operation};
use crate::{Fact, InferError};

/// Where an element of a view comes from. Tensors have few enough elements for 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which operand, counted from zero.
    pub operand: u32,
    /// Which of its elements, in row-major order.
    pub element: u32,
}

impl Place {
    /// An element of the first operand.
    pub(super) fn of_first(element: usize) -> Self {
        Self { operand: 0, element: element as u32 }
    }
}

/// What a view yields, for each tensor of the batch.
pub(super) fn eval<T: Copy + Default>(view: &impl Operation, operands: &[Operand<'_, T>]) -> Vec<T> {
    let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.fact.shape.as_slice()).collect();
    let places = view.places(&shapes);
    let batch = operands[0].elements.len() / operands[0].fact.elements().max(1);
    let mut elements = Vec::with_capacity(batch * places.len());
    for nth in 0..batch {
        let tensor = |operand: &Operand<'_, T>| nth * operand.fact.elements();
        let starts: Vec<usize> = operands.iter().map(tensor).collect();
        elements.extend(places.iter().map(|place| match place {
            Some(Place { operand, element }) => {
                let operand = *operand as usize;
                operands[operand].elements[starts[operand] + *element as usize]
            }
            None => T::default(),
        }));
    }
    elements
}

/// The places of all elements of the first operand, which has this shape, as they stand.
pub(super) fn in_order(shape: &[usize]) -> Vec<Option<Place>> {
    (0..shape.iter().product()).map(|element| Some(Place::of_first(element))).collect()
}

/// The places of a tensor of a given shape, one axis of which goes through `indices` and the others through all of theirs.
pub(super) fn along_axis(shape: &[usize], axis: usize, indices: &[usize]) -> impl Iterator<Item = usize> {
    let outer: usize = shape[..axis].iter().product();
    let (length, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    (0..outer).flat_map(move |outer| {
        indices.iter().flat_map(move |index| {
            let start = (outer * length + index) * inner;
            start..start + inner
        })
    })
}

/// The elements along an axis, for each place of the other axes, in row-major order of these.
pub(super) fn along<T: Copy>(shape: &[usize], axis: usize, tensor: &[T]) -> impl Iterator<Item = Vec<T>> {
    let (length, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let outer = tensor.len() / (length * inner).max(1);
    (0..outer).flat_map(move |outer| {
        let line =
            move |inner_at| (0..length).map(move |at| tensor[(outer * length + at) * inner + inner_at]).collect();
        (0..inner).map(line)
    })
}

/// That a tensor has the axis.
pub(super) fn check_axis(op: &'static str, axis: usize, operand: &Fact) -> Result<(), InferError> {
    let axes = operand.shape.len();
    if axis < axes { Ok(()) } else { Err(InferError::NoAxis { op, axis, axes }) }
}
