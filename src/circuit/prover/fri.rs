//! The low-degree test: folding a codeword, grinding, and the places where the verifier looks.

use super::codeword::{Codeword, Columns, Domain};
use super::merkle::Tree;
use crate::circuit::hash::TreeHasher;
use crate::gadget::arith::BATCH;
use crate::gadget::field::{D, Ext, F};
use crate::plan::security::RATE_BITS;
use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::polynomial::PolynomialCoeffs;
use plonky2::field::types::{Field, PrimeField64};
use plonky2::fri::FriParams;
use plonky2::fri::proof::{FriInitialTreeProof, FriProof, FriQueryRound, FriQueryStep};
use plonky2::iop::challenger::Challenger;
use plonky2::plonk::config::{GenericConfig, Hasher};
use plonky2::plonk::plonk_common::reduce_with_powers;
use rayon::prelude::*;

/// A folded codeword that the verifier can look into.
struct Layer<H: Hasher<F>> {
    values: Vec<Ext>,
    tree: Tree<H>,
}

/// A proof that the polynomial is of the degree that its `coefficients` say. `leaves` gives the leaves of all columns'
/// trees, with their paths, at each of the positions asked for.
pub fn prove<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(
    mut coefficients: PolynomialCoeffs<Ext>,
    params: &FriParams,
    challenger: &mut Challenger<F, C::Hasher>,
    leaves: impl FnOnce(&[usize]) -> Vec<FriInitialTreeProof<F, C::Hasher>>,
) -> FriProof<F, C::Hasher, D> {
    let mut layers: Vec<Layer<C::Hasher>> = Vec::new();
    let mut shift = F::coset_shift();
    for &arity_bits in &params.reduction_arity_bits {
        let layer = Layer::new(&coefficients, shift, 1 << arity_bits);
        challenger.observe_cap(&layer.tree.cap());
        layers.push(layer);
        let beta: Ext = challenger.get_extension_challenge::<D>();
        let fold = |chunk: &[Ext]| reduce_with_powers(chunk, beta);
        coefficients = PolynomialCoeffs::new(coefficients.coeffs.chunks_exact(1 << arity_bits).map(fold).collect());
        shift = shift.exp_power_of_2(arity_bits);
    }
    challenger.observe_extension_elements::<D>(&coefficients.coeffs);
    let pow_witness = grind(challenger, params.config.proof_of_work_bits);
    challenger.observe_element(pow_witness);
    challenger.get_challenge();

    let choices = challenger.get_n_challenges(params.config.num_query_rounds);
    let positions: Vec<usize> =
        choices.iter().map(|choice| (choice.to_canonical_u64() % params.lde_size() as u64) as usize).collect();
    let query = |(initial_trees_proof, &position): (FriInitialTreeProof<F, C::Hasher>, &usize)| {
        let mut position = position;
        let step = |(layer, &arity_bits): (&Layer<C::Hasher>, &usize)| {
            position >>= arity_bits;
            let evals = layer.values[position << arity_bits..][..1 << arity_bits].to_vec();
            FriQueryStep { evals, merkle_proof: layer.tree.path(position) }
        };
        let steps = layers.iter().zip(&params.reduction_arity_bits).map(step).collect();
        FriQueryRound { initial_trees_proof, steps }
    };
    FriProof {
        commit_phase_merkle_caps: layers.iter().map(|layer| layer.tree.cap()).collect(),
        query_round_proofs: leaves(&positions).into_iter().zip(&positions).map(query).collect(),
        final_poly: coefficients,
        pow_witness,
    }
}

impl<H: TreeHasher> Layer<H> {
    /// The codeword of `coefficients` on the coset of `shift`, `arity` neighbours a leaf.
    fn new(coefficients: &PolynomialCoeffs<Ext>, shift: F, arity: usize) -> Self {
        let rows = coefficients.len();
        let part = |i: usize| coefficients.coeffs.iter().map(move |value| value.0[i]);
        let columns = Columns::new(part(0).chain(part(1)).collect(), rows);
        let domain = Domain::new(rows.ilog2() as usize, shift);
        let codeword = domain.extend(&domain.values(&columns));
        let values: Vec<Ext> = (0..rows << RATE_BITS).map(|position| value(&codeword, position)).collect();
        let digests = values.par_chunks(arity * BATCH).flat_map_iter(|leaves| {
            let column = |element: usize| {
                leaves.iter().skip(element / D).step_by(arity).map(|value| value.0[element % D]).collect()
            };
            let columns: Vec<Vec<F>> = (0..arity * D).map(column).collect();
            H::hash_leaves(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>())
        });
        Self { tree: Tree::new(digests.collect()), values }
    }
}

/// The two columns of a codeword as an element of the extension.
fn value(codeword: &Codeword, position: usize) -> Ext {
    let mut parts = codeword.at(position);
    QuadraticExtension(std::array::from_fn(|_| parts.next().unwrap_or_default()))
}

/// Numbers that are tried in a row.
const RUN: u64 = 1 << 10;

/// The least number that, put into the transcript, is answered by so many zero bits.
fn grind<H: TreeHasher>(challenger: &Challenger<F, H>, bits: u32) -> F {
    let is_answered = |&candidate: &u64| {
        let mut challenger = challenger.clone();
        challenger.observe_element(F::from_canonical_u64(candidate));
        challenger.get_challenge().to_canonical_u64().leading_zeros() >= bits
    };
    // From the state as it is now, where nothing waits to be absorbed together with the number.
    let state = challenger.clone().compact();
    let runs = (0..u64::from(u32::MAX) / RUN).into_par_iter();
    let first = runs.find_map_first(|run| H::answered(&state, run * RUN..(run + 1) * RUN, bits));
    if let Some(first) = first.filter(is_answered) {
        return F::from_canonical_u64(first);
    }
    let witness = (0..u64::from(u32::MAX)).into_par_iter().find_first(is_answered);
    // One of 2^32 candidates has 16 zero bits but with a probability of e^-65536.
    F::from_canonical_u64(witness.expect("some candidate is answered"))
}
