//! Merkle trees over the extended domain, as plonky2's verifier expects them.

use super::fft::COSETS;
use crate::gadget::field::F;
use crate::plan::security::CAP_HEIGHT;
use plonky2::field::types::Sample;
use plonky2::fri::oracle::SALT_SIZE;
use plonky2::hash::merkle_proofs::MerkleProof;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::plonk::config::Hasher;
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
    if blinding { (0..rows * COSETS).into_par_iter().map(|_| F::rand_array()).collect() } else { Vec::new() }
}

/// The digests of the leaves of one coset of `rows` points: `width` columns each, and the salt, if there are salts.
pub fn hash_leaves<'a, H: Hasher<F>>(
    rows: usize,
    width: usize,
    column: impl Fn(usize) -> &'a [F] + Sync,
    salts: &[Salt],
) -> Vec<H::Hash> {
    /// Leaves that are gathered together: a cache line of each column.
    const BLOCK: usize = 8;
    let blocks = (0..rows).into_par_iter().step_by(BLOCK);
    let hash_block = |start: usize| {
        let salt = if salts.is_empty() { 0 } else { SALT_SIZE };
        let mut leaves = vec![F::default(); BLOCK * (width + salt)];
        let len = BLOCK.min(rows - start);
        for index in 0..width {
            for (i, &value) in column(index)[start..start + len].iter().enumerate() {
                leaves[i * (width + salt) + index] = value;
            }
        }
        let hash = move |(i, leaf): (usize, &mut [F])| {
            if let Some(salt) = salts.get(start + i) {
                leaf[width..].copy_from_slice(salt);
            }
            H::hash_or_noop(leaf)
        };
        leaves.chunks_exact_mut(width + salt).take(len).enumerate().map(hash).collect::<Vec<_>>()
    };
    blocks.flat_map_iter(hash_block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::hash::Blake3;
    use plonky2::hash::merkle_tree::MerkleTree;

    #[test]
    fn the_tree_is_plonky2s() {
        let (rows, width) = (32, 11);
        let columns: Vec<Vec<F>> = (0..width).map(|_| F::rand_vec(rows)).collect();
        for blinding in [false, true] {
            let salts = salts(rows, blinding);
            let tree = Tree::<Blake3>::new(hash_leaves::<Blake3>(rows, width, |i| &columns[i], &salts));
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
