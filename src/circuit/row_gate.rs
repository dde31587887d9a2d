//! The one custom gate: a row that holds several gadgets side by side.

use crate::gadget::arith::{Batch, Extension, Recursive};
use crate::gadget::field::{D, Ext, F};
use crate::gadget::{Place, Shape};
use crate::plan::Part;
use plonky2::gates::gate::Gate;
use plonky2::iop::ext_target::ExtensionTarget;
use plonky2::iop::generator::WitnessGeneratorRef;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::vars::{EvaluationTargets, EvaluationVars, EvaluationVarsBaseBatch};
use plonky2::util::serialization::{Buffer, IoError, IoResult};

/// A gate whose constraints are those of its parts, one after the other.
///
/// Its identity is a digest of the parts, weights included: plonky2 tells gates apart by their `id` alone.
#[derive(Clone, Debug)]
pub struct RowGate {
    parts: Vec<Part>,
    id: String,
}

impl RowGate {
    /// The gate of these parts.
    pub fn new(parts: Vec<Part>) -> Self {
        let names: Vec<&str> = parts.iter().map(|part| part.gadget.name()).collect();
        let mut hasher = blake3::Hasher::new();
        bincode::serde::encode_into_std_write(&parts, &mut hasher, bincode::config::standard())
            // Hashing can't fail to write, and none of the parts has a form that serde refuses.
            .expect("a gadget has a serial form");
        let id = format!("{}#{}", names.join("+"), hasher.finalize().to_hex());
        Self { parts, id }
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
        self.parts.iter().for_each(|part| part.gadget.constrain(&mut arith, part.place));
        arith.constraints
    }

    fn eval_unfiltered_base_batch(&self, vars: EvaluationVarsBaseBatch<F>) -> Vec<F> {
        let mut constraints = Vec::with_capacity(self.num_constraints() * vars.len());
        let mut arith = Batch::new(&vars, &mut constraints);
        self.parts.iter().for_each(|part| part.gadget.constrain(&mut arith, part.place));
        constraints
    }

    fn eval_unfiltered_circuit(
        &self,
        builder: &mut CircuitBuilder<F, D>,
        vars: EvaluationTargets<D>,
    ) -> Vec<ExtensionTarget<D>> {
        let mut arith = Recursive::new(builder, vars);
        self.parts.iter().for_each(|part| part.gadget.constrain(&mut arith, part.place));
        arith.constraints
    }

    /// None: witnesses are filled directly.
    fn generators(&self, _: usize, _: &[F]) -> Vec<WitnessGeneratorRef<F, D>> {
        Vec::new()
    }

    fn num_wires(&self) -> usize {
        let end = |(place, shape): (Place, Shape)| (place.routed + shape.routed()).max(place.advice + shape.advice);
        self.shapes().map(end).max().unwrap_or(0)
    }

    fn num_constants(&self) -> usize {
        self.shapes().map(|(place, shape)| place.constant + shape.constants).max().unwrap_or(0)
    }

    fn degree(&self) -> usize {
        self.shapes().map(|(_, shape)| shape.degree).max().unwrap_or(0)
    }

    fn num_constraints(&self) -> usize {
        self.shapes().map(|(_, shape)| shape.constraints).sum()
    }
}
