//! A JSON value where it stands.
//!
//! Every value is borrowed as its raw text, whose address gives its span; no tree of values is built, so reading
//! costs the text once and the arrays once. To find the fields of an object serde_json has to go through all of its
//! text, and so checks its syntax: whatever a piece holds is known to be well-formed, but for the root.

use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{FrontError, Problem, Result};
use super::source::{Source, shown};

#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    source: &'a Source,
    start: usize,
    text: &'a str,
}

/// A field of an object: its decoded name, the name as it stands, the value.
pub(super) struct Field<'a> {
    pub(super) name: String,
    pub(super) key: Piece<'a>,
    pub(super) value: Piece<'a>,
}

impl<'a> Piece<'a> {
    /// The value that the source consists of.
    pub(super) fn root(source: &'a Source) -> Result<Piece<'a>> {
        let whole = Piece { source, start: 0, text: &source.text };
        let text = source.text.trim_matches([' ', '\t', '\r', '\n']);
        let start = text.as_ptr().addr() - source.text.as_ptr().addr();
        // What is to be an object is checked when its fields are read. Of anything else the syntax comes first.
        if !text.starts_with('{') {
            let checked = serde_json::from_str::<&RawValue>(&source.text);
            checked.map_err(|error| whole.syntax_error(&error))?;
        }
        Ok(Piece { source, start, text })
    }

    /// The piece at a range that an earlier piece had.
    pub(super) fn at(source: &'a Source, range: Range<usize>) -> Option<Piece<'a>> {
        Some(Piece { source, start: range.start, text: source.text.get(range)? })
    }

    fn inner(self, raw: &'a RawValue) -> Piece<'a> {
        let text = raw.get();
        // Both are borrowed from one string, of which the outer text is a part that holds the inner one.
        let start = self.start + (text.as_ptr().addr() - self.text.as_ptr().addr());
        Piece { source: self.source, start, text }
    }

    pub(super) fn text(self) -> &'a str {
        self.text
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// The first character: the brace of an object.
    pub(super) fn opening(self) -> Piece<'a> {
        Piece { text: self.text.get(..1).unwrap_or(self.text), ..self }
    }

    /// The last character: the bracket that ends an array.
    pub(super) fn closing(self) -> Piece<'a> {
        let at = self.text.len().saturating_sub(1);
        Piece { start: self.start + at, text: self.text.get(at..).unwrap_or(""), ..self }
    }

    pub(super) fn error(self, problem: Problem, label: impl Into<String>) -> Box<FrontError> {
        FrontError::placed(problem, self.source, self.range(), label.into())
    }

    pub(super) fn wrong_type(self, what: impl Into<String>, expected: &'static str) -> Box<FrontError> {
        let problem = Problem::WrongType { what: what.into(), expected, got: self.json_type() };
        self.error(problem, format!("expected {expected}"))
    }

    fn json_type(self) -> &'static str {
        match self.text.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    pub(super) fn is_array(self) -> bool {
        self.text.starts_with('[')
    }

    pub(super) fn is_number(self) -> bool {
        self.json_type() == "a number"
    }

    /// The fields of an object, in order; duplicates are all there.
    pub(super) fn object(self, what: &str) -> Result<Vec<Field<'a>>> {
        if !self.text.starts_with('{') {
            return Err(self.wrong_type(what, "an object"));
        }
        let mut members = Vec::new();
        self.visit(|de| de.deserialize_map(Members(&mut members)))?;
        let field = |(key, value): (&'a RawValue, &'a RawValue)| {
            let key = self.inner(key);
            Ok(Field { name: key.string("a field name")?, key, value: self.inner(value) })
        };
        members.into_iter().map(field).collect()
    }

    /// Calls `visit` with the index and piece of each element of an array, until it fails.
    pub(super) fn each(self, what: &str, mut visit: impl FnMut(usize, Piece<'a>) -> Result<()>) -> Result<()> {
        if !self.is_array() {
            return Err(self.wrong_type(what, "an array"));
        }
        let mut failure = None;
        let mut index = 0;
        let read = self.visit(|de| {
            de.deserialize_seq(Elements(|raw: &'a RawValue| {
                let done = visit(index, self.inner(raw));
                index += 1;
                done.map_err(|error| failure = Some(error)).is_ok()
            }))
        });
        match failure {
            Some(failure) => Err(failure),
            None => read,
        }
    }

    pub(super) fn string(self, what: &str) -> Result<String> {
        if !self.text.starts_with('"') {
            return Err(self.wrong_type(what, "a string"));
        }
        serde_json::from_str(self.text).map_err(|error| {
            let message = message_of(&error);
            self.error(Problem::Syntax { message }, "not a valid string")
        })
    }

