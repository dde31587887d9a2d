//! Kinds of rows: gadgets side by side.

use crate::gadget::{Gadget, Place, Shape};
use crate::security::{QUOTIENT_DEGREE, Scheme, Soundness};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Wires of plonky2's Poseidon gate: all of them, and those that are routed.
pub const POSEIDON_WIRES: usize = 135;
/// Constraints of plonky2's Poseidon gate.
pub const POSEIDON_CONSTRAINTS: usize = 123;

/// The most columns of wires, or of constants, that a circuit can have.
pub const MAX_COLUMNS: usize = 1 << 16;
/// Circuits have up to `2^MAX_DEGREE_BITS` rows.
pub const MAX_DEGREE_BITS: usize = 20;

/// The most rows that a circuit can have.
pub const MAX_ROWS: usize = 1 << MAX_DEGREE_BITS;

/// Gates of plonky2 that every circuit has: Poseidon, the public inputs, and the one that states nothing.
const PLONKY2_GATES: usize = 3;

/// Routed wires of plonky2's Poseidon gate: inputs, outputs, swap.
pub const POSEIDON_ROUTED: usize = 25;

/// One gadget of a row, and where it lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// What is stated.
    pub gadget: Arc<Gadget>,
    /// Where its wires and constants are.
    pub place: Place,
}

/// The sum of the parts' shapes, and the highest degree among them.
pub fn total(parts: &[Part]) -> Shape {
    sum(parts.iter().map(|part| &part.gadget))
}

/// The most constraints that hold in one row, for kinds of rows with these shapes: those of a kind's parts, and one for each
/// digit, whose numbers come after those of any kind's parts.
pub fn row_constraints(kinds: impl Iterator<Item = Shape>) -> usize {
    let most = |(constraints, digits): (usize, usize), shape: Shape| {
        (constraints.max(shape.constraints), digits.max(shape.digits))
    };
    let (constraints, digits) = kinds.fold((0, 0), most);
    POSEIDON_CONSTRAINTS.max(constraints + digits)
}

/// What the soundness of a circuit with these kinds of rows depends on. `wires` are those without masks.
///
/// Kinds of rows that are alike share a gate, and so a selector: such a circuit opens some polynomials fewer than is counted.
pub fn soundness(kinds: &[Shape], degree_bits: usize, wires: usize, routed: usize, scheme: Scheme) -> Soundness {
    let constraints = row_constraints(kinds.iter().copied());
    let challenges = Soundness::challenge_sets(degree_bits, routed, constraints);
    let constants = kinds.iter().map(|shape| shape.constants).max().unwrap_or(0);
    let digit_runs: BTreeSet<usize> = kinds.iter().map(|shape| shape.digits).filter(|&digits| digits > 0).collect();
    // The mask has a selector and a row constant.
    let mask = if scheme.zero_knowledge { 2 } else { 0 };
    let preprocessed = kinds.len() + digit_runs.len() + PLONKY2_GATES + mask + constants + routed;
    // Z and the partial products, the chunks of the quotient, and Z at the next row.
    let of_set = routed.div_ceil(QUOTIENT_DEGREE) + QUOTIENT_DEGREE + 1;
    Soundness {
        degree_bits,
        routed,
        constraints,
        challenges,
        polynomials: preprocessed + wires + scheme.mask_wires(challenges) + challenges * of_set,
        folding: scheme.folding(degree_bits),
        queries: scheme.queries(),
    }
}

/// The sum of the gadgets' shapes, and the highest degree among them.
pub fn sum<'a>(gadgets: impl IntoIterator<Item = &'a Arc<Gadget>>) -> Shape {
    gadgets.into_iter().map(|gadget| gadget.shape()).fold(Shape::default(), |sum, shape| Shape {
        inputs: sum.inputs + shape.inputs,
        outputs: sum.outputs + shape.outputs,
        advice: sum.advice + shape.advice,
        digits: sum.digits + shape.digits,
        constants: sum.constants + shape.constants,
        constraints: sum.constraints + shape.constraints,
        degree: sum.degree.max(shape.degree),
    })
}
