//! plonky2's own prover on our circuits: what ours is held to.

use super::columns::Permutation;
use super::shape::{Gates, common_data};
use super::verifier_view::constant_columns;
use super::witness::Witness;
use super::{Binding, shape_of, verifier_data};
use crate::gadget::field::{D, F};
use crate::plan::Plan;
use crate::plan::security::{CAP_HEIGHT, RATE_BITS};
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::Field;
use plonky2::fri::oracle::PolynomialBatch;
use plonky2::iop::target::Target;
use plonky2::iop::witness::PartitionWitness;
use plonky2::plonk::circuit_data::ProverOnlyCircuitData;
use plonky2::plonk::config::GenericConfig;
use plonky2::plonk::proof::ProofWithPublicInputs;
use plonky2::plonk::prover::prove_with_partition_witness;
use plonky2::util::timing::TimingTree;
use plonky2::util::transpose;
use std::collections::BTreeMap;

/// The commitment to constants and permutation that plonky2 makes, and the proof.
pub fn prove<C: GenericConfig<D, F = F>>(
    plan: &Plan,
    binding: &Binding,
    witness: &Witness,
) -> (plonky2::hash::merkle_tree::MerkleCap<F, C::Hasher>, ProofWithPublicInputs<F, C, D>) {
    let shape = shape_of(plan);
    let common = common_data(&shape, &Gates::new(&shape));
    let rows = 1 << shape.degree_bits;
    let sigmas = Permutation::new(plan).columns(&common.k_is);
    let commitment = preprocessed(plan);
    let cap = commitment.merkle_tree.cap.clone();
    // The public inputs are read from the witness: from virtual targets behind its wires.
    let wires = shape.wires << shape.degree_bits;
    let data = ProverOnlyCircuitData::<F, C, D> {
        generators: Vec::new(),
        generator_indices_by_watches: BTreeMap::new(),
        constants_sigmas_commitment: commitment,
        sigmas: transpose(&sigmas.chunks(rows).map(<[F]>::to_vec).collect::<Vec<_>>()),
        subgroup: F::two_adic_subgroup(shape.degree_bits),
        public_inputs: (0..shape.public_inputs).map(|index| Target::VirtualTarget { index }).collect(),
        representative_map: (0..wires + shape.public_inputs).collect(),
        fft_root_table: None,
        circuit_digest: verifier_data::<C>(&common, cap.clone(), binding).circuit_digest,
        lookup_rows: Vec::new(),
        lut_to_lookups: Vec::new(),
    };
    let partition = PartitionWitness {
        values: witness.cells.iter().chain(&witness.public).copied().map(Some).collect(),
        representative_map: &data.representative_map,
        num_wires: witness.wires,
        degree: common.degree(),
    };
    let proof = prove_with_partition_witness(&data, &common, partition, &mut TimingTree::default());
    (cap, proof.expect("plonky2 proves it"))
}

/// plonky2's commitment to constants and permutation.
pub fn preprocessed<C: GenericConfig<D, F = F>>(plan: &Plan) -> PolynomialBatch<F, C, D> {
    let shape = shape_of(plan);
    let gates = Gates::new(&shape);
    let mut preprocessed = constant_columns(plan, &gates);
    let sigmas = Permutation::new(plan).columns(&common_data(&shape, &gates).k_is);
    preprocessed.extend(sigmas.chunks(1 << shape.degree_bits).map(<[F]>::to_vec));
    let preprocessed = preprocessed.into_iter().map(PolynomialValues::new).collect();
    PolynomialBatch::from_values(preprocessed, RATE_BITS, false, CAP_HEIGHT, &mut TimingTree::default(), None)
}
