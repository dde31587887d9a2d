//! How sure a proof is: the error of each round of the protocol, in each of three regimes.
//!
//! `docs/security.md` tells the same in words. Here `n` is the number of rows, `N = 8n` the size of the extended domain,
//! `p = 2^64 - 2^32 + 1` the field, `q = p^2` its extension, and `c` the number of challenge sets. A round's error is the
//! probability that a false statement, or a word that is far from the code, is turned into one that may be accepted by the
//! round's challenge alone, whatever the prover sent before. The proof is not interactive: whoever may hash `2^h` times has a
//! chance of about `2^h` times the *greatest* of the errors (Block, Garreta, Katz, Thaler, Tiwari, Zając, "Fiat-Shamir
//! Security of FRI and Related SNARKs", ePrint 2023/1071). So bits of security are the *least* over all rounds.
//!
//! Three papers give most of the formulas: \[BCIKS20\] Ben-Sasson, Carmon, Ishai, Kopparty, Saraf, "Proximity Gaps for
//! Reed-Solomon Codes", ePrint 2020/654; \[H22\] Haböck, "A summary on the FRI low degree test", ePrint 2022/1216; \[BCHKS25\]
//! Ben-Sasson, Carmon, Haböck, Kopparty, Saraf, "On Proximity Gaps for Reed-Solomon Codes", ePrint 2025/2055.

use super::{EXTENSION_DEGREE, Level, MAX_SETS, POW_BITS, QUOTIENT_DEGREE, RATE_BITS, SECURITY_BITS};
use libm::{log2, pow, sqrt};
use serde::Serialize;
use std::fmt;

/// What the error of each round depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soundness {
    /// There are `2^degree_bits` rows.
    pub degree_bits: usize,
    /// Routed wires.
    pub routed: usize,
    /// The most constraints that hold in one row, those of the permutation argument not counted.
    pub constraints: usize,
    /// Challenge sets.
    pub challenges: usize,
    /// Opened values, which the low-degree test takes together: one for each column, and one more for each `Z`.
    pub polynomials: usize,
    /// How the low-degree test folds: bits per step.
    pub folding: Vec<usize>,
    /// Queries of the low-degree test.
    pub queries: usize,
}

/// A round of the protocol: a challenge, or several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// The challenges `beta` and `gamma` of the permutation argument.
    ///
    /// With `R` routed wires, the argument compares two products of `n R` factors that are linear in `beta` and `gamma`. If a
    /// copy constraint is broken, they differ as polynomials, and agree by chance with probability `n R / p` at most (Gabizon,
    /// Williamson, Ciobotaru, "PLONK", ePrint 2019/953, section 5; Schwartz and Zippel), in all sets with `(n R / p)^c`.
    Permutation,
    /// The challenges `alpha`, with powers of which the constraints are batched.
    ///
    /// `T` constraints that do not all hold in some row have a combination that is a polynomial in `alpha` of degree up to
    /// `T - 1`: it vanishes with probability `(T - 1) / p` at most, in all sets with `((T - 1) / p)^c` (\[H22\] theorem 8, "ALI",
    /// for powers of one challenge). `T` counts the constraints of the permutation argument of all sets.
    Constraints,
    /// The opening point `zeta`, in the extension.
    ///
    /// The identity that is checked there is between polynomials of degree up to `9 (n + 1)`; as \[H22\] theorem 8 ("DEEP"), with
    /// constraints of degree 9 and polynomials opened at two points: `(9 (n + 1) + n - 1) / (q - n - N)`.
    OpeningPoint,
    /// The challenge, in the extension, with powers of which `K` opened polynomials are batched before the low-degree test.
    ///
    /// Combinations that are close to the code although the polynomials have no common agreement with it: at most
    /// `(K - 1) gap / q`, where `gap` is `N` by unique decoding (\[BCIKS20\] theorems 1.5 and 6.1: curves of degree `K - 1`), and
    /// `((2 h^5 + 3 h θ ρ) N / (3 ρ^(3/2)) + h / √ρ)` for `h = m + 1/2` within the Johnson radius (\[BCHKS25\] theorems 1.5 and
    /// 4.2). As conjectured, `1 / ε`: see [`Regime::Conjectured`].
    Batching,
    /// The challenge, in the extension, of a fold of the low-degree test; folds are counted from 0.
    ///
    /// A fold by `a` combines `a` words with powers of the challenge, as batching does: `(a - 1) gap / q`. Points at which the
    /// prover folded wrongly before make for weighted agreement, and so the gap is `N + 1` at least by unique decoding, and
    /// `(2 m + 1) (N + 1) / √ρ` at least within the Johnson radius (\[BCIKS20\] theorem 7.2, and 8.3 for the whole test). As
    /// conjectured, `1 / ε`.
    Fold(usize),
    /// The queries of the low-degree test, and the grinding before them.
    ///
    /// `s` queries find no fault of a word that is farther than `θ` from the code with probability `(1 - θ)^s`, and each attempt
    /// takes `2^16` hashes (\[BCIKS20\] theorem 8.3). `1 - θ` is
    /// `(1 + ρ) / 2` by unique decoding; `√ρ (1 + 1/(2m))` within the Johnson radius; and as conjectured `ρ + η`, with
    /// `η = ρ log2(e/ρ) / log2 q`: the distance of random words from the code (Diamond, Gruen, "On the Distribution of the
    /// Distances of Random Words", ePrint 2025/2010, section 1.5), by which no better attack on the test is known; and `ε` more
    /// for the batching and each fold.
    Queries,
}

