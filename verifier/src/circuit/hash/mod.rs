//! The hash functions of the proof: BLAKE3 by default, Poseidon where a proof is to be verified inside a circuit.

#[cfg(feature = "prover")]
mod side_by_side;

use crate::gadget::field::{D, Ext, F};
use plonky2::field::types::{Field, Field64, PrimeField64};
use plonky2::hash::hash_types::BytesHash;
use plonky2::hash::hashing::PlonkyPermutation;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::{GenericConfig, Hasher};
#[cfg(feature = "prover")]
use side_by_side::{LANES, hash_elements, hash_pairs};
use std::ops::Range;

pub use plonky2::plonk::config::PoseidonGoldilocksConfig as PoseidonConfig;

/// BLAKE3 for the Merkle trees and the transcript; public inputs, which the circuit hashes too, stay with Poseidon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blake3Config;

impl GenericConfig<D> for Blake3Config {
    type F = F;
    type FE = Ext;
    type Hasher = Blake3;
    type InnerHasher = PoseidonHash;
}

/// A hash of Merkle trees, which has many leaves to hash at once.
pub trait TreeHasher: Hasher<F> {
    /// Whether digests are field elements: not all bytes are digests then.
    const DIGESTS_ARE_ELEMENTS: bool;

    /// As `hash_or_noop` of many leaves: the first elements of all are in the first of the `columns`, and so forth.
    fn hash_leaves(columns: &[&[F]]) -> Vec<Self::Hash> {
        (0..points(columns)).map(|point| Self::hash_or_noop(&leaf(columns, point))).collect()
    }

    /// As `two_to_one` of each two that follow one another.
    fn hash_pairs(digests: &[Self::Hash]) -> Vec<Self::Hash> {
        digests.chunks_exact(2).map(|pair| Self::two_to_one(pair[0], pair[1])).collect()
    }

    /// The first of `candidates`, which are below 2^32, that as the first element of this state of the transcript is answered by so
    /// many zero bits.
    fn answered(state: &Self::Permutation, mut candidates: Range<u64>, bits: u32) -> Option<u64> {
        candidates.find(|&candidate| {
            let mut state = *state;
            state.set_elt(F::from_canonical_u64(candidate), 0);
            state.permute();
            state.squeeze().last().is_some_and(|answer| answer.to_canonical_u64().leading_zeros() >= bits)
        })
    }
}

fn points(columns: &[&[F]]) -> usize {
    columns.first().map_or(0, |column| column.len())
}

fn leaf(columns: &[&[F]], point: usize) -> Vec<F> {
    columns.iter().map(|column| column[point]).collect()
}

impl TreeHasher for PoseidonHash {
    const DIGESTS_ARE_ELEMENTS: bool = true;
}

/// BLAKE3 over the canonical little-endian bytes of field elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blake3;

const DIGEST_BYTES: usize = 32;
const ELEMENT_BYTES: usize = 8;

impl Hasher<F> for Blake3 {
    const HASH_SIZE: usize = DIGEST_BYTES;
    type Hash = BytesHash<DIGEST_BYTES>;
    type Permutation = Blake3Permutation;

    fn hash_no_pad(input: &[F]) -> Self::Hash {
        // Field elements go in through a buffer that fits the caches: BLAKE3 likes long updates.
        const ELEMENTS: usize = 1024;
        let mut hasher = blake3::Hasher::new();
        let mut bytes = [0; ELEMENTS * ELEMENT_BYTES];
        for elements in input.chunks(ELEMENTS) {
            let bytes = &mut bytes[..elements.len() * ELEMENT_BYTES];
            write_elements(elements, bytes);
            hasher.update(bytes);
        }
        BytesHash(*hasher.finalize().as_bytes())
    }

    /// Short leaves are hashed too. As they are, they would be disclosed as siblings in Merkle paths, and blinding does
    /// not count on that.
    fn hash_or_noop(inputs: &[F]) -> Self::Hash {
        Self::hash_no_pad(inputs)
    }

    fn two_to_one(left: Self::Hash, right: Self::Hash) -> Self::Hash {
        let mut bytes = [0; 2 * DIGEST_BYTES];
        bytes[..DIGEST_BYTES].copy_from_slice(&left.0);
        bytes[DIGEST_BYTES..].copy_from_slice(&right.0);
        BytesHash(*blake3::hash(&bytes).as_bytes())
    }
}

impl TreeHasher for Blake3 {
    const DIGESTS_ARE_ELEMENTS: bool = false;

    #[cfg(feature = "prover")]
    fn hash_leaves(columns: &[&[F]]) -> Vec<Self::Hash> {
        let points = points(columns);
        let whole = points - points % LANES;
        let mut digests = Vec::with_capacity(points);
        for start in (0..whole).step_by(LANES) {
            digests.extend(hash_elements(columns, start).map(BytesHash));
        }
        digests.extend((whole..points).map(|point| Self::hash_or_noop(&leaf(columns, point))));
        digests
    }

