//! zknn compiles neural networks to zero-knowledge circuits.
//!
//! A model in JSON ([`front`]) becomes a graph in the intermediate representation ([`zknn_ir`]), is rewritten to
//! integers ([`passes`]), laid out in rows and columns ([`plan`]) of small statements ([`gadget`]), and proved and
//! verified with plonky2 ([`circuit`]). [`mod@evaluate`] and [`rounding`] measure what rounding costs. Circuits, verifying keys and
//! proofs are files ([`artifact`]). [`nn`] runs a model as a plain program, which is what all the rest is held to, and
//! [`matvec`] makes the smallest model to benchmark.

pub mod artifact;
mod audit;
pub mod circuit;
mod diagnose;
pub mod evaluate;
pub mod front;
pub mod gadget;
pub mod input;
mod lowering;
pub mod matvec;
pub mod nn;
pub mod passes;
mod pipeline;
pub mod plan;
pub mod rounding;

pub use audit::Audit;
pub use circuit::Timings;
pub use lowering::{DEFAULT_BITS, DEFAULT_INPUT_RANGE, Lowering, LoweringError, lower};
pub use pipeline::{Circuit, CompileError, LoadError, ProofError, RejectError, compile, lower_exact, verify};
