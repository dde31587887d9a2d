//! The verifier of zknn.
//!
//! A proof says that a neural network, which a key stands for, gave an output on some input. [`verify`] checks that with the
//! key and the proof alone, and gives the [`Statement`](artifact::Statement): all that the verifier learns. There is no prover
//! here, and no compiler: those are in the crate `zknn`, which is built on this one.
//!
//! What a circuit states is written once, in [`gadget`]s; [`circuit`] hands it to plonky2's verifier, and [`security`] says what
//! that is worth. Keys, proofs and openings of commitments are files ([`artifact`]).

pub mod artifact;
pub mod circuit;
pub mod gadget;
pub mod row;
pub mod security;
mod verify;
pub mod visibility;

pub use verify::{RejectError, verify, verify_in_context};

/// The format of files, keys, proofs and commitments that this program writes and reads. Every digest of one of these
/// has it inside.
pub const FORMAT_VERSION: u16 = 5;
