//! A node and its attributes, and what can be wrong with it.

use super::super::MAX_BORDER;
use super::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// Why a node can't be imported.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) help: &'static str,
}

pub(super) type Imported<T> = Result<T, Refusal>;

/// The refusal with a message and what to do about it.
pub(super) fn refused<T>(message: impl Into<String>, help: &'static str) -> Imported<T> {
    Err(Refusal { message: message.into(), help })
}

/// A length that borders, windows and steps may have.
pub(super) fn length_of(length: i64) -> Option<usize> {
    usize::try_from(length).ok().filter(|length| *length <= MAX_BORDER)
}

/// A node of the graph.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) proto: &'a NodeProto,
    /// The version of the operator set that its operator is of.
    pub(super) version: i64,
}

impl<'a> Node<'a> {
    /// What messages call it: its name, or that of its first output.
    pub(super) fn name(&self) -> &'a str {
        match (&self.proto.name[..], self.proto.output.first()) {
            ("", Some(output)) => output,
            (name, _) => name,
        }
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.proto.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str, missing: i64) -> i64 {
        self.attribute(name).map_or(missing, |attribute| attribute.i)
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        self.attribute(name).map(|attribute| attribute.f.into())
    }

    pub(super) fn floats(&self, name: &str) -> Option<Vec<f64>> {
        self.attribute(name).map(|attribute| attribute.floats.iter().map(|number| f64::from(*number)).collect())
    }

    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    /// An integer that need not be there.
    pub(super) fn optional_int(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|attribute| attribute.i)
    }

    pub(super) fn graph(&self, name: &str) -> Option<&'a GraphProto> {
        self.attribute(name).and_then(|attribute| attribute.g.as_ref())
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.attribute(name).and_then(|attribute| std::str::from_utf8(&attribute.s).ok())
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.attribute(name).and_then(|attribute| attribute.t.as_ref())
    }

    /// Lengths of an attribute, one for each of so many axes; a default where it is missing.
    pub(super) fn lengths(&self, name: &'static str, axes: usize, missing: usize) -> Imported<Vec<usize>> {
        let Some(given) = self.ints(name) else { return Ok(vec![missing; axes]) };
        let lengths: Option<Vec<usize>> = given.iter().map(|&length| length_of(length)).collect();
        match lengths.filter(|lengths| lengths.len() == axes) {
            Some(lengths) => Ok(lengths),
            None => refused(
                format!("`{name}` is {given:?}, for {axes} axes"),
                "give one length for each spatial axis, none negative, none beyond any image",
            ),
        }
    }

    /// Refuses an attribute that has another value than the one that is supported.
    pub(super) fn only(&self, name: &'static str, value: i64) -> Imported<()> {
        match self.int(name, value) {
            got if got == value => Ok(()),
            got => {
                refused(format!("`{name}` is {got}, and only {value} is supported"), "export the network without it")
            }
        }
    }
}
