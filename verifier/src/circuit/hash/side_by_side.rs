//! BLAKE3 of many inputs of one length, each in a lane of its own.
//!
//! The library hashes chunks of *one* input side by side, of which leaves have few, and wants its bytes in a row, where the
//! prover has the elements of many leaves in a row. Names are those of the BLAKE3 paper, section 2
//! (<https://github.com/BLAKE3-team/BLAKE3-specs>).

use super::STATE;
use crate::gadget::field::F;
use plonky2::field::types::{Field64, PrimeField64};
use std::ops::Range;
use wide::{bytemuck, u32x16, u64x8};

/// Inputs that are hashed side by side.
pub const LANES: usize = 16;

/// A digest in bytes.
pub type Digest = [u8; 32];

/// One word of each input.
type Word = u32x16;
type ChainingValue = [Word; 8];
type Block = [Word; 16];

const CHUNK_ELEMENTS: usize = 128;
const BLOCK_ELEMENTS: usize = 8;
const BLOCK_BYTES: u32 = 64;

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;
const ROOT: u32 = 8;

const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Which word of a block each round takes where.
const SCHEDULE: [[usize; 16]; 7] = {
    const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut schedule = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]; 7];
    let mut at = 16;
    while at < 7 * 16 {
        schedule[at / 16][at % 16] = schedule[at / 16 - 1][PERMUTATION[at % 16]];
        at += 1;
    }
    schedule
};

/// The digests of the canonical little-endian bytes of [`LANES`] lists of elements: the first elements of all lists are in
/// the first of the `columns` from `start` on, and so forth.
pub fn hash_elements(columns: &[&[F]], start: usize) -> [Digest; LANES] {
    let root = subtree(columns, start, 0, ROOT);
    digests(&root, |list| if list < LANES / 2 { 2 * list } else { 2 * list - LANES + 1 })
}

/// The digests of [`LANES`] pairs of digests.
pub fn hash_pairs(pairs: &[Digest; 2 * LANES]) -> [Digest; LANES] {
    let block = std::array::from_fn(|word| {
        let bytes = |lane: usize| &pairs[2 * lane + word / 8][word % 8 * 4..];
        let word = |lane| bytes(lane).first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes));
        Word::new(std::array::from_fn(word))
    });
    digests(&compress(&IV.map(Word::splat), &block, 0, BLOCK_BYTES, CHUNK_START | CHUNK_END | ROOT), |pair| pair)
}

/// The tree over some of an input's chunks, the first of which has this number. `root` is a flag or none.
fn subtree(columns: &[&[F]], start: usize, first: usize, root: u32) -> ChainingValue {
    if columns.len() <= CHUNK_ELEMENTS {
        return chunk(columns, start, first, root);
    }
    // On the left, the largest power of two that leaves something on the right.
    let count = 1 << (columns.len().div_ceil(CHUNK_ELEMENTS) - 1).ilog2();
    let (left, right) = columns.split_at(count * CHUNK_ELEMENTS);
    let [left, right] = [subtree(left, start, first, 0), subtree(right, start, first + count, 0)];
    let block = std::array::from_fn(|word| if word < 8 { left[word] } else { right[word - 8] });
    compress(&IV.map(Word::splat), &block, 0, BLOCK_BYTES, PARENT | root)
}

fn chunk(columns: &[&[F]], start: usize, number: usize, root: u32) -> ChainingValue {
    let blocks = columns.chunks(BLOCK_ELEMENTS);
    let last = blocks.len() - 1;
    let mut chaining = IV.map(Word::splat);
    for (number_in_chunk, elements) in blocks.enumerate() {
        let mut block = [Word::default(); 16];
        for (words, column) in block.chunks_exact_mut(2).zip(elements) {
            words.copy_from_slice(&words_of(&column[start..start + LANES]));
        }
        let opens = if number_in_chunk == 0 { CHUNK_START } else { 0 };
        let closes = if number_in_chunk == last { CHUNK_END | root } else { 0 };
        let bytes = BLOCK_BYTES / BLOCK_ELEMENTS as u32 * elements.len() as u32;
        chaining = compress(&chaining, &block, number as u64, bytes, opens | closes);
    }
    chaining
}

