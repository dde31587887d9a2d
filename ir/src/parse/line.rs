//! A line of the text form, read from left to right.

use std::str::FromStr;

use super::{Located, ParseErrorKind, at};
use crate::fact::power_of_two;
use crate::lex::{Token, TokenKind};
use crate::{Fact, Number};

/// What is left of a line.
#[derive(Clone)]
pub(super) struct Line<'a> {
    /// Never empty: the end of the line stays.
    tokens: &'a [Token<'a>],
}

impl<'a> Line<'a> {
    pub(super) fn new(tokens: &'a [Token<'a>]) -> Self {
        Line { tokens }
    }

    pub(super) fn peek(&self) -> &'a Token<'a> {
        &self.tokens[0]
    }

    pub(super) fn next(&mut self) -> &'a Token<'a> {
        let token = self.peek();
        if token.kind != TokenKind::End {
            self.tokens = &self.tokens[1..];
        }
        token
    }

    pub(super) fn expected(&self, what: &str) -> (usize, Box<ParseErrorKind>) {
        unexpected(what, self.peek())
    }

    pub(super) fn end(&self) -> Located<()> {
        match self.peek().kind {
            TokenKind::End => Ok(()),
            _ => Err(self.expected("the end of the line")),
        }
    }

    pub(super) fn eat_mark(&mut self, mark: &str) -> bool {
        let found = self.peek().kind == TokenKind::Mark(mark);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek().kind == TokenKind::Word(word);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn mark(&mut self, mark: &str) -> Located<()> {
        match self.eat_mark(mark) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{mark}`"))),
        }
    }

    pub(super) fn keyword(&mut self, word: &str) -> Located<()> {
        match self.eat_word(word) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{word}`"))),
        }
    }

    /// `name=`.
    pub(super) fn attribute(&mut self, name: &str) -> Located<()> {
        self.keyword(name)?;
        self.mark("=")
    }

    /// `layer=number`, if it stands there.
    pub(super) fn layer(&mut self) -> Located<Option<usize>> {
        if !self.eat_word("layer") {
            return Ok(None);
        }
        self.mark("=")?;
        self.number("a layer number").map(Some)
    }

    pub(super) fn word(&mut self) -> Located<&'a str> {
        match self.peek().kind {
            TokenKind::Word(word) => {
                self.next();
                Ok(word)
            }
            _ => Err(self.expected("an operation")),
        }
    }

    pub(super) fn node(&mut self) -> Located<u32> {
        match self.peek().kind {
            TokenKind::Node(digits) => {
                let name = digits.parse();
                let name = name.map_err(|_| self.expected("a node number of 32 bits"))?;
                self.next();
                Ok(name)
            }
            _ => Err(self.expected("a node")),
        }
    }

    /// A number of any type; the text that type does not read is an error.
    pub(super) fn number<T: FromStr>(&mut self, what: &str) -> Located<T> {
        match self.peek().kind {
            TokenKind::Number(text) => {
                let number = text.parse().map_err(|_| self.expected(what))?;
                self.next();
                Ok(number)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// `[ item, … ]`.
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Located<T>) -> Located<Vec<T>> {
        self.mark("[")?;
        let mut items = Vec::new();
        if self.eat_mark("]") {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat_mark("]") {
                return Ok(items);
            }
            if !self.eat_mark(",") {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    pub(super) fn shape(&mut self) -> Located<Vec<usize>> {
        self.list(|line| line.number("the length of an axis"))
    }

    /// `[ height, width ]`.
    pub(super) fn height_and_width(&mut self) -> Located<[usize; 2]> {
        let token = self.peek();
        <[usize; 2]>::try_from(self.shape()?).map_err(|sides| {
            let found = format!("{sides:?}");
            at(token.column, expected("a height and a width", found))
        })
    }

    /// `scale`, then a number or a power of two.
    pub(super) fn scale(&mut self) -> Located<f64> {
        self.keyword("scale")?;
        let two = self.peek().kind == TokenKind::Number("2");
        let scale: f64 = self.number("a scale")?;
        if !two || !self.eat_mark("^") {
            return Ok(scale);
        }
        let token = self.peek();
        let exponent = self.number("an exponent")?;
        power_of_two(exponent).ok_or_else(|| unexpected("an exponent from -1074 to 1023", token))
    }

    /// `lo..=hi`.
    pub(super) fn interval(&mut self) -> Located<(i64, i64)> {
        let lo = self.number("the least integer")?;
        self.mark("..=")?;
        Ok((lo, self.number("the greatest integer")?))
    }

    /// A shape, then `real` or `fixed(scale …, lo..=hi)`.
    pub(super) fn fact(&mut self) -> Located<Fact> {
        let shape = self.shape()?;
        if self.eat_word("real") {
            let number = Number::Real;
            return Ok(Fact { shape, number });
        }
        if !self.eat_word("fixed") {
            return Err(self.expected("`real` or `fixed`"));
        }
        self.mark("(")?;
        let scale = self.scale()?;
        self.mark(",")?;
        let (lo, hi) = self.interval()?;
        self.mark(")")?;
        Ok(Fact { shape, number: Number::Fixed { scale, lo, hi } })
    }
}

fn unexpected(what: &str, token: &Token<'_>) -> (usize, Box<ParseErrorKind>) {
    at(token.column, expected(what, token.kind.describe()))
}

fn expected(what: &str, found: String) -> ParseErrorKind {
    ParseErrorKind::Expected { expected: what.to_owned(), found }
}
