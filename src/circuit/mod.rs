//! From a plan to plonky2: gates, rows, the witness, proving and verifying.

mod binding;

mod checker;
mod columns;
mod hash_kind;
mod naive;
mod prover;
mod sites;
mod wipe;
mod witness;

pub use binding::constraints_on_wires;
pub use checker::{Checker, Violation};
pub use hash_kind::AnyProver;
pub use naive::NaiveMatVec;
pub use prover::{ProveError, Prover, Timings};
pub use sites::{Owner, Role, Site, Sites};
pub use witness::{Secrets, Witness};
pub use zknn_verifier::circuit::{Binding, CircuitShape, Key, VerifyError, hash, read_digests, verify};

use crate::plan::Plan;
#[cfg(test)]
use zknn_verifier::circuit::{RowGate, read_proof};
use zknn_verifier::circuit::{quotient_mask, shape, verifier_data};

/// The shape of the circuit that `plan` describes.
pub fn shape_of(plan: &Plan) -> CircuitShape {
    let layout = &plan.layout;
    CircuitShape {
        degree_bits: layout.degree_bits,
        wires: layout.wires,
        routed: layout.routed,
        challenges: layout.challenges,
        scheme: layout.scheme,
        public_inputs: plan.program.public.len(),
        gates: layout.kinds.iter().map(|kind| kind.parts.clone()).collect(),
    }
}

#[cfg(test)]
mod adversary;
#[cfg(test)]
mod canonical_tests;
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
mod shape_tests;
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
