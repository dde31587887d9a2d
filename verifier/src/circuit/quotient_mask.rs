//! What makes the chunks of the quotient random.

use super::shape::CircuitShape;
#[cfg(feature = "prover")]
use crate::gadget::arith::Batch;
use crate::gadget::arith::{Arith, Extension, Recursive};
use crate::gadget::field::{D, Ext, F};
use crate::security::QUOTIENT_DEGREE;
use plonky2::field::types::Field;
use plonky2::gates::gate::Gate;
use plonky2::iop::ext_target::ExtensionTarget;
use plonky2::iop::generator::WitnessGeneratorRef;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::CommonCircuitData;
#[cfg(feature = "prover")]
use plonky2::plonk::vars::EvaluationVarsBaseBatch;
use plonky2::plonk::vars::{EvaluationTargets, EvaluationVars};
use plonky2::util::serialization::{Buffer, IoError, IoResult};

/// A gate that is active in every row, states nothing there, and adds a random polynomial to each quotient.
///
/// Over `n` rows, its constant is the polynomial `E = X^(n/8)` and its wires are random polynomials `U`, one for each
/// challenge set. The constraint `(E^8 - 1) · (E + E^10 + … + E^55) · U` is zero in every row, where `E^8 = X^n = 1`, so that
/// every witness satisfies it. Divided by `X^n - 1` it adds `Σ X^(in) X^((i+1)n/8) U`, for `i` from 0 to 6, to the quotient.
///
/// Why that hides the chunks: write `U` as `Σ y^k U_k`, for `k` from 0 to 7, where `y = X^(n/8)` and each `U_k` has `n/8`
/// coefficients, and `M_i` for the sum of its first `8 - i` terms. Chunk `i` becomes what it was and `y^(i+1) M_(i+1)` (what
/// the shift by `(i+1)n/8` leaves in the chunk) and `y^(i-8) (U - M_i)` (what the shift before carries over). At any point,
/// `U` is disclosed; but `M_1` to `M_7` are then still random and independent, also at as many points together as `U_k` has
/// coefficients. So chunks 0 to 6 are uniformly random, and chunk 7 is what makes the sum right, which the verifier knows
/// anyway. The combinations of the several constraints for the several challenge sets are independent, being powers of
/// distinct challenges.
///
/// The degree that [`Gate::degree`] tells counts `E` as if it were any column. As it is what it is, the quotient has fewer
/// than `7.9 n` coefficients.
#[derive(Clone, Debug)]
pub struct QuotientMask {
    /// The first of its wires.
    pub wire: usize,
    /// How many challenge sets there are.
    pub sets: usize,
    /// Its row constant.
    pub constant: usize,
}

impl QuotientMask {
    /// The mask of a circuit of this shape, `constant` being the index of its row constant.
    pub fn of(shape: &CircuitShape, constant: usize) -> Self {
        Self { wire: shape.wires - shape.masks(), sets: shape.challenges, constant }
    }

    /// States its constraints.
    pub fn constrain<A: Arith>(&self, arith: &mut A) {
        let root = arith.row_constant(self.constant);
        let square = arith.mul(root, root);
        let fourth = arith.mul(square, square);
        let eighth = arith.mul(fourth, fourth);
        let ninth = arith.mul(eighth, root);
        // Horner's rule for E · (1 + E^9 + … + E^54).
        let mut sum = root;
        for _ in 2..QUOTIENT_DEGREE {
            let shifted = arith.mul(sum, ninth);
            sum = arith.add(shifted, root);
        }
        let one = arith.fixed(F::ONE);
        let vanishing = arith.sub(eighth, one);
        let factor = arith.mul(vanishing, sum);
        for set in 0..self.sets {
            let mask = arith.wire(self.wire + set);
            let term = arith.mul(factor, mask);
            arith.assert_zero(term);
        }
    }
}

impl Gate<F, D> for QuotientMask {
    fn id(&self) -> String {
        format!("{self:?}")
    }

