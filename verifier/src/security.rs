//! The parameters that security rests on, and the rows that blinding takes.

mod soundness;

pub use soundness::{Regime, Round, RoundSecurity, Security, Shortfall, Soundness};

use crate::gadget::arith::BATCH;
use serde::{Deserialize, Serialize};

/// The bits of security that every round of a proof reaches, in the regime that its scheme names: see [`Level`].
pub const SECURITY_BITS: usize = 100;

/// The code rate is `2^-RATE_BITS`; it also bounds the degree of constraints.
pub const RATE_BITS: usize = 3;

/// The highest degree of the quotient, in multiples of the number of rows.
pub const QUOTIENT_DEGREE: usize = 1 << RATE_BITS;

/// Parts of rows that are of a degree up to this are evaluated on [`LOW_COSETS`] of the [`QUOTIENT_DEGREE`] cosets of the
/// extended domain: times their filter, and divided by what vanishes at the rows, they have few enough coefficients.
pub const LOW_DEGREE: usize = 2;

/// See [`LOW_DEGREE`].
pub const LOW_COSETS: usize = 2;

/// Bits of grinding.
pub const POW_BITS: u32 = 16;

/// Height of the Merkle caps.
pub const CAP_HEIGHT: usize = 4;

/// Degree of the extension that opening points are drawn from.
const EXTENSION_DEGREE: usize = 2;

/// The hash of the Merkle trees and the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashKind {
    /// BLAKE3: by far the fastest to prove with.
    Blake3,
    /// Poseidon: for proofs that are to be verified inside a circuit.
    Poseidon,
}

/// In which regime every round of a proof reaches [`SECURITY_BITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// In the conjectured regime.
    Conjectured,
    /// In the regime of unique decoding, which rests on no conjecture. It takes more than three times as many queries.
    Proven,
}

/// How proofs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheme {
    /// Whether they hide the witness.
    pub zero_knowledge: bool,
    /// What they hash with.
    pub hash: HashKind,
    /// How secure they are.
    pub level: Level,
}

impl Default for Scheme {
    fn default() -> Self {
        Self { zero_knowledge: true, hash: HashKind::Blake3, level: Level::Conjectured }
    }
}

impl Scheme {
    /// Queries of the low-degree test: the fewest that reach [`SECURITY_BITS`] together with the grinding, whatever the number
    /// of rows. Each is worth 2.95 bits as conjectured, and 0.83 bits as proven by unique decoding: see [`Round::Queries`].
    pub const fn queries(self) -> usize {
        match self.level {
            Level::Conjectured => 29,
            Level::Proven => 102,
        }
    }

    /// How the low-degree test folds a codeword of `2^degree_bits` coefficients: bits per step. It folds by sixteen down
    /// to at most 32 coefficients.
    pub fn folding(self, degree_bits: usize) -> Vec<usize> {
        const ARITY_BITS: usize = 4;
        const FINAL_BITS: usize = 5;
        let mut left = degree_bits;
        let mut steps = Vec::new();
        while left > FINAL_BITS && left + RATE_BITS - ARITY_BITS >= CAP_HEIGHT {
            steps.push(ARITY_BITS);
            left -= ARITY_BITS;
        }
        steps
    }

    /// The rows that hide the witness.
    ///
    /// Each single row has a random value in every wire, and makes up for one disclosed value of each wire polynomial.
    /// Each chained row makes one value of every partial product random, and one value of `Z` in the row after it, which
    /// is why there is one more. [`SEAM_MARGIN`] more make the ratios of several challenge sets jointly random. What the
    /// folded codewords disclose is random by [`Scheme::mask_wires`], and so are the chunks of the quotient.
    pub fn blinding(self) -> Blinding {
        if !self.zero_knowledge {
            return Blinding::default();
        }
        let told = |oracle: Oracle| oracle.disclosed().values(self.queries());
        let products = told(Oracle::Z).max(told(Oracle::PartialProducts));
        Blinding { single: told(Oracle::Wires), chained: products + SEAM_MARGIN + 1 }
    }

    /// Whether proofs with so many challenge sets hide what they are to hide.
    pub fn can_blind(self, challenges: usize) -> bool {
        !self.zero_knowledge || challenges <= MAX_BLINDED_SETS
    }

    /// Columns that are random in all rows: one for each quotient, and so there are as many as challenge sets, and then
    /// [`CODEWORD_MASKS`].
    pub fn mask_wires(self, challenges: usize) -> usize {
        if self.zero_knowledge { challenges + CODEWORD_MASKS } else { 0 }
    }

