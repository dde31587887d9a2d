//! Merkle trees over the extended domain, as plonky2's verifier expects them.

use super::fft::{COSETS, LANES, pack};
use crate::gadget::arith::BATCH;
use crate::gadget::field::F;
use crate::plan::security::CAP_HEIGHT;
use plonky2::field::packed::PackedField;
use plonky2::field::types::{Field, Sample};
use plonky2::fri::oracle::SALT_SIZE;
use plonky2::hash::merkle_proofs::MerkleProof;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::plonk::config::Hasher;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;

/// Random elements at the end of each leaf, so that what is not opened stays hidden.
pub type Salt = [F; SALT_SIZE];

/// The digests of a Merkle tree, from the leaves up to the cap.
pub struct Tree<H: Hasher<F>> {
    layers: Vec<Vec<H::Hash>>,
}

impl<H: Hasher<F>> Tree<H> {
    /// The tree over leaves with these digests.
    pub fn new(leaves: Vec<H::Hash>) -> Self {
        let mut layers = vec![leaves];
        while let Some(below) = layers.last().filter(|layer| layer.len() > 1 << CAP_HEIGHT) {
            let layer =
                below.par_chunks_exact(2).with_min_len(64).map(|pair| H::two_to_one(pair[0], pair[1])).collect();
            layers.push(layer);
        }
        Self { layers }
    }

    /// The digests of the leaves.
    pub fn leaves(&self) -> &[H::Hash] {
        &self.layers[0]
    }

    /// The digests that stand for all of it.
    pub fn cap(&self) -> MerkleCap<F, H> {
        MerkleCap(self.layers.last().cloned().unwrap_or_default())
    }

    /// What ties a leaf to the cap.
    pub fn path(&self, leaf: usize) -> MerkleProof<F, H> {
        let below_cap = &self.layers[..self.layers.len() - 1];
        MerkleProof { siblings: below_cap.iter().enumerate().map(|(i, layer)| layer[(leaf >> i) ^ 1]).collect() }
    }
}

/// A salt for every point of the extended domain over `rows` rows, or none at all.
pub fn salts(rows: usize, blinding: bool) -> Vec<Salt> {
    if !blinding {
        return Vec::new();
    }
    /// Leaves whose salts come from one generator, which the system seeds.
    const RUN: usize = 1 << 12;
    let mut salts = vec![Salt::default(); rows * COSETS];
    salts.par_chunks_mut(RUN).for_each(|salts| {
        let mut randomness = ChaCha20Rng::from_entropy();
        salts.fill_with(|| std::array::from_fn(|_| F::sample(&mut randomness)));
    });
    salts
}

/// The digests of the leaves of one coset of `rows` points: `width` columns each, and the salt, if there are salts. `batch`
/// gives a column at the [`BATCH`] points from a start on.
pub fn hash_leaves<'a, H: Hasher<F>>(
    rows: usize,
    width: usize,
    batch: impl Fn(usize, usize) -> &'a [F] + Sync,
    salts: &[Salt],
) -> Vec<H::Hash> {
    let len = width + if salts.is_empty() { 0 } else { SALT_SIZE };
    let hash_batch = |start: usize| {
        let mut leaves = vec![F::ZERO; BATCH * len];
        for first in (0..width).step_by(LANES) {
            let columns: Vec<&[F]> = (first..width.min(first + LANES)).map(|index| batch(start, index)).collect();
            spread(&columns, &mut leaves, first, len);
        }
        for (leaf, salt) in leaves.chunks_exact_mut(len).zip(salts.get(start..).unwrap_or_default()) {
            leaf[width..].copy_from_slice(salt);
        }
        leaves.chunks_exact(len).map(H::hash_or_noop).collect::<Vec<_>>()
    };
    (0..rows).into_par_iter().step_by(BATCH).flat_map_iter(hash_batch).collect()
}

/// Writes columns into leaves of `len` elements each, from the element `first` on.
fn spread(columns: &[&[F]], leaves: &mut [F], first: usize, len: usize) {
    let mut packed = Vec::with_capacity(BATCH);
    pack(columns, &mut packed);
    for (leaf, packed) in leaves.chunks_exact_mut(len).zip(&packed) {
        leaf[first..first + columns.len()].copy_from_slice(&packed.as_slice()[..columns.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::hash::Blake3;
    use plonky2::hash::merkle_tree::MerkleTree;

    #[test]
    fn the_tree_is_plonky2s() {
        let (rows, width) = (64, 11);
        let columns: Vec<Vec<F>> = (0..width).map(|_| F::rand_vec(rows)).collect();
        for blinding in [false, true] {
            let salts = salts(rows, blinding);
            let tree = Tree::<Blake3>::new(hash_leaves::<Blake3>(
                rows,
                width,
                |start, i| &columns[i][start..start + BATCH],
                &salts,
            ));
            let leaf = |row: usize| {
                let values = columns.iter().map(|column| column[row]);
                values.chain(salts.get(row).into_iter().flatten().copied()).collect::<Vec<F>>()
            };
            let theirs = MerkleTree::<F, Blake3>::new((0..rows).map(leaf).collect(), CAP_HEIGHT);
            assert_eq!(tree.cap(), theirs.cap);
            for row in 0..rows {
                assert_eq!(tree.path(row), theirs.prove(row));
            }
        }
    }
}
