//! zknn compiles neural networks to zero-knowledge circuits.
//!
//! A model in JSON ([`front`]) becomes a graph in the intermediate representation ([`zknn_ir`]), is rewritten to
//! integers, laid out in rows and columns ([`plan`]), and proved and verified with plonky2 ([`circuit`]). Circuits,
//! verifying keys and proofs are files ([`artifact`]).

pub mod artifact;
pub mod circuit;
pub mod front;
pub mod gadget;
pub mod nn;
mod pipeline;
pub mod plan;

pub use pipeline::{Circuit, CompileError, LoadError, ProofError, RejectError, compile, verify};