    /// The fewest rows: a batch, which is evaluated at once; and a mask must have [`QUOTIENT_DEGREE`] parts, each of as many
    /// coefficients as values of a chunk of the quotient are disclosed.
    pub fn min_degree_bits(self) -> usize {
        let masked = if self.zero_knowledge {
            QUOTIENT_DEGREE * Oracle::QuotientChunks.disclosed().values(self.queries())
        } else {
            0
        };
        masked.max(BATCH).next_power_of_two().ilog2() as usize
    }
}

/// The polynomials that depend on the witness, by the commitment they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// The wires.
    Wires,
    /// `Z` of each challenge set.
    Z,
    /// The partial products of each challenge set.
    PartialProducts,
    /// The chunks of the quotient of each challenge set.
    QuotientChunks,
}

impl Oracle {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wires, Self::Z, Self::PartialProducts, Self::QuotientChunks];

    /// What a proof tells of each polynomial, whether it opens it or whether it follows from what is opened. All that
    /// hides the witness is counted by this list; `docs/zero-knowledge.md` has the argument that it is complete.
    ///
    /// `x` is the point of a query, `zeta` the opening point, and `g` the generator of the rows.
    pub const fn disclosed(self) -> Disclosed {
        match self {
            // Opened at x and at zeta.
            Self::Wires | Self::PartialProducts | Self::QuotientChunks => Disclosed { per_query: 1, openings: 1 },
            // Opened at x, zeta and g·zeta. At a query all chunks of the quotients are opened too, and each equation
            // between them and the constraints has no other unknown than Z at g·x: so that is told.
            Self::Z => Disclosed { per_query: 2, openings: 2 },
        }
    }
}

/// At how many points a proof tells the value of a polynomial over the base field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// Points in the base field, for each query.
    pub per_query: usize,
    /// Points in the extension.
    pub openings: usize,
}

impl Disclosed {
    /// The values in the base field, where a proof has so many queries. A value at a point of the extension is worth
    /// two of them.
    pub const fn values(self, queries: usize) -> usize {
        self.per_query * queries + self.openings * EXTENSION_DEGREE
    }
}

/// Chained rows beyond as many as there are disclosed values of `Z`.
///
/// A seam multiplies by a ratio that is uniformly random for one challenge set, and close to it for up to
/// [`MAX_BLINDED_SETS`] together: with three sets within some `2^-30`. With four rows to spare all disclosed values together
/// are within `2^-120` of uniformly random, for up to 102 queries; with three they would be within `2^-99`. See
/// `docs/zero-knowledge.md`.
pub const SEAM_MARGIN: usize = 4;

/// With more challenge sets than this, the four wires of a seam do not make the ratios of all sets jointly random.
pub const MAX_BLINDED_SETS: usize = 3;

/// Columns that mask the codeword of the low-degree test, which is over the extension.
pub const CODEWORD_MASKS: usize = EXTENSION_DEGREE;

/// Rows that hold nothing but randomness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blinding {
    /// Rows with a random value in every wire.
    pub single: usize,
    /// Rows in which the wires at the seams between chunks of the permutation argument are tied: the last wires of each
    /// chunk to the first ones of the next, from row to row.
    pub chained: usize,
}

impl Blinding {
    /// All of its rows.
    pub fn rows(self) -> usize {
        self.single + self.chained
    }
}

/// More challenge sets than this are never taken.
pub const MAX_SETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const BLINDED: Scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, level: Level::Conjectured };
    const OPEN: Scheme = Scheme { zero_knowledge: false, ..BLINDED };
    const PROVEN: Scheme = Scheme { level: Level::Proven, ..BLINDED };

    #[test]
    fn blinding_makes_up_for_what_is_opened() {
        assert_eq!(BLINDED.blinding(), Blinding { single: 29 + 2, chained: 2 * (29 + 2) + 4 + 1 });
        assert_eq!(PROVEN.blinding(), Blinding { single: 102 + 2, chained: 2 * (102 + 2) + 4 + 1 });
        assert_eq!((BLINDED.mask_wires(3), PROVEN.mask_wires(3)), (5, 5));
        assert_eq!((BLINDED.min_degree_bits(), OPEN.min_degree_bits(), PROVEN.min_degree_bits()), (8, 6, 10));
        assert_eq!((OPEN.blinding().rows(), OPEN.mask_wires(3)), (0, 0));
    }

    #[test]
    fn more_sets_than_a_seam_has_room_for_are_refused() {
        assert_eq!(Soundness::challenge_sets(20, 1 << 11, 1000), 4);
        assert!(!BLINDED.can_blind(4) && BLINDED.can_blind(3) && OPEN.can_blind(4));
    }

    #[test]
    fn folding_stops_at_the_caps() {
        assert_eq!(BLINDED.folding(13), [4, 4]);
        assert_eq!(BLINDED.folding(6), [4]);
        assert_eq!(OPEN.folding(3), [0; 0]);
    }
}
