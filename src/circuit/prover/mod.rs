//! Proving: plonky2's protocol, with our own prover.
//!
//! The proofs are plonky2's, and its unchanged verifier checks them; the tests hold this prover to plonky2's own. What it
//! does otherwise: columns stay columns, in the order in which they are transformed and read; constraints are combined as
//! they are evaluated, many points at once; weights are never extended, see [`weights`].

mod codeword;
mod fft;
mod fri;
mod merkle;
mod opening;
mod permutation;
mod poseidon;
mod preprocessed;
mod quotient;
mod rows;
mod timings;
mod weights;

pub use timings::Timings;

use super::columns::selector_columns;
use super::hash::TreeHasher;
use super::shape::{CircuitShape, Gates, common_data};
use super::wipe::wipe;
use super::witness::Witness;
use super::{Binding, shape_of, verifier_data};
use crate::gadget::field::{D, F};
use crate::plan::{Cost, Plan};
use codeword::{Domain, Polynomials};
use merkle::{Salt, Tree, hash_leaves, salts};
use opening::{Committed, lagrange};
use permutation::Routed;
use plonky2::field::types::Field;
use plonky2::fri::proof::FriInitialTreeProof;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::iop::challenger::Challenger;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::config::{GenericConfig, Hasher};
use plonky2::plonk::proof::{OpeningSet, Proof, ProofWithPublicInputs};
use preprocessed::Preprocessed;
use quotient::{Challenges, Quotient};
use rayon::prelude::*;
use rows::Rows;
use timings::Clock;

/// A circuit with all that proving needs, apart from the witness.
pub struct Prover<C: GenericConfig<D, F = F>> {
    shape: CircuitShape,
    gates: Gates,
    common: CommonCircuitData<F, D>,
    domain: Domain,
    subgroup: Vec<F>,
    preprocessed: Preprocessed,
    tree: Tree<C::Hasher>,
    /// Whether columns are extended coset by coset, and not kept.
    streams: bool,
}

/// Why no proof was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The proof system gave up.
    #[error("the proof system failed: {0}")]
    Failed(String),
}

/// Columns, with the commitment to them on the extended domain.
struct Commitment<H: Hasher<F>> {
    columns: Polynomials,
    salts: Vec<Salt>,
    tree: Tree<H>,
}

/// What the salts hide stays hidden by those that no proof has told.
impl<H: Hasher<F>> Drop for Commitment<H> {
    fn drop(&mut self) {
        wipe(self.salts.as_flattened_mut());
    }
}

type Hash<C> = <<C as GenericConfig<D>>::Hasher as Hasher<F>>::Hash;

impl<C: GenericConfig<D, F = F, Hasher: TreeHasher>> Prover<C> {
    /// The prover of `plan`, which commits to its constants and permutation.
    pub fn new(plan: &Plan) -> Self {
        Self::with(plan, |preprocessed, domain| preprocessed.leaves::<C::Hasher>(domain))
    }

    /// The prover of `plan`, whose commitment has leaves with these digests. They are taken as they are:
    /// [`Prover::has_own_leaves`] tells whether they are those of the circuit.
    pub fn with_leaves(plan: &Plan, leaves: Vec<Hash<C>>) -> Self {
        Self::with(plan, |_, _| leaves)
    }

    fn with(plan: &Plan, leaves: impl FnOnce(&Preprocessed, &Domain) -> Vec<Hash<C>>) -> Self {
        let gates = Gates::new(&shape_of(plan));
        let streams = Cost::of(&plan.layout).streams;
        Self::of_columns(plan, selector_columns(&plan.layout, &gates), streams, leaves)
    }

    /// The prover of `plan` that extends columns coset by coset, however small they are.
    #[cfg(test)]
    pub fn streaming(plan: &Plan) -> Self {
        let selectors = selector_columns(&plan.layout, &Gates::new(&shape_of(plan)));
        Self::of_columns(plan, selectors, true, |preprocessed, domain| preprocessed.leaves::<C::Hasher>(domain))
    }

    /// The prover of a false circuit: like that of `plan`, but no gate is active in any row.
    #[cfg(test)]
    pub fn without_gates(plan: &Plan) -> Self {
        let selectors = Gates::new(&shape_of(plan)).selectors();
        let off = F::from_canonical_u64(super::shape::UNUSED_SELECTOR);
        Self::of_columns(plan, vec![off; selectors << plan.layout.degree_bits], false, |preprocessed, domain| {
            preprocessed.leaves::<C::Hasher>(domain)
        })
    }

