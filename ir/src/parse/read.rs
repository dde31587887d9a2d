//! Attributes, read.

use ndarray::{ArcArray, IxDyn};

use super::line::Line;
use super::{Located, ParseErrorKind, at};
use crate::fact::element_count;
use crate::lex::{Token, TokenKind};
use crate::op::attribute::Visitor;
use crate::{Fact, Number, Weights};

/// Reads attributes from a line, in their order.
pub(super) struct Reader<'r, 'a> {
    pub(super) line: &'r mut Line<'a>,
    /// Weights by digest.
    pub(super) weights: &'r dyn Fn(&str) -> Option<Weights>,
}

impl Visitor for Reader<'_, '_> {
    type Error = (usize, Box<ParseErrorKind>);

    /// Looks ahead to the end of the line, where the fact stands as every node's does.
    fn fact(&mut self, shape: &mut Vec<usize>, number: &mut Number) -> Located<()> {
        let mut ahead = self.line.clone();
        ahead.layer()?;
        if !ahead.eat_mark(":") {
            return Err(ahead.expected("`:` and the fact of the input"));
        }
        Fact { shape: *shape, number: *number } = ahead.fact()?;
        Ok(())
    }

    fn weights(&mut self, name: &'static str, weights: &mut Weights) -> Located<()> {
        self.line.attribute(name)?;
        let kinds = ["fixed", "scaled", "real"];
        let Some(kind) = kinds.into_iter().find(|kind| self.line.eat_word(kind)) else {
            return Err(self.line.expected("`fixed`, `scaled` or `real`"));
        };
        let shape = self.line.shape()?;
        let form = match kind {
            "fixed" => Form::Fixed(self.line.scale()?),
            "scaled" => {
                self.line.keyword("scales")?;
                Form::Scaled(self.line.list(|line| line.number("a scale"))?)
            }
            _ => Form::Real,
        };
        let Token { kind, column } = *self.line.peek();
        *weights = match kind {
            TokenKind::Digest(digest) => {
                self.line.next();
                let error = |kind: fn(String) -> ParseErrorKind| at(column, kind(digest.to_owned()));
                let found = (self.weights)(digest).ok_or_else(|| error(ParseErrorKind::Unresolved))?;
                let same = found.shape() == shape && form.is_of(&found) && found.short_digest() == digest;
                same.then_some(found).ok_or_else(|| error(ParseErrorKind::WrongWeights))?
            }
            _ => match form {
                Form::Real => {
                    let list = self.line.list(|line| line.number("a real weight"))?;
                    Weights::Real(tensor(shape, list).map_err(|kind| at(column, kind))?)
                }
                Form::Fixed(scale) => Weights::Fixed { data: self.integers_of(shape)?, scale },
                Form::Scaled(scales) => Weights::Scaled { data: self.integers_of(shape)?, scales },
            },
        };
        Ok(())
    }

    fn optional_weights(&mut self, name: &'static str, weights: &mut Option<Weights>) -> Located<()> {
        if self.line.peek().kind == TokenKind::Word(name) {
            self.weights(name, weights.insert(Weights::default()))?;
        }
        Ok(())
    }

    fn bits(&mut self, name: &'static str, bits: &mut u32) -> Located<()> {
        self.line.attribute(name)?;
        *bits = self.line.number("a number of bits")?;
        Ok(())
    }

    fn flag(&mut self, name: &'static str, flag: &mut bool) -> Located<()> {
        *flag = self.line.eat_word(name);
        Ok(())
    }

    fn height_and_width(&mut self, name: &'static str, sides: &mut [usize; 2]) -> Located<()> {
        self.line.attribute(name)?;
        *sides = self.line.height_and_width()?;
        Ok(())
    }

    fn sides_unless(&mut self, name: &'static str, sides: &mut [usize; 2], usual: [usize; 2]) -> Located<()> {
        if self.line.peek().kind == TokenKind::Word(name) {
            return self.height_and_width(name, sides);
        }
        *sides = usual;
        Ok(())
    }

    fn count_unless_one(&mut self, name: &'static str, count: &mut usize) -> Located<()> {
        *count = 1;
        if self.line.peek().kind == TokenKind::Word(name) {
            self.line.attribute(name)?;
            *count = self.line.number("a number of them")?;
        }
        Ok(())
    }

    fn lengths(&mut self, name: &'static str, lengths: &mut Vec<usize>) -> Located<()> {
        self.line.attribute(name)?;
        *lengths = self.line.list(|line| line.number("a length for each axis"))?;
        Ok(())
    }

    fn lengths_unless_zero(&mut self, name: &'static str, lengths: &mut Vec<usize>, axes: usize) -> Located<()> {
        if self.line.peek().kind == TokenKind::Word(name) {
            return self.lengths(name, lengths);
        }
        *lengths = vec![0; axes];
        Ok(())
    }

    fn axis(&mut self, axis: &mut usize) -> Located<()> {
        self.line.attribute("axis")?;
        *axis = self.line.number("an axis")?;
        Ok(())
    }

    fn indices(&mut self, name: &'static str, indices: &mut Vec<usize>) -> Located<()> {
        self.line.attribute(name)?;
        *indices = self.line.list(|line| line.number("an index"))?;
        Ok(())
    }

    fn integers(&mut self, name: &'static str, integers: &mut Vec<i64>) -> Located<()> {
        self.line.attribute(name)?;
        *integers = self.line.list(|line| line.number("an integer"))?;
        Ok(())
    }

    fn interval(&mut self, name: &'static str, lo: &mut i64, hi: &mut i64) -> Located<()> {
        self.line.attribute(name)?;
        (*lo, *hi) = self.line.interval()?;
        Ok(())
    }

    fn scale(&mut self, scale: &mut f64) -> Located<()> {
        *scale = self.line.scale()?;
        Ok(())
    }
}

/// What the text says of weights before their elements.
enum Form {
    Real,
    Fixed(f64),
    Scaled(Vec<f64>),
}

impl Form {
    fn is_of(&self, weights: &Weights) -> bool {
        match (self, weights) {
            (Form::Real, Weights::Real(_)) => true,
            (Form::Fixed(told), Weights::Fixed { scale, .. }) => told == scale,
            (Form::Scaled(told), Weights::Scaled { scales, .. }) => told == scales,
            _ => false,
        }
    }
}

impl Reader<'_, '_> {
    fn integers_of(&mut self, shape: Vec<usize>) -> Located<ArcArray<i64, IxDyn>> {
        let column = self.line.peek().column;
        let list = self.line.list(|line| line.number("an integer weight"))?;
        tensor(shape, list).map_err(|kind| at(column, kind))
    }
}

fn tensor<T>(shape: Vec<usize>, list: Vec<T>) -> Result<ArcArray<T, IxDyn>, ParseErrorKind> {
    let got = list.len();
    let mismatch = |shape| ParseErrorKind::ElementCount { shape, got };
    if element_count(&shape) != Some(got) {
        return Err(mismatch(shape));
    }
    ArcArray::from_shape_vec(shape.as_slice(), list).map_err(|_| mismatch(shape))
}