/// The low and the high words of [`LANES`] elements' canonical forms. The second half of the elements is in the odd lanes:
/// so it takes but masks and shifts.
#[inline]
fn words_of(elements: &[F]) -> [Word; 2] {
    let order = u64x8::splat(F::ORDER);
    let canonical = |elements: &[F]| {
        let values = u64x8::new(std::array::from_fn(|i| elements[i].0));
        // What is below the order wraps around and is then the larger one.
        values.min(values - order)
    };
    let (first, second) = elements.split_at(LANES / 2);
    let (first, second) = (canonical(first), canonical(second));
    let low = u64x8::splat(u64::from(u32::MAX));
    [(first & low) | (second << 32u64), (first >> 32u64) | (second & !low)].map(bytemuck::cast)
}

fn digests(chaining: &ChainingValue, lane: impl Fn(usize) -> usize) -> [Digest; LANES] {
    let words = chaining.map(Word::to_array);
    std::array::from_fn(|input| {
        let mut digest = Digest::default();
        for (bytes, word) in digest.chunks_exact_mut(4).zip(&words) {
            bytes.copy_from_slice(&word[lane(input)].to_le_bytes());
        }
        digest
    })
}

/// The first of the candidates that, as the first element of this state, is answered by so many zero bits at the top: where the
/// answer is the last of the eight elements that follow on the state. Candidates are below 2^32, and tried [`LANES`] at a time.
pub fn answered(state: &[F; STATE], candidates: Range<u64>, bits: u32) -> Option<u64> {
    let words = |element: u64| [element as u32, (element >> 32) as u32].map(Word::splat);
    let mut blocks = [[Word::default(); 16]; 2];
    for (i, element) in state.iter().enumerate() {
        let place = 2 * (i % BLOCK_ELEMENTS);
        blocks[i / BLOCK_ELEMENTS][place..place + 2].copy_from_slice(&words(element.to_canonical_u64()));
    }
    let [mut first, second] = blocks;
    let rest = BLOCK_BYTES / BLOCK_ELEMENTS as u32 * (STATE - BLOCK_ELEMENTS) as u32;
    candidates.step_by(LANES).find_map(|start| {
        first[0] = Word::new(std::array::from_fn(|lane| start as u32 + lane as u32));
        first[1] = Word::default();
        let chaining = compress(&IV.map(Word::splat), &first, 0, BLOCK_BYTES, CHUNK_START);
        let [.., top] = rounds(&chaining, &second, 0, rest, CHUNK_END | ROOT);
        // The second half of the extended output is what the first leaves out of the state.
        let [.., before] = chaining;
        let is_answered = |word: &u32| word.leading_zeros() >= bits;
        let lane = (top ^ before).to_array().iter().position(is_answered)?;
        Some(start + lane as u64)
    })
}

fn compress(chaining: &ChainingValue, block: &Block, counter: u64, bytes: u32, flags: u32) -> ChainingValue {
    let state = rounds(chaining, block, counter, bytes, flags);
    std::array::from_fn(|i| state[i] ^ state[i + 8])
}

#[inline(always)]
fn rounds(chaining: &ChainingValue, block: &Block, counter: u64, bytes: u32, flags: u32) -> Block {
    // Lists of variables, not loops over arrays: all of it is to stay in registers.
    let [a, b, c, d, e, f, g, h] = *chaining;
    let [i, j, k, l, ..] = IV.map(Word::splat);
    let [m, n, o, p] = [counter as u32, (counter >> 32) as u32, bytes, flags].map(Word::splat);
    let mut state = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
    round(&mut state, block, &SCHEDULE[0]);
    round(&mut state, block, &SCHEDULE[1]);
    round(&mut state, block, &SCHEDULE[2]);
    round(&mut state, block, &SCHEDULE[3]);
    round(&mut state, block, &SCHEDULE[4]);
    round(&mut state, block, &SCHEDULE[5]);
    round(&mut state, block, &SCHEDULE[6]);
    state
}