    fn of_columns(
        plan: &Plan,
        selectors: Vec<F>,
        streams: bool,
        leaves: impl FnOnce(&Preprocessed, &Domain) -> Vec<Hash<C>>,
    ) -> Self {
        let shape = shape_of(plan);
        let gates = Gates::new(&shape);
        let common = common_data(&shape, &gates);
        let domain = Domain::new(shape.degree_bits, F::coset_shift());
        let preprocessed = Preprocessed::new(plan, selectors, &common.k_is, &domain, streams);
        let tree = Tree::new(leaves(&preprocessed, &domain));
        let subgroup = F::two_adic_subgroup(shape.degree_bits);
        Self { shape, gates, common, domain, subgroup, preprocessed, tree, streams }
    }

    /// The commitment to the circuit's constants and permutation.
    pub fn cap(&self) -> MerkleCap<F, C::Hasher> {
        self.tree.cap()
    }

    /// The digests of the commitment's leaves.
    pub fn leaves(&self) -> &[Hash<C>] {
        self.tree.leaves()
    }

    /// Whether the commitment is that to the constants and the permutation of the plan. It is computed anew, which takes most
    /// of the time of [`Prover::new`].
    pub fn has_own_leaves(&self) -> bool {
        self.preprocessed.leaves::<C::Hasher>(&self.domain) == self.leaves()
    }

    /// A proof that the witness satisfies the circuit, in canonical bytes, which depends on `binding`. If it does not, the proof
    /// does not hold.
    ///
    /// # Errors
    /// With a probability of about `2^-39`, the permutation argument divides by zero, or the verifier's point is one of the
    /// rows; other randomness mends either.
    pub fn prove(&self, witness: &Witness, binding: &Binding, timings: &mut Timings) -> Result<Vec<u8>, ProveError> {
        let failed = |what: &str| ProveError::Failed(what.into());
        let sets = self.shape.challenges;
        let public_hash = C::InnerHasher::hash_no_pad(&witness.public);
        let mut challenger = self.transcript(binding);
        challenger.observe_hash::<C::InnerHasher>(public_hash);

        let cells = Rows::new(&witness.cells, witness.wires);
        let wires = timings
            .measure("commitment to wires", || self.commit(self.domain.polynomials_of_rows(cells, self.streams)));
        challenger.observe_cap(&wires.tree.cap());
        let (betas, gammas) = (challenger.get_n_challenges(sets), challenger.get_n_challenges(sets));

        let products = timings.measure("permutation argument", || self.routed(cells).products(&betas, &gammas));
        let product_columns = products.ok_or_else(|| failed("the permutation argument divided by zero"))?;
        let products = timings.measure("commitment to the permutation argument", || {
            self.commit(self.domain.polynomials(&product_columns, self.streams))
        });
        challenger.observe_cap(&products.tree.cap());
        let challenges = Challenges { betas, gammas, alphas: challenger.get_n_challenges(sets) };

        let quotient = Quotient {
            shape: &self.shape,
            gates: &self.gates,
            shifts: &self.common.k_is,
            domain: &self.domain,
            preprocessed: &self.preprocessed,
            wires: &wires.columns,
            products: &products.columns,
            public_hash,
            challenges: &challenges,
        };
        let tables = timings.measure("combined weights", || quotient.tables());
        let clock = self.clock();
        let values = timings.measure("quotient", || quotient.values(&tables, &clock));
        timings.split(clock);
        let chunk_columns = timings.measure("interpolation", || self.domain.values(&quotient.chunks(&values)));
        let chunks = timings.measure("commitment to the quotient", || {
            self.commit(self.domain.polynomials(&chunk_columns, self.streams))
        });
        challenger.observe_cap(&chunks.tree.cap());

        let point = challenger.get_extension_challenge::<D>();
        if point.exp_u64(self.domain.rows() as u64).is_one() {
            return Err(failed("the opening point is one of the rows"));
        }
        let committed = Committed {
            preprocessed: &self.preprocessed,
            wires: cells,
            products: &product_columns,
            chunks: &chunk_columns,
            subgroup: &self.subgroup,
            sets,
        };
        let openings = timings.measure("openings", || committed.open(point));
        observe_openings(&mut challenger, &openings);
        let alpha = challenger.get_extension_challenge::<D>();
        let combined = timings.measure("combination", || committed.combine(point, alpha));
        let queries = |positions: &[usize]| self.queries(positions, [&wires, &products, &chunks]);
        let opening_proof = timings.measure("low-degree test", || {
            fri::prove::<C>(combined, &self.common.fri_params, &mut challenger, queries)
        });
        let proof = Proof::<F, C, D> {
            wires_cap: wires.tree.cap(),
            plonk_zs_partial_products_cap: products.tree.cap(),
            quotient_polys_cap: chunks.tree.cap(),
            openings,
            opening_proof,
        };
        Ok(ProofWithPublicInputs { proof, public_inputs: witness.public.clone() }.to_bytes())
    }

