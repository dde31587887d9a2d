//! Integers whose quotients are rounded as floats of 32 bits are, found for a requantize, which multiplies by an integer, shifts,
//! and rounds halves up.
//!
//! What other tools compute of a sum `x` is `round(x · m)` for a float `m`, or `round(x · m / d)`, where the product is rounded to a
//! float, the quotient too, and then to the nearest integer, of two equally near ones to the even one. The result is a function of
//! `x` that steps up by one at as many integers as there are results, and a requantize that steps at the same integers is that
//! function.

use std::collections::HashMap;

/// What a requantize is to have, channel by channel, and the bits that it shifts by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Multipliers {
    pub(super) shift: u32,
    pub(super) multipliers: Vec<i64>,
}

/// How the results of one operation come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rounding {
    /// By one requantize.
    Nearest(Multipliers),
    /// By two, of which one is right about the even results, and the other about the odd ones: `max(odd, 2 floor(even / 2))`.
    Even { even: Vec<Piece>, odd: Vec<Piece> },
}

/// A requantize of results in a range, of sums times `2^bits` and an offset. The results of pieces one after the other, each as
/// far as it is above the least of its range, add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The least and the greatest result.
    pub(super) results: (i64, i64),
    pub(super) bits: u32,
    /// For each channel what is added to the sums times `2^bits`.
    pub(super) offsets: Vec<i64>,
    pub(super) by: Multipliers,
}

/// What is known of a channel: the floats that its sums are multiplied by, and divided by, and the interval that they lie in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    pub(super) multiplier: f32,
    pub(super) divisor: f32,
    pub(super) sums: (i64, i64),
}

/// The most bits that a multiplier is shifted by.
const MOST_SHIFT: u32 = 56;

/// What products and the half that rounds may reach, as a requantize has room.
const MOST_PRODUCT: i128 = 1 << 60;

/// More than any multiplier has to be.
const ENDLESS: i128 = 1 << 100;

/// By how many bits sums are multiplied, at most, to be told from halves.
const MOST_BITS: u32 = 6;

/// From which part of the sums on, one in so many, halves are the rule of a channel: other products are within half a unit of a
/// float of 32 bits of a half.
const RARE: i64 = 50_000;

/// Up to so many results halves are given what it takes. Of types with more, floats of 32 bits have few digits left.
const MOST_EVEN: i64 = 1 << 10;

/// The rounding that gives, for all sums of all channels, what floats give, held within `lo..=hi`; or nothing if there is none.
///
/// Where so many sums are multiplied that some products come as near to a half as floats tell numbers apart, and no requantize
/// rounds these as floats do, it rounds the exact product: it is then one off for fewer than one sum in [`RARE`], or, of more than
/// [`MOST_EVEN`] results, wherever floats have no digits left to tell.
pub(super) fn rounding(channels: &[Channel], ends: (i64, i64)) -> Option<Rounding> {
    // Often all channels are alike.
    let mut kinds: Vec<Channel> = Vec::new();
    let mut kind_of = Vec::new();
    let mut known: HashMap<(u32, u32, (i64, i64)), usize> = HashMap::new();
    for channel in channels {
        let key = (channel.multiplier.to_bits(), channel.divisor.to_bits(), channel.sums);
        kind_of.push(*known.entry(key).or_insert_with(|| {
            kinds.push(*channel);
            kinds.len() - 1
        }));
    }
    let each = |of_kinds: &[i64]| kind_of.iter().map(|&kind| of_kinds[kind]).collect();
    let spread = |by: Multipliers| Multipliers { multipliers: each(&by.multipliers), ..by };
    let piece = |piece: Piece| Piece { offsets: each(&piece.offsets), by: spread(piece.by), ..piece };
    Some(match of_kinds(&kinds, ends)? {
        Rounding::Nearest(by) => Rounding::Nearest(spread(by)),
        Rounding::Even { even, odd } => {
            Rounding::Even { even: even.into_iter().map(piece).collect(), odd: odd.into_iter().map(piece).collect() }
        }
    })
}

