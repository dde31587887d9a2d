//! Requantization: integers at one scale to integers at a coarser one, by a multiplication and a shift.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::infer::{MAX_MAGNITUDE, check_scale};
use crate::{Fact, InferError, Number, Range};

/// The longest shift: what is shifted, the half that rounds included, stays within ±2^62.
pub const MAX_SHIFT: u32 = 61;

/// `y = clamp(floor((x · M + 2^(k-1)) / 2^k), lo, hi)`: the integer nearest to `x · M / 2^k`, ties towards +∞, held
/// within `lo..=hi`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Requantize {
    /// `M`, not negative: one for each index of the last axis, or a single one for all.
    pub multipliers: Vec<i64>,
    /// `k`, from 1 to [`MAX_SHIFT`].
    pub shift: u32,
    /// The least result.
    pub lo: i64,
    /// The greatest result.
    pub hi: i64,
    /// Whether a result that is held at `lo` is saturated: the network has a lower number there, for which there is no room. No
    /// result depends on it.
    pub saturates_below: bool,
    /// Whether one that is held at `hi` is.
    pub saturates_above: bool,
    /// The scale of the result.
    pub scale: f64,
}

impl Requantize {
    /// `floor((value · M + 2^(k-1)) / 2^k)` for the element at a row-major position, not clamped yet.
    pub fn quotient(&self, position: usize, value: i64) -> i64 {
        let quotient = shifted(value.into(), self.multiplier(position).into(), self.shift);
        // `infer` holds the dividend within ±2^62; for a graph that it has not seen, the ends will do.
        i64::try_from(quotient).unwrap_or(if quotient < 0 { i64::MIN } else { i64::MAX })
    }

    /// The result for the element at a row-major position.
    pub fn apply(&self, position: usize, value: i64) -> i64 {
        self.quotient(position, value).clamp(self.lo, self.hi)
    }

    /// Whether there is no room for the number of the element at a row-major position, and the end of the range stands for it.
    pub fn saturates(&self, position: usize, value: i64) -> bool {
        let quotient = self.quotient(position, value);
        (self.saturates_below && quotient < self.lo) || (self.saturates_above && quotient > self.hi)
    }

    /// The real number that an element stands for after the operation, without rounding; `value` is what it stands for
    /// before, `unit` the scale that it has there.
    fn apply_real(&self, position: usize, value: f64, unit: f64) -> f64 {
        let divisor = (1u64 << self.shift.min(MAX_SHIFT)) as f64;
        let exact = value / unit * self.multiplier(position) as f64 / divisor;
        self.scale * exact.clamp(self.lo as f64, self.hi as f64)
    }

    /// The least and the greatest quotient, over all multipliers, of values in an interval.
    pub fn quotients(&self, (lo, hi): (i64, i64)) -> (i128, i128) {
        let ends = self.multipliers.iter().flat_map(|&multiplier| {
            [lo, hi].map(|end| shifted(end.into(), multiplier.into(), self.shift.clamp(1, MAX_SHIFT)))
        });
        // Without multipliers there is nothing to bound.
        ends.fold(None, |ends: Option<(i128, i128)>, quotient| match ends {
            None => Some((quotient, quotient)),
            Some((lo, hi)) => Some((lo.min(quotient), hi.max(quotient))),
        })
        .unwrap_or((0, 0))
    }

    fn multiplier(&self, position: usize) -> i64 {
        match self.multipliers.len() {
            0 => 0,
            channels => self.multipliers[position % channels],
        }
    }
}

