//! The soundness report: what a circuit's security rests on, in one page.

use crate::artifact::hex;
use crate::circuit::constraints_on_wires;
use crate::gadget::{Gadget, Shape};
use crate::pipeline::{Circuit, LoadError};
use crate::plan::security::{CODEWORD_MASKS, POW_BITS, RATE_BITS, Regime, RoundSecurity, Security};
use crate::plan::{
    Demand, Kind, OutputVisibility, POSEIDON_CONSTRAINTS, POSEIDON_ROUTED, POSEIDON_WIRES, Plan, RowConstants,
    Visibility,
};
use std::fmt;
use zknn_ir::{Graph, MAX_MAGNITUDE};

/// The report on a circuit.
pub struct Audit<'a> {
    circuit: &'a Circuit,
}

impl<'a> Audit<'a> {
    /// The report on `circuit`, once its commitment is found to be that of its program.
    ///
    /// # Errors
    /// It is not: what there is to report of the program does not hold for the key.
    pub fn new(circuit: &'a Circuit) -> Result<Self, LoadError> {
        circuit.check_commitment()?;
        Ok(Self { circuit })
    }
}

impl fmt::Display for Audit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tensors(f, &self.circuit.file().graph)?;
        statements(f, self.circuit.plan())?;
        binding(f, self.circuit)?;
        security(f, self.circuit)
    }
}

/// The interval of every tensor, and how far it stays from the limit within which integers and field elements are the
/// same.
fn tensors(f: &mut fmt::Formatter<'_>, graph: &Graph) -> fmt::Result {
    writeln!(f, "Tensors: integers, proven to stay in these intervals if the input is in its own")?;
    for id in graph.topological() {
        let node = graph.node(id);
        let Some((lo, hi)) = node.fact.interval() else { continue };
        let headroom = MAX_MAGNITUDE.ilog2().saturating_sub(bits(lo.unsigned_abs().max(hi.unsigned_abs())));
        let layer = node.layer.map_or(String::new(), |layer| format!("layer {layer} "));
        let (name, shape) = (node.op.name(), &node.fact.shape);
        writeln!(f, "  {id} {layer}{name} {shape:?}: {lo}..={hi}, {headroom} bits below 2^62")?;
    }
    Ok(())
}

fn bits(magnitude: u64) -> u32 {
    u64::BITS - magnitude.leading_zeros()
}

/// How each layer is stated, and what holds the wires that only the prover sees.
fn statements(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    writeln!(f, "\nStatements: what the rows say")?;
    for Demand { label, kind, count, constants, .. } in plan.program.blocks.iter().map(|block| &block.demand) {
        match (constants, kind) {
            (RowConstants::Tiles { matrix, shape }, _) => {
                let ((height, width), tile) = (matrix.dim(), format!("{} × {}", shape.height, shape.width));
                writeln!(f, "  {label}: {height} × {width} weights as row constants, in tiles of {tile}; no advice")?;
            }
            (_, Kind::Gadget(gadget)) => {
                writeln!(f, "  {label}: {count} × {}, {}", gadget.name(), held(gadget.as_ref()))?
            }
            (_, Kind::Poseidon) => writeln!(
                f,
                "  {label}: {count} × Poseidon, the proof system's own gate: {} advice wires, {POSEIDON_CONSTRAINTS} \
                 constraints",
                POSEIDON_WIRES - POSEIDON_ROUTED
            )?,
            // A plan has its products in tiles.
            (_, Kind::MatVec(_)) => {}
        }
    }
    Ok(())
}

/// The wires of a gadget that it determines, and how many constraints there are on each.
fn held(gadget: &Gadget) -> String {
    let Shape { outputs, advice, digits, constraints, degree, .. } = gadget.shape();
    let counts = constraints_on_wires(gadget);
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let loose = counts.iter().filter(|&&count| count == 0).count();
    let each = if least == most { format!("{least}") } else { format!("{least} to {most}") };
    let checks = if digits > 0 { ", and one for each digit" } else { "" };
    let mut text = format!(
        "{constraints} constraints of degree up to {degree}{checks}; {outputs} outputs, {advice} advice wires and {digits} \
         digits, each in {each} of them"
    );
    if loose > 0 {
        text += &format!("; {loose} WIRES ARE HELD BY NONE");
    }
    text
}

/// What ties the statement to this model, input and output.
fn binding(f: &mut fmt::Formatter<'_>, circuit: &Circuit) -> fmt::Result {
    let description = &circuit.key().description;
    writeln!(f, "\nBinding")?;
    writeln!(
        f,
        "  key: digest {}, of this very program: its commitment was computed anew",
        hex(&circuit.key().digest())
    )?;
    writeln!(f, "  model: digest {}, in every transcript", hex(&description.model))?;
    writeln!(f, "  weights: in gates and row constants, under the key's digest and its commitment")?;
    for (_, visibility) in description.told_inputs() {
        let input = match visibility {
            Visibility::Committed => "its Poseidon digest with a salt is public",
            Visibility::Public => "public",
            Visibility::Private => "bound by nothing",
        };
        writeln!(f, "  input: {input}; its range is checked by constraints")?;
    }
    for (output, (_, visibility)) in circuit.plan().program.outputs.iter().zip(description.told_outputs()) {
        match visibility {
            OutputVisibility::Public => writeln!(f, "  output: {} public inputs", output.elements.len())?,
            OutputVisibility::Committed => {
                writeln!(
                    f,
                    "  output: its Poseidon digest with a salt is public; its range is checked by constraints"
                )?;
            }
        }
    }
    Ok(())
}

fn security(f: &mut fmt::Formatter<'_>, circuit: &Circuit) -> fmt::Result {
    let (shape, layout) = (&circuit.key().shape, &circuit.plan().layout);
    let soundness = shape.soundness();
    writeln!(f, "\nSecurity: {}", soundness.security())?;
    writeln!(
        f,
        "  field: 2^64 - 2^32 + 1; opening points, batching and folding in its extension of degree 2\n  low-degree test: {} \
         queries at rate 1/{}, and {POW_BITS} bits of proof of work\n  constraints and permutation: {} challenge sets for \
         2^{} rows of {} routed wires, {} polynomials",
        soundness.queries,
        1 << RATE_BITS,
        soundness.challenges,
        soundness.degree_bits,
        soundness.routed,
        soundness.polynomials
    )?;
    if let Regime::Johnson(m) = soundness.best_johnson() {
        writeln!(f, "  multiplicity within the Johnson radius: {m}")?;
    }
    writeln!(f, "  {:<24} {:>11} {:>8} {:>15}", "bits of each round", "conjectured", "Johnson", "unique decoding")?;
    for RoundSecurity { round, security } in soundness.rounds() {
        let Security { conjectured, proven_johnson, proven_unique_decoding } = security.in_tenths();
        let name = round.to_string();
        writeln!(f, "  {name:<24} {conjectured:>11.1} {proven_johnson:>8.1} {proven_unique_decoding:>15.1}")?;
    }
    if !shape.scheme.zero_knowledge {
        return writeln!(f, "Zero knowledge: OFF: proofs may tell more than they state");
    }
    writeln!(f, "Zero knowledge: on")?;
    let (blinding, masks) = (layout.blinding, layout.masks - CODEWORD_MASKS);
    writeln!(
        f,
        "  wires: {} random rows; permutation: {} chained rows; every leaf salted",
        blinding.single, blinding.chained
    )?;
    writeln!(f, "  quotient: masked by {masks} random columns; low-degree test: by {CODEWORD_MASKS}")
}