fn of_kinds(channels: &[Channel], (lo, hi): (i64, i64)) -> Option<Rounding> {
    let all: Vec<Stepped> = channels.iter().map(|channel| Stepped::of(*channel, lo, hi)).collect();
    let straight = Line { bits: 0, offset: 0 };
    let is_exact =
        |stepped: &Stepped| straight.least_shift(&stepped.limits(Step::even, (lo, hi)), stepped.sums).is_some();
    let is_exact: Vec<bool> = all.iter().map(is_exact).collect();
    let needs_even = all.iter().zip(&is_exact).any(|(stepped, is_exact)| !is_exact && stepped.has_halves());
    if needs_even && hi - lo < MOST_EVEN {
        let [even, odd] = [Step::as_even, Step::as_odd].map(|limit| pieces(&all, limit, (lo, hi)));
        return Some(Rounding::Even { even: even?, odd: odd? });
    }
    let limits = all.iter().zip(is_exact).map(|(stepped, is_exact)| {
        let limit = if is_exact { Step::even } else { Step::either };
        Limits { line: straight, limits: stepped.limits(limit, (lo, hi)), sums: stepped.sums }
    });
    multipliers(&limits.collect::<Vec<_>>()).map(Rounding::Nearest)
}

/// As few pieces as there must be, from the least result to the greatest.
fn pieces(all: &[Stepped], limit: fn(Step) -> Limit, (lo, hi): (i64, i64)) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    while let Some(from) = pieces.last().map_or(Some(lo), |last| Some(last.results.1).filter(|end| *end < hi)) {
        // A piece that ends earlier has fewer limits.
        let (mut to, mut beyond) = (from, hi + 1);
        let mut longest = None;
        while to + 1 < beyond {
            // Most often there is no more than one.
            let end = if beyond > hi { hi } else { to.midpoint(beyond) };
            match piece(all, limit, (from, end)) {
                Some(piece) => (to, longest) = (end, Some(piece)),
                None => beyond = end,
            }
        }
        pieces.push(longest?);
    }
    Some(pieces)
}

/// The piece with results in a range, if there is one, with sums multiplied by as few bits as will do.
fn piece(all: &[Stepped], limit: fn(Step) -> Limit, results: (i64, i64)) -> Option<Piece> {
    let of_bits = |bits: u32| {
        let of_channel = |stepped: &Stepped| {
            let (strict, close) = (stepped.limits(limit, results), stepped.limits(Step::either, results));
            let mut offsets = (0..1 << bits).flat_map(|offset| [offset, -offset]);
            let line = offsets.find_map(|offset| {
                let line = Line { bits, offset };
                line.multipliers(&strict, stepped.sums, MOST_SHIFT).map(|_| line)
            });
            match line {
                Some(line) => Some(Limits { line, limits: strict, sums: stepped.sums }),
                None if stepped.has_halves() => None,
                None => Some(Limits { line: Line { bits, offset: 0 }, limits: close, sums: stepped.sums }),
            }
        };
        let limits = all.iter().map(of_channel).collect::<Option<Vec<Limits>>>()?;
        let offsets = limits.iter().map(|limits| limits.line.offset).collect();
        Some(Piece { results, bits, offsets, by: multipliers(&limits)? })
    };
    (0..=MOST_BITS).find_map(of_bits)
}

/// What a requantize has to do about a channel.
struct Limits {
    line: Line,
    limits: Vec<Limit>,
    sums: (i64, i64),
}

/// The shortest shift with which there are multipliers for all channels, and these.
fn multipliers(channels: &[Limits]) -> Option<Multipliers> {
    let shift = |Limits { line, limits, sums }: &Limits| line.least_shift(limits, *sums);
    let shift = channels.iter().map(shift).try_fold(1, |longest, shift| Some(shift?.max(longest)))?;
    let multiplier = |Limits { line, limits, sums }: &Limits| {
        let (least, most) = line.multipliers(limits, *sums, shift)?;
        // Without an end above, some channel is at one end of the results.
        let multiplier = if most == ENDLESS { least } else { least + (most - least) / 2 };
        let reach = line.at(sums.0).abs().max(line.at(sums.1).abs());
        let fits = reach.checked_mul(multiplier)? + (1 << (shift - 1)) <= MOST_PRODUCT;
        if fits { i64::try_from(multiplier).ok() } else { None }
    };
    Some(Multipliers { shift, multipliers: channels.iter().map(multiplier).collect::<Option<Vec<i64>>>()? })
}

/// A channel, and where its results step.
struct Stepped {
    sums: (i64, i64),
    ends: (i64, i64),
    /// In order, a step up to each result, and one more, beyond which sums saturate.
    steps: Vec<Step>,
}

