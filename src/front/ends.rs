//! The inputs and outputs of a model: what a file says of them, and what follows where it says nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{FrontError, Problem, Result};
use super::fields::Object;
use super::piece::Piece;
use super::source::shown;
use super::tensor;
use super::wiring::{Place, Source, WiringError};

/// The name of the only input of a model that does not name its inputs.
pub const INPUT: &str = "input";

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInput {
    /// The name that layers read it by.
    pub name: String,
    /// Channels last, without a batch axis.
    pub shape: Vec<usize>,
    /// The range that every element is in, if the model declares one for this input.
    pub range: Option<(i64, i64)>,
}

/// A function that ends a network, and that no layer computes: whoever has what goes into it can tell what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// Shares of exponentials.
    Softmax,
    /// Logarithms of these.
    LogSoftmax,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
}

impl Last {
    /// What a model in JSON calls it.
    pub fn name(self) -> &'static str {
        match self {
            Last::Softmax => "softmax",
            Last::LogSoftmax => "log_softmax",
            Last::Sigmoid => "sigmoid",
        }
    }
}

/// What a model says of its inputs and outputs.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends {
    /// Nothing where it has one input, whose shape is that of the layers that read it.
    pub(super) inputs: Option<Vec<ModelInput>>,
    /// The names of layers; nothing where the output is that of the last one.
    pub(super) outputs: Option<Vec<String>>,
    /// What no layer computes, output by output; nothing where that is so of none.
    pub(super) omitted: Option<Vec<Option<Last>>>,
}

impl Ends {
    /// Reads the fields `inputs` and `outputs` of a model.
    pub(super) fn read(model: &Object) -> Result<Ends> {
        let inputs = model.optional("inputs").map(|piece| several(piece, "`inputs`", input)).transpose()?;
        let name = |piece: Piece| piece.string("the name of an output");
        let outputs = model.optional("outputs").map(|piece| several(piece, "`outputs`", name)).transpose()?;
        let omitted = model.optional("omitted").map(|piece| several(piece, "`omitted`", omitted)).transpose()?;
        let count = outputs.as_ref().map_or(1, Vec::len);
        if let (Some(omitted), Some(piece)) = (&omitted, model.optional("omitted"))
            && omitted.len() != count
        {
            return Err(piece.error(Problem::Omitted, format!("{} for {count} outputs", omitted.len())));
        }
        Ok(Ends { inputs, outputs, omitted })
    }

    /// The names of the inputs, in their order.
    pub(super) fn input_names(&self) -> Vec<&str> {
        match &self.inputs {
            None => vec![INPUT],
            Some(inputs) => inputs.iter().map(|input| input.name.as_str()).collect(),
        }
    }

    /// The layers of the outputs, in their order, of so many layers with these names.
    pub(super) fn output_layers(
        &self,
        known: &BTreeMap<&str, Source>,
        layers: usize,
    ) -> std::result::Result<Vec<usize>, WiringError> {
        let Some(names) = &self.outputs else { return Ok(vec![layers - 1]) };
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        for (at, name) in names.iter().enumerate() {
            let (problem, label) = match known.get(name.as_str()) {
                Some(Source::Layer(layer)) if seen.insert(layer) => {
                    found.push(*layer);
                    continue;
                }
                Some(Source::Layer(_)) => (Problem::RepeatedOutput { name: shown(name) }, "again"),
                Some(Source::Input(_)) | None => (Problem::UnknownOutput { name: shown(name) }, "unknown"),
            };
            return Err(WiringError { problem: Box::new(problem), place: Place::Output(at), label: label.to_string() });
        }
        Ok(found)
    }
}

/// A list of at least one.
fn several<'a, T>(piece: Piece<'a>, what: &'static str, read: impl Fn(Piece<'a>) -> Result<T>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    piece.each(what, |_, element| {
        all.push(read(element)?);
        Ok(())
    })?;
    if all.is_empty() { Err(piece.error(Problem::NoEnds { what }, "empty")) } else { Ok(all) }
}

fn input(piece: Piece) -> Result<ModelInput> {
    let object = Object::new(piece, "an input")?.only(&["name", "shape", "range"])?;
    Ok(ModelInput {
        name: object.required("name")?.string("`name`")?,
        shape: tensor::extents(object.required("shape")?, "`shape`")?,
        range: object.optional("range").map(super::json::input_range).transpose()?,
    })
}

fn omitted(piece: Piece) -> Result<Option<Last>> {
    let name = piece.string("the name of a function")?;
    let known = [Last::Softmax, Last::LogSoftmax, Last::Sigmoid].into_iter().find(|last| last.name() == name);
    match known {
        None if name != "none" => Err(piece.error(Problem::Omitted, "unknown")),
        last => Ok(last),
    }
}

/// Refuses inputs that no file may have.
pub(super) fn check(ends: &Ends) -> Result<()> {
    let inputs = ends.inputs.iter().flatten();
    if inputs.filter_map(|input| input.range).any(|(lo, hi)| !super::is_input_range(lo, hi)) {
        return Err(FrontError::unplaced(Problem::InputRange));
    }
    for (what, is_empty) in [
        ("`inputs`", ends.inputs.as_ref().is_some_and(Vec::is_empty)),
        ("`outputs`", ends.outputs.as_ref().is_some_and(Vec::is_empty)),
    ] {
        if is_empty {
            return Err(FrontError::unplaced(Problem::NoEnds { what }));
        }
    }
    Ok(())
}
