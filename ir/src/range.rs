//! Ranges of real numbers.

use crate::Weights;

/// A closed interval of real numbers: what an operation can yield, as far as ranges of its operands tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The lower end.
    pub lo: f64,
    /// The upper end.
    pub hi: f64,
}

impl Range {
    /// No number at all.
    pub const EMPTY: Range = Range { lo: f64::INFINITY, hi: f64::NEG_INFINITY };

    /// The smallest range with these numbers in it.
    pub fn of<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> Range {
        let extend = |Range { lo, hi }: Range, &number: &f64| Range { lo: lo.min(number), hi: hi.max(number) };
        numbers.into_iter().fold(Range::EMPTY, extend)
    }

    /// The smallest range that holds both.
    pub fn union(self, other: Range) -> Range {
        Range { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// With each negative number made zero.
    pub fn rectified(self) -> Range {
        Range { lo: self.lo.max(0.0), hi: self.hi.max(0.0) }
    }

    /// The greatest magnitude in it.
    pub fn reach(self) -> f64 {
        self.hi.abs().max(self.lo.abs())
    }

    /// What sums with these weights, in rows along the first axis, can be for operands in the range.
    pub(crate) fn summed(self, weights: &Weights, bias: Option<&Weights>) -> Range {
        let Range { lo, hi } = self;
        let channels = weights.shape().first().copied().unwrap_or(1);
        if !weights.is_real() {
            return self;
        }
        let elements = weights.reals();
        let biases = bias.filter(|bias| bias.is_real()).map_or(vec![0.0; channels], Weights::reals);
        let channel = |(row, bias): (&[f64], &f64)| {
            let sum = |at_positive: f64, at_negative: f64| {
                row.iter().map(|w| w.max(0.0) * at_positive + w.min(0.0) * at_negative).sum::<f64>() + bias
            };
            Range { lo: sum(lo, hi), hi: sum(hi, lo) }
        };
        let rows = elements.chunks((elements.len() / channels).max(1));
        rows.zip(&biases).map(channel).fold(Range::EMPTY, Range::union)
    }
}
