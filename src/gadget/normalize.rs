//! Normalization `x / ||x||`, rounded to the nearest integer at scale `2^-24`, in exact wide integers.
//!
//! For each element, with `S = Σ x²`, the gadgets pin `q = ⌊2^25 |x| / √S⌋` by
//! `q² S <= 2^50 x² < (q + 1)² S`, and from it the magnitude `m = ⌊(q + 1) / 2⌋` of the output. The integers have up to
//! 176 bits and are held in limbs of 24 bits; an equation between wide integers is one equation a limb with carries,
//! each of which is small enough that no side wraps around the field. A zero vector has `S` replaced by 1, which
//! makes every `q` zero.

use super::{Cells, Digits, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed, to_signed};
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};

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

fn square_of(t: u64) -> [u64; SQUARE] {
    let [a, b, c] = [t % LIMB, (t >> LIMB_BITS) % LIMB, t >> (2 * LIMB_BITS)];
    [a * a, 2 * a * b, 2 * a * c + b * b, 2 * b * c, c * c]
}

/// Splits an element into sign and magnitude and adds its square to a running sum.
///
/// Inputs: `x`, then the limb products summed so far. Outputs: three limbs of `u`, the sign `g`, and the new sums;
/// `x = u` for `g = 0` and `x = -(u + 1)` for `g = 1`, so that zero has one sign only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormSquare;

impl NormSquare {
    fn checks() -> [Digits; MAGNITUDE] {
        [limb_check(), limb_check(), Digits::for_bits(63 - 2 * LIMB_BITS)]
    }
}

impl Statement for NormSquare {
    fn shape(&self) -> Shape {
        let checks = Self::checks();
        Shape {
            inputs: 1 + SQUARE,
            outputs: MAGNITUDE + 1 + SQUARE,
            advice: checks.iter().map(Digits::advice).sum(),
            constants: 0,
            constraints: checks.iter().map(Digits::constraints).sum::<usize>() + 2 + SQUARE,
            degree: 8,
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let limbs: [A::V; MAGNITUDE] = std::array::from_fn(|i| cells.output(i));
        let mut first = 0;
        for (limb, check) in limbs.into_iter().zip(Self::checks()) {
            check.constrain(cells, limb, first);
            first += check.advice();
        }
        let sign = cells.output(MAGNITUDE);
        cells.arith.assert_digit(sign, 2);

        let x = cells.input(0);
        let mut u = limbs[0];
        for (i, &limb) in limbs.iter().enumerate().skip(1) {
            let scaled = cells.arith.scale(limb, F::from_canonical_u64(1 << (LIMB_BITS * i as u32)));
            u = cells.arith.add(u, scaled);
        }
        let doubled = cells.arith.add(u, u);
        let odd = cells.arith.offset(doubled, F::ONE);
        let flip = cells.arith.mul(sign, odd);
        let signed = cells.arith.sub(u, flip);
        cells.arith.assert_equal(signed, x);

        let t = magnitude(cells.arith, limbs, sign);
        for (i, column) in square(cells.arith, t).into_iter().enumerate() {
            let (before, after) = (cells.input(1 + i), cells.output(MAGNITUDE + 1 + i));
            let sum = cells.arith.add(before, column);
            cells.arith.assert_equal(sum, after);
        }
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F]) {
        let x = to_signed(inputs[0]);
        let u = if x < 0 { !x } else { x } as u64;
        let limbs = [u % LIMB, (u >> LIMB_BITS) % LIMB, u >> (2 * LIMB_BITS)];
        let mut advice = advice;
        for (i, check) in Self::checks().into_iter().enumerate() {
            outputs[i] = F::from_canonical_u64(limbs[i]);
            let (own, rest) = advice.split_at_mut(check.advice());
            check.assign(limbs[i], own);
            advice = rest;
        }
        outputs[MAGNITUDE] = F::from_bool(x < 0);
        // The limbs are those of `u + g` with the sign on the lowest, not carried: as the constraints have them.
        let t: [F; MAGNITUDE] = [outputs[0] + outputs[MAGNITUDE], outputs[1], outputs[2]];
        let two = F::TWO;
        let columns = [t[0] * t[0], two * t[0] * t[1], two * t[0] * t[2] + t[1] * t[1], two * t[1] * t[2], t[2] * t[2]];
        for (i, column) in columns.into_iter().enumerate() {
            outputs[MAGNITUDE + 1 + i] = inputs[1 + i] + column;
        }
    }
}

