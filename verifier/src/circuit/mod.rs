//! What plonky2's verifier is given: gates, parameters, and proofs whose bytes are checked.

mod canonical;
mod check;
pub mod hash;
mod hash_kind;
pub mod quotient_mask;
mod row_gate;
pub mod shape;
mod verify;

pub use canonical::{read_digests, read_proof};
pub use hash_kind::verify;
pub use row_gate::RowGate;
pub use shape::CircuitShape;
pub use verify::{Binding, Key, VerifyError, verifier_data};
