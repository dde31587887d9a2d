//! Verifying, with plonky2's own verifier.

use super::canonical::read_proof;
use super::hash::TreeHasher;
use super::shape::{CircuitShape, Gates, common_data};
use crate::gadget::field::{D, F};
use plonky2::field::types::Field;
use plonky2::hash::hash_types::BytesHash;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::plonk::circuit_data::{CommonCircuitData, VerifierCircuitData, VerifierOnlyCircuitData};
use plonky2::plonk::config::{GenericConfig, GenericHashOut, Hasher};

/// A digest of everything that the statement depends on.
pub type Binding = [u8; 32];

/// What a verifier of one circuit holds.
pub struct Key<C: GenericConfig<D, F = F>> {
    data: VerifierCircuitData<F, C, D>,
}

/// Why a proof was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are no proof of this circuit's shape, or not in canonical form.
    #[error("the bytes are not a proof for this circuit: {0}")]
    Malformed(&'static str),
    /// A check of the verifier failed.
    #[error("the proof does not hold: {0}")]
    Rejected(String),
}

impl<C: GenericConfig<D, F = F, Hasher: TreeHasher>> Key<C> {
    /// The key of a circuit of `shape` whose constants and permutation have the commitment `cap`, and whose statement
    /// is digested in `binding`.
    pub fn new(shape: &CircuitShape, cap: MerkleCap<F, C::Hasher>, binding: &Binding) -> Self {
        let common = common_data(shape, &Gates::new(shape));
        let verifier_only = verifier_data::<C>(&common, cap, binding);
        Self { data: VerifierCircuitData { verifier_only, common } }
    }

    /// Checks a proof and returns its public inputs.
    ///
    /// # Errors
    /// The bytes are not exactly one proof in canonical form, or it does not hold.
    pub fn verify(&self, bytes: &[u8]) -> Result<Vec<F>, VerifyError> {
        let proof = read_proof::<C>(bytes, &self.data.common)?;
        // There must be no second form of a proof: should the reader ever let one pass, writing it again tells.
        if proof.to_bytes() != bytes {
            return Err(VerifyError::Malformed("it is not in canonical form"));
        }
        let public = proof.public_inputs.clone();
        self.data.verify(proof).map_err(|error| VerifyError::Rejected(error.to_string()))?;
        Ok(public)
    }
}

/// The part of the key that depends on the circuit's contents.
///
/// The circuit digest, which starts the transcript, covers the commitment, the statement's binding (and with it the
/// gates and their weights, which plonky2's own digest leaves out) and the degree.
pub fn verifier_data<C: GenericConfig<D, F = F>>(
    common: &CommonCircuitData<F, D>,
    cap: MerkleCap<F, C::Hasher>,
    binding: &Binding,
) -> VerifierOnlyCircuitData<C, D> {
    let mut parts = cap.flatten();
    parts.extend(GenericHashOut::<F>::to_vec(&BytesHash(*binding)));
    parts.push(F::from_canonical_usize(common.degree_bits()));
    VerifierOnlyCircuitData { circuit_digest: C::Hasher::hash_no_pad(&parts), constants_sigmas_cap: cap }
}