    /// The numbers of an array, all finite. `expected` only sizes the first allocation, and the text limits it.
    pub(super) fn floats(self, what: &str, expected: usize) -> Result<Vec<f64>> {
        if !self.is_array() {
            return Err(self.wrong_type(what, "an array"));
        }
        let at_most = self.text.len() / 2;
        let mut numbers = Vec::with_capacity(expected.min(at_most));
        let read = self.visit(|de| de.deserialize_seq(Numbers(&mut numbers)));
        if read.is_ok() {
            return Ok(numbers);
        }
        // Something in it is not a finite number: go through it again, slowly, to say where.
        self.each(what, |_, element| element.float(what).map(drop))?;
        read.map(|()| numbers)
    }

    fn float(self, what: &str) -> Result<f64> {
        if !self.is_number() {
            return Err(self.wrong_type(format!("an element of {what}"), "a number"));
        }
        match serde_json::from_str::<f64>(self.text) {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.error(Problem::NumberTooLarge { text: shown(self.text) }, "out of range")),
        }
    }

    /// The n-th element of an array, or of the `data` of a tensor.
    pub(super) fn element(self, nth: usize) -> Option<Piece<'a>> {
        let array = self.member("data").unwrap_or(self);
        let mut found = None;
        let mut index = 0;
        let search = Elements(|raw| {
            found = (index == nth).then_some(raw);
            index += 1;
            found.is_none()
        });
        // The search ends with an error, its only way to stop, when it has found the element.
        let _ = serde_json::Deserializer::from_str(array.text).deserialize_seq(search);
        found.map(|raw| array.inner(raw))
    }

    /// A field of an object, if this is one.
    pub(super) fn member(self, name: &str) -> Option<Piece<'a>> {
        let fields = self.object("").ok()?;
        fields.iter().find(|field| field.name == name).map(|field| field.value)
    }

    fn visit(
        self,
        read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'a>>) -> serde_json::Result<()>,
    ) -> Result<()> {
        let mut deserializer = serde_json::Deserializer::from_str(self.text);
        read(&mut deserializer).and_then(|()| deserializer.end()).map_err(|error| self.syntax_error(&error))
    }

    fn syntax_error(self, error: &serde_json::Error) -> Box<FrontError> {
        let source = self.source;
        if source.text.trim().is_empty() {
            return FrontError::unplaced(Problem::Empty { name: source.name.clone() });
        }
        let offset = self.start + offset_of(self.text, error.line(), error.column());
        let word = word_around(&source.text, offset);
        let literal = &source.text[word.clone()];
        let size = literal.trim_start_matches('-').to_ascii_lowercase();
        if ["nan", "inf", "infinity"].contains(&size.as_str()) {
            let problem = Problem::NotFinite { literal: literal.to_string() };
            return FrontError::placed(problem, source, word, "not finite".to_string());
        }
        let label = if error.is_eof() { "the text ends here" } else { "here" };
        let problem = Problem::Syntax { message: message_of(error) };
        FrontError::placed(problem, source, offset..offset + 1, label.to_string())
    }
}

struct Members<'v, 'a>(&'v mut Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(())
    }
}

/// Hands each element to a function that says whether to go on.
struct Elements<F>(F);

impl<'a, F: FnMut(&'a RawValue) -> bool> Visitor<'a> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut elements: A) -> std::result::Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            if !(self.0)(element) {
                return Err(de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

struct Numbers<'v>(&'v mut Vec<f64>);

impl<'a> Visitor<'a> for Numbers<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an array of numbers")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> std::result::Result<(), A::Error> {
        while let Some(number) = elements.next_element::<f64>()? {
            if !number.is_finite() {
                return Err(de::Error::custom("not finite"));
            }
            self.0.push(number);
        }
        Ok(())
    }
}

/// serde_json's words without the line and column it appends: the excerpt has them.
fn message_of(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_string(),
        None => message,
    }
}

/// The byte offset of a place that serde_json names by line and column, both counted from one.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start = match line.checked_sub(2) {
        None => 0,
        Some(nth) => {
            let mut newlines = text.match_indices('\n');
            newlines.nth(nth).map_or(text.len(), |(at, _)| at + 1)
        }
    };
    text.floor_char_boundary(line_start.saturating_add(column.saturating_sub(1)))
}

/// The letters and minus signs about an offset.
fn word_around(text: &str, offset: usize) -> Range<usize> {
    // Longer than any word of interest, so that a file of one letter repeated costs nothing.
    const MAX: usize = 16;
    let in_word = |byte: &&u8| byte.is_ascii_alphabetic() || **byte == b'-';
    let (before, after) = text.as_bytes().split_at(offset);
    let left = before.iter().rev().take(MAX).take_while(in_word).count();
    let right = after.iter().take(MAX).take_while(in_word).count();
    offset - left..offset + right
}
