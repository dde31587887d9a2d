//! Normalization `x / ||x||`, rounded to the nearest integer at scale `2^-24`, in exact wide integers.
//!
//! For each element, with `S = Σ x²`, the gadgets pin `q = ⌊2^25 |x| / √S⌋` by
//! `q² S <= 2^50 x² < (q + 1)² S`, and from it the magnitude `m = ⌊(q + 1) / 2⌋` of the output. The integers have up to
//! 176 bits and are held in limbs of 24 bits; an equation between wide integers is one equation a limb with carries,
//! each of which is small enough that no side wraps around the field. A zero vector has `S` replaced by 1, which
//! makes every `q` zero.

mod round;
mod square;
mod total;

pub use round::NormRound;
pub use square::NormSquare;
pub use total::NormTotal;

use super::Digits;
use super::arith::Arith;
use std::ops::{Add, Mul};

/// Fraction bits of the normalized output.
pub const FRACTION_BITS: u32 = 24;

/// The longest vector: its sums of squares must stay inside the field.
pub const MAX_ELEMENTS: usize = 4096;

const LIMB_BITS: u32 = 24;
const LIMB: u64 = 1 << LIMB_BITS;
/// Limbs of a magnitude: 62 bits.
const MAGNITUDE: usize = 3;
/// Limb products of a square, before carries.
const SQUARE: usize = 5;
/// Limbs of the sum of squares: under 2^138.
const TOTAL: usize = 6;
/// Limbs of `q S`, of the remainder and of the slack: under 2^168.
const WIDE: usize = 7;
/// `2^50 x²` is `4 x²` moved up by this many limbs.
const SHIFT: usize = 2;
/// Carries of the sum of squares.
const TOTAL_CARRY_BITS: u32 = 39;
/// Carries of `q S`.
const SCALED_CARRY_BITS: u32 = 28;
/// Carries of `q² S + r = 2^50 x²` have a sign; this much is added before the range check.
const SQUARED_CARRY_BITS: u32 = 31;
/// Carries of the slack are within `±4`; so likewise.
const SLACK_CARRY_BITS: u32 = 3;

fn limb_check() -> Digits {
    Digits::for_bits(LIMB_BITS)
}

/// `u + g` as limbs: the magnitude of an element, from what [`NormSquare`] outputs.
fn magnitude<A: Arith>(arith: &mut A, limbs: [A::V; MAGNITUDE], sign: A::V) -> [A::V; MAGNITUDE] {
    [arith.add(limbs[0], sign), limbs[1], limbs[2]]
}

/// The limb products of `t²`.
fn square<A: Arith>(arith: &mut A, t: [A::V; MAGNITUDE]) -> [A::V; SQUARE] {
    let double = |arith: &mut A, a, b| {
        let product = arith.mul(a, b);
        arith.add(product, product)
    };
    let (c1, c3) = (double(arith, t[0], t[1]), double(arith, t[1], t[2]));
    let (outer, middle) = (double(arith, t[0], t[2]), arith.mul(t[1], t[1]));
    [arith.mul(t[0], t[0]), c1, arith.add(outer, middle), c3, arith.mul(t[2], t[2])]
}

/// The same, of known limbs.
fn square_of<T: Copy + Add<Output = T> + Mul<Output = T>>([a, b, c]: [T; MAGNITUDE]) -> [T; SQUARE] {
    let double = |x: T| x + x;
    [a * a, double(a * b), double(a * c) + b * b, double(b * c), c * c]
}
