//! The words that hold a tensor's elements, and the commitment to it, outside of the circuit.

use super::TensorInfo;
use crate::gadget::PackInput;
use crate::gadget::field::{F, from_signed, to_signed};
use ndarray::{ArrayD, IxDyn};
use plonky2::field::types::{Field, PrimeField64};
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use zeroize::Zeroizing;

/// Field elements of the salt of a commitment, and of its digest.
pub const DIGEST: usize = 4;

/// What the first word of every message that is committed to stands for, in ASCII.
const TAG: i64 = i64::from_le_bytes(*b"zknncmt\0");

/// The words that a commitment's message starts with: a tag, the format version, the ends of the range, the bits of the
/// scale in two halves of 32 bits, the low one first, the number of axes, and their lengths.
///
/// The number of all further words, of salt and packed elements, follows from these, and so no two tensors, and no two
/// salts, share a message.
pub fn commitment_domain(shape: &[usize], scale: f64, (lo, hi): (i64, i64)) -> Vec<i64> {
    let bits = scale.to_bits();
    let halves = [bits & u64::from(u32::MAX), bits >> u32::BITS].map(|half| half as i64);
    let [low, high] = halves;
    let mut words = vec![TAG, i64::from(crate::FORMAT_VERSION), lo, hi, low, high, shape.len() as i64];
    words.extend(shape.iter().map(|&axis| axis as i64));
    words
}

/// A salted digest of a tensor: four field elements, eight bytes each, little-endian.
pub type Commitment = [u8; 32];

/// The commitment to the integers of a tensor, all in its range.
pub(super) fn commit(tensor: &TensorInfo, salt: &[u64; DIGEST], integers: &[i64]) -> Commitment {
    let domain = commitment_domain(&tensor.shape, tensor.scale, (tensor.lo, tensor.hi));
    let words = pack(tensor, integers);
    let message = domain.into_iter().map(from_signed);
    let secret = salt.iter().chain(words.iter()).map(|&word| F::from_canonical_u64(word));
    let message: Vec<F> = message.chain(secret).collect();
    digest_bytes(&PoseidonHash::hash_no_pad(&message).elements)
}

/// The bytes of a digest that a circuit computes.
pub(super) fn digest_bytes(elements: &[F]) -> Commitment {
    let mut bytes = [0; 32];
    for (chunk, element) in bytes.chunks_exact_mut(8).zip(elements) {
        chunk.copy_from_slice(&element.to_canonical_u64().to_le_bytes());
    }
    bytes
}

/// As many elements to a word as there is room for, the first with the lowest weight.
fn pack(tensor: &TensorInfo, integers: &[i64]) -> Zeroizing<Vec<u64>> {
    let size = tensor.hi.abs_diff(tensor.lo) + 1;
    let word = |chunk: &[i64]| chunk.iter().rev().fold(0, |word, x| word * size + x.abs_diff(tensor.lo));
    Zeroizing::new(integers.chunks(PackInput::capacity(tensor.lo, tensor.hi)).map(word).collect())
}

/// The elements of a tensor from its packed words.
pub(super) fn unpack(tensor: &TensorInfo, words: &[F]) -> Option<ArrayD<i64>> {
    let size = tensor.hi.abs_diff(tensor.lo) + 1;
    let capacity = PackInput::capacity(tensor.lo, tensor.hi);
    let count = tensor.elements()?;
    let mut elements = Vec::with_capacity(words.len() * capacity);
    for word in words {
        let mut rest = word.to_canonical_u64();
        for _ in 0..capacity {
            let above = F::from_canonical_u64(rest % size);
            elements.push(to_signed(above + from_signed(tensor.lo)));
            rest /= size;
        }
    }
    elements.truncate(count);
    ArrayD::from_shape_vec(IxDyn(&tensor.shape), elements).ok()
}
