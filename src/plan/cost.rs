//! What a layout costs: time, memory and bytes, before they are spent.

use super::layout::Layout;
use super::security::{CAP_HEIGHT, LOW_DEGREE, QUOTIENT_DEGREE, RATE_BITS};
use super::{Part, total};
use crate::gadget::Gadget;
use std::collections::HashSet;
use std::sync::Arc;

/// Estimates for one layout, on two cores of a recent server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Seconds to prove.
    pub seconds: f64,
    /// Peak memory of proving, in bytes.
    pub memory: u64,
    /// Whether columns are extended coset by coset, as often as they are read, and not kept.
    pub streams: bool,
    /// Size of a proof, in bytes.
    pub proof: u64,
}

/// Columns of selectors for plonky2's gates and the mask, which has one more.
const SELECTORS: usize = 5;
/// Random elements that salt a leaf.
const SALT: usize = 4;
const ELEMENT_BYTES: usize = 8;
const HASH_BYTES: usize = 32;

// What `cargo bench coefficients` prints, all of one run.
/// Nanoseconds per point of the extended domain: to transform and hash one column.
const COLUMN_NS: f64 = 8.4;
/// … to run the permutation argument on one routed wire, for each challenge set.
const ROUTED_NS: f64 = 2.8;
/// … to combine and open one preprocessed column.
const CONSTANT_NS: f64 = 0.75;
/// … to evaluate and combine one constraint of a gadget.
const CONSTRAINT_NS: f64 = 5.9;
/// … to check and combine one digit.
const DIGIT_NS: f64 = 3.7;
/// … to multiply by one weight inside a gate.
const PRODUCT_NS: f64 = 0.07;
/// … to combine one wire of linear gadgets, for each challenge set.
const LINEAR_NS: f64 = 1.2;
/// The share of the points that gadgets of low degree are evaluated at.
const LOW_DEGREE_SHARE: f64 = 0.25;
/// … to evaluate plonky2's Poseidon gate, and what else a proof costs, whatever its width.
const FIXED_NS: f64 = 4500.0;
/// What memory takes beyond the columns on the extended domain.
const MEMORY_FACTOR: f64 = 1.2;
/// Circuits that would take more bytes than this have their columns extended coset by coset: they are transformed twice, but new
/// memory takes time too.
const STREAMED: u64 = 3 << 30;
/// How often a table is held then, as values, coefficients, and on a coset, which the allocator keeps for the next.
const STREAMED_COPIES: u64 = 6;
/// How often the weights are held, as elements or larger.
const WEIGHT_COPIES: usize = 3;

/// What a byte of a proof is worth, in seconds: it is sent once at least, by a line of 10 Mbit/s.
const BYTE_SECONDS: f64 = 8e-7;

impl Cost {
    /// The cost of `layout`.
    pub fn of(layout: &Layout) -> Self {
        let points = (layout.rows() << RATE_BITS) as f64;
        let partial_products = layout.routed.div_ceil(QUOTIENT_DEGREE);
        let z = layout.challenges * partial_products;
        let quotient = layout.challenges * QUOTIENT_DEGREE;
        let preprocessed = layout.constants + SELECTORS + layout.kinds.len() + layout.routed;
        let committed = layout.wires + z + quotient;

        // A slot is evaluated once for all kinds of rows that have it.
        let mut seen = HashSet::new();
        let parts = layout.kinds.iter().flat_map(|kind| &kind.parts);
        let parts = parts.filter(|part| seen.insert((Arc::as_ptr(&part.gadget), part.place)));
        let gates: f64 = parts.map(|part| gadget_ns(&part.gadget)).sum();
        let linear = layout.kinds.iter().map(|kind| linear_wires(&kind.parts)).max().unwrap_or(0);
        let digits = layout.kinds.iter().map(|kind| total(&kind.parts).digits).max().unwrap_or(0);
        let per_point = committed as f64 * COLUMN_NS
            + (layout.routed * layout.challenges) as f64 * ROUTED_NS
            + preprocessed as f64 * CONSTANT_NS
            + gates
            + linear as f64 * layout.challenges as f64 * LINEAR_NS
            + digits as f64 * DIGIT_NS
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
        let table = layout.rows() * (committed + layout.routed) * ELEMENT_BYTES;
        let weights = WEIGHT_COPIES * layout.tiles * layout.constants * ELEMENT_BYTES;
        let kept = ((table << RATE_BITS) as f64 * MEMORY_FACTOR) as u64 + weights as u64;
        let streams = kept > STREAMED;
        let memory = if streams { STREAMED_COPIES * table as u64 + weights as u64 } else { kept };
        Self {
            seconds: points * per_point * 1e-9,
            memory,
            streams,
            proof: (layout.scheme.queries() * query + 2 * columns * ELEMENT_BYTES + caps) as u64,
        }
    }

    /// The seconds that it takes at the least to commit to so many cells.
    pub(super) fn seconds_of(cells: usize) -> f64 {
        (cells << RATE_BITS) as f64 * COLUMN_NS * 1e-9
    }

    /// What it takes to evaluate a gadget's constraints and digits at a point, as columns that take as long.
    pub(super) fn columns_of(gadget: &Gadget) -> f64 {
        (gadget_ns(gadget) + gadget.shape().digits as f64 * DIGIT_NS) / COLUMN_NS
    }

    /// What of several layouts the cheapest has least of: seconds, those that it takes to send a proof among them.
    pub fn weight(&self) -> f64 {
        self.seconds + self.proof as f64 * BYTE_SECONDS
    }
}

/// The routed wires up to the last of a linear gadget.
fn linear_wires(parts: &[Part]) -> usize {
    let linear = parts.iter().filter(|part| part.gadget.is_linear());
    linear.map(|part| part.place.routed + part.gadget.shape().routed()).max().unwrap_or(0)
}

/// Nanoseconds per point to evaluate a gadget's constraints, those of linear ones aside: they are evaluated together.
fn gadget_ns(gadget: &Gadget) -> f64 {
    let shape = gadget.shape();
    if gadget.is_linear() {
        return 0.0;
    }
    let products = match gadget {
        Gadget::Conv(conv) => conv.products(),
        _ => 0,
    };
    let share = if shape.degree <= LOW_DEGREE { LOW_DEGREE_SHARE } else { 1.0 };
    share * (shape.constraints as f64 * CONSTRAINT_NS + products as f64 * PRODUCT_NS)
}
