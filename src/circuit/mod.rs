//! From a plan to plonky2: gates, rows, the witness, proving and verifying.

mod binding;
mod canonical;
mod check;
mod checker;
mod columns;
pub mod hash;
mod hash_kind;
mod naive;
mod prover;
mod quotient_mask;
mod row_gate;
mod shape;
mod sites;
mod verify;
mod wipe;
mod witness;

pub use binding::constraints_on_wires;
pub use checker::{Checker, Violation};
pub use hash_kind::{AnyProver, verify};
pub use naive::NaiveMatVec;
pub use prover::{ProveError, Prover, Timings};
pub use shape::CircuitShape;
pub use sites::{Owner, Role, Site, Sites};
pub use verify::{Binding, Key, VerifyError};
pub use witness::{Secrets, Witness};

#[cfg(test)]
mod adversary;
#[cfg(test)]
mod checker_tests;
#[cfg(test)]
mod commitment_tests;
#[cfg(test)]
mod false_circuit_tests;
#[cfg(test)]
mod false_proof_tests;
#[cfg(test)]
mod forgery_tests;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod graph_tests;
#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod stock_prover;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verifier_view;
#[cfg(test)]
mod verifier_view_tests;
#[cfg(test)]
mod zero_knowledge;
