//! Rounding of one element.

use super::{
    FRACTION_BITS, LIMB, LIMB_BITS, MAGNITUDE, SCALED_CARRY_BITS, SHIFT, SLACK_CARRY_BITS, SQUARED_CARRY_BITS, TOTAL,
    WIDE, limb_check, magnitude, square, square_of,
};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed};
use crate::gadget::{Cells, Digits, Shape, Statement};
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};

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
        // What is no limb is cut to one: the numbers below stay in bounds, and the equations, which have the inputs as
        // they are, fail.
        let limb = |i: usize| inputs[i].to_canonical_u64() & (LIMB - 1);
        let sign = limb(MAGNITUDE) & 1;
        let total: [i128; WIDE] = std::array::from_fn(|i| if i < TOTAL { limb(MAGNITUDE + 1 + i).into() } else { 0 });
        // The sign is on the lowest limb and not carried, as the constraints have it.
        let limbs = [i128::from(limb(0)) + i128::from(sign), limb(1).into(), limb(2).into()];
        let mut squares = [0i128; WIDE];
        for (square, product) in squares[SHIFT..].iter_mut().zip(square_of(limbs)) {
            *square = 4 * product;
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
        let equations: [[i128; WIDE]; 3] = [
            std::array::from_fn(|i| i128::from(q) * total[i] - w[i]),
            std::array::from_fn(|i| i128::from(q) * w[i] + r[i] - squares[i]),
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
