//! What hides the witness, measured: against what proofs reveal, and against proofs that hide nothing.

use super::columns::Permutation;
use super::hash::{Blake3Config, PoseidonConfig, TreeHasher};
use super::shape::{Gates, common_data};
use super::*;
use crate::gadget::field::{D, F};
use crate::plan::security::{HashKind, QUOTIENT_DEGREE, RATE_BITS, Scheme};
use crate::plan::{DIGEST, Plan, Visibility};
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::Field;
use plonky2::fri::oracle::SALT_SIZE;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::config::GenericConfig;
use plonky2::plonk::proof::ProofWithPublicInputs;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::collections::HashSet;

const MODEL: &str = "
%0 = input : [3] fixed(scale 1, -5..=4)
%1 = dense %0 weights=fixed[2, 3] scale 1 [1, -2, 3, 4, 5, -6] bias=fixed[2] scale 1 [7, -8]
%2 = relu %1
output %2
";

const INPUT: &[i64] = &[1, -5, 4];

fn plan(zero_knowledge: bool, hash: HashKind) -> Plan {
    let graph = zknn_ir::parse(MODEL).expect("a graph");
    Plan::new(&graph, Visibility::Private, Scheme { zero_knowledge, hash, ..Scheme::default() }).expect("a plan")
}

fn common(plan: &Plan) -> CommonCircuitData<F, D> {
    let shape = CircuitShape::new(plan);
    common_data(&shape, &Gates::new(&shape))
}

/// The same salt for all, so that only blinding tells witnesses apart.
fn witness(plan: &Plan) -> Witness {
    let secrets = Secrets { salt: [F::ZERO; DIGEST], randomness: ChaCha20Rng::from_entropy() };
    Witness::new(plan, INPUT, secrets)
}

/// Base field values of one wire polynomial that a proof opens: one at each query, and that at the opening point, which is
/// in the extension.
fn opened(common: &CommonCircuitData<F, D>) -> usize {
    common.fri_params.config.num_query_rounds + D
}

/// Whether each wire is random in as many rows as a proof opens values of it; whether in as many rows as it opens values of
/// `Z`, which is opened at one point more, and in one row besides, the seams between chunks are tied and random; and whether
/// as many columns are random in all rows as there are quotients, and two for the combination of all.
fn hides(plan: &Plan) -> bool {
    let (first, second) = (witness(plan), witness(plan));
    let common = common(plan);
    let layout = &plan.layout;
    let differs = |row: usize, column: usize| first.row(row)[column] != second.row(row)[column];
    let chain = layout.blinding_row + layout.blinding.single..layout.blinding_row + layout.blinding.rows();
    let singles = (0..layout.wires).all(|column| {
        let single = (layout.blinding_row..chain.start).filter(|&row| differs(row, column)).count();
        single >= opened(&common)
    });
    let permutation = Permutation::new(plan);
    // The last wire of a chunk is tied to one at the start of the chunk after it.
    let is_tied = |row: usize, column: usize| permutation.next(row, column) != (row, column) && differs(row, column);
    let seams = QUOTIENT_DEGREE - 1..layout.routed - 1;
    let chained = chain.filter(|&row| seams.clone().step_by(QUOTIENT_DEGREE).all(|column| is_tied(row, column)));
    let masks = (0..layout.wires).filter(|&column| (0..layout.rows()).all(|row| differs(row, column)));
    singles && chained.count() > opened(&common) + D && masks.count() >= common.config.num_challenges + D
}

#[test]
fn as_much_is_random_as_is_opened() {
    for hash in [HashKind::Blake3, HashKind::Poseidon] {
        assert!(hides(&plan(true, hash)));
        assert!(!hides(&plan(false, hash)), "the test would not notice");
    }
}

type Parsed<C> = ProofWithPublicInputs<F, C, D>;

fn proof<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(prover: &Prover<C>, plan: &Plan) -> Parsed<C> {
    let bytes = prover.prove(&witness(plan), &mut Timings::default()).expect("an honest proof");
    Parsed::<C>::from_bytes(bytes, &common(plan)).expect("as written")
}