impl Stepped {
    fn of(channel: Channel, lo: i64, hi: i64) -> Self {
        Self { sums: channel.sums, ends: (lo, hi), steps: channel.steps(lo, hi) }
    }

    /// Whether so many products are halves, as floats tell, that it can't be by chance.
    fn has_halves(&self) -> bool {
        let halves: i64 = self.steps.iter().map(|step| step.down - step.up).sum();
        halves.saturating_mul(RARE) > self.sums.1 - self.sums.0
    }

    /// A limit for each step up to results in a range but the least, and at an end of all results for the step beyond it, for the
    /// sums that there are.
    fn limits(&self, limit: fn(Step) -> Limit, (lo, hi): (i64, i64)) -> Vec<Limit> {
        let from = lo + i64::from(lo > self.ends.0);
        let to = hi + i64::from(hi == self.ends.1);
        let within =
            |limit: Limit| Limit { pass: limit.pass.max(self.sums.0), fail: limit.fail.min(self.sums.1), ..limit };
        self.steps.iter().filter(|step| (from..=to).contains(&step.to)).map(|&step| within(limit(step))).collect()
    }
}

/// Where results step up to an integer.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The result that it steps up to.
    to: i64,
    /// The least sum that gives it or more where halves are rounded up.
    up: i64,
    /// The same where they are rounded down.
    down: i64,
}

/// What a requantize has to do about a step: sums from `pass` on give the result or more, sums up to `fail` less.
#[derive(Debug, Clone, Copy)]
struct Limit {
    to: i64,
    pass: i64,
    fail: i64,
}

impl Step {
    fn at(self, sum: i64) -> Limit {
        Limit { to: self.to, pass: sum, fail: sum - 1 }
    }

    fn even(self) -> Limit {
        self.at(if self.to % 2 == 0 { self.up } else { self.down })
    }

    /// What is to be right about even results, which halves are rounded up to.
    fn as_even(self) -> Limit {
        if self.to % 2 == 0 { self.at(self.up) } else { Limit { to: self.to, pass: i64::MAX, fail: i64::MIN } }
    }

    /// What is to be right about odd results, which halves are not rounded up to; even ones may come late, but not early.
    fn as_odd(self) -> Limit {
        if self.to % 2 == 0 { Limit { pass: i64::MAX, ..self.at(self.up) } } else { self.at(self.down) }
    }

    /// Whatever becomes of halves.
    fn either(self) -> Limit {
        Limit { to: self.to, pass: self.down, fail: self.up - 1 }
    }
}

impl Channel {
    /// All steps up to results from `lo` to `hi`, and that beyond.
    fn steps(self, lo: i64, hi: i64) -> Vec<Step> {
        let step = |to: i64| {
            // A float, as `to` has 24 bits at most; beyond that numbers are no halves.
            let half = (to as f64 - 0.5) as f32;
            let product = |sum: i64| sum as f32 * self.multiplier / self.divisor;
            let first = |passes: &dyn Fn(i64) -> bool| self.first(half, passes);
            Step { to, up: first(&|sum| product(sum) >= half), down: first(&|sum| product(sum) > half) }
        };
        (lo..=hi + 1).map(step).collect()
    }

    /// The least of the sums that passes, which all greater ones do; one more than the greatest if none does.
    fn first(self, half: f32, passes: &dyn Fn(i64) -> bool) -> i64 {
        let (least, end) = (self.sums.0, self.sums.1 + 1);
        // Near where the exact product is that number; floats are some 2^-23 of it off.
        let near = f64::from(half) * f64::from(self.divisor) / f64::from(self.multiplier);
        let reach = near.abs() * 2f64.powi(-20) + 2.0;
        // Casts saturate.
        let (mut from, mut to) = (((near - reach) as i64).clamp(least, end), ((near + reach) as i64).clamp(least, end));
        if from > least && passes(from - 1) || to < end && !passes(to) {
            (from, to) = (least, end);
        }
        while from < to {
            let middle = from + (to - from) / 2;
            (from, to) = if passes(middle) { (from, middle) } else { (middle + 1, to) };
        }
        from
    }
}

/// What is multiplied: sums times `2^bits`, and an offset.
#[derive(Debug, Clone, Copy)]
struct Line {
    bits: u32,
    offset: i64,
}