    /// Keys tell from the scheme that there is such a gate; plonky2's gate lists are not used.
    fn serialize(&self, _: &mut Vec<u8>, _: &CommonCircuitData<F, D>) -> IoResult<()> {
        Err(IoError)
    }

    fn deserialize(_: &mut Buffer, _: &CommonCircuitData<F, D>) -> IoResult<Self> {
        Err(IoError)
    }

    fn eval_unfiltered(&self, vars: EvaluationVars<F, D>) -> Vec<Ext> {
        let mut arith = Extension::new(vars);
        self.constrain(&mut arith);
        arith.constraints
    }

    #[cfg(feature = "prover")]
    fn eval_unfiltered_base_batch(&self, vars: EvaluationVarsBaseBatch<F>) -> Vec<F> {
        let mut constraints = Vec::with_capacity(self.sets * vars.len());
        self.constrain(&mut Batch::new(&vars, &mut constraints));
        constraints
    }

    fn eval_unfiltered_circuit(
        &self,
        builder: &mut CircuitBuilder<F, D>,
        vars: EvaluationTargets<D>,
    ) -> Vec<ExtensionTarget<D>> {
        let mut arith = Recursive::new(builder, vars);
        self.constrain(&mut arith);
        arith.constraints
    }

    /// None: witnesses are filled directly.
    fn generators(&self, _: usize, _: &[F]) -> Vec<WitnessGeneratorRef<F, D>> {
        Vec::new()
    }

    fn num_wires(&self) -> usize {
        self.wire + self.sets
    }

    fn num_constants(&self) -> usize {
        self.constant + 1
    }

    fn degree(&self) -> usize {
        QUOTIENT_DEGREE + (QUOTIENT_DEGREE - 2) * (QUOTIENT_DEGREE + 1) + 2
    }

    fn num_constraints(&self) -> usize {
        self.sets
    }
}

#[cfg(all(test, feature = "prover"))]
mod tests {
    use super::*;
    use crate::circuit::hash::Blake3Config;
    use plonky2::field::polynomial::PolynomialCoeffs;
    use plonky2::field::types::Sample;
    use plonky2::gates::gate_testing::test_eval_fns;
    use plonky2::hash::hash_types::HashOut;

    const GATE: QuotientMask = QuotientMask { wire: 1, sets: 3, constant: 2 };

    fn at(root: F, masks: &[F; 3]) -> Vec<F> {
        let wires = [F::rand(), masks[0], masks[1], masks[2]];
        let constants = [F::rand(), F::rand(), root];
        let hash = HashOut::ZERO;
        GATE.eval_unfiltered_base_batch(EvaluationVarsBaseBatch::new(1, &constants, &wires, &hash))
    }

    #[test]
    fn the_back_ends_agree() {
        test_eval_fns::<F, Blake3Config, _, D>(GATE).expect("the back ends agree");
    }

    #[test]
    fn nothing_is_stated_in_any_row() {
        let root = F::primitive_root_of_unity(3);
        for value in root.powers().take(8) {
            assert_eq!(at(value, &F::rand_array()), [F::ZERO; 3]);
        }
        assert!(at(F::TWO, &[F::ONE; 3]).iter().all(|term| *term != F::ZERO));
    }

    /// The quotient by `X^n - 1`, computed from the formula in the documentation and from the gate.
    #[test]
    fn the_quotient_is_what_the_documentation_says() {
        const N: usize = 256;
        let mask = F::rand_vec(N);
        let mut expected = vec![F::ZERO; QUOTIENT_DEGREE * N];
        for i in 0..QUOTIENT_DEGREE - 1 {
            for (k, &coefficient) in mask.iter().enumerate() {
                expected[i * N + (i + 1) * N / 8 + k] += coefficient;
            }
        }
        let (mask, expected) = (PolynomialCoeffs::new(mask), PolynomialCoeffs::new(expected));
        for x in F::rand_vec(4) {
            let constraint = at(x.exp_u64(N as u64 / 8), &[mask.eval(x); 3])[0];
            assert_eq!(constraint, expected.eval(x) * (x.exp_u64(N as u64) - F::ONE));
        }
    }
}
