//! From a plan to plonky2: gates, rows, the witness, proving and verifying.

mod check;
mod columns;
pub mod hash;
mod hash_kind;
mod naive;
mod prover;
mod quotient_mask;
mod row_gate;
mod shape;
mod verify;
mod witness;

pub use hash_kind::{AnyProver, verify};
pub use naive::NaiveMatVec;
pub use prover::{ProveError, Prover, Timings};
pub use shape::CircuitShape;
pub use verify::{Binding, Key, VerifyError};
pub use witness::{Secrets, Witness};

#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod stock_prover;
#[cfg(test)]
mod tests;
