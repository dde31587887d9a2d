//! Whether a shape from a file makes sense, so that nothing that uses it can panic.

use super::shape::CircuitShape;
use crate::row::{MAX_COLUMNS, MAX_ROWS, POSEIDON_ROUTED, POSEIDON_WIRES, Part, total};
use crate::security::MAX_SETS;

const MAX_GATES: usize = 1 << 10;
/// Bounds the weights inside gates, which a verifier multiplies with, and so its time and memory.
const MAX_PRODUCTS: usize = 1 << 26;

impl CircuitShape {
    /// What is impossible about the shape, if anything is.
    pub fn problem(&self) -> Option<&'static str> {
        if self.challenges > MAX_SETS {
            return Some("number of challenge sets");
        }
        if !self.scheme.can_blind(self.challenges) {
            return Some("number of challenge sets for zero knowledge");
        }
        let masks = self.masks();
        let degree_bits = self.scheme.min_degree_bits()..=MAX_ROWS.ilog2() as usize;
        let checks = [
            (!degree_bits.contains(&self.degree_bits), "number of rows"),
            (self.wires < POSEIDON_WIRES + masks || self.wires > MAX_COLUMNS + masks, "number of wires"),
            (self.routed < POSEIDON_ROUTED || self.routed > self.wires - masks, "number of routed wires"),
            (self.public_inputs > MAX_ROWS, "number of public inputs"),
            (self.gates.len() > MAX_GATES, "number of gates"),
        ];
        if let Some((_, problem)) = checks.into_iter().find(|&(fails, _)| fails) {
            return Some(problem);
        }
        let parts = || self.gates.iter().flatten();
        if !parts().all(|part| part.gadget.is_consistent()) {
            return Some("gate");
        }
        let digits_end = self.digits_end();
        if !parts().all(|part| self.holds(part, digits_end)) {
            return Some("gate");
        }
        let are_stated = |parts: &Vec<Part>| {
            let start = digits_end.checked_sub(total(parts).digits);
            start.is_some_and(|start| parts.iter().all(|part| part.place.digits >= start))
        };
        if !self.gates.iter().all(are_stated) {
            return Some("place of digits");
        }
        let products = |part: &Part| part.gadget.shape().inputs.saturating_mul(part.gadget.shape().constraints);
        if self.gates.iter().flatten().map(products).fold(0, usize::saturating_add) > MAX_PRODUCTS {
            return Some("number of weights in gates");
        }
        // A key with fewer challenges than we make would accept proofs of less security than it claims.
        let soundness = self.soundness();
        if self.challenges != soundness.challenges {
            return Some("number of challenge sets");
        }
        soundness
            .shortfall(self.scheme.level)
            .is_some()
            .then_some("security: a round of its proofs falls short of its level")
    }

    /// Whether the columns of a part, whose gadget is consistent, are there.
    fn holds(&self, part: &Part, digits_end: usize) -> bool {
        let ends_by = |start: usize, len: usize, end: usize| start.checked_add(len).is_some_and(|sum| sum <= end);
        let shape = part.gadget.shape();
        ends_by(part.place.routed, shape.routed(), self.routed)
            && ends_by(part.place.advice, shape.advice, self.masks_start())
            && ends_by(part.place.digits, shape.digits, digits_end)
            && ends_by(part.place.constant, shape.constants, MAX_COLUMNS)
    }
}