impl Operation for Requantize {
    const NAME: &'static str = "requantize";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Monotone { keeps_zero: (self.lo..=self.hi).contains(&0) }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.integers("multipliers", &mut self.multipliers)?;
        visitor.bits("shift", &mut self.shift)?;
        visitor.interval("clamp", &mut self.lo, &mut self.hi)?;
        visitor.flag("saturates_below", &mut self.saturates_below)?;
        visitor.flag("saturates_above", &mut self.saturates_above)?;
        visitor.scale(&mut self.scale)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let operand = operands[0];
        let Some(interval) = operand.interval() else {
            return Err(InferError::NotFixed { op: Self::NAME });
        };
        let channels = operand.channels();
        if ![1, channels].contains(&self.multipliers.len()) {
            return Err(InferError::Multipliers { channels, got: self.multipliers.len() });
        }
        if let Some(&got) = self.multipliers.iter().find(|&&multiplier| multiplier < 0) {
            return Err(InferError::NegativeMultiplier { got });
        }
        if !(1..=MAX_SHIFT).contains(&self.shift) {
            return Err(InferError::Shift { got: self.shift });
        }
        check_scale(Self::NAME, "result", self.scale)?;
        let (lo, hi) = (self.lo, self.hi);
        if lo > hi {
            return Err(InferError::EmptyInterval { lo, hi });
        }
        let ends = (i128::from(lo), i128::from(hi));
        check_magnitude(None, ends, ends.0.abs().max(ends.1.abs()))?;
        let greatest = i128::from(interval.0).abs().max(interval.1.into());
        for (channel, &multiplier) in self.multipliers.iter().enumerate() {
            let ends =
                (i128::from(interval.0) * i128::from(multiplier), i128::from(interval.1) * i128::from(multiplier));
            check_magnitude(Some(channel), ends, greatest * i128::from(multiplier) + (1 << (self.shift - 1)))?;
        }
        let (least, greatest) = self.quotients(interval);
        // Clamped to integers of 64 bits, so they are such integers.
        let clamped = |quotient: i128| quotient.clamp(lo.into(), hi.into()) as i64;
        let number = Number::Fixed { scale: self.scale, lo: clamped(least), hi: clamped(greatest) };
        Ok(Fact { shape: operand.shape.clone(), number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        operands[0]
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        let Operand { fact, elements } = operands[0];
        let unit = fact.scale().unwrap_or(1.0);
        elements.iter().enumerate().map(|(at, &value)| self.apply_real(at, value, unit)).collect()
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        operands[0].elements.iter().enumerate().map(|(at, &value)| self.apply(at, value)).collect()
    }
}

fn shifted(value: i128, multiplier: i128, shift: u32) -> i128 {
    (value * multiplier + (1i128 << shift.saturating_sub(1))) >> shift
}

fn check_magnitude(channel: Option<usize>, (lo, hi): (i128, i128), magnitude: i128) -> Result<(), InferError> {
    match magnitude <= i128::from(MAX_MAGNITUDE) {
        true => Ok(()),
        false => Err(InferError::Overflow { op: Requantize::NAME, channel, lo, hi, magnitude }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Op;
    use crate::testing::{chain, fixed_input};

    fn requantize(multipliers: &[i64], shift: u32, lo: i64, hi: i64) -> Requantize {
        Requantize { multipliers: multipliers.to_vec(), shift, lo, hi, scale: 1.0, ..Requantize::default() }
    }

    fn operand(lo: i64, hi: i64) -> Fact {
        Fact { shape: vec![3, 2], number: Number::Fixed { scale: 1.0, lo, hi } }
    }

    #[test]
    fn halves_are_rounded_up_and_results_clamped() {
        let halve = requantize(&[1], 1, -2, 2);
        let results: Vec<i64> = (-5..=5).map(|value| halve.apply(0, value)).collect();
        // -5/2, -2, -3/2, -1, -1/2, 0, 1/2, …
        assert_eq!(results, [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 2]);
        assert_eq!(halve.quotient(0, 5), 3);
    }

    #[test]
    fn only_what_is_held_at_an_end_that_says_so_is_saturated() {
        for (below, above) in [(false, false), (false, true), (true, false), (true, true)] {
            let op = Requantize { saturates_below: below, saturates_above: above, ..requantize(&[1], 1, -2, 2) };
            let saturated: Vec<i64> = (-8..=8).filter(|&value| op.saturates(0, value)).collect();
            let expected = [(below, -8..=-6), (above, 5..=8)];
            let expected: Vec<i64> =
                expected.into_iter().filter(|(is, _)| *is).flat_map(|(_, values)| values).collect();
            assert_eq!(saturated, expected);
        }
    }

    #[test]
    fn the_last_axis_selects_the_multiplier() {
        let by_channel = requantize(&[2, 8], 2, -100, 100);
        let results: Vec<i64> = (0..4).map(|position| by_channel.apply(position, 10)).collect();
        assert_eq!(results, [5, 20, 5, 20]);
    }

    #[test]
    fn the_interval_is_that_of_all_channels_clamped() {
        let fact = requantize(&[2, 8], 2, -100, 25).infer(&[&operand(-10, 20)]).unwrap();
        assert_eq!(fact.interval(), Some((-20, 25)));
        let fact = requantize(&[2, 8], 2, 30, 40).infer(&[&operand(-10, -5)]).unwrap();
        assert_eq!(fact.interval(), Some((30, 30)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let message = |op: Requantize, operand: &Fact| op.infer(&[operand]).unwrap_err().to_string();
        let fact = operand(-10, 20);
        insta::assert_snapshot!(message(requantize(&[1, 2, 3], 1, 0, 1), &fact), @"requantize has 3 multipliers, it takes 1 or one for each of 2 channels");
        insta::assert_snapshot!(message(requantize(&[1, -2], 1, 0, 1), &fact), @"a multiplier of requantize is negative: -2");
        insta::assert_snapshot!(message(requantize(&[1], 0, 0, 1), &fact), @"the shift of requantize must lie in 1..=61, got 0");
        insta::assert_snapshot!(message(requantize(&[1], 1, 1, 0), &fact), @"interval 1..=0 is empty");
        insta::assert_snapshot!(message(requantize(&[1], 1, 0, i64::MAX), &fact), @"requantize spans 0..=9223372036854775807 and needs magnitudes up to 9223372036854775807, beyond ±2^62");
        insta::assert_snapshot!(message(requantize(&[1, 1 << 60], 1, 0, 1), &fact), @"requantize channel 1 spans -11529215046068469760..=23058430092136939520 and needs magnitudes up to 23058430092136939521, beyond ±2^62");
        let real = Fact { shape: vec![2], number: Number::Real };
        insta::assert_snapshot!(message(requantize(&[1], 1, 0, 1), &real), @"requantize takes fixed-point numbers, its input is real");
        let zero = Requantize { scale: 0.0, ..requantize(&[1], 1, 0, 1) };
        insta::assert_snapshot!(message(zero, &fact), @"the scale of the result of requantize must be positive and finite, it is 0");
    }

    #[test]
    fn the_digest_covers_every_part() {
        let digest = |op: Op| chain([fixed_input(&[2], -9, 9), op]).digest();
        let base = requantize(&[1, 2], 3, -4, 5);
        let others = [
            requantize(&[1, 3], 3, -4, 5),
            requantize(&[1, 2], 4, -4, 5),
            requantize(&[1, 2], 3, -3, 5),
            requantize(&[1, 2], 3, -4, 6),
            Requantize { scale: 0.5, ..base.clone() },
            Requantize { saturates_below: true, ..base.clone() },
            Requantize { saturates_above: true, ..base.clone() },
        ];
        let expected = digest(Op::Requantize(base));
        for other in others {
            assert_ne!(digest(Op::Requantize(other)), expected);
        }
        assert_ne!(digest(Op::Abs), digest(Op::Relu));
    }

    proptest! {
        /// No other integer is nearer, and of two that are equally near it is the greater.
        #[test]
        fn quotients_are_nearest(value in -(1i64 << 30)..1 << 30, multiplier in 0..1i64 << 20, shift in 1..40u32) {
            let quotient = requantize(&[multiplier], shift, 0, 0).quotient(0, value);
            let twice_distance = 2 * (i128::from(value) * i128::from(multiplier) - (i128::from(quotient) << shift));
            let one = 1i128 << shift;
            prop_assert!(-one <= twice_distance && twice_distance < one);
        }

        #[test]
        fn reals_differ_by_the_rounding(value in -(1i64 << 30)..1 << 30, multiplier in 0..1i64 << 20, shift in 1..40u32) {
            let op = Requantize { scale: 0.5, ..requantize(&[multiplier], shift, -1000, 1000) };
            let real = op.apply_real(0, 0.25 * value as f64, 0.25);
            prop_assert!((real - 0.5 * op.apply(0, value) as f64).abs() <= 0.25 + 1e-9);
        }
    }
}
