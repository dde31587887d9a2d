//! Integers at another scale: multiplied, shifted, rounded and clamped.

use super::digits::DigitWires;
use super::{Cells, DIGIT_RADIX, Digits, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed, to_signed};
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};
use std::iter;

/// `y = clamp(⌊(x M + 2^(k-1)) / 2^k⌋, lo, hi)`.
///
/// Inputs: `x`, and `M`, which some other row pins to a constant, unless it is one. Output: `y`. Advice: the product `p = x M`,
/// which without an `M` is `x`; the excess `u` above `hi` and the lack `w` below `lo`, where the quotient can leave that range at
/// all.
///
/// With `q = y + u - w` the statement is `p + 2^(k-1) = q 2^k + r` and `0 <= r < 2^k`, where `y - lo` and `u + w` are sums of
/// digits, `u (hi - y) = 0` and `w (y - lo) = 0`, and `u w = 0` where `lo = hi`; elsewhere that follows, as `y` is not at both
/// ends. Of `u` and `w` one is zero, and so the other is in the range that the digits tell. So `q` is one of at most `N` consecutive integers, and `r + 2^k q` one of `N 2^k <= 2^63 < p` consecutive
/// ones: no two of them are the same field element, and `q` and `r` are unique. If `u > 0`, then `y = hi` and `q > hi`; if `w >
/// 0`, then `y = lo` and `q < lo`; and otherwise `y = q`: so `y`, `u` and `w` follow from `q`.
///
/// A quotient beyond an end that is strict has no result at all: there is neither `u` nor `w`, and the digits of `y - lo`, or of
/// `hi - y`, say that `q` is not beyond. As `x M + 2^(k-1)` lies within ±2^62, and so do all `q 2^k + r` that there are, none is
/// such a multiple of `p` away from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requantize {
    shift: u32,
    /// The range that a result is clamped to.
    clamp: (i64, i64),
    /// The least and the greatest quotient that there are digits for: so layers of a few bits more or less have one gadget.
    quotients: (i64, i64),
    /// Whether a quotient below the range has no result, and whether one above it has none.
    strict: [bool; 2],
    /// Whether there is an `M`.
    is_multiplied: bool,
    remainder: Digits,
    range: Digits,
    /// Whether the digits of `y - lo` do not say that `y <= hi`, and there are digits of `hi - y` too.
    two_sided: bool,
    /// The digits of excess and lack, if there is either.
    beyond: Option<Digits>,
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
        let excess = if strict[1] { 0 } else { (i128::from(greatest) - i128::from(hi)).max(0) };
        let lack = if strict[0] { 0 } else { (i128::from(lo) - i128::from(least)).max(0) };
        // Within 62 bits and one.
        let needed = bits(excess.max(lack) as u64);
        let whole = needed.next_multiple_of(DIGIT_RADIX.ilog2());
        let with_bits = |bits: u32| {
            let reach = ((1i128 << bits) - 1).min(i64::MAX.into()) as i64;
            let least = if lack > 0 { lo.checked_sub(reach)? } else { least.clamp(lo, hi) };
            let greatest = if excess > 0 { hi.checked_add(reach)? } else { greatest.clamp(lo, hi) };
            Self::with_digits(shift, clamp, (least, greatest), strict, (bits > 0).then_some(bits))
        };
        with_bits(whole).or_else(|| with_bits(needed))
    }

    /// The statement with as many bits of excess and lack as these quotients have, if the field tells them apart.
    fn with_digits(
        shift: u32,
        clamp: (i64, i64),
        quotients: (i64, i64),
        strict: [bool; 2],
        beyond: Option<u32>,
    ) -> Option<Self> {
        let ((lo, hi), (least, greatest)) = (clamp, quotients);
        let limit = (1i128 << (62 - shift)) + 1;
        if beyond.is_some_and(|bits| bits > 62) || quotients_reach(quotients) > limit {
            return None;
        }
        let beyond = beyond.map(Digits::for_bits);
        let spread = greatest.clamp(lo, hi).abs_diff(least.clamp(lo, hi));
        let (range, two_sided) = match Digits::exact(spread + 1) {
            Some(digits) => (digits, false),
            None => (Digits::for_bits(bits(spread)), greatest > hi || strict != [false; 2]),
        };
        let size = |digits: &Digits| u128::from(digits.size());
        let sides = u128::from(greatest > hi) + u128::from(least < lo);
        let count = size(&range) + sides * beyond.as_ref().map_or(0, size);
        let fits = count << shift <= 1 << 63;
        let remainder = Digits::for_bits(shift);
        let is_multiplied = true;
        fits.then_some(Self { shift, clamp, quotients, strict, is_multiplied, remainder, range, two_sided, beyond })
    }

    /// The same with a multiplier of one, which is no input.
    pub fn by_one(self) -> Self {
        Self { is_multiplied: false, ..self }
    }

    /// The least and the greatest result.
    fn results(&self) -> (i64, i64) {
        let ((lo, hi), (least, greatest)) = (self.clamp, self.quotients);
        (least.clamp(lo, hi), greatest.clamp(lo, hi))
    }

    fn has_one_result(&self) -> bool {
        self.clamp.0 == self.clamp.1
    }

    /// How many times the digits of the range are there.
    fn sides(&self) -> usize {
        1 + usize::from(self.two_sided)
    }

    /// Whether there is an excess, and whether there is a lack.
    fn beyond(&self) -> [bool; 2] {
        [self.quotients.1 > self.clamp.1, self.quotients.0 < self.clamp.0]
    }
}

