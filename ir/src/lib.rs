//! The intermediate representation of zknn: a network as a small typed language.
//!
//! A [`Graph`] is a directed acyclic graph of tensor operations ([`Op`]). Every node carries a [`Fact`]
//! about its output: the shape and, once numbers are fixed-point, the scale and a *proven* interval of the
//! integers. [`infer()`] is the only rule by which facts come about, [`validate()`] recomputes them all, and
//! [`eval`] is the meaning of a graph: a pass, a circuit or a witness is right when it agrees with it.
//! Graphs have a text form ([`print()`], [`parse()`]), a digest ([`Graph::digest`]) and a serde form that
//! is safe to read from untrusted files.
//!
//! The crate knows nothing of model files, proof systems or command lines. `IR.md` beside it is the
//! reference of the language.

mod canonical;
mod error;
pub mod eval;
mod fact;
mod graph;
mod infer;
mod lex;
pub mod op;
mod parse;
mod print;
#[cfg(any(test, feature = "testing"))]
pub mod random;
mod range;
mod serial;
#[cfg(test)]
mod testing;
mod validate;
mod weights;

pub use error::InferError;
pub use fact::{Fact, Number};
pub use graph::{Graph, Node, NodeId};
pub use infer::{MAX_ELEMENTS, MAX_FRACTION_BITS, MAX_MAGNITUDE, MAX_NORMALIZE_LENGTH, infer};
pub use op::linear::{ChannelBound, channel_bounds};
pub use op::{Arity, Class, Factors, MAX_SHIFT, Op, Requantize};
pub use parse::{ParseError, ParseErrorKind, parse, parse_with};
pub use print::{INLINE_LIMIT, print};
pub use range::Range;
pub use validate::{Violation, validate};
pub use weights::Weights;
