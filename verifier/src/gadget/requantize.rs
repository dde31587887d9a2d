//! Integers at another scale: multiplied, shifted, rounded and clamped.

use super::digits::DigitWires;
use super::{Cells, Digits, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed, to_signed};
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// `y = clamp(⌊(x M + 2^(k-1)) / 2^k⌋, lo, hi)`.
///
/// Inputs: `x`, and `M`, which some other row pins to a constant. Output: `y`. Advice: the product `p = x M`, the excess
/// `u` above `hi` and the lack `w` below `lo`, where the quotient can leave that range at all.
///
/// With `q = y + u - w` the statement is `p + 2^(k-1) = q 2^k + r` and `0 <= r < 2^k`, where `y - lo`, `u` and `w` are
/// sums of digits, `u (hi - y) = 0`, `w (y - lo) = 0` and `u w = 0`. So `q` is one of at most `N` consecutive integers,
/// and `r + 2^k q` one of `N 2^k <= 2^63 < p` consecutive ones: no two of them are the same field element, and `q` and
/// `r` are unique. Of `u` and `w` at most one is not zero; `u > 0` needs `y = hi` and means `q > hi`, `w > 0` needs
/// `y = lo` and means `q < lo`, and otherwise `y = q`: so `y`, `u` and `w` follow from `q`.
///
/// A quotient beyond an end that is strict has no result at all: there is neither `u` nor `w`, and the digits of `y - lo`, or of
/// `hi - y`, say that `q` is not beyond. As `x M + 2^(k-1)` lies within ±2^62, and so do all `q 2^k + r` that there are, none is
/// such a multiple of `p` away from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requantize {
    shift: u32,
    /// The range that a result is clamped to.
    clamp: (i64, i64),
    /// The least and the greatest quotient that can occur.
    quotients: (i64, i64),
    /// Whether a quotient below the range has no result, and whether one above it has none.
    strict: [bool; 2],
    remainder: Digits,
    range: Digits,
    /// Whether the digits of `y - lo` do not say that `y <= hi`, and there are digits of `hi - y` too.
    two_sided: bool,
    above: Option<Digits>,
    below: Option<Digits>,
}

impl Requantize {
    /// The statement for quotients that are known to lie in `quotients`; nothing where they are so wide that the field
    /// could not tell them apart.
    pub fn new(shift: u32, clamp: (i64, i64), quotients: (i64, i64)) -> Option<Self> {
        Self::strict(shift, clamp, quotients, [false; 2])
    }

    /// The same where a quotient below the range, or above it, has no result.
    pub fn strict(shift: u32, clamp: (i64, i64), quotients: (i64, i64), strict: [bool; 2]) -> Option<Self> {
        let ((lo, hi), (least, greatest)) = (clamp, quotients);
        if !(1..=61).contains(&shift) || lo > hi || least > greatest {
            return None;
        }
        let limit = 1i128 << (62 - shift);
        if [lo, hi].into_iter().any(|end| end.unsigned_abs() > 1 << 62)
            || [least, greatest].into_iter().any(|end| i128::from(end).abs() > limit + 1)
        {
            return None;
        }
        let beyond = |excess: i128| (excess > 0).then(|| Digits::for_bits(bits(excess as u64)));
        let (excess, lack) = (i128::from(greatest) - i128::from(hi), i128::from(lo) - i128::from(least));
        let above = beyond(excess).filter(|_| !strict[1]);
        let below = beyond(lack).filter(|_| !strict[0]);
        let (bottom, top) = (least.clamp(lo, hi), greatest.clamp(lo, hi));
        let spread = top.abs_diff(bottom);
        let (range, two_sided) = match Digits::exact(spread + 1) {
            Some(digits) => (digits, false),
            None => (Digits::for_bits(bits(spread)), excess > 0 || strict != [false; 2]),
        };
        let size = |digits: &Digits| u128::from(digits.size());
        let count = size(&range) + above.as_ref().map_or(0, size) + below.as_ref().map_or(0, size);
        let fits = count << shift <= 1 << 63;
        let remainder = Digits::for_bits(shift);
        fits.then_some(Self { shift, clamp, quotients, strict, remainder, range, two_sided, above, below })
    }

    /// The least and the greatest result.
    fn results(&self) -> (i64, i64) {
        let ((lo, hi), (least, greatest)) = (self.clamp, self.quotients);
        (least.clamp(lo, hi), greatest.clamp(lo, hi))
    }