/// Carries the summed limb products into the limbs of `S`, and makes a zero `S` one.
///
/// Inputs: the sums. Outputs: the limbs of `S + z`, where `z = 1` exactly for `S = 0`. Advice: the limbs' digits,
/// carries with digits, the lowest limb of `S`, `z`, and an inverse that pins it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormTotal;

impl NormTotal {
    const CARRIES: usize = SQUARE - 1;

    fn carry_check() -> Digits {
        Digits::for_bits(TOTAL_CARRY_BITS)
    }

    /// First advice wire of the carries, which follow the digits of the limbs.
    fn carries_at() -> usize {
        TOTAL * limb_check().advice()
    }

    /// First of the three single wires: lowest limb, `z`, inverse.
    fn flags_at() -> usize {
        Self::carries_at() + Self::CARRIES * (1 + Self::carry_check().advice())
    }
}

impl Statement for NormTotal {
    fn shape(&self) -> Shape {
        let limbs = TOTAL * limb_check().constraints();
        Shape {
            inputs: SQUARE,
            outputs: TOTAL,
            advice: Self::flags_at() + 3,
            constants: 0,
            constraints: limbs + Self::CARRIES * Self::carry_check().constraints() + SQUARE + 4,
            degree: 8,
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let flags = Self::flags_at();
        let (lowest, is_zero, inverse) = (cells.advice(flags), cells.advice(flags + 1), cells.advice(flags + 2));
        let mut limbs: [A::V; TOTAL] = std::array::from_fn(|i| cells.output(i));
        let with_flag = cells.arith.add(lowest, is_zero);
        cells.arith.assert_equal(with_flag, limbs[0]);
        limbs[0] = lowest;
        for (i, &limb) in limbs.iter().enumerate() {
            limb_check().constrain(cells, limb, i * limb_check().advice());
        }

        let mut carry = cells.arith.fixed(F::ZERO);
        for i in 0..SQUARE {
            let column = cells.input(i);
            let sum = cells.arith.add(column, carry);
            carry = if i < Self::CARRIES {
                let at = Self::carries_at() + i * (1 + Self::carry_check().advice());
                let carry = cells.advice(at);
                Self::carry_check().constrain(cells, carry, at + 1);
                carry
            } else {
                limbs[TOTAL - 1]
            };
            let scaled = cells.arith.scale(carry, F::from_canonical_u64(LIMB));
            let split = cells.arith.add(limbs[i], scaled);
            cells.arith.assert_equal(sum, split);
        }

        // `s` is a sum of six limbs, so it is zero only if they all are.
        let mut s = limbs[0];
        for &limb in &limbs[1..] {
            s = cells.arith.add(s, limb);
        }
        let product = cells.arith.mul(s, inverse);
        let both = cells.arith.add(product, is_zero);
        let surplus = cells.arith.offset(both, F::NEG_ONE);
        cells.arith.assert_zero(surplus);
        let exclusive = cells.arith.mul(s, is_zero);
        cells.arith.assert_zero(exclusive);
        let unused = cells.arith.mul(inverse, is_zero);
        cells.arith.assert_zero(unused);
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F]) {
        let mut carry = 0u64;
        let mut limbs = [0u64; TOTAL];
        for i in 0..SQUARE {
            let sum = inputs[i].to_canonical_u64().wrapping_add(carry);
            limbs[i] = sum % LIMB;
            carry = sum >> LIMB_BITS;
            if i < Self::CARRIES {
                let at = Self::carries_at() + i * (1 + Self::carry_check().advice());
                advice[at] = F::from_canonical_u64(carry);
                Self::carry_check().assign(carry, &mut advice[at + 1..][..Self::carry_check().advice()]);
            }
        }
        limbs[TOTAL - 1] = carry;
        let per_limb = limb_check().advice();
        for (i, &limb) in limbs.iter().enumerate() {
            limb_check().assign(limb, &mut advice[i * per_limb..][..per_limb]);
            outputs[i] = F::from_canonical_u64(limb);
        }
        let s = F::from_canonical_u64(limbs.iter().sum());
        let flags = &mut advice[Self::flags_at()..];
        flags[0] = outputs[0];
        flags[1] = F::from_bool(s.is_zero());
        flags[2] = s.try_inverse().unwrap_or(F::ZERO);
        outputs[0] += flags[1];
    }
}

