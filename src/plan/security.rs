//! The parameters that security rests on, and the rows that blinding takes.

use serde::{Deserialize, Serialize};

/// The security level, in bits, that every term of the proof's soundness reaches.
pub const SECURITY_BITS: usize = 100;

/// The code rate is `2^-RATE_BITS`; it also bounds the degree of constraints.
pub const RATE_BITS: usize = 3;

/// The highest degree of the quotient, in multiples of the number of rows.
pub const QUOTIENT_DEGREE: usize = 1 << RATE_BITS;

/// Queries of the low-degree test: three bits each, with the grinding 100.
pub const QUERIES: usize = 28;

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

/// How proofs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheme {
    /// Whether they hide the witness.
    pub zero_knowledge: bool,
    /// What they hash with.
    pub hash: HashKind,
}

impl Scheme {
    /// How the low-degree test folds a codeword of `2^degree_bits` coefficients: bits per step.
    ///
    /// Without blinding it folds by sixteen down to at most 32 coefficients, which is quick. With it, it folds down to
    /// as few coefficients as the caps allow, and by two, as every value that a query reveals costs blinding rows. With
    /// Poseidon it folds by four: plonky2 does not hash leaves of two extension elements, so that those of neighbours
    /// would be revealed with every Merkle path; those of four it hashes.
    pub fn folding(self, degree_bits: usize) -> Vec<usize> {
        let (arity_bits, final_bits) = match (self.zero_knowledge, self.hash) {
            (false, _) => (4, 5),
            (true, HashKind::Blake3) => (1, 0),
            (true, HashKind::Poseidon) => (2, 0),
        };
        let mut left = degree_bits;
        let mut steps = Vec::new();
        while left > final_bits && left >= arity_bits && left + RATE_BITS - arity_bits >= CAP_HEIGHT {
            steps.push(arity_bits);
            left -= arity_bits;
        }
        steps
    }

    /// What hides the witness in a circuit of `2^degree_bits` rows.
    ///
    /// A proof reveals of every wire polynomial its value at each query, and through the folded codewords at most
    /// `2 Σ (arity - 1) + 2 · final length` base field values a query more; besides, 2 for the opening point (in the
    /// extension), and 2 more for `Z`, which is opened at two points. Each random row makes up for one value of a wire
    /// polynomial, and each random pair for one value of `Z`: the pair's ratio of numerator to denominator is random.
    pub fn blinding(self, degree_bits: usize) -> Blinding {
        if !self.zero_knowledge {
            return Blinding::default();
        }
        let steps = self.folding(degree_bits);
        let folded: usize = steps.iter().map(|bits| (1 << bits) - 1).sum();
        let final_len = 1 << (degree_bits - steps.iter().sum::<usize>());
        let revealed = QUERIES * (1 + EXTENSION_DEGREE * folded + EXTENSION_DEGREE * final_len);
        Blinding { single: revealed + EXTENSION_DEGREE, pairs: revealed + 2 * EXTENSION_DEGREE }
    }
}

/// Rows that hold nothing but randomness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blinding {
    /// Rows with a random value in every wire.
    pub single: usize,
    /// Pairs of rows with equal random values in the routed wires, tied by copy constraints.
    pub pairs: usize,
}

impl Blinding {
    /// All of its rows.
    pub fn rows(self) -> usize {
        self.single + 2 * self.pairs
    }
}

/// What the soundness of the permutation argument and of the combined constraints depends on.
#[derive(Clone, Copy, Debug)]
pub struct Soundness {
    /// There are `2^degree_bits` rows.
    pub degree_bits: usize,
    /// Routed wires.
    pub routed: usize,
    /// The constraints of the gate that has most.
    pub constraints: usize,
}

impl Soundness {
    /// How many challenge sets are taken: independent as they are, as many as reach [`SECURITY_BITS`] together. plonky2's
    /// usual two stop short of that for circuits this wide.
    pub fn challenges(self) -> usize {
        SECURITY_BITS.div_ceil(self.bits_per_set())
    }

    /// The bits of security of a proof with that many sets: the least of its terms, where each query of the low-degree
    /// test is taken to give [`RATE_BITS`], which is conjectured.
    pub fn security_bits(self) -> usize {
        let queries = QUERIES * RATE_BITS + POW_BITS as usize;
        let opening = EXTENSION_DEGREE * FIELD_BITS - (self.degree_bits + RATE_BITS);
        queries.min(self.bits_per_set() * self.challenges()).min(opening)
    }

    /// One set lets a false copy constraint through with probability up to `rows · routed / p`, and a false constraint
    /// with up to `terms / p`, where the terms are the gate's constraints and those of the permutation argument.
    fn bits_per_set(self) -> usize {
        let log = |n: usize| n.next_power_of_two().ilog2() as usize;
        let permutation = self.degree_bits + log(self.routed);
        let terms = log(self.constraints + MAX_SETS * (self.routed / QUOTIENT_DEGREE + 2));
        FIELD_BITS.saturating_sub(permutation.max(terms)).max(1)
    }
}

/// The field has a little under 64 bits.
const FIELD_BITS: usize = 63;

/// More challenge sets than this are never taken.
const MAX_SETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const BLINDED: Scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3 };
    const OPEN: Scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3 };

    #[test]
    fn blinding_of_a_small_circuit_fits_2_to_the_13() {
        // 28 · (1 + 2 · 12 + 2 · 2) = 812 values revealed by queries.
        assert_eq!(BLINDED.blinding(13), Blinding { single: 814, pairs: 816 });
        assert_eq!(BLINDED.blinding(13).rows(), 2446);
    }

    #[test]
    fn folding_stops_at_the_caps() {
        assert_eq!(BLINDED.folding(13), [1; 12]);
        assert_eq!(OPEN.folding(13), [4, 4]);
        assert_eq!(OPEN.folding(3), [0; 0]);
    }

    /// A gate's degree-2 leaves would be raw with Poseidon.
    #[test]
    fn poseidon_folds_by_four() {
        let poseidon = Scheme { hash: HashKind::Poseidon, ..BLINDED };
        assert_eq!(poseidon.folding(13), [2; 6]);
        assert_eq!(poseidon.blinding(13).single, 28 * (1 + 2 * 18 + 2 * 2) + 2);
    }

    #[test]
    fn every_term_reaches_the_level() {
        for degree_bits in 5..=20 {
            for routed in [80, 512, 1000, 5000] {
                for constraints in [100, 1000, 60_000] {
                    let soundness = Soundness { degree_bits, routed, constraints };
                    assert!(soundness.security_bits() >= SECURITY_BITS);
                    assert!(soundness.challenges() <= MAX_SETS);
                }
            }
        }
        assert_eq!(Soundness { degree_bits: 13, routed: 1000, constraints: 1000 }.challenges(), 3);
    }
}
