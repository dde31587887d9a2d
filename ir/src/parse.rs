//! The text form, read.

mod line;

use std::collections::HashMap;

use ndarray::{ArcArray, IxDyn};
use thiserror::Error;

use line::Line;

use crate::fact::element_count;
use crate::lex::{Token, TokenKind, tokens};
use crate::validate::structure;
use crate::{Fact, Graph, InferError, NodeId, Op, Requantize, Violation, Weights};

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
    /// A second choice of the output.
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
        let id = self.operand(line)?;
        line.end()?;
        if self.graph.try_output().is_some() {
            return Err(at(start, ParseErrorKind::SecondOutput));
        }
        self.graph.set_output(id);
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
        let op = match op_name {
            "input" => None,
            other => Some(self.op(other, op_column, line)?),
        };
        let layer = match line.eat_word("layer") {
            true => {
                line.mark("=")?;
                Some(line.number("a layer number")?)
            }
            false => None,
        };
        let fact_column = line.peek().column;
        let stated = match line.eat_mark(":") {
            true => Some(line.fact()?),
            false => None,
        };
        let op = match (op, &stated) {
            (Some(op), _) => op,
            (None, Some(Fact { shape, number })) => Op::Input { shape: shape.clone(), number: number.clone() },
            (None, None) => return Err(line.expected("`:` and the fact of the input")),
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

    /// What follows the operands of an operation other than the input.
    fn op(&self, name: &str, column: usize, line: &mut Line<'_>) -> Located<Op> {
        Ok(match name {
            "conv2d" => Op::Conv2d { kernel: self.attribute("kernel", line)?, bias: self.bias(line)? },
            "dense" => Op::Dense { weights: self.attribute("weights", line)?, bias: self.bias(line)? },
            "max_pool" => {
                line.attribute("window")?;
                Op::MaxPool { window: line.height_and_width()?, relu: line.eat_word("relu") }
            }
            "relu" => Op::Relu,
            "flatten" => Op::Flatten,
            "normalize" => {
                line.attribute("fraction_bits")?;
                Op::Normalize { fraction_bits: line.number("a number of bits")? }
            }
            "requantize" => Op::Requantize(requantize(line)?),
            "argmax" => Op::Argmax,
            _ => return Err(at(column, ParseErrorKind::UnknownOp(name.to_owned()))),
        })
    }

    fn operand(&self, line: &mut Line<'_>) -> Located<NodeId> {
        let column = line.peek().column;
        let name = line.node()?;
        let id = self.names.get(&name).copied();
        id.ok_or_else(|| at(column, ParseErrorKind::Undefined(name)))
    }

    fn bias(&self, line: &mut Line<'_>) -> Located<Option<Weights>> {
        match line.peek().kind {
            TokenKind::Word("bias") => self.attribute("bias", line).map(Some),
            _ => Ok(None),
        }
    }

    fn attribute(&self, name: &'static str, line: &mut Line<'_>) -> Located<Weights> {
        line.attribute(name)?;
        let fixed = line.eat_word("fixed");
        if !fixed && !line.eat_word("real") {
            return Err(line.expected("`fixed` or `real`"));
        }
        let shape = line.shape()?;
        let scale = if fixed { Some(line.scale()?) } else { None };
        let Token { kind, column } = *line.peek();
        match (kind, scale) {
            (TokenKind::Digest(digest), _) => {
                line.next();
                let error = |kind: fn(String) -> ParseErrorKind| at(column, kind(digest.to_owned()));
                let found = (self.weights)(digest).ok_or_else(|| error(ParseErrorKind::Unresolved))?;
                let same = found.shape() == shape && found.scale() == scale && found.short_digest() == digest;
                same.then_some(found).ok_or_else(|| error(ParseErrorKind::WrongWeights))
            }
            (_, Some(scale)) => {
                let list = line.list(|line| line.number("an integer weight"))?;
                let data = tensor(shape, list).map_err(|kind| at(column, kind))?;
                Ok(Weights::Fixed { data, scale })
            }
            (_, None) => {
                let list = line.list(|line| line.number("a real weight"))?;
                let data = tensor(shape, list).map_err(|kind| at(column, kind))?;
                Ok(Weights::Real(data))
            }
        }
    }
}

fn requantize(line: &mut Line<'_>) -> Located<Requantize> {
    line.attribute("multipliers")?;
    let multipliers = line.list(|line| line.number("an integer multiplier"))?;
    line.attribute("shift")?;
    let shift = line.number("a number of bits")?;
    line.attribute("clamp")?;
    let (lo, hi) = line.interval()?;
    Ok(Requantize { multipliers, shift, lo, hi, scale: line.scale()? })
}

fn tensor<T>(shape: Vec<usize>, list: Vec<T>) -> Result<ArcArray<T, IxDyn>, ParseErrorKind> {
    let got = list.len();
    let mismatch = |shape| ParseErrorKind::ElementCount { shape, got };
    if element_count(&shape) != Some(got) {
        return Err(mismatch(shape));
    }
    ArcArray::from_shape_vec(shape.as_slice(), list).map_err(|_| mismatch(shape))
}

#[cfg(test)]
mod tests;
