//! Proving, with plonky2's own prover.

use super::columns::{Permutation, constant_columns};
use super::shape::{CircuitShape, Gates, common_data};
use super::verify::{Binding, verifier_data};
use super::witness::Witness;
use crate::gadget::field::{D, F};
use crate::plan::Plan;
use crate::plan::security::{CAP_HEIGHT, RATE_BITS};
use plonky2::field::fft::fft_root_table;
use plonky2::field::types::Field;
use plonky2::fri::oracle::PolynomialBatch;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::iop::target::Target;
use plonky2::iop::witness::PartitionWitness;
use plonky2::plonk::circuit_data::{CommonCircuitData, ProverOnlyCircuitData};
use plonky2::plonk::config::GenericConfig;
use plonky2::plonk::prover::prove_with_partition_witness;
use plonky2::util::timing::TimingTree;
use plonky2::util::transpose;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A circuit with all that proving needs, apart from the witness.
pub struct Prover<C: GenericConfig<D, F = F>> {
    common: CommonCircuitData<F, D>,
    data: ProverOnlyCircuitData<F, C, D>,
}

/// Why no proof was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// plonky2's prover gave up.
    #[error("the proof system failed: {0}")]
    Failed(String),
}

impl<C: GenericConfig<D, F = F>> Prover<C> {
    /// Commits to the constants and the permutation of `plan`. The statement, once the commitment is known, is bound by
    /// [`Prover::bind`].
    pub fn new(plan: &Plan) -> Self {
        let shape = CircuitShape::new(plan);
        let gates = Gates::new(&shape);
        let common = common_data(&shape, &gates);
        let subgroup = F::two_adic_subgroup(shape.degree_bits);
        let sigmas = Permutation::new(plan).columns(&common.k_is, &subgroup);
        let rows_of_sigmas = transpose(&sigmas.iter().map(|column| column.values.clone()).collect::<Vec<_>>());
        let mut columns = constant_columns(plan, &gates);
        columns.extend(sigmas);
        let fft_root_table = fft_root_table(1 << (shape.degree_bits + RATE_BITS));
        let constants_sigmas_commitment = PolynomialBatch::<F, C, D>::from_values(
            columns,
            RATE_BITS,
            false,
            CAP_HEIGHT,
            &mut TimingTree::default(),
            Some(&fft_root_table),
        );
        let cap = constants_sigmas_commitment.merkle_tree.cap.clone();
        // The public inputs are read from the witness: from virtual targets behind its wires.
        let wires = shape.wires << shape.degree_bits;
        let public_inputs = (0..shape.public_inputs).map(|index| Target::VirtualTarget { index }).collect();
        let data = ProverOnlyCircuitData {
            generators: Vec::new(),
            generator_indices_by_watches: BTreeMap::new(),
            constants_sigmas_commitment,
            sigmas: rows_of_sigmas,
            subgroup,
            public_inputs,
            representative_map: (0..wires + shape.public_inputs).collect(),
            fft_root_table: Some(fft_root_table),
            circuit_digest: verifier_data::<C>(&common, cap, &Binding::default()).circuit_digest,
            lookup_rows: Vec::new(),
            lut_to_lookups: Vec::new(),
        };
        Self { common, data }
    }

    /// The commitment to the circuit's constants and permutation.
    pub fn cap(&self) -> &MerkleCap<F, C::Hasher> {
        &self.data.constants_sigmas_commitment.merkle_tree.cap
    }

    /// Makes all proofs depend on `binding`, as the verifier's key does.
    pub fn bind(&mut self, binding: &Binding) {
        self.data.circuit_digest = verifier_data::<C>(&self.common, self.cap().clone(), binding).circuit_digest;
    }

    /// A proof that the witness satisfies the circuit, in canonical bytes.
    ///
    /// # Errors
    /// The prover gave up: the witness does not satisfy the circuit, or, with a probability of about `2^-39`, the
    /// permutation argument divided by zero, which other randomness mends.
    pub fn prove(&self, witness: Witness) -> Result<Vec<u8>, ProveError> {
        let values = witness.cells.into_iter().chain(witness.public).map(Some).collect();
        let partition = PartitionWitness {
            values,
            representative_map: &self.data.representative_map,
            num_wires: witness.wires,
            degree: self.common.degree(),
        };
        let prove = || prove_with_partition_witness(&self.data, &self.common, partition, &mut TimingTree::default());
        // plonky2's prover panics on a witness that does not fit.
        catch_unwind(AssertUnwindSafe(prove))
            .map_err(|_| ProveError::Failed("the witness does not satisfy the circuit".into()))?
            .map(|proof| proof.to_bytes())
            .map_err(|error| ProveError::Failed(error.to_string()))
    }
}
