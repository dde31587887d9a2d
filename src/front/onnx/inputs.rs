//! The inputs of a graph, and how long their axes are.

use std::collections::HashSet;

use super::super::error::{FrontError, Problem, Result};
use super::super::{MAX_ELEMENTS, ModelInput, Reading};
use super::constant::Element;
use super::proto::{GraphProto, ValueInfoProto};

/// An input that is no initializer: its name, full shape and type.
pub(super) struct Input {
    pub(super) name: String,
    pub(super) full: Vec<usize>,
    pub(super) element: Element,
}

/// The inputs of a graph. Axes without a length have that of the reading; the first of several, which counts samples, else has one.
pub(super) fn inputs(graph: &GraphProto, reading: &Reading) -> Result<Vec<Input>> {
    let given = given(graph);
    for (name, _) in reading.lengths.iter() {
        let is_axis = |input: &&&ValueInfoProto| axes(input).iter().any(|(_, of_axis)| of_axis == name);
        if !given.iter().any(|input| input.name == *name) && given.iter().find(is_axis).is_none() {
            let message = format!("no input is called `{name}`, and no open axis of one");
            return Err(FrontError::unplaced(Problem::OnnxEnds { message, help: "see `zknn inspect`" }));
        }
    }
    given.into_iter().map(|given| input(given, reading)).collect()
}

/// The inputs that are no tensors of the file.
pub(super) fn given(graph: &GraphProto) -> Vec<&ValueInfoProto> {
    let tensors: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    graph.input.iter().filter(|input| !tensors.contains(input.name.as_str())).collect()
}

/// The lengths of axes, where they have one, and their names.
pub(super) fn axes(input: &ValueInfoProto) -> Vec<(Option<i64>, &str)> {
    let tensor = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
    let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
    // Some files have lengths of -1 or 0 for those that are open.
    let length = |length: Option<i64>| length.filter(|length| *length > 0);
    dims.iter().map(|dim| (length(dim.dim_value), dim.dim_param.as_deref().unwrap_or(""))).collect()
}

fn input(input: &ValueInfoProto, reading: &Reading) -> Result<Input> {
    let refused = |message: String, help: &'static str| {
        let message = format!("input `{}` {message}", input.name);
        Err(FrontError::unplaced(Problem::OnnxEnds { message, help }))
    };
    let Some(tensor) = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref()) else {
        return refused("is no tensor".to_string(), "sequences and maps are not supported");
    };
    let element = Element::of(if tensor.elem_type == 0 { 1 } else { tensor.elem_type });
    let Some(element) = element else {
        return refused(format!("has elements of type {}", tensor.elem_type), "tensors of numbers are supported");
    };
    let axes = axes(input);
    let given = reading.lengths.get(&input.name);
    let mut full = Vec::new();
    if tensor.shape.is_none() && given.is_none() {
        return refused("has no shape".to_string(), "give its shape, `--shape NAME=1x3x32x32`");
    }
    if let Some(given) = given {
        let fits = |(own, given): (&(Option<i64>, &str), &usize)| own.0.is_none_or(|own| own == *given as i64);
        if !axes.is_empty() && (axes.len() != given.len() || !axes.iter().zip(given).all(fits)) {
            return refused(format!("does not have the shape {given:?}"), "fixed lengths stay as they are");
        }
        full = given.clone();
    }
    for (at, (length, name)) in axes.iter().enumerate().skip(full.len()) {
        let of_reading = reading.lengths.get(*name).and_then(|lengths| lengths.first()).copied();
        let of_file = length.and_then(|length| usize::try_from(length).ok());
        let sample = (at == 0 && axes.len() > 1).then_some(1);
        match of_file.or(of_reading).or(sample) {
            Some(length) => full.push(length),
            None => {
                let named = if name.is_empty() { String::new() } else { format!(", `{name}`,") };
                let help = "give its length, `--shape AXIS=64`, or the shape of the input, `--shape NAME=1x3x32x32`";
                return refused(format!("leaves axis {at}{named} open"), help);
            }
        }
    }
    match full.iter().try_fold(1usize, |product, length| product.checked_mul(*length)) {
        Some(1..=MAX_ELEMENTS) => Ok(Input { name: input.name.clone(), full, element }),
        _ => refused(format!("has shape {full:?}"), "lengths are positive, and no circuit holds so many elements"),
    }
}

impl Input {
    /// The input as layers read it, of this shape; its range where the type says one.
    pub(super) fn of_model(&self, shape: Vec<usize>) -> ModelInput {
        let range = match self.element {
            Element::Bool => Some((0, 1)),
            Element::Int8 => Some((-128, 127)),
            Element::Uint8 => Some((0, 255)),
            _ => None,
        };
        ModelInput { name: self.name.clone(), shape, range }
    }
}
