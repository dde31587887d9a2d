//! The choice of hash, made at run time.

use super::canonical::read_digests;
use super::hash::{Blake3Config, PoseidonConfig, TreeHasher};
use super::shape::CircuitShape;
use super::verify::{Binding, Key, VerifyError};
use crate::gadget::field::{D, F};
use crate::security::{CAP_HEIGHT, HashKind};
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::plonk::config::GenericConfig;

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

fn verify_with<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(
    shape: &CircuitShape,
    cap: &[u8],
    binding: &Binding,
    proof: &[u8],
) -> Result<Vec<F>, VerifyError> {
    let cap = cap_from_bytes::<C::Hasher>(cap).ok_or(VerifyError::Malformed("the key's commitment is invalid"))?;
    Key::<C>::new(shape, cap, binding).verify(proof)
}

fn cap_from_bytes<H: TreeHasher>(cap: &[u8]) -> Option<MerkleCap<F, H>> {
    read_digests::<H>(cap).filter(|digests| digests.len() == 1 << CAP_HEIGHT).map(MerkleCap)
}
