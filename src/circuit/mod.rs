//! From a plan to plonky2: gates, rows, the witness, proving and verifying.

mod columns;
pub mod hash;
mod prove;
mod row_gate;
mod shape;
mod verify;
mod witness;

pub use prove::{Prover, ProveError};
pub use shape::CircuitShape;
pub use verify::{Key, VerifyError};
pub use witness::{Secrets, Witness};

#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod tests;
