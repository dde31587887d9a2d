//! What two proofs of one input have in common, and a plain attack on proofs without blinding.

use super::TOY;
use crate::circuit::hash::{Blake3Config, PoseidonConfig, TreeHasher};
use crate::circuit::shape::{Gates, common_data};
use crate::circuit::shape_of;
use crate::circuit::{Binding, Prover, Secrets, Timings, Witness};
use crate::gadget::field::{D, F};
use crate::plan::security::{HashKind, RATE_BITS, Scheme};
use crate::plan::{DIGEST, Plan, Visibility};
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::Field;
use plonky2::fri::oracle::SALT_SIZE;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::config::GenericConfig;
use plonky2::plonk::proof::ProofWithPublicInputs;
use std::collections::HashSet;

const INPUT: &[i64] = &[1, -5, 4];

fn plan(zero_knowledge: bool, hash: HashKind) -> Plan {
    super::plan(TOY, Visibility::Private, Scheme { zero_knowledge, hash, ..Scheme::default() })
}

fn common(plan: &Plan) -> CommonCircuitData<F, D> {
    let shape = shape_of(plan);
    common_data(&shape, &Gates::new(&shape))
}

/// The same salt for all, so that only blinding tells witnesses apart.
fn witness(plan: &Plan) -> Witness {
    let secrets = Secrets::with_salts(vec![Some([F::ZERO; DIGEST])]);
    Witness::new(plan, INPUT, secrets)
}

type Parsed<C> = ProofWithPublicInputs<F, C, D>;

fn proof<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(prover: &Prover<C>, plan: &Plan) -> Parsed<C> {
    let bytes = prover.prove(&witness(plan), &Binding::default(), &mut Timings::default()).expect("an honest proof");
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
    let secrets = Secrets::with_salts(vec![Some([F::ZERO; DIGEST])]);
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
