//! The text form, read.

mod line;
mod read;

use std::collections::HashMap;

use thiserror::Error;

use line::Line;
use read::Reader;

use crate::lex::{TokenKind, tokens};
use crate::validate::structure;
use crate::{Fact, Graph, InferError, NodeId, Op, Violation, Weights};

/// Where and why a text is not a graph.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// Counted in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub kind: Box<ParseErrorKind>,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ParseErrorKind {
    /// A character that begins no word of the language.
    #[error("unexpected character {0:?}")]
    Character(char),
    /// A word other than what must stand there.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What must stand there.
        expected: String,
        /// What does.
        found: String,
    },
    /// An operation that the language does not have.
    #[error("there is no operation `{0}`")]
    UnknownOp(String),
    /// A node that no earlier line defines.
    #[error("`%{0}` is not defined above")]
    Undefined(u32),
    /// A node that an earlier line defines already.
    #[error("`%{0}` is already defined")]
    Redefined(u32),
    /// A second choice of the outputs.
    #[error("the output is already chosen")]
    SecondOutput,
    /// A list of weights that does not fill its shape.
    #[error("{got} elements do not fill shape {shape:?}")]
    ElementCount {
        /// The shape stated.
        shape: Vec<usize>,
        /// The length of the list.
        got: usize,
    },
    /// Weights given by digest only, which nothing supplies.
    #[error("no weights with digest {0} are at hand")]
    Unresolved(String),
    /// Weights that were supplied for a digest, and are others than the text states.
    #[error("the weights supplied for digest {0} have another kind, shape, scale or digest")]
    WrongWeights(String),
    /// An operation that does not fit its operands.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// A fact that does not follow.
    #[error("stated as {stated}, but it is {inferred}")]
    FactDiffers {
        /// What the text states.
        stated: Fact,
        /// What follows from the operands.
        inferred: Fact,
    },
    /// A text whose lines are right and which is no graph.
    #[error(transparent)]
    Structure(#[from] Violation),
}

/// Reads a graph from its text form; `IR.md` has the grammar.
///
/// Facts may be left out, but for the input's. Those that are stated must be what [`crate::infer()`] finds.
///
/// # Errors
///
/// The first error in the text. Weights that are given by digest are one: see [`parse_with`].
pub fn parse(text: &str) -> Result<Graph, ParseError> {
    parse_with(text, &|_| None)
}

/// Reads a graph from its text form, with weights for the digests in it: `weights` gets the 16 hexadecimal
/// digits of [`Weights::short_digest`].
///
/// # Errors
///
/// The first error in the text.
pub fn parse_with(text: &str, weights: &dyn Fn(&str) -> Option<Weights>) -> Result<Graph, ParseError> {
    let mut parser = Parser { graph: Graph::new(), names: HashMap::new(), weights };
    let mut last = 1;
    for (number, text) in (1..).zip(text.lines()) {
        parser.line(text).map_err(|(column, kind)| ParseError { line: number, column, kind })?;
        last = number;
    }
    match structure(&parser.graph).into_iter().next() {
        None => Ok(parser.graph),
        Some(violation) => Err(ParseError { line: last, column: 1, kind: Box::new(violation.into()) }),
    }
}

/// An error with its column.
type Located<T> = Result<T, (usize, Box<ParseErrorKind>)>;

fn at(column: usize, kind: impl Into<ParseErrorKind>) -> (usize, Box<ParseErrorKind>) {
    (column, Box::new(kind.into()))
}

struct Parser<'w> {
    graph: Graph,
    names: HashMap<u32, NodeId>,
    weights: &'w dyn Fn(&str) -> Option<Weights>,
}

impl Parser<'_> {
    fn line(&mut self, text: &str) -> Located<()> {
        let tokens = tokens(text).map_err(|(column, character)| at(column, ParseErrorKind::Character(character)))?;
        let mut line = Line::new(&tokens);
        match line.peek().kind {
            TokenKind::End => Ok(()),
            TokenKind::Word("output") => self.output(&mut line),
            TokenKind::Node(_) => self.node(&mut line),
            _ => Err(line.expected("a node or `output`")),
        }
    }

    fn output(&mut self, line: &mut Line<'_>) -> Located<()> {
        let start = line.next().column;
        let mut outputs = vec![self.operand(line)?];
        while let TokenKind::Node(_) = line.peek().kind {
            outputs.push(self.operand(line)?);
        }
        line.end()?;
        if !self.graph.outputs().is_empty() {
            return Err(at(start, ParseErrorKind::SecondOutput));
        }
        self.graph.set_outputs(outputs);
        Ok(())
    }

    fn node(&mut self, line: &mut Line<'_>) -> Located<()> {
        let name_column = line.peek().column;
        let name = line.node()?;
        line.mark("=")?;
        let op_column = line.peek().column;
        let op_name = line.word()?;
        let mut operands = Vec::new();
        while let TokenKind::Node(_) = line.peek().kind {
            operands.push(self.operand(line)?);
        }
        let unknown = || at(op_column, ParseErrorKind::UnknownOp(op_name.to_owned()));
        let mut op = Op::blank(op_name).ok_or_else(unknown)?;
        op.attributes(&mut Reader { line, weights: self.weights })?;
        let layer = line.layer()?;
        let fact_column = line.peek().column;
        let stated = match line.eat_mark(":") {
            true => Some(line.fact()?),
            false => None,
        };
        line.end()?;
        if self.names.contains_key(&name) {
            return Err(at(name_column, ParseErrorKind::Redefined(name)));
        }
        let id = self.graph.add(op, &operands, layer).map_err(|error| at(op_column, error))?;
        self.names.insert(name, id);
        let inferred = &self.graph.node(id).fact;
        match stated {
            Some(stated) if stated != *inferred => {
                let inferred = inferred.clone();
                Err(at(fact_column, ParseErrorKind::FactDiffers { stated, inferred }))
            }
            _ => Ok(()),
        }
    }

    fn operand(&self, line: &mut Line<'_>) -> Located<NodeId> {
        let column = line.peek().column;
        let name = line.node()?;
        let id = self.names.get(&name).copied();
        id.ok_or_else(|| at(column, ParseErrorKind::Undefined(name)))
    }
}

#[cfg(test)]
mod tests;
