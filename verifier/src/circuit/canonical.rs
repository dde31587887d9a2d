//! Reading proofs in canonical form only.
//!
//! plonky2 reads every 64-bit word as a field element: one that is not below the order is an element in a second form, by
//! which one proof would have many, and its debug assertions panic on it. So each word is looked at before plonky2 makes an
//! element of it, wherever one stands: plonky2's own description of a proof is what walks through the bytes.

use super::hash::TreeHasher;
use super::verify::VerifyError;
use crate::gadget::field::{D, F};
use plonky2::field::extension::Extendable;
use plonky2::field::types::Field64;
use plonky2::gates::gate::GateRef;
use plonky2::hash::hash_types::RichField;
use plonky2::iop::generator::WitnessGeneratorRef;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::config::{GenericConfig, GenericHashOut, Hasher};
use plonky2::plonk::proof::ProofWithPublicInputs;
use plonky2::util::serialization::{GateSerializer, IoError, IoResult, Read, Remaining, WitnessGeneratorSerializer};

const WORD_BYTES: usize = 8;

/// The proof that the bytes are, of a circuit that `common` describes.
///
/// # Errors
/// They are not exactly one proof of its shape, or an element is not in canonical form.
pub fn read_proof<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(
    bytes: &[u8],
    common: &CommonCircuitData<F, D>,
) -> Result<ProofWithPublicInputs<F, C, D>, VerifyError> {
    let mut reader = Reader { rest: bytes, digests_are_elements: C::Hasher::DIGESTS_ARE_ELEMENTS, canonical: true };
    match reader.read_proof_with_public_inputs(common) {
        Ok(proof) if reader.is_empty() => Ok(proof),
        Ok(_) => Err(VerifyError::Malformed("it is too long")),
        Err(IoError) if reader.canonical => Err(VerifyError::Malformed("it is truncated")),
        Err(IoError) => Err(VerifyError::Malformed("it is not in canonical form")),
    }
}

/// Digests that follow one another, as many as there are; nothing if they are no digests in canonical form.
pub fn read_digests<H: TreeHasher>(bytes: &[u8]) -> Option<Vec<H::Hash>> {
    let is_whole = bytes.len().is_multiple_of(H::HASH_SIZE);
    let is_canonical = !H::DIGESTS_ARE_ELEMENTS || are_elements::<F>(bytes);
    (is_whole && is_canonical).then(|| bytes.chunks_exact(H::HASH_SIZE).map(GenericHashOut::<F>::from_bytes).collect())
}

/// Whether all words are below the field's order.
fn are_elements<F: Field64>(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    rest.is_empty() && words.iter().all(|&word| u64::from_le_bytes(word) < F::ORDER)
}

/// What is left of some bytes, and whether all elements so far were canonical.
struct Reader<'a> {
    rest: &'a [u8],
    digests_are_elements: bool,
    canonical: bool,
}

impl Reader<'_> {
    /// The next bytes, which have to be elements if that is asked for.
    fn take<F: Field64>(&mut self, bytes: &mut [u8], must_be_elements: bool) -> IoResult<()> {
        self.read_exact(bytes)?;
        self.canonical = !must_be_elements || are_elements::<F>(bytes);
        if self.canonical { Ok(()) } else { Err(IoError) }
    }
}

impl Read for Reader<'_> {
    fn read_exact(&mut self, bytes: &mut [u8]) -> IoResult<()> {
        let (next, rest) = self.rest.split_at_checked(bytes.len()).ok_or(IoError)?;
        bytes.copy_from_slice(next);
        self.rest = rest;
        Ok(())
    }

    fn read_field<F: Field64>(&mut self) -> IoResult<F> {
        let mut word = [0; WORD_BYTES];
        self.take::<F>(&mut word, true)?;
        Ok(F::from_canonical_u64(u64::from_le_bytes(word)))
    }

    fn read_hash<F: RichField, H: Hasher<F>>(&mut self) -> IoResult<H::Hash> {
        let mut bytes = vec![0; H::HASH_SIZE];
        self.take::<F>(&mut bytes, self.digests_are_elements)?;
        Ok(H::Hash::from_bytes(&bytes))
    }

    /// There are no gates in a proof.
    fn read_gate<F: RichField + Extendable<E>, const E: usize>(
        &mut self,
        _: &dyn GateSerializer<F, E>,
        _: &CommonCircuitData<F, E>,
    ) -> IoResult<GateRef<F, E>> {
        Err(IoError)
    }

    /// There are no generators in a proof.
    fn read_generator<F: RichField + Extendable<E>, const E: usize>(
        &mut self,
        _: &dyn WitnessGeneratorSerializer<F, E>,
        _: &CommonCircuitData<F, E>,
    ) -> IoResult<WitnessGeneratorRef<F, E>> {
        Err(IoError)
    }
}

impl Remaining for Reader<'_> {
    fn remaining(&self) -> usize {
        self.rest.len()
    }
}
