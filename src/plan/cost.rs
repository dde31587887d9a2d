//! What a layout costs: time, memory and bytes, before they are spent.

use super::layout::{Layout, total};
use super::security::{CAP_HEIGHT, QUERIES, QUOTIENT_DEGREE, RATE_BITS};

/// Estimates for one layout, on two cores of a recent server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Seconds to prove.
    pub seconds: f64,
    /// Peak memory of proving, in bytes.
    pub memory: u64,
    /// Size of a proof, in bytes.
    pub proof: u64,
}

/// Columns that selectors take; their number depends on the degrees of the gates.
const SELECTORS: usize = 6;
/// Random elements that salt a leaf.
const SALT: usize = 4;
const ELEMENT_BYTES: usize = 8;
const HASH_BYTES: usize = 32;

/// Nanoseconds per point of the extended domain: to transform and hash one column.
const COLUMN_NS: f64 = 9.0;
/// … to run the permutation argument on one routed wire, for each challenge set.
const ROUTED_NS: f64 = 4.0;
/// … to gather, combine and open one preprocessed column.
const CONSTANT_NS: f64 = 3.0;
/// … to evaluate one constraint of a gadget.
const CONSTRAINT_NS: f64 = 5.0;
/// … to multiply by one row constant.
const TILE_NS: f64 = 1.5;
/// … to evaluate plonky2's Poseidon gate, and what else every point costs.
const FIXED_NS: f64 = 3000.0;

impl Cost {
    /// The cost of `layout`.
    pub fn of(layout: &Layout) -> Self {
        let points = (layout.rows() << RATE_BITS) as f64;
        let partial_products = layout.routed.div_ceil(QUOTIENT_DEGREE);
        let z = layout.challenges * partial_products;
        let quotient = layout.challenges * QUOTIENT_DEGREE;
        let preprocessed = layout.constants + SELECTORS + layout.routed;
        let committed = layout.wires + z + quotient;

        let gates: f64 =
            layout.kinds.iter().map(|kind| total(&kind.parts)).fold(0.0, |sum, shape| {
                sum + shape.constraints as f64 * CONSTRAINT_NS + shape.constants as f64 * TILE_NS
            });
        let per_point = committed as f64 * COLUMN_NS
            + (layout.routed * layout.challenges) as f64 * ROUTED_NS
            + preprocessed as f64 * CONSTANT_NS
            + gates
            + FIXED_NS;

        let columns = preprocessed + committed;
        let steps = layout.scheme.folding(layout.degree_bits);
        let extended_bits = layout.degree_bits + RATE_BITS;
        let mut path = 4 * (extended_bits - CAP_HEIGHT);
        let mut folded_bits = extended_bits;
        let mut evals = 0;
        for &bits in &steps {
            folded_bits -= bits;
            path += folded_bits.saturating_sub(CAP_HEIGHT);
            evals += 2 << bits;
        }
        let query = (columns + 3 * SALT + evals) * ELEMENT_BYTES + path * HASH_BYTES;
        let caps = ((3 + steps.len()) * HASH_BYTES) << CAP_HEIGHT;
        Self {
            seconds: points * per_point * 1e-9,
            memory: (points as u64) * (columns + layout.wires) as u64 * ELEMENT_BYTES as u64,
            proof: (QUERIES * query + 2 * columns * ELEMENT_BYTES + caps) as u64,
        }
    }
}