/// Rounds one element.
///
/// Inputs: `u` and `g` of the element, then the limbs of `S`. Output: `y`, the integer nearest `2^24 x / √S`, ties away
/// from zero. Advice, in this order: `m` and its digits, the parity `b = q + 1 - 2m`, then limbs with digits of `W = q S`, of
/// the remainder `R = 2^50 x² - q W` and of the slack `U = 2W + S - 1 - R`, then the carries of these three equations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormRound;

/// Advice wires of [`NormRound`]: the first of each group, and the range checks.
struct RoundLayout {
    m: Digits,
    limb: Digits,
    scaled_carry: Digits,
    squared_carry: Digits,
    slack_carry: Digits,
    parity: usize,
    limbs: usize,
    carries: usize,
    end: usize,
}

impl RoundLayout {
    /// Carries an equation has: the topmost column has none.
    const CARRIES: usize = WIDE - 1;

    fn new() -> Self {
        let m = Digits::for_bits(FRACTION_BITS + 1);
        let limb = limb_check();
        let [scaled_carry, squared_carry, slack_carry] =
            [SCALED_CARRY_BITS, SQUARED_CARRY_BITS, SLACK_CARRY_BITS].map(Digits::for_bits);
        let parity = 1 + m.advice();
        let limbs = parity + 1;
        let carries = limbs + 3 * WIDE * (1 + limb.advice());
        let per_column = 3 + scaled_carry.advice() + squared_carry.advice() + slack_carry.advice();
        let end = carries + Self::CARRIES * per_column;
        Self { m, limb, scaled_carry, squared_carry, slack_carry, parity, limbs, carries, end }
    }

    /// The advice wire of limb `i` of `W` (0), `R` (1) or `U` (2); its digits follow.
    fn limb_at(&self, number: usize, i: usize) -> usize {
        self.limbs + (number * WIDE + i) * (1 + self.limb.advice())
    }

    /// The three carry checks, in the order of the equations.
    fn carry_checks(&self) -> [&Digits; 3] {
        [&self.scaled_carry, &self.squared_carry, &self.slack_carry]
    }

    /// The advice wire of carry `i` of an equation; its digits follow.
    fn carry_at(&self, equation: usize, i: usize) -> usize {
        let checks = self.carry_checks();
        let before: usize = checks[..equation].iter().map(|c| Self::CARRIES * (1 + c.advice())).sum();
        self.carries + before + i * (1 + checks[equation].advice())
    }

    /// What is added to a carry of the equation before its range check, as its sign is open.
    fn carry_offset(equation: usize) -> i64 {
        [0, 1 << (SQUARED_CARRY_BITS - 1), 1 << (SLACK_CARRY_BITS - 1)][equation]
    }

    fn constraints(&self) -> usize {
        let limbs = 3 * WIDE * self.limb.constraints();
        let carries: usize = self.carry_checks().iter().map(|c| Self::CARRIES * c.constraints()).sum();
        self.m.constraints() + 1 + limbs + carries + 3 * WIDE + 1
    }
}

