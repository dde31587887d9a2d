//! The fields of layers in the table, and what they hold.

use ndarray::ArrayD;

use super::super::error::{Problem, Result};
use super::super::piece::Piece;
use super::super::{MAX_BORDER, MAX_ELEMENTS, tensor};

/// What a field of a layer holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// A constant tensor.
    Tensor(ArrayD<f64>),
    /// A number.
    Number(f64),
    /// One or several lengths, axes or indices.
    Integers(Vec<usize>),
    /// Whether something is so.
    Flag(bool),
}

/// A field that a layer may have.
#[derive(Debug)]
pub(in crate::front) struct Field {
    pub(in crate::front) name: &'static str,
    pub(in crate::front) kind: FieldKind,
    pub(in crate::front) is_required: bool,
}

/// What a field is in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::front) enum FieldKind {
    Tensor,
    Number,
    Flag,
    /// A positive integer.
    Count,
    /// An integer that is not negative.
    Index,
    /// A height and a width, or one number for both.
    Sides,
    /// How much there is at two edges, or one number for both.
    Edges,
    /// Integers that are not negative.
    List,
}

impl Field {
    pub(super) const fn required(name: &'static str, kind: FieldKind) -> Field {
        Field { name, kind, is_required: true }
    }

    pub(super) const fn optional(name: &'static str, kind: FieldKind) -> Field {
        Field { name, kind, is_required: false }
    }
}

impl FieldKind {
    pub(super) fn accepts(self, attribute: &Attribute) -> bool {
        match (self, attribute) {
            (FieldKind::Tensor, Attribute::Tensor(_))
            | (FieldKind::Number, Attribute::Number(_))
            | (FieldKind::Flag, Attribute::Flag(_))
            | (FieldKind::List, Attribute::Integers(_)) => true,
            (FieldKind::Count, Attribute::Integers(integers)) => matches!(integers[..], [1..=MAX_ELEMENTS]),
            (FieldKind::Index, Attribute::Integers(integers)) => integers.len() == 1,
            (FieldKind::Sides, Attribute::Integers(integers)) => {
                matches!(integers[..], [1..=MAX_ELEMENTS, 1..=MAX_ELEMENTS])
            }
            (FieldKind::Edges, Attribute::Integers(integers)) => {
                matches!(integers[..], [0..=MAX_BORDER, 0..=MAX_BORDER])
            }
            _ => false,
        }
    }

    /// What the field must be, for errors.
    fn expected(self) -> &'static str {
        match self {
            FieldKind::Tensor => "a tensor",
            FieldKind::Number => "a number",
            FieldKind::Flag => "true or false",
            FieldKind::Count => "a positive integer",
            FieldKind::Index => "an integer, not negative",
            FieldKind::Sides => "a positive integer, or two of them",
            FieldKind::Edges => "an integer, not negative, or two of them",
            FieldKind::List => "a list of integers, none negative",
        }
    }

    /// Whether one number stands for a list of it alone in JSON.
    pub(in crate::front) fn is_single(self) -> bool {
        matches!(self, FieldKind::Count | FieldKind::Index)
    }

    /// Reads the field.
    pub(in crate::front) fn read(self, piece: Piece, name: &'static str) -> Result<Attribute> {
        let attribute = match self {
            FieldKind::Tensor => return Ok(Attribute::Tensor(tensor::read_of_any_rank(piece, name)?)),
            FieldKind::Number => {
                piece.text().parse().ok().filter(|number: &f64| number.is_finite()).map(Attribute::Number)
            }
            FieldKind::Flag => piece.text().parse().ok().map(Attribute::Flag),
            FieldKind::List if !piece.is_array() => None,
            FieldKind::Count | FieldKind::Index | FieldKind::Sides | FieldKind::Edges | FieldKind::List => {
                self.integers(piece)?.map(Attribute::Integers)
            }
        };
        let accepted = attribute.filter(|attribute| self.accepts(attribute));
        let problem = || Problem::Attribute { field: name, expected: self.expected() };
        accepted.ok_or_else(|| piece.error(problem(), format!("expected {}", self.expected())))
    }

    fn integers(self, piece: Piece) -> Result<Option<Vec<usize>>> {
        let one = |piece: Piece| piece.text().parse::<usize>().ok().filter(|integer| *integer <= MAX_ELEMENTS);
        if !piece.is_array() {
            let count = if self.is_single() { 1 } else { 2 };
            return Ok(one(piece).map(|integer| vec![integer; count]));
        }
        if self.is_single() {
            return Ok(None);
        }
        let mut integers = Some(Vec::new());
        piece.each("a list of integers", |_, element| {
            match (one(element), &mut integers) {
                (Some(integer), Some(integers)) => integers.push(integer),
                _ => integers = None,
            }
            Ok(())
        })?;
        Ok(integers)
    }
}

impl Attribute {
    /// The tensor, if it is one.
    pub(super) fn tensor(&self) -> Option<&ArrayD<f64>> {
        match self {
            Attribute::Tensor(tensor) => Some(tensor),
            Attribute::Number(_) | Attribute::Integers(_) | Attribute::Flag(_) => None,
        }
    }
}