    fn sides(&self) -> usize {
        1 + usize::from(self.two_sided)
    }

    /// The digit forms of excess and lack that there are.
    fn beyond(&self) -> impl Iterator<Item = &Digits> {
        self.above.iter().chain(&self.below)
    }
}

/// How many bits a number has.
fn bits(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

fn half(shift: u32) -> F {
    F::from_canonical_u64(1 << (shift - 1))
}

impl Statement for Requantize {
    fn is_consistent(&self) -> bool {
        Self::strict(self.shift, self.clamp, self.quotients, self.strict).as_ref() == Some(self)
    }

    fn shape(&self) -> Shape {
        let both = usize::from(self.above.is_some() && self.below.is_some());
        let digits = self.remainder.wires() + self.sides() * self.range.wires();
        let checks = self.remainder.constraints() + self.sides() * self.range.constraints();
        let forms = self.beyond().chain([&self.remainder, &self.range]);
        Shape {
            inputs: 2,
            outputs: 1,
            advice: 1 + self.beyond().count(),
            digits: digits + self.beyond().map(Digits::wires).sum::<usize>(),
            constraints: 1 + checks + self.beyond().map(|digits| 1 + digits.constraints()).sum::<usize>() + both,
            degree: forms.map(Digits::degree).fold(2, usize::max),
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let (x, multiplier, y) = (cells.input(0), cells.input(1), cells.output(0));
        let (lo, hi) = self.results();
        let product = cells.advice(0);
        let expected = cells.arith.mul(x, multiplier);
        cells.arith.assert_equal(product, expected);

        let over_lo = cells.arith.offset(y, -from_signed(lo));
        let top = cells.arith.fixed(from_signed(hi));
        let under_hi = cells.arith.sub(top, y);
        self.range.constrain(cells, over_lo);
        if self.two_sided {
            self.range.constrain(cells, under_hi);
        }

        let mut quotient = y;
        let mut sides = Vec::new();
        for (digits, distance, is_above) in [(&self.above, under_hi, true), (&self.below, over_lo, false)] {
            let Some(digits) = digits else { continue };
            let beyond = cells.advice(1 + sides.len());
            digits.constrain(cells, beyond);
            let zero = cells.arith.mul(beyond, distance);
            cells.arith.assert_zero(zero);
            quotient = if is_above { cells.arith.add(quotient, beyond) } else { cells.arith.sub(quotient, beyond) };
            sides.push(beyond);
        }
        if let [above, below] = sides[..] {
            let zero = cells.arith.mul(above, below);
            cells.arith.assert_zero(zero);
        }

        let dividend = cells.arith.offset(product, half(self.shift));
        let multiple = cells.arith.scale(quotient, F::from_canonical_u64(1 << self.shift));
        let remainder = cells.arith.sub(dividend, multiple);
        self.remainder.constrain(cells, remainder);
    }

    fn idle_inputs(&self) -> Vec<F> {
        // With a multiplier of 1 this has the quotient that is the least result, exactly.
        vec![from_signed(self.results().0) * F::from_canonical_u64(1 << self.shift), F::ONE]
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
        let dividend = i128::from(to_signed(inputs[0])) * i128::from(to_signed(inputs[1])) + (1 << (self.shift - 1));
        let quotient = dividend >> self.shift;
        let (lo, hi) = self.results();
        // Between two integers of 64 bits.
        let y = quotient.clamp(lo.into(), hi.into()) as i64;
        outputs[0] = from_signed(y);
        advice[0] = inputs[0] * inputs[1];
        self.range.assign(y.wrapping_sub(lo) as u64, digits);
        if self.two_sided {
            self.range.assign(hi.wrapping_sub(y) as u64, digits);
        }
        let distances = [(&self.above, quotient - i128::from(hi)), (&self.below, i128::from(lo) - quotient)];
        let sides = distances.into_iter().filter_map(|(form, distance)| Some((form.as_ref()?, distance)));
        for ((form, distance), wire) in sides.zip(&mut advice[1..]) {
            // Casts cut off what is beyond 64 bits, which only inputs out of range lead to.
            let beyond = distance.max(0) as u64;
            *wire = F::from_noncanonical_u64(beyond);
            form.assign(beyond, digits);
        }
        self.remainder.assign((dividend - (quotient << self.shift)) as u64, digits);
    }
}