impl NormRound {
    /// States `column_i + carry_(i-1) = 2^24 carry_i` for every column, the last carry being zero.
    fn carry_columns<A: Arith>(cells: &mut Cells<'_, A>, layout: &RoundLayout, equation: usize, columns: &[A::V]) {
        let check = layout.carry_checks()[equation];
        let offset = from_signed(RoundLayout::carry_offset(equation));
        let mut carry = cells.arith.fixed(F::ZERO);
        for (i, &column) in columns.iter().enumerate() {
            let sum = cells.arith.add(column, carry);
            if i == RoundLayout::CARRIES {
                cells.arith.assert_zero(sum);
                break;
            }
            let at = layout.carry_at(equation, i);
            carry = cells.advice(at);
            let shifted = cells.arith.offset(carry, offset);
            check.constrain(cells, shifted, at + 1);
            let scaled = cells.arith.scale(carry, F::from_canonical_u64(LIMB));
            cells.arith.assert_equal(sum, scaled);
        }
    }
}

impl Statement for NormRound {
    fn shape(&self) -> Shape {
        let layout = RoundLayout::new();
        Shape {
            inputs: MAGNITUDE + 1 + TOTAL,
            outputs: 1,
            advice: layout.end,
            constants: 0,
            constraints: layout.constraints(),
            degree: 8,
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let layout = RoundLayout::new();
        let limbs: [A::V; MAGNITUDE] = std::array::from_fn(|i| cells.input(i));
        let sign = cells.input(MAGNITUDE);
        let total: [A::V; TOTAL] = std::array::from_fn(|i| cells.input(MAGNITUDE + 1 + i));

        let (m, parity) = (cells.advice(0), cells.advice(layout.parity));
        layout.m.constrain(cells, m, 1);
        cells.arith.assert_digit(parity, 2);
        let doubled = cells.arith.add(m, m);
        let with_parity = cells.arith.add(doubled, parity);
        let q = cells.arith.offset(with_parity, F::NEG_ONE);

        let mut numbers = Vec::with_capacity(3);
        for number in 0..3 {
            let wide: [A::V; WIDE] = std::array::from_fn(|i| cells.advice(layout.limb_at(number, i)));
            for (i, &limb) in wide.iter().enumerate() {
                layout.limb.constrain(cells, limb, layout.limb_at(number, i) + 1);
            }
            numbers.push(wide);
        }
        let (w, r, u) = (numbers[0], numbers[1], numbers[2]);

        let zero = cells.arith.fixed(F::ZERO);
        let total_at = |i: usize| total.get(i).copied().unwrap_or(zero);
        // q S - W
        let mut columns = [zero; WIDE];
        for (i, column) in columns.iter_mut().enumerate() {
            let product = cells.arith.mul(q, total_at(i));
            *column = cells.arith.sub(product, w[i]);
        }
        Self::carry_columns(cells, &layout, 0, &columns);

        // q W + R - 2^50 x²
        let t = magnitude(cells.arith, limbs, sign);
        let squares = square(cells.arith, t);
        for (i, column) in columns.iter_mut().enumerate() {
            let product = cells.arith.mul(q, w[i]);
            *column = cells.arith.add(product, r[i]);
            if let Some(&square) = i.checked_sub(SHIFT).and_then(|k| squares.get(k)) {
                let scaled = cells.arith.scale(square, F::from_canonical_u64(4));
                *column = cells.arith.sub(*column, scaled);
            }
        }
        Self::carry_columns(cells, &layout, 1, &columns);

        // 2 W + S - 1 - R - U
        for (i, column) in columns.iter_mut().enumerate() {
            let twice = cells.arith.add(w[i], w[i]);
            let sum = cells.arith.add(twice, total_at(i));
            let less = cells.arith.sub(sum, r[i]);
            *column = cells.arith.sub(less, u[i]);
        }
        columns[0] = cells.arith.offset(columns[0], F::NEG_ONE);
        Self::carry_columns(cells, &layout, 2, &columns);

        let flip = cells.arith.mul(sign, m);
        let twice = cells.arith.add(flip, flip);
        let signed = cells.arith.sub(m, twice);
        let output = cells.output(0);
        cells.arith.assert_equal(signed, output);
    }

    /// The zero vector's: `S` is never zero.
    fn idle_inputs(&self) -> Vec<F> {
        let mut inputs = vec![F::ZERO; self.shape().inputs];
        inputs[MAGNITUDE + 1] = F::ONE;
        inputs
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F]) {
        let layout = RoundLayout::new();
        let limb = |i: usize| inputs[i].to_canonical_u64();
        let sign = limb(MAGNITUDE);
        let magnitude = (limb(0) + (limb(1) << LIMB_BITS)).wrapping_add(limb(2) << (2 * LIMB_BITS)).wrapping_add(sign);
        let total: [i128; WIDE] = std::array::from_fn(|i| if i < TOTAL { limb(MAGNITUDE + 1 + i).into() } else { 0 });
        let mut squares = [0i128; WIDE];
        for (i, product) in square_of(magnitude).into_iter().enumerate() {
            squares[i + SHIFT] = 4 * i128::from(product);
        }
        let q = quotient(&total, &squares);
        let m = q.div_ceil(2);
        let w = carried(total.map(|s| i128::from(q) * s));
        let r = carried(std::array::from_fn(|i| squares[i] - i128::from(q) * w[i]));
        let one = |i: usize| i128::from(i == 0);
        let u = carried(std::array::from_fn(|i| 2 * w[i] + total[i] - one(i) - r[i]));

        advice[0] = F::from_canonical_u64(m);
        layout.m.assign(m, &mut advice[1..][..layout.m.advice()]);
        advice[layout.parity] = F::from_canonical_u64(q + 1 - 2 * m);
        for (number, wide) in [w, r, u].iter().enumerate() {
            for (i, &value) in wide.iter().enumerate() {
                let at = layout.limb_at(number, i);
                advice[at] = from_signed(value as i64);
                layout.limb.assign(value as u64, &mut advice[at + 1..][..layout.limb.advice()]);
            }
        }
        // The carries of the equations as the constraints have them: the square's limbs with the sign not carried.
        let uncarried = [limb(0) + sign, limb(1), limb(2)].map(i128::from);
        let [a, b, c] = uncarried;
        let mut columns_of_square = [0i128; WIDE];
        for (i, product) in [a * a, 2 * a * b, 2 * a * c + b * b, 2 * b * c, c * c].into_iter().enumerate() {
            columns_of_square[i + SHIFT] = 4 * product;
        }
        let equations: [[i128; WIDE]; 3] = [
            std::array::from_fn(|i| i128::from(q) * total[i] - w[i]),
            std::array::from_fn(|i| i128::from(q) * w[i] + r[i] - columns_of_square[i]),
            std::array::from_fn(|i| 2 * w[i] + total[i] - one(i) - r[i] - u[i]),
        ];
        for (equation, columns) in equations.iter().enumerate() {
            let check = layout.carry_checks()[equation];
            let mut carry = 0;
            for (i, column) in columns.iter().enumerate().take(RoundLayout::CARRIES) {
                carry = (column + carry) >> LIMB_BITS;
                let at = layout.carry_at(equation, i);
                advice[at] = from_signed(carry as i64);
                let shifted = carry + i128::from(RoundLayout::carry_offset(equation));
                check.assign(shifted as u64, &mut advice[at + 1..][..check.advice()]);
            }
        }
        let signed = if sign == 1 { -(m as i64) } else { m as i64 };
        outputs[0] = from_signed(signed);
    }
}

/// Limbs in `0 .. 2^24`, the topmost taking what is left.
fn carried(columns: [i128; WIDE]) -> [i128; WIDE] {
    let mut carry = 0;
    std::array::from_fn(|i| {
        let sum = columns[i] + carry;
        carry = sum >> LIMB_BITS;
        if i + 1 == WIDE { sum } else { sum & i128::from(LIMB - 1) }
    })
}

/// The largest `q` with `q² S <= A`, for `S` and `A` given by limbs or limb products.
fn quotient(total: &[i128; WIDE], square: &[i128; WIDE]) -> u64 {
    let fits = |q: u64| {
        let w = carried(total.map(|s| i128::from(q) * s));
        let remainder = carried(std::array::from_fn(|i| square[i] - i128::from(q) * w[i]));
        remainder[WIDE - 1] >= 0
    };
    let mut q = 0;
    for bit in (0..=FRACTION_BITS + 1).rev() {
        if fits(q | 1 << bit) {
            q |= 1 << bit;
        }
    }
    q
}