#[inline(always)]
fn round(state: &mut Block, block: &Block, schedule: &[usize; 16]) {
    let word = |i: usize| block[schedule[i]];
    mix(state, [0, 4, 8, 12], word(0), word(1));
    mix(state, [1, 5, 9, 13], word(2), word(3));
    mix(state, [2, 6, 10, 14], word(4), word(5));
    mix(state, [3, 7, 11, 15], word(6), word(7));
    mix(state, [0, 5, 10, 15], word(8), word(9));
    mix(state, [1, 6, 11, 12], word(10), word(11));
    mix(state, [2, 7, 8, 13], word(12), word(13));
    mix(state, [3, 4, 9, 14], word(14), word(15));
}

/// The paper's `G`.
#[inline(always)]
fn mix(state: &mut Block, [a, b, c, d]: [usize; 4], first: Word, second: Word) {
    state[a] = state[a] + state[b] + first;
    state[d] = rotate::<16>(state[d] ^ state[a]);
    state[c] += state[d];
    state[b] = rotate::<12>(state[b] ^ state[c]);
    state[a] = state[a] + state[b] + second;
    state[d] = rotate::<8>(state[d] ^ state[a]);
    state[c] += state[d];
    state[b] = rotate::<7>(state[b] ^ state[c]);
}

/// To the right.
#[inline(always)]
fn rotate<const BITS: u32>(word: Word) -> Word {
    (word >> BITS) | (word << (32 - BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::hash::Blake3Permutation;
    use plonky2::field::types::{Field, Sample};
    use plonky2::hash::hashing::PlonkyPermutation;

    #[test]
    fn digests_are_the_librarys() {
        // Up to and past: a block, a chunk, two, four, eight.
        for len in [1, 8, 9, 127, 128, 129, 256, 257, 400, 512, 513, 754, 1024, 1025] {
            let mut columns: Vec<Vec<F>> = (0..len).map(|_| F::rand_vec(LANES + 3)).collect();
            columns[0][4] = F::from_noncanonical_u64(F::ORDER);
            let digests = hash_elements(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), 3);
            for (list, digest) in digests.iter().enumerate() {
                let elements = columns.iter().map(|column| column[list + 3]);
                let bytes: Vec<u8> = elements.flat_map(|element| element.to_canonical_u64().to_le_bytes()).collect();
                assert_eq!(digest, blake3::hash(&bytes).as_bytes(), "{len} elements");
            }
        }
    }

    /// Held to the transcript itself, candidate by candidate.
    #[test]
    fn the_first_that_is_answered_is_found() {
        const BITS: u32 = 9;
        for seed in 0..4 {
            let state: [F; STATE] =
                std::array::from_fn(|i| F::from_canonical_u64((i as u64 + 1) * 0x1234_5678_9abc + seed));
            for start in [0, (1 << 32) - (1 << 14)] {
                let is_answered = |&candidate: &u64| {
                    let mut permutation = Blake3Permutation::new(state);
                    permutation.set_elt(F::from_canonical_u64(candidate), 0);
                    permutation.permute();
                    permutation.squeeze()[7].to_canonical_u64().leading_zeros() >= BITS
                };
                let candidates = start..start + (1 << 13);
                let expected = candidates.clone().find(is_answered);
                assert!(expected.is_some());
                assert_eq!(answered(&state, candidates, BITS), expected);
                assert_eq!(answered(&state, start..start + 16, 32), None);
            }
        }
    }

    #[test]
    fn pairs_are_the_librarys() {
        let pairs = std::array::from_fn(|i| *blake3::hash(&[i as u8]).as_bytes());
        for (pair, digest) in pairs.chunks_exact(2).zip(hash_pairs(&pairs)) {
            assert_eq!(digest, *blake3::hash(&pair.concat()).as_bytes());
        }
    }
}