/// What is assumed of the code, and so how far from it a word must be for the low-degree test to refuse it.
///
/// All rates `ρ` that decide distances are `(n + 2) / N`: opened polynomials are divided by a linear factor, at two points, so
/// that theirs is a slightly larger code than the one that is tested (\[H22\] section 4.1.3 and theorem 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// Words are as far from the code as random ones; and for all but `l / ε` challenges a curve of degree `l` through words has no
    /// word that agrees with the code at more than `ε N` points beyond those where the words themselves do. For any one
    /// codeword on the curve that is so: outside of the common agreement, a point agrees for at most `l` challenges, and `ε N`
    /// such points at once do for at most `l N / (ε N)`. With `ε = 1/N` it is the count of unique decoding. No one has proved it
    /// for all codewords; what was conjectured before, that nothing is lost up to a distance of `1 - ρ`, was refuted in November 2025
    /// (ePrint 2025/2010, 2025/2046, 2025/2055).
    Conjectured,
    /// Proven, up to the radius `1 - √ρ (1 + 1/(2m))` for this `m`. A word may then be close to several codewords, at most
    /// `(m + 1/2) / √ρ`, and what the prover can achieve with one of them it can try with each.
    Johnson(usize),
    /// Proven, up to half the distance of the code, `(1 - ρ) / 2`, where a word is close to one codeword at most.
    UniqueDecoding,
}

/// Bits of security, in each regime.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Security {
    /// As conjectured.
    pub conjectured: f64,
    /// As proven within the Johnson radius.
    pub proven_johnson: f64,
    /// As proven by unique decoding.
    pub proven_unique_decoding: f64,
}

/// The security of one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundSecurity {
    /// The round.
    pub round: Round,
    /// Its security.
    pub security: Security,
}

/// A round that does not reach [`SECURITY_BITS`] in the regime where it has to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortfall {
    /// The round.
    pub round: Round,
    /// The regime.
    pub regime: Regime,
    /// The bits that it reaches.
    pub bits: f64,
}

/// What each combination of words may gain in agreement, as a share of the points, as conjectured: see [`Regime::Conjectured`].
/// A smaller one would be worth more in queries, and less in batching.
const SLACK: f64 = 1.0 / 4096.0;

/// The multiplicities `m` that are tried for the Johnson radius. \[BCHKS25\] asks for three at least; beyond the last there is
/// less than a thousandth of the radius to be gained.
const MULTIPLICITIES: std::ops::RangeInclusive<usize> = 3..=1000;

