//! Every word of a proof is checked.

use super::hash::TreeHasher;
use super::{VerifyError, read_proof, shape_of};
use crate::circuit::hash::{Blake3Config, PoseidonConfig};
use crate::circuit::shape::{Gates, common_data};
use crate::circuit::{Binding, Prover, Secrets, Timings, Witness};
use crate::gadget::field::{D, F};
use crate::plan::security::{HashKind, Scheme};
use crate::plan::{Plan, Visibility};
use plonky2::plonk::config::GenericConfig;
use plonky2::plonk::proof::ProofWithPublicInputs;

/// Bytes of a word.
const WORD_BYTES: usize = 8;

/// How many words of a proof are elements, by what it is made of: digests are 32 bytes each, and counted apart.
fn count(proof: &ProofWithPublicInputs<F, impl GenericConfig<D, F = F>, D>) -> (usize, usize) {
    let (openings, fri) = (&proof.proof.openings, &proof.proof.opening_proof);
    let opened = [&openings.constants, &openings.plonk_sigmas, &openings.wires, &openings.plonk_zs];
    let opened = opened.into_iter().chain([&openings.plonk_zs_next, &openings.partial_products]);
    let extension: usize = opened.chain([&openings.quotient_polys]).map(Vec::len).sum();
    let (mut elements, mut digests) = (D * (extension + fri.final_poly.len()) + 1 + proof.public_inputs.len(), 3 * 16);
    digests += 16 * fri.commit_phase_merkle_caps.len();
    for query in &fri.query_round_proofs {
        for (values, path) in &query.initial_trees_proof.evals_proofs {
            (elements, digests) = (elements + values.len(), digests + path.siblings.len());
        }
        for step in &query.steps {
            (elements, digests) = (elements + D * step.evals.len(), digests + step.merkle_proof.siblings.len());
        }
    }
    (elements, digests)
}

/// Every word is overwritten in turn by one that is no element: as many are refused as there are elements, and the
/// others are bytes of digests.
fn every_word_is_looked_at<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(hash: HashKind, words_of_digest: usize) {
    let text = "%0 = input : [3] fixed(scale 1, -5..=4)\n%1 = relu %0\noutput %1\n";
    let graph = zknn_ir::parse(text).expect("a graph");
    let plan = Plan::new(&graph, Visibility::Public, Scheme { zero_knowledge: false, hash, ..Scheme::default() })
        .expect("a plan");
    let shape = shape_of(&plan);
    let common = common_data(&shape, &Gates::new(&shape));
    let witness = Witness::new(&plan, &[1, -5, 4], Secrets::fresh());
    let bytes = Prover::<C>::new(&plan).prove(&witness, &Binding::default(), &mut Timings::default()).expect("a proof");
    let proof = read_proof::<C>(&bytes, &common).expect("as written");
    assert_eq!(proof.to_bytes(), bytes);

    let (elements, digests) = count(&proof);
    // One byte before each path is its length, and the public inputs are counted by eight bytes.
    let paths = proof.proof.opening_proof.query_round_proofs.iter().map(|query| 4 + query.steps.len()).sum::<usize>();
    assert_eq!(bytes.len(), WORD_BYTES * (elements + 4 * digests + 1) + paths);

    let malformed = |bytes: &[u8]| match read_proof::<C>(bytes, &common) {
        Err(VerifyError::Malformed(problem)) => problem,
        other => panic!("{:?}", other.err()),
    };
    let is_refused = |at: usize| {
        let mut changed = bytes.clone();
        changed[at..at + WORD_BYTES].fill(0xFF);
        matches!(read_proof::<C>(&changed, &common), Err(VerifyError::Malformed("it is not in canonical form")))
    };
    // Where a window of eight bytes is no word, its upper half would have to be that of one.
    let refused = (0..=bytes.len() - WORD_BYTES).filter(|&at| is_refused(at)).count();
    assert!(refused >= elements + words_of_digest * digests, "{refused} of {elements} and {digests}");
    assert_eq!(malformed(&bytes[..bytes.len() - 1]), "it is truncated");
    assert_eq!(malformed(&[&bytes[..], &[0]].concat()), "it is too long");
}

#[test]
fn every_word_of_a_blake3_proof() {
    every_word_is_looked_at::<Blake3Config>(HashKind::Blake3, 0);
}

#[test]
fn every_word_of_a_poseidon_proof() {
    every_word_is_looked_at::<PoseidonConfig>(HashKind::Poseidon, 4);
}