/// Whether a leaf of each tree of the witness, as it is opened, ends in a salt.
fn is_salted<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(
    proof: &Parsed<C>,
    common: &CommonCircuitData<F, D>,
) -> bool {
    let sets = common.config.num_challenges;
    let z = sets * (1 + common.num_partial_products);
    let quotient = sets * common.quotient_degree_factor;
    let lengths = [common.config.num_wires, z, quotient];
    proof.proof.opening_proof.query_round_proofs.iter().all(|round| {
        let leaves = round.initial_trees_proof.evals_proofs[1..].iter().map(|(leaf, _)| leaf.len());
        leaves.eq(lengths.map(|length| length + SALT_SIZE))
    })
}

fn all_differ<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a != b)
}

fn two_proofs<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(hash: HashKind) {
    let plan = plan(true, hash);
    let prover = Prover::<C>::new(&plan);
    let (a, b) = (proof(&prover, &plan), proof(&prover, &plan));
    assert_eq!(a.public_inputs, b.public_inputs);
    let (a, b) = (&a.proof, &b.proof);
    assert!(all_differ(&a.wires_cap.0, &b.wires_cap.0));
    assert!(all_differ(&a.plonk_zs_partial_products_cap.0, &b.plonk_zs_partial_products_cap.0));
    assert!(all_differ(&a.quotient_polys_cap.0, &b.quotient_polys_cap.0));
    assert!(all_differ(&a.openings.wires, &b.openings.wires));
    assert!(all_differ(&a.openings.plonk_zs, &b.openings.plonk_zs));
    assert!(all_differ(&a.openings.plonk_zs_next, &b.openings.plonk_zs_next));
    assert!(all_differ(&a.openings.partial_products, &b.openings.partial_products));
    assert!(all_differ(&a.openings.quotient_polys, &b.openings.quotient_polys));
    let (a, b) = (&a.opening_proof, &b.opening_proof);
    assert!(all_differ(&a.commit_phase_merkle_caps, &b.commit_phase_merkle_caps));
    assert!(all_differ(&a.final_poly.coeffs, &b.final_poly.coeffs));
    assert_ne!(a.query_round_proofs, b.query_round_proofs);
}

#[test]
fn two_proofs_of_one_input_have_nothing_in_common() {
    two_proofs::<Blake3Config>(HashKind::Blake3);
    two_proofs::<PoseidonConfig>(HashKind::Poseidon);
}

#[test]
fn leaves_are_salted() {
    for zero_knowledge in [true, false] {
        let plan = plan(zero_knowledge, HashKind::Blake3);
        let prover = Prover::<Blake3Config>::new(&plan);
        assert_eq!(is_salted(&proof(&prover, &plan), &common(&plan)), zero_knowledge);
    }
}

/// Whether someone who guesses the input can tell from the proof that the guess is right: the values that queries open
/// are then among those of the wire polynomials that the guess gives. The columns looked at hold nothing random in any
/// row but those of blinding.
fn confirms(proof: &Parsed<Blake3Config>, plan: &Plan, guess: &[i64]) -> bool {
    let secrets = Secrets { salt: [F::ZERO; DIGEST], randomness: ChaCha20Rng::from_entropy() };
    let witness = Witness::new(plan, guess, secrets);
    let rounds = &proof.proof.opening_proof.query_round_proofs;
    (0..DIGEST).all(|column| {
        let values = (0..plan.layout.rows()).map(|row| witness.row(row)[column]).collect();
        let codeword = PolynomialValues::new(values).ifft().lde(RATE_BITS).coset_fft(F::coset_shift());
        let codeword: HashSet<F> = codeword.values.into_iter().collect();
        // The first tree is that of the constants, the second that of the wires.
        rounds.iter().all(|round| codeword.contains(&round.initial_trees_proof.evals_proofs[1].0[column]))
    })
}

/// The attack that blinding is for: without it a proof confirms a right guess and refutes a wrong one.
#[test]
fn a_guess_is_confirmed_only_without_blinding() {
    for zero_knowledge in [false, true] {
        let plan = plan(zero_knowledge, HashKind::Blake3);
        let prover = Prover::<Blake3Config>::new(&plan);
        let proof = proof(&prover, &plan);
        assert_eq!(confirms(&proof, &plan, INPUT), !zero_knowledge);
        assert!(!confirms(&proof, &plan, &[1, -5, 3]), "that was not the input");
    }
}