impl Soundness {
    /// The fewest challenge sets with which the permutation argument and the combined constraints reach [`SECURITY_BITS`]
    /// where a word is close to one codeword; [`MAX_SETS`], if none do. plonky2's usual two stop short of that for circuits
    /// this wide.
    pub fn challenge_sets(degree_bits: usize, routed: usize, constraints: usize) -> usize {
        let reaches = |&challenges: &usize| {
            let soundness =
                Self { degree_bits, routed, constraints, challenges, polynomials: 1, folding: Vec::new(), queries: 0 };
            let bits = |round| soundness.bits(round, Regime::UniqueDecoding);
            bits(Round::Permutation).min(bits(Round::Constraints)) >= SECURITY_BITS as f64
        };
        (1..MAX_SETS).find(reaches).unwrap_or(MAX_SETS)
    }

    /// The rounds, in the order of the protocol.
    pub fn rounds(&self) -> Vec<RoundSecurity> {
        let johnson = self.best_johnson();
        let security = |round| Security {
            conjectured: self.bits(round, Regime::Conjectured),
            proven_johnson: self.bits(round, johnson),
            proven_unique_decoding: self.bits(round, Regime::UniqueDecoding),
        };
        self.sequence().map(|round| RoundSecurity { round, security: security(round) }).collect()
    }

    /// The security of the whole: in each regime the least over all rounds.
    pub fn security(&self) -> Security {
        Security {
            conjectured: self.least(Regime::Conjectured).1,
            proven_johnson: self.least(self.best_johnson()).1,
            proven_unique_decoding: self.least(Regime::UniqueDecoding).1,
        }
    }

    /// The weakest round, if it falls short of what `level` promises.
    pub fn shortfall(&self, level: Level) -> Option<Shortfall> {
        let regime = match level {
            Level::Conjectured => Regime::Conjectured,
            Level::Proven => Regime::UniqueDecoding,
        };
        let (round, bits) = self.least(regime);
        (bits < SECURITY_BITS as f64).then_some(Shortfall { round, regime, bits })
    }

    /// The regime within the Johnson radius whose `m` gives the most bits: a radius closer to the bound makes queries worth
    /// more, and challenges more often exceptional. So the best is where the queries cease to be the weakest round.
    pub fn best_johnson(&self) -> Regime {
        let (mut low, mut high) = MULTIPLICITIES.into_inner();
        while low < high {
            let middle = low.midpoint(high);
            match self.least(Regime::Johnson(middle)).0 {
                Round::Queries => low = middle + 1,
                _ => high = middle,
            }
        }
        let before = Regime::Johnson(low.saturating_sub(1).max(*MULTIPLICITIES.start()));
        let after = Regime::Johnson(low);
        if self.least(before).1 > self.least(after).1 { before } else { after }
    }

    /// The bits of one round: the negative binary logarithm of its error.
    pub fn bits(&self, round: Round, regime: Regime) -> f64 {
        let (rows, sets) = (self.rows(), self.challenges as f64);
        match round {
            Round::Permutation => sets * (field_bits() - log2(rows * self.routed as f64)) - log2(self.list(regime)),
            Round::Constraints => {
                let terms = self.constraints + self.challenges * (1 + self.routed.div_ceil(QUOTIENT_DEGREE));
                sets * (field_bits() - log2((terms - 1) as f64)) - log2(self.list(regime))
            }
            Round::OpeningPoint => {
                let degree = (QUOTIENT_DEGREE + 1) as f64;
                // What is excluded, rows and extended domain, is less than the last digit of the extension's size.
                extension_bits() - log2(degree * (rows + 1.0) + rows - 1.0) - log2(self.list(regime))
            }
            Round::Batching => self.curve_bits(self.polynomials - 1, self.gap(regime)),
            Round::Fold(step) => self.curve_bits((1 << self.folding[step]) - 1, self.fold_gap(regime)),
            Round::Queries => f64::from(POW_BITS) - self.queries as f64 * log2(self.agreement(regime)),
        }
    }

    fn sequence(&self) -> impl Iterator<Item = Round> + use<> {
        let before = [Round::Permutation, Round::Constraints, Round::OpeningPoint, Round::Batching];
        before.into_iter().chain((0..self.folding.len()).map(Round::Fold)).chain([Round::Queries])
    }

    fn least(&self, regime: Regime) -> (Round, f64) {
        let rounds = self.sequence().map(|round| (round, self.bits(round, regime)));
        // There are five rounds at least.
        rounds.min_by(|a, b| a.1.total_cmp(&b.1)).expect("a protocol has rounds")
    }