fn quotients_reach((least, greatest): (i64, i64)) -> i128 {
    i128::from(least).abs().max(i128::from(greatest).abs())
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
        let same = Self::strict(self.shift, self.clamp, self.quotients, self.strict);
        let same = same.map(|same| if self.is_multiplied { same } else { same.by_one() });
        same.as_ref() == Some(self)
    }

    fn shape(&self) -> Shape {
        let ends = self.beyond().into_iter().filter(|&is_there| is_there).count();
        let product = usize::from(self.is_multiplied);
        let forms = || self.beyond.iter().chain(iter::repeat_n(&self.range, self.sides())).chain([&self.remainder]);
        Shape {
            inputs: 1 + product,
            outputs: 1,
            advice: product + ends,
            digits: forms().map(Digits::wires).sum(),
            constraints: product
                + ends
                + usize::from(ends == 2 && self.has_one_result())
                + forms().map(Digits::constraints).sum::<usize>(),
            degree: forms().map(Digits::degree).fold(2, usize::max),
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let (x, y) = (cells.input(0), cells.output(0));
        let (lo, hi) = self.results();
        let product = if self.is_multiplied {
            let (multiplier, product) = (cells.input(1), cells.advice(0));
            let expected = cells.arith.mul(x, multiplier);
            cells.arith.assert_equal(product, expected);
            product
        } else {
            x
        };

        let over_lo = cells.arith.offset(y, -from_signed(lo));
        let top = cells.arith.fixed(from_signed(hi));
        let under_hi = cells.arith.sub(top, y);
        self.range.constrain(cells, over_lo);
        if self.two_sided {
            self.range.constrain(cells, under_hi);
        }

        let mut quotient = y;
        let mut ends = Vec::new();
        let sides = self.beyond().into_iter().zip([(under_hi, true), (over_lo, false)]);
        for (_, (distance, is_above)) in sides.filter(|(is_there, _)| *is_there) {
            let end = cells.advice(usize::from(self.is_multiplied) + ends.len());
            let zero = cells.arith.mul(end, distance);
            cells.arith.assert_zero(zero);
            quotient = if is_above { cells.arith.add(quotient, end) } else { cells.arith.sub(quotient, end) };
            ends.push(end);
        }
        let mut beyond = ends.first().copied();
        if let [above, below] = ends[..] {
            if self.has_one_result() {
                let zero = cells.arith.mul(above, below);
                cells.arith.assert_zero(zero);
            }
            beyond = Some(cells.arith.add(above, below));
        }
        if let Some((digits, beyond)) = self.beyond.as_ref().zip(beyond) {
            digits.constrain(cells, beyond);
        }

        let dividend = cells.arith.offset(product, half(self.shift));
        let multiple = cells.arith.scale(quotient, F::from_canonical_u64(1 << self.shift));
        let remainder = cells.arith.sub(dividend, multiple);
        self.remainder.constrain(cells, remainder);
    }

    fn idle_inputs(&self) -> Vec<F> {
        // This has the quotient that is the least result, exactly; where there is a multiplier, with one of one.
        let mut inputs = vec![from_signed(self.results().0) * F::from_canonical_u64(1 << self.shift)];
        inputs.resize(1 + usize::from(self.is_multiplied), F::ONE);
        inputs
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
        let multiplier = inputs.get(1).copied().unwrap_or(F::ONE);
        let dividend = i128::from(to_signed(inputs[0])) * i128::from(to_signed(multiplier)) + (1 << (self.shift - 1));
        let quotient = dividend >> self.shift;
        let (lo, hi) = self.results();
        // Between two integers of 64 bits.
        let y = quotient.clamp(lo.into(), hi.into()) as i64;
        outputs[0] = from_signed(y);
        self.range.assign(y.wrapping_sub(lo) as u64, digits);
        if self.two_sided {
            self.range.assign(hi.wrapping_sub(y) as u64, digits);
        }
        let (product, ends) = advice.split_at_mut(usize::from(self.is_multiplied));
        product.fill(inputs[0] * multiplier);
        // Casts cut off what is beyond 64 bits, which only inputs out of range lead to.
        let distances = [quotient - i128::from(hi), i128::from(lo) - quotient].map(|distance| distance.max(0) as u64);
        let there = self.beyond().into_iter().zip(distances).filter(|(is_there, _)| *is_there);
        let mut sum = 0u64;
        for (wire, (_, distance)) in ends.iter_mut().zip(there) {
            *wire = F::from_noncanonical_u64(distance);
            sum = sum.wrapping_add(distance);
        }
        if let Some(form) = &self.beyond {
            form.assign(sum, digits);
        }
        self.remainder.assign((dividend - (quotient << self.shift)) as u64, digits);
    }
}