impl Line {
    fn at(self, sum: i64) -> i128 {
        (i128::from(sum) << self.bits) + i128::from(self.offset)
    }

    /// The shortest shift with which there is a multiplier; any longer one has the same, doubled.
    fn least_shift(self, limits: &[Limit], sums: (i64, i64)) -> Option<u32> {
        let fits = |shift: u32| self.multipliers(limits, sums, shift).is_some();
        if !fits(MOST_SHIFT) {
            return None;
        }
        let (mut from, mut to) = (1, MOST_SHIFT);
        while from < to {
            let middle = from.midpoint(to);
            (from, to) = if fits(middle) { (from, middle) } else { (middle + 1, to) };
        }
        Some(from)
    }

    /// The least and the greatest multiplier with which a requantize with such a shift keeps all limits of a channel with such sums.
    fn multipliers(self, limits: &[Limit], (lo, hi): (i64, i64), shift: u32) -> Option<(i128, i128)> {
        let (mut least, mut most) = (0, ENDLESS);
        for limit in limits {
            // With a multiplier `m`, `x` passes where `x m >= half`.
            let half = i128::from(2 * limit.to - 1) << (shift - 1);
            if limit.pass <= hi {
                match self.at(limit.pass) {
                    0 if half > 0 => return None,
                    0 => {}
                    x if x > 0 => least = least.max(-(-half).div_euclid(x)),
                    x => most = most.min((-half).div_euclid(-x)),
                }
            }
            if limit.fail >= lo {
                match self.at(limit.fail) {
                    0 if half <= 0 => return None,
                    0 => {}
                    x if x > 0 => most = most.min(-(-half).div_euclid(x) - 1),
                    x => least = least.max((-half).div_euclid(-x) + 1),
                }
            }
        }
        (least <= most).then_some((least, most))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the runtime computes, from its definition.
    fn expected(sum: i64, multiplier: f32, (lo, hi): (i64, i64)) -> i64 {
        ((sum as f32 * multiplier).round_ties_even() as i64).clamp(lo, hi)
    }

    fn quotient(by: &Multipliers, x: i64, channel: usize, (lo, hi): (i64, i64)) -> i64 {
        let dividend = i128::from(x) * i128::from(by.multipliers[channel]) + (1 << (by.shift - 1));
        ((dividend >> by.shift) as i64).clamp(lo, hi)
    }

    /// What the operations for a rounding compute.
    fn result(rounding: &Rounding, sum: i64, channel: usize, ends: (i64, i64)) -> i64 {
        match rounding {
            Rounding::Nearest(by) => quotient(by, sum, channel, ends),
            Rounding::Even { even, odd } => {
                let piece = |piece: &Piece| {
                    let x = (sum << piece.bits) + piece.offsets[channel];
                    quotient(&piece.by, x, channel, piece.results) - piece.results.0
                };
                let all = |pieces: &[Piece]| ends.0 + pieces.iter().map(piece).sum::<i64>();
                all(odd).max(2 * all(even).div_euclid(2))
            }
        }
    }

    /// Whether a sum is told as saturated: by the lines that are right about the step to the least result, and beyond the greatest.
    fn saturates(rounding: &Rounding, sum: i64, channel: usize, (lo, hi): (i64, i64)) -> [bool; 2] {
        let wide = (i64::MIN, i64::MAX);
        let at = |piece: &Piece| quotient(&piece.by, (sum << piece.bits) + piece.offsets[channel], channel, wide);
        match rounding {
            Rounding::Nearest(by) => [quotient(by, sum, channel, wide) < lo, quotient(by, sum, channel, wide) > hi],
            Rounding::Even { even, odd } => {
                let of_lo = if lo % 2 == 0 { even } else { odd };
                let of_hi = if hi % 2 == 0 { odd } else { even };
                [at(&of_lo[0]) < lo, at(&of_hi[of_hi.len() - 1]) > hi]
            }
        }
    }

    /// The rounding, and for how many sums of all it differs from the runtime's.
    fn compared(multipliers: &[f32], sums: (i64, i64), ends: (i64, i64)) -> (Rounding, usize) {
        let channels: Vec<Channel> =
            multipliers.iter().map(|&multiplier| Channel { multiplier, divisor: 1.0, sums }).collect();
        let rounding = rounding(&channels, ends).unwrap();
        let wide = (i64::MIN, i64::MAX);
        let beyond = |sum: i64, channel: usize| {
            let result = expected(sum, multipliers[channel], wide);
            [result < ends.0, result > ends.1]
        };
        let differs = |channel: usize| {
            let is_other = |sum: &i64| {
                result(&rounding, *sum, channel, ends) != expected(*sum, multipliers[channel], ends)
                    || saturates(&rounding, *sum, channel, ends) != beyond(*sum, channel)
            };
            (sums.0..=sums.1).filter(is_other).count()
        };
        let different = (0..multipliers.len()).map(differs).sum();
        (rounding, different)
    }

    #[test]
    fn scales_that_are_round_numbers_give_halves_that_are_rounded_to_even() {
        for multiplier in [0.5, 0.25, 0.1, 0.3, 1.0 / 3.0, 1.0 / 6.0, 1.5, 0.05, 0.02 * 0.01 / 0.05] {
            for ends in [(-128, 127), (0, 255), (-127, 127), (3, 9), (-7, -2), (0, 0)] {
                let (_, different) = compared(&[multiplier, 0.75], (-2000, 3000), ends);
                assert_eq!(different, 0, "{multiplier} {ends:?}");
            }
        }
        let (rounding, _) = compared(&[0.1], (-2000, 2000), (-128, 127));
        assert!(matches!(rounding, Rounding::Even { even, odd } if (even.len(), odd.len()) == (1, 1)));
    }

    #[test]
    fn one_requantize_does_where_there_are_no_halves() {
        let (rounding, different) = compared(&[1.0, 2.0, 0.007_812_33], (-20_000, 20_000), (-128, 127));
        assert!(matches!(rounding, Rounding::Nearest(_)));
        assert_eq!(different, 0);
        // A tensor that is at this scale already takes no digit of a remainder but one.
        assert_eq!(
            compared(&[1.0], (0, 255), (0, 255)).0,
            Rounding::Nearest(Multipliers { shift: 1, multipliers: vec![2] })
        );
    }

    #[test]
    fn sums_of_which_there_are_many_differ_seldom() {
        let (_, different) = compared(&[0.000_436_789, 0.000_512_345], (-300_000, 300_000), (-128, 127));
        assert!(different <= 20, "{different}");
    }

    #[test]
    fn channels_that_are_alike_have_the_same_and_others_their_own() {
        let (rounding, different) = compared(&[0.1, 0.7, 0.1, 0.3], (-900, 900), (-128, 127));
        assert_eq!(different, 0);
        let Rounding::Even { even, .. } = rounding else { panic!("{rounding:?}") };
        let multipliers = &even[0].by.multipliers;
        assert_eq!((multipliers.len(), multipliers[0]), (4, multipliers[2]));
    }

    /// Products of 16 bits leave a float 8 for the fraction, so many are halves by chance; no result is farther off than by one.
    #[test]
    fn results_of_16_bits_are_the_nearest() {
        let sums = (-30_000, 30_000);
        let channels = [Channel { multiplier: 1.0123, divisor: 1.0, sums }];
        let ends = (-32_768, 32_767);
        let rounding = rounding(&channels, ends).unwrap();
        for sum in sums.0..=sums.1 {
            assert!((result(&rounding, sum, 0, ends) - expected(sum, 1.0123, ends)).abs() <= 1);
        }
    }

    #[test]
    fn a_multiplier_without_any_digit_left_is_refused_or_gives_zero() {
        for multiplier in [0.0, f32::MIN_POSITIVE, 1e30] {
            let (_, different) = compared(&[multiplier], (-50, 50), (-128, 127));
            assert_eq!(different, 0, "{multiplier}");
        }
    }

    proptest! {
        #[test]
        fn results_are_the_runtimes(
            multiplier in prop_oneof![1e-3f32..1.0, (1i32..40, 1i32..40).prop_map(|(a, b)| a as f32 / b as f32)],
            lo in -3000i64..100, length in 1i64..5000,
            ends in (-130i64..=3, 0i64..=255)
        ) {
            let ends = (ends.0.min(ends.1), ends.1);
            let (_, different) = compared(&[multiplier], (lo, lo + length), ends);
            prop_assert_eq!(different, 0);
        }
    }
}