    /// The transcript up to the circuit's digest.
    fn transcript(&self, binding: &Binding) -> Challenger<F, C::Hasher> {
        let mut challenger = Challenger::new();
        self.common.fri_params.observe(&mut challenger);
        let digest = verifier_data::<C>(&self.common, self.cap(), binding).circuit_digest;
        challenger.observe_hash::<C::Hasher>(digest);
        challenger
    }

    fn routed<'a>(&'a self, wires: Rows<'a>) -> Routed<'a> {
        Routed {
            wires,
            preprocessed: &self.preprocessed.columns,
            sigmas: self.preprocessed.sigmas(),
            shifts: &self.common.k_is,
            subgroup: &self.subgroup,
        }
    }

    fn clock(&self) -> Clock {
        let name = |gate: &plonky2::gates::gate::GateRef<F, D>| gate.0.id().chars().take_while(|c| *c != '#').collect();
        let first = ["permutation argument", "linear parts", "other gadgets"].map(str::to_owned);
        Clock::new(first.into_iter().chain(self.gates.all.iter().map(name)))
    }

    fn commit(&self, columns: Polynomials) -> Commitment<C::Hasher> {
        let rows = self.domain.rows();
        let salts = salts(rows, self.shape.scheme.zero_knowledge);
        let coset = |coset: usize| {
            let salts = salts.get(coset * rows..(coset + 1) * rows).unwrap_or_default();
            let codeword = columns.on_coset(&self.domain, coset);
            hash_leaves::<C::Hasher>(rows, columns.columns(), |start, index| codeword.batch(coset, start, index), salts)
        };
        let tree = Tree::new((0..self.domain.shifts.len()).flat_map(coset).collect());
        Commitment { columns, salts, tree }
    }

    /// The leaves of all trees at these positions, with their paths.
    fn queries(
        &self,
        positions: &[usize],
        commitments: [&Commitment<C::Hasher>; 3],
    ) -> Vec<FriInitialTreeProof<F, C::Hasher>> {
        let rows = self.domain.rows();
        let basis = |&position: &usize| lagrange(&self.subgroup, self.domain.point(position / rows, position % rows));
        let bases: Vec<Vec<F>> = positions.par_iter().map(basis).collect();
        let weights = self.preprocessed.weights.combine_rows(&bases);
        let dense = self.preprocessed.polynomials.at(&self.domain, positions);
        let told = commitments.map(|commitment| commitment.columns.at(&self.domain, positions));
        let query = |(query, &position): (usize, &usize)| {
            let preprocessed = self.preprocessed.in_order(&dense[query], &weights[query]);
            let mut evals_proofs = vec![(preprocessed, self.tree.path(position))];
            evals_proofs.extend(commitments.iter().zip(&told).map(|(commitment, told)| {
                let salt = commitment.salts.get(position).into_iter().flatten();
                (told[query].iter().chain(salt).copied().collect(), commitment.tree.path(position))
            }));
            FriInitialTreeProof { evals_proofs }
        };
        positions.par_iter().enumerate().map(query).collect()
    }
}

fn observe_openings<H: Hasher<F>>(challenger: &mut Challenger<F, H>, openings: &OpeningSet<F, D>) {
    for values in [
        &openings.constants,
        &openings.plonk_sigmas,
        &openings.wires,
        &openings.plonk_zs,
        &openings.partial_products,
        &openings.quotient_polys,
        &openings.plonk_zs_next,
    ] {
        challenger.observe_extension_elements::<D>(values);
    }
}
