//! Merkle trees over the extended domain, as plonky2's verifier expects them.

use super::fft::COSETS;
use crate::circuit::hash::TreeHasher;
use crate::gadget::arith::BATCH;
use crate::gadget::field::F;
use crate::plan::security::CAP_HEIGHT;
use plonky2::field::types::Sample;
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

impl<H: TreeHasher> Tree<H> {
    /// The tree over leaves with these digests.
    pub fn new(leaves: Vec<H::Hash>) -> Self {
        let mut layers = vec![leaves];
        while let Some(below) = layers.last().filter(|layer| layer.len() > 1 << CAP_HEIGHT) {
            layers.push(below.par_chunks(BATCH).flat_map_iter(H::hash_pairs).collect());
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
pub fn hash_leaves<'a, H: TreeHasher>(
    rows: usize,
    width: usize,
    batch: impl Fn(usize, usize) -> &'a [F] + Sync,
    salts: &[Salt],
) -> Vec<H::Hash> {
    let hash_batch = |start: usize| {
        let salts = salts.get(start..start + BATCH);
        let salts = salts.map(|salts| {
            std::array::from_fn::<_, SALT_SIZE, _>(|i| salts.iter().map(|salt| salt[i]).collect::<Vec<F>>())
        });
        let mut columns: Vec<&[F]> = (0..width).map(|index| batch(start, index)).collect();
        columns.extend(salts.iter().flatten().map(Vec::as_slice));
        H::hash_leaves(&columns)
    };
    (0..rows).into_par_iter().step_by(BATCH).flat_map_iter(hash_batch).collect()
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
