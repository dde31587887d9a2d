//! The choice of hash, made at run time.

use super::hash::{Blake3Config, PoseidonConfig, TreeHasher};
use super::prover::{ProveError, Prover, Timings};
use super::witness::Witness;
use super::{Binding, read_digests};
use crate::gadget::field::{D, F};
use crate::plan::Plan;
use crate::plan::security::{HashKind, RATE_BITS};
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

    /// As [`AnyProver::new`], of a circuit whose commitment has leaves with these digests; `None` if these are no digests,
    /// or not as many as there are leaves.
    pub fn with_leaves(plan: &Plan, hash: HashKind, leaves: &[u8]) -> Option<Self> {
        Some(match hash {
            HashKind::Blake3 => Self::Blake3(Box::new(with_leaves(plan, leaves)?)),
            HashKind::Poseidon => Self::Poseidon(Box::new(with_leaves(plan, leaves)?)),
        })
    }

    /// The digests of the commitment's leaves, as bytes.
    pub fn leaves(&self) -> Vec<u8> {
        match self {
            Self::Blake3(prover) => bytes::<Blake3Config>(prover.leaves()),
            Self::Poseidon(prover) => bytes::<PoseidonConfig>(prover.leaves()),
        }
    }

    /// The commitment, as bytes.
    pub fn cap(&self) -> Vec<u8> {
        match self {
            Self::Blake3(prover) => bytes::<Blake3Config>(&prover.cap().0),
            Self::Poseidon(prover) => bytes::<PoseidonConfig>(&prover.cap().0),
        }
    }

    /// Whether the commitment is that to the constants and the permutation of the plan, as
    /// [`Prover::has_own_leaves`] computes.
    pub fn has_own_leaves(&self) -> bool {
        match self {
            Self::Blake3(prover) => prover.has_own_leaves(),
            Self::Poseidon(prover) => prover.has_own_leaves(),
        }
    }

    /// A proof that the witness satisfies the circuit, which depends on `binding`.
    ///
    /// # Errors
    /// As [`Prover::prove`].
    pub fn prove(&self, witness: &Witness, binding: &Binding, timings: &mut Timings) -> Result<Vec<u8>, ProveError> {
        match self {
            Self::Blake3(prover) => prover.prove(witness, binding, timings),
            Self::Poseidon(prover) => prover.prove(witness, binding, timings),
        }
    }
}

fn with_leaves<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(plan: &Plan, leaves: &[u8]) -> Option<Prover<C>> {
    let count = plan.layout.rows() << RATE_BITS;
    Some(Prover::with_leaves(plan, read_digests::<C::Hasher>(leaves).filter(|leaves| leaves.len() == count)?))
}

type Digest<C> = <<C as GenericConfig<D>>::Hasher as Hasher<F>>::Hash;

fn bytes<C: GenericConfig<D, F = F>>(digests: &[Digest<C>]) -> Vec<u8> {
    digests.iter().flat_map(GenericHashOut::<F>::to_bytes).collect()
}