    #[cfg(feature = "prover")]
    fn hash_pairs(digests: &[Self::Hash]) -> Vec<Self::Hash> {
        let (groups, rest) = digests.as_chunks::<{ 2 * LANES }>();
        let groups = groups.iter().flat_map(|group| hash_pairs(&group.map(|digest| digest.0)).map(BytesHash));
        groups.chain(rest.chunks_exact(2).map(|pair| Self::two_to_one(pair[0], pair[1]))).collect()
    }

    #[cfg(feature = "prover")]
    fn answered(state: &Blake3Permutation, candidates: Range<u64>, bits: u32) -> Option<u64> {
        side_by_side::answered(&state.state, candidates, bits)
    }
}

fn write_elements(elements: &[F], bytes: &mut [u8]) {
    for (element, bytes) in elements.iter().zip(bytes.chunks_exact_mut(ELEMENT_BYTES)) {
        bytes.copy_from_slice(&element.to_canonical_u64().to_le_bytes());
    }
}

/// The `i`-th little-endian word.
fn word(bytes: &[u8], i: usize) -> u64 {
    bytes[i * ELEMENT_BYTES..][..ELEMENT_BYTES].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

const STATE: usize = 12;
const RATE: usize = 8;

/// The transcript's "permutation": the state is hashed, and BLAKE3's extended output, read as field elements, is the
/// next state. It is no permutation, but a random function serves a transcript as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blake3Permutation {
    state: [F; STATE],
}

impl AsRef<[F]> for Blake3Permutation {
    fn as_ref(&self) -> &[F] {
        &self.state
    }
}

impl PlonkyPermutation<F> for Blake3Permutation {
    const RATE: usize = RATE;
    const WIDTH: usize = STATE;

    fn new<I: IntoIterator<Item = F>>(elements: I) -> Self {
        let mut permutation = Self::default();
        permutation.set_from_iter(elements, 0);
        permutation
    }

    fn set_elt(&mut self, element: F, index: usize) {
        self.state[index] = element;
    }

    fn set_from_iter<I: IntoIterator<Item = F>>(&mut self, elements: I, start: usize) {
        for (slot, element) in self.state[start..].iter_mut().zip(elements) {
            *slot = element;
        }
    }

    fn set_from_slice(&mut self, elements: &[F], start: usize) {
        self.state[start..start + elements.len()].copy_from_slice(elements);
    }

    fn permute(&mut self) {
        let mut bytes = [0; STATE * ELEMENT_BYTES];
        write_elements(&self.state, &mut bytes);
        let mut output = blake3::Hasher::new().update(&bytes).finalize_xof();
        // Words that are no canonical element are skipped, which keeps the elements uniform. There is hardly ever one, so
        // that the first batch of words, a whole number of BLAKE3's blocks, nearly always suffices.
        let mut words = std::iter::repeat_with(|| {
            let mut batch = [0; 2 * blake3::BLOCK_LEN];
            output.fill(&mut batch);
            batch
        })
        .flat_map(|batch| std::array::from_fn::<u64, { 2 * blake3::BLOCK_LEN / ELEMENT_BYTES }, _>(|i| word(&batch, i)))
        .filter(|&word| word < F::ORDER);
        for slot in &mut self.state {
            // The words never end.
            *slot = F::from_canonical_u64(words.next().unwrap_or_default());
        }
    }

    fn squeeze(&self) -> &[F] {
        &self.state[..RATE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::Sample;

    #[test]
    fn hashes_the_canonical_bytes() {
        for len in [0, 128, 129, 1024, 1025, 3000] {
            let elements = F::rand_vec(len);
            let bytes: Vec<u8> = elements.iter().flat_map(|e| e.to_canonical_u64().to_le_bytes()).collect();
            assert_eq!(Blake3::hash_no_pad(&elements).0, *blake3::hash(&bytes).as_bytes(), "{len} elements");
        }
        // The same element in its other representation hashes alike.
        let (zero, order) = (F::ZERO, F::from_noncanonical_u64(F::ORDER));
        assert_eq!(Blake3::hash_no_pad(&[zero; 5]).0, Blake3::hash_no_pad(&[order; 5]).0);
    }

    #[cfg(feature = "prover")]
    #[test]
    fn many_are_hashed_as_one() {
        let (width, points) = (140, 2 * LANES + 6);
        let columns: Vec<Vec<F>> = (0..width).map(|_| F::rand_vec(points)).collect();
        let digests = Blake3::hash_leaves(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let leaf = |point: usize| columns.iter().map(|column| column[point]).collect::<Vec<F>>();
        assert!(digests.iter().copied().eq((0..points).map(|point| Blake3::hash_or_noop(&leaf(point)))));
        let pairs = digests.chunks_exact(2).map(|pair| Blake3::two_to_one(pair[0], pair[1]));
        assert!(Blake3::hash_pairs(&digests).into_iter().eq(pairs));
    }

    #[test]
    fn the_transcript_depends_on_all_of_the_state() {
        let start = Blake3Permutation::new(F::rand_vec(STATE));
        let mut plain = start;
        plain.permute();
        for index in 0..STATE {
            let mut changed = start;
            changed.set_elt(start.state[index] + F::ONE, index);
            changed.permute();
            assert!(changed.state.iter().zip(plain.state).all(|(&a, b)| a != b));
        }
    }
}
