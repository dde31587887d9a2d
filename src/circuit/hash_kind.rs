//! The choice of hash, made at run time.

use super::hash::{Blake3Config, PoseidonConfig};
use super::prover::{ProveError, Prover, Timings};
use super::shape::CircuitShape;
use super::verify::{Binding, Key, VerifyError};
use super::witness::Witness;
use crate::gadget::field::{D, F};
use crate::plan::Plan;
use crate::plan::security::{CAP_HEIGHT, HashKind};
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::plonk::config::{GenericConfig, GenericHashOut, Hasher};

/// A [`Prover`] with either hash.
pub enum AnyProver {
    /// With BLAKE3.
    Blake3(Box<Prover<Blake3Config>>),
    /// With Poseidon.
    Poseidon(Box<Prover<PoseidonConfig>>),
}

impl AnyProver {
    /// Commits to the constants and the permutation of `plan`.
    pub fn new(plan: &Plan, hash: HashKind) -> Self {
        match hash {
            HashKind::Blake3 => Self::Blake3(Box::new(Prover::new(plan))),
            HashKind::Poseidon => Self::Poseidon(Box::new(Prover::new(plan))),
        }
    }

    /// The commitment, as bytes.
    pub fn cap(&self) -> Vec<u8> {
        match self {
            Self::Blake3(prover) => cap_bytes::<Blake3Config>(&prover.cap()),
            Self::Poseidon(prover) => cap_bytes::<PoseidonConfig>(&prover.cap()),
        }
    }

    /// Makes all proofs depend on `binding`.
    pub fn bind(&mut self, binding: &Binding) {
        match self {
            Self::Blake3(prover) => prover.bind(binding),
            Self::Poseidon(prover) => prover.bind(binding),
        }
    }

    /// A proof that the witness satisfies the circuit.
    ///
    /// # Errors
    /// As [`Prover::prove`].
    pub fn prove(&self, witness: &Witness, timings: &mut Timings) -> Result<Vec<u8>, ProveError> {
        match self {
            Self::Blake3(prover) => prover.prove(witness, timings),
            Self::Poseidon(prover) => prover.prove(witness, timings),
        }
    }
}

/// Checks `proof` and returns its public inputs.
///
/// # Errors
/// The commitment is malformed, or the proof is, or it does not hold.
pub fn verify(
    hash: HashKind,
    shape: &CircuitShape,
    cap: &[u8],
    binding: &Binding,
    proof: &[u8],
) -> Result<Vec<F>, VerifyError> {
    match hash {
        HashKind::Blake3 => verify_with::<Blake3Config>(shape, cap, binding, proof),
        HashKind::Poseidon => verify_with::<PoseidonConfig>(shape, cap, binding, proof),
    }
}

fn verify_with<C: GenericConfig<D, F = F>>(
    shape: &CircuitShape,
    cap: &[u8],
    binding: &Binding,
    proof: &[u8],
) -> Result<Vec<F>, VerifyError> {
    let cap = cap_from_bytes::<C>(cap).ok_or(VerifyError::Malformed("the key's commitment is invalid"))?;
    Key::<C>::new(shape, cap, binding).verify(proof)
}

/// Both hashes have digests of this many bytes.
const DIGEST_BYTES: usize = 32;

fn cap_bytes<C: GenericConfig<D, F = F>>(cap: &MerkleCap<F, C::Hasher>) -> Vec<u8> {
    cap.0.iter().flat_map(GenericHashOut::<F>::to_bytes).collect()
}

fn cap_from_bytes<C: GenericConfig<D, F = F>>(bytes: &[u8]) -> Option<MerkleCap<F, C::Hasher>> {
    let hash = |bytes: &[u8]| <<C::Hasher as Hasher<F>>::Hash as GenericHashOut<F>>::from_bytes(bytes);
    let has_length = bytes.len() == DIGEST_BYTES << CAP_HEIGHT;
    let cap = has_length.then(|| MerkleCap(bytes.chunks(DIGEST_BYTES).map(hash).collect()))?;
    // Poseidon's digests are field elements, which must be canonical.
    (cap_bytes::<C>(&cap) == bytes).then_some(cap)
}
