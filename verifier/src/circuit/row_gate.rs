//! The one custom gate: a row that holds several gadgets side by side, or digits.

#[cfg(feature = "prover")]
use crate::gadget::arith::Batch;
use crate::gadget::arith::{Arith, Extension, Recursive};
use crate::gadget::field::{D, Ext, F};
use crate::gadget::{DIGIT_RADIX, Place, Shape, constrain_columns};
use crate::row::Part;
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
use std::ops::Range;

/// A gate whose constraints are those of its parts, one after the other, and that columns hold digits.
///
/// Its identity is the number of its kind of rows: plonky2 tells gates apart by their `id` alone. What the parts are, weights
/// included, is digested with the key.
#[derive(Clone, Debug)]
pub struct RowGate {
    /// Constraints `0 = 0` before all others. plonky2 adds up the constraints of one number that different gates state; so
    /// gates that are active in the same rows must have different numbers.
    first: usize,
    parts: Vec<Part>,
    digits: Range<usize>,
    id: String,
}

impl RowGate {
    /// The gate of these parts, whose digits are stated elsewhere, for the rows of the kind with this number.
    pub fn new(kind: usize, parts: Vec<Part>) -> Self {
        Self { first: 0, parts, digits: 0..0, id: format!("Row#{kind}") }
    }

    /// The gate that states that these columns hold digits, in constraints from the number `first` on.
    pub fn of_digits(columns: Range<usize>, first: usize) -> Self {
        let id = format!("Digits#{first} {columns:?}");
        Self { first, parts: Vec::new(), digits: columns, id }
    }

    /// The gate that states these columns too.
    pub fn with_digits(self, digits: Range<usize>) -> Self {
        Self { digits, ..self }
    }

    fn constrain<A: Arith>(&self, arith: &mut A) {
        for _ in 0..self.first {
            let zero = arith.fixed(F::ZERO);
            arith.assert_zero(zero);
        }
        self.parts.iter().for_each(|part| part.gadget.constrain(arith, part.place));
        constrain_columns(arith, self.digits.clone());
    }

    fn shapes(&self) -> impl Iterator<Item = (Place, Shape)> + '_ {
        self.parts.iter().map(|part| (part.place, part.gadget.shape()))
    }
}

impl Gate<F, D> for RowGate {
    fn id(&self) -> String {
        self.id.clone()
    }

    /// Keys hold the parts themselves, in a format of their own; plonky2's gate lists are not used.
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
        let mut constraints = Vec::with_capacity(self.num_constraints() * vars.len());
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
        let end = |(place, shape): (Place, Shape)| {
            let ends = [place.routed + shape.routed(), place.advice + shape.advice, place.digits + shape.digits];
            ends.into_iter().max().unwrap_or(0)
        };
        self.shapes().map(end).fold(self.digits.end, usize::max)
    }

    fn num_constants(&self) -> usize {
        self.shapes().map(|(place, shape)| place.constant + shape.constants).max().unwrap_or(0)
    }

    fn degree(&self) -> usize {
        let of_digits = if self.digits.is_empty() { 0 } else { DIGIT_RADIX.into() };
        self.shapes().map(|(_, shape)| shape.degree).fold(of_digits, usize::max)
    }

    fn num_constraints(&self) -> usize {
        self.first + self.shapes().map(|(_, shape)| shape.constraints).sum::<usize>() + self.digits.len()
    }
}
