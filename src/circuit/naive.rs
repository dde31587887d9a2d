//! A matrix-vector product the plain way, with plonky2's own circuit builder: the baseline for ratios.
//!
//! Every weight is a constant and takes one multiplication and addition. Nothing is hidden and no input is checked to
//! be in a range, so the baseline states less than what it is compared with.

use super::{ProveError, VerifyError};
use crate::gadget::field::{D, F, from_signed, to_signed};
use ndarray::ArrayView2;
use plonky2::iop::target::Target;
use plonky2::iop::witness::{PartialWitness, WitnessWrite};
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::{CircuitConfig, CircuitData};
use plonky2::plonk::config::PoseidonGoldilocksConfig;
use plonky2::plonk::proof::ProofWithPublicInputs;
use std::fmt::Display;

type Proof = ProofWithPublicInputs<F, PoseidonGoldilocksConfig, D>;

/// A product's circuit: the input is private, the product public, the matrix fixed.
pub struct NaiveMatVec {
    data: CircuitData<F, PoseidonGoldilocksConfig, D>,
    input: Vec<Target>,
}

impl NaiveMatVec {
    /// The circuit of `weights` times a vector.
    pub fn new(weights: ArrayView2<'_, i64>) -> Self {
        let mut builder = CircuitBuilder::<F, D>::new(config());
        let input = builder.add_virtual_targets(weights.ncols());
        for row in weights.rows() {
            let mut sum = builder.zero();
            for (&weight, &x) in row.iter().zip(&input) {
                sum = builder.mul_const_add(from_signed(weight), x, sum);
            }
            builder.register_public_input(sum);
        }
        Self { data: builder.build(), input }
    }

    /// How many bytes a process takes, about, that makes and proves the circuit of a product of random coefficients of
    /// `bits` bits.
    pub fn memory(inputs: usize, outputs: usize, bits: u32) -> u64 {
        let weights = inputs as f64 * outputs as f64;
        let possible = f64::from(bits).exp2();
        let distinct = possible * -(-weights / possible).exp_m1();
        let config = config();
        let products_per_row = (config.num_routed_wires / ARITHMETIC_WIRES) as f64;
        let rows = weights / products_per_row
            + distinct / config.num_constants as f64
            + outputs as f64 / PUBLIC_INPUTS_PER_ROW as f64;
        let points = rows.max(1.0).log2().ceil().exp2() * f64::from(1 << config.fri_config.rate_bits);
        // Of the permutation argument: partial products, one for as many routed wires as the degree allows.
        let factor = config.max_quotient_degree_factor;
        let partial_products = config.num_challenges * config.num_routed_wires.div_ceil(factor);
        let quotient = config.num_challenges * factor;
        let columns = config.num_wires + config.num_routed_wires + partial_products + quotient;
        // The cast saturates.
        (points * columns as f64 * ELEMENT_BYTES * OVERHEAD + weights * BYTES_PER_PRODUCT) as u64
    }

    /// A proof of the product with `input`.
    ///
    /// # Errors
    /// The input is of another length, or the prover gave up.
    pub fn prove(&self, input: &[i64]) -> Result<Vec<u8>, ProveError> {
        if input.len() != self.input.len() {
            let (expected, got) = (self.input.len(), input.len());
            return Err(ProveError::Failed(format!("the input has {got} elements instead of {expected}")));
        }
        let mut witness = PartialWitness::new();
        for (&target, &x) in self.input.iter().zip(input) {
            witness.set_target(target, from_signed(x)).map_err(failed)?;
        }
        Ok(self.data.prove(witness).map_err(failed)?.to_bytes())
    }

    /// Checks a proof and returns the product.
    ///
    /// # Errors
    /// The bytes are no proof, or it does not hold.
    pub fn verify(&self, proof: &[u8]) -> Result<Vec<i64>, VerifyError> {
        let proof = Proof::from_bytes(proof.to_vec(), &self.data.common)
            .map_err(|_| VerifyError::Malformed("it is truncated"))?;
        let product = proof.public_inputs.iter().map(|&y| to_signed(y)).collect();
        self.data.verify(proof).map_err(|error| VerifyError::Rejected(error.to_string()))?;
        Ok(product)
    }
}

/// Wires of one multiplication and addition.
const ARITHMETIC_WIRES: usize = 4;
/// Public inputs are hashed, as many at once as Poseidon's rate.
const PUBLIC_INPUTS_PER_ROW: usize = 8;
const ELEMENT_BYTES: f64 = 8.0;
/// What there is beside one codeword of each column, as measured: the leaves of the Merkle trees are a copy of them.
const OVERHEAD: f64 = 2.0;
/// Targets, copy constraints and the generator of one product, as measured.
const BYTES_PER_PRODUCT: f64 = 100.0;

fn failed(error: impl Display) -> ProveError {
    ProveError::Failed(error.to_string())
}

/// plonky2's standard configuration, with rows of a hundred products.
fn config() -> CircuitConfig {
    const WIRES: usize = 400;
    CircuitConfig { num_wires: WIRES, num_routed_wires: WIRES, ..CircuitConfig::standard_recursion_config() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_product_is_proved() {
        let weights = array![[1, 2, 3], [0, -4, 65535]];
        let naive = NaiveMatVec::new(weights.view());
        let proof = naive.prove(&[5, 0, -7]).unwrap();
        assert_eq!(naive.verify(&proof), Ok(vec![-16, -458745]));

        assert!(naive.prove(&[5, 0]).is_err());
        assert!(matches!(naive.verify(&proof[..100]), Err(VerifyError::Malformed(_))));
        // The product is the last of the bytes.
        let mut false_proof = proof;
        let last = false_proof.len() - 8;
        false_proof[last] ^= 1;
        assert!(naive.verify(&false_proof).is_err());
    }
}
