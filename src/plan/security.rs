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

/// How the low-degree test folds a codeword of `2^degree_bits` coefficients: bits per step.
///
/// With blinding it folds by two, down to as few coefficients as the caps allow, as every value that a query reveals
/// costs blinding rows. Without, it folds by sixteen down to at most 32 coefficients, which is quicker.
pub fn folding(degree_bits: usize, zero_knowledge: bool) -> Vec<usize> {
    let (arity_bits, final_bits) = if zero_knowledge { (1, 0) } else { (4, 5) };
    let mut left = degree_bits;
    let mut steps = Vec::new();
    while left > final_bits && left >= arity_bits && left + RATE_BITS - arity_bits >= CAP_HEIGHT {
        steps.push(arity_bits);
        left -= arity_bits;
    }
    steps
}

/// Rows that hold nothing but randomness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blinding {
    /// Rows with a random value in every wire.
    pub single: usize,
    /// Pairs of rows with equal random values in the routed wires, tied by copy constraints.
    pub pairs: usize,
}

impl Blinding {
    /// What hides the witness in a circuit of `2^degree_bits` rows.
    ///
    /// A proof reveals of every wire polynomial its value at each query, and through the folded codewords at most
    /// `2 Σ (arity - 1) + 2 · final length` base field values a query more; besides, 2 for the opening point (in the
    /// extension), and 2 more for `Z`, which is opened at two points. Each random row makes up for one value of a wire
    /// polynomial, and each random pair for one value of `Z`: the pair's ratio of numerator to denominator is random.
    pub fn for_degree(degree_bits: usize) -> Self {
        let steps = folding(degree_bits, true);
        let folded: usize = steps.iter().map(|bits| (1 << bits) - 1).sum();
        let final_len = 1 << (degree_bits - steps.iter().sum::<usize>());
        let revealed = QUERIES * (1 + EXTENSION_DEGREE * folded + EXTENSION_DEGREE * final_len);
        Self { single: revealed + EXTENSION_DEGREE, pairs: revealed + 2 * EXTENSION_DEGREE }
    }

    /// All of its rows.
    pub fn rows(self) -> usize {
        self.single + 2 * self.pairs
    }
}

/// How many challenge sets the permutation argument and the quotient take.
///
/// One set lets a false copy constraint through with probability up to `rows · routed / 2^64`; sets are independent, so
/// as many are taken as reach [`SECURITY_BITS`]. plonky2's usual two stop short of that for circuits this wide.
pub fn challenges(degree_bits: usize, routed: usize) -> usize {
    SECURITY_BITS.div_ceil(permutation_bits(degree_bits, routed))
}

/// Bits of soundness that one set of permutation challenges gives.
fn permutation_bits(degree_bits: usize, routed: usize) -> usize {
    // The field has a little under 64 bits.
    63_usize.saturating_sub(degree_bits + routed.next_power_of_two().ilog2() as usize).max(1)
}

/// The bits of security of a proof: the least of its soundness terms, in the conjectured regime for the low-degree
/// test (each query gives `RATE_BITS`).
pub fn security_bits(degree_bits: usize, routed: usize, challenges: usize) -> usize {
    let queries = QUERIES * RATE_BITS + POW_BITS as usize;
    let permutation = permutation_bits(degree_bits, routed) * challenges;
    let opening = 127 - (degree_bits + RATE_BITS);
    queries.min(permutation).min(opening)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blinding_of_a_small_circuit_fits_2_to_the_13() {
        // 28 · (1 + 2 · 12 + 2 · 2) = 812 values revealed by queries.
        assert_eq!(Blinding::for_degree(13), Blinding { single: 814, pairs: 816 });
        assert_eq!(Blinding::for_degree(13).rows(), 2446);
    }

    #[test]
    fn folding_stops_at_the_caps() {
        assert_eq!(folding(13, true), [1; 12]);
        assert_eq!(folding(13, false), [4, 4]);
        assert_eq!(folding(3, false), [0; 0]);
    }

    #[test]
    fn every_term_reaches_the_level() {
        for degree_bits in 5..=20 {
            for routed in [80, 512, 1000, 5000] {
                let challenges = challenges(degree_bits, routed);
                assert!(security_bits(degree_bits, routed, challenges) >= SECURITY_BITS);
            }
        }
        assert_eq!(challenges(13, 1000), 3);
    }
}
