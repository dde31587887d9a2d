//! The fields of an object, held to the list of those it may have.

use super::error::{Problem, Result};
use super::piece::{Field, Piece};
use super::source::shown;

pub(super) struct Object<'a> {
    what: String,
    piece: Piece<'a>,
    fields: Vec<Field<'a>>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    pub(super) fn new(piece: Piece<'a>, what: &str) -> Result<Object<'a>> {
        let fields = piece.object(what)?;
        Ok(Object { what: what.to_string(), piece, fields, known: Vec::new() })
    }

    pub(super) fn called(self, what: String) -> Object<'a> {
        Object { what, ..self }
    }

    /// Refuses fields that are not among `known`, and fields given twice.
    pub(super) fn only(mut self, known: &[&'static str]) -> Result<Object<'a>> {
        self.known = known.to_vec();
        let mut seen = Vec::new();
        for field in &self.fields {
            let Some(name) = known.iter().find(|name| **name == field.name) else {
                return Err(self.unknown(field));
            };
            if seen.contains(name) {
                let problem = Problem::DuplicateField { object: self.what, field: name };
                return Err(field.key.error(problem, "given again here"));
            }
            seen.push(*name);
        }
        Ok(self)
    }

    pub(super) fn optional(&self, name: &str) -> Option<Piece<'a>> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value)
    }

    pub(super) fn required(&self, name: &'static str) -> Result<Piece<'a>> {
        self.optional(name).ok_or_else(|| self.missing(name, self.piece.opening()))
    }

    /// The error for a missing field, shown at a place of the caller's choice.
    pub(super) fn missing(&self, field: &'static str, place: Piece) -> Box<super::FrontError> {
        let problem = Problem::MissingField { object: self.what.clone(), field, known: list(&self.known) };
        place.error(problem, format!("no `{field}` in this object"))
    }

    fn unknown(&self, field: &Field) -> Box<super::FrontError> {
        let name = shown(&field.name);
        let label = match closest(&field.name, &self.known) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "unknown".to_string(),
        };
        let advice = match &self.known[..] {
            [] => "it takes no such field".to_string(),
            known => format!("the fields of {} are {}", self.what, list(known)),
        };
        field.key.error(Problem::UnknownField { object: self.what.clone(), field: name, advice }, label)
    }
}

/// The name that was probably meant.
pub(super) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // Comparing takes the product of the lengths, and no name has so many letters.
    if name.len() > 64 {
        return None;
    }
    let short = known.iter().filter(|known| known.len() <= 64);
    let similarity = |known: &&'a str| (strsim::jaro_winkler(&name.to_lowercase(), known), *known);
    let (best, known) = short.map(similarity).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best > 0.8).then_some(known)
}

/// Names as a phrase: `a`, `b` and `c`.
pub(super) fn list(names: &[&str]) -> String {
    quoted(names.iter().map(|name| name.to_string()))
}

/// The same, of names that are made for it.
pub(super) fn quoted(names: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