    /// The bits of a challenge with powers of which, up to `degree`, words are batched: `degree * gap / q`.
    fn curve_bits(&self, degree: usize, gap: f64) -> f64 {
        extension_bits() - log2(degree as f64 * gap)
    }

    /// How many challenges are exceptional for each degree of the curve.
    fn gap(&self, regime: Regime) -> f64 {
        let m = match regime {
            // A gain is of one point at least.
            Regime::Conjectured => return self.domain().min(1.0 / SLACK),
            Regime::UniqueDecoding => return self.domain(),
            Regime::Johnson(m) => m,
        };
        let (rate, h) = (self.rows() / self.domain(), m as f64 + 0.5);
        let radius = 1.0 - self.agreement(regime);
        (2.0 * pow(h, 5.0) + 3.0 * h * radius * rate) * self.domain() / (3.0 * rate * sqrt(rate)) + h / sqrt(rate)
    }

    /// The same for a fold, where agreement is weighted.
    fn fold_gap(&self, regime: Regime) -> f64 {
        let weighted = match regime {
            Regime::Conjectured => return (self.domain() + 1.0).min(1.0 / SLACK),
            Regime::UniqueDecoding => self.domain() + 1.0,
            Regime::Johnson(m) => (self.domain() + 1.0) * (2 * m + 1) as f64 / sqrt(self.rows() / self.domain()),
        };
        self.gap(regime).max(weighted)
    }

    /// The most codewords that a word is close to.
    fn list(&self, regime: Regime) -> f64 {
        match regime {
            Regime::Conjectured | Regime::UniqueDecoding => 1.0,
            Regime::Johnson(m) => (m as f64 + 0.5) / sqrt(self.rate()),
        }
    }

    /// The share of points at which a word that is not close to the code may agree with a codeword, and so the chance that a
    /// query finds no fault.
    fn agreement(&self, regime: Regime) -> f64 {
        let rate = self.rate();
        match regime {
            Regime::Conjectured => {
                let of_random_words = rate * (1.0 + log2(std::f64::consts::E / rate) / extension_bits());
                of_random_words + SLACK * (1 + self.folding.len()) as f64
            }
            Regime::Johnson(m) => sqrt(rate) * (1.0 + 0.5 / m as f64),
            Regime::UniqueDecoding => (1.0 + rate) / 2.0,
        }
    }

    fn rows(&self) -> f64 {
        (1u64 << self.degree_bits) as f64
    }

    fn domain(&self) -> f64 {
        (1u64 << (self.degree_bits + RATE_BITS)) as f64
    }

    /// See [`Regime`].
    fn rate(&self) -> f64 {
        (self.rows() + 2.0) / self.domain()
    }
}

/// A little less than 64.
fn field_bits() -> f64 {
    log2((u64::MAX - u64::from(u32::MAX) + 1) as f64)
}

fn extension_bits() -> f64 {
    EXTENSION_DEGREE as f64 * field_bits()
}

impl Security {
    /// Rounded down to tenths, as figures are printed.
    pub fn in_tenths(self) -> Self {
        Self {
            conjectured: tenths(self.conjectured),
            proven_johnson: tenths(self.proven_johnson),
            proven_unique_decoding: tenths(self.proven_unique_decoding),
        }
    }
}

fn tenths(bits: f64) -> f64 {
    (bits * 10.0).floor() / 10.0
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conjectured, proven_johnson, proven_unique_decoding } = self.in_tenths();
        write!(
            f,
            "{conjectured:.1} bits as conjectured; proven: {proven_johnson:.1} within the Johnson radius, \
             {proven_unique_decoding:.1} by unique decoding"
        )
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permutation => f.write_str("permutation argument"),
            Self::Constraints => f.write_str("combined constraints"),
            Self::OpeningPoint => f.write_str("opening point"),
            Self::Batching => f.write_str("batching of polynomials"),
            Self::Fold(step) => write!(f, "fold {}", step + 1),
            Self::Queries => f.write_str("queries and grinding"),
        }
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conjectured => f.write_str("as conjectured"),
            Self::Johnson(m) => write!(f, "as proven within the Johnson radius (m = {m})"),
            Self::UniqueDecoding => f.write_str("as proven by unique decoding"),
        }
    }
}

#[cfg(test)]
mod tests;
