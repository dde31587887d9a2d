//! Rounding of one element.

use super::{
    FRACTION_BITS, LIMB, LIMB_BITS, MAGNITUDE, SCALED_CARRY_BITS, SHIFT, SLACK_CARRY_BITS, SQUARED_CARRY_BITS, TOTAL,
    WIDE, limb_check, magnitude, square, square_of,
};
use crate::gadget::arith::Arith;
use crate::gadget::digits::DigitWires;
use crate::gadget::field::{F, from_signed};
use crate::gadget::{Cells, Digits, Shape, Statement};
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};

/// Rounds one element.
///
/// Inputs: `u` and `g` of the element, then the limbs of `S`. Output: `y`, the integer nearest `2^24 x / √S`, ties away
/// from zero. Advice, in this order: `m`, the parity `b = q + 1 - 2m`, then limbs of `W = q S`, of the remainder
/// `R = 2^50 x² - q W` and of the slack `U = 2W + S - 1 - R`, then the carries of these three equations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormRound;

/// The range checks of [`NormRound`], and where its advice wires are.
struct RoundLayout {
    m: Digits,
    limb: Digits,
    /// Those of carries, in the order of the equations.
    carries: [Digits; 3],
}

impl RoundLayout {
    const M: usize = 0;
    const PARITY: usize = 1;
    const LIMBS: usize = 2;
    /// Carries an equation has: the topmost column has none.
    const CARRIES: usize = WIDE - 1;

    fn new() -> Self {
        Self {
            m: Digits::for_bits(FRACTION_BITS + 1),
            limb: limb_check(),
            carries: [SCALED_CARRY_BITS, SQUARED_CARRY_BITS, SLACK_CARRY_BITS].map(Digits::for_bits),
        }
    }

    /// The advice wire of limb `i` of `W` (0), `R` (1) or `U` (2).
    fn limb_at(number: usize, i: usize) -> usize {
        Self::LIMBS + number * WIDE + i
    }

    /// The advice wire of carry `i` of an equation.
    fn carry_at(equation: usize, i: usize) -> usize {
        Self::LIMBS + 3 * WIDE + equation * Self::CARRIES + i
    }

    /// What is added to a carry of the equation before its range check, as its sign is open.
    fn carry_offset(equation: usize) -> i64 {
        [0, 1 << (SQUARED_CARRY_BITS - 1), 1 << (SLACK_CARRY_BITS - 1)][equation]
    }

    /// All range checks.
    fn checks(&self) -> impl Iterator<Item = &Digits> {
        let limbs = std::iter::repeat_n(&self.limb, 3 * WIDE);
        let carries = self.carries.iter().flat_map(|check| std::iter::repeat_n(check, Self::CARRIES));
        std::iter::once(&self.m).chain(limbs).chain(carries)
    }
}

impl NormRound {
    /// States `column_i + carry_(i-1) = 2^24 carry_i` for every column, the last carry being zero.
    fn carry_columns<A: Arith>(cells: &mut Cells<'_, A>, layout: &RoundLayout, equation: usize, columns: &[A::V]) {
        let check = &layout.carries[equation];
        let offset = from_signed(RoundLayout::carry_offset(equation));
        let mut carry = cells.arith.fixed(F::ZERO);
        for (i, &column) in columns.iter().enumerate() {
            let sum = cells.arith.add(column, carry);
            if i == RoundLayout::CARRIES {
                cells.arith.assert_zero(sum);
                break;
            }
            carry = cells.advice(RoundLayout::carry_at(equation, i));
            let shifted = cells.arith.offset(carry, offset);
            check.constrain(cells, shifted);
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
            advice: RoundLayout::carry_at(3, 0),
            digits: layout.checks().map(Digits::wires).sum(),
            constants: 0,
            // Beside the checks: the parity, a column of each equation, the sign.
            constraints: layout.checks().map(Digits::constraints).sum::<usize>() + 1 + 3 * WIDE + 1,
            degree: layout.checks().map(Digits::degree).fold(2, usize::max),
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let layout = RoundLayout::new();
        let limbs: [A::V; MAGNITUDE] = std::array::from_fn(|i| cells.input(i));
        let sign = cells.input(MAGNITUDE);
        let total: [A::V; TOTAL] = std::array::from_fn(|i| cells.input(MAGNITUDE + 1 + i));

        let (m, parity) = (cells.advice(RoundLayout::M), cells.advice(RoundLayout::PARITY));
        layout.m.constrain(cells, m);
        cells.arith.assert_digit(parity, 2);
        let doubled = cells.arith.add(m, m);
        let with_parity = cells.arith.add(doubled, parity);
        let q = cells.arith.offset(with_parity, F::NEG_ONE);

        let mut numbers = Vec::with_capacity(3);
        for number in 0..3 {
            let wide: [A::V; WIDE] = std::array::from_fn(|i| cells.advice(RoundLayout::limb_at(number, i)));
            for &limb in &wide {
                layout.limb.constrain(cells, limb);
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

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
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

        advice[RoundLayout::M] = F::from_canonical_u64(m);
        layout.m.assign(m, digits);
        advice[RoundLayout::PARITY] = F::from_canonical_u64(q + 1 - 2 * m);
        for (number, wide) in [w, r, u].iter().enumerate() {
            for (i, &value) in wide.iter().enumerate() {
                advice[RoundLayout::limb_at(number, i)] = from_signed(value as i64);
                layout.limb.assign(value as u64, digits);
            }
        }
        let equations: [[i128; WIDE]; 3] = [
            std::array::from_fn(|i| i128::from(q) * total[i] - w[i]),
            std::array::from_fn(|i| i128::from(q) * w[i] + r[i] - squares[i]),
            std::array::from_fn(|i| 2 * w[i] + total[i] - one(i) - r[i] - u[i]),
        ];
        for (equation, columns) in equations.iter().enumerate() {
            let check = &layout.carries[equation];
            let mut carry = 0;
            for (i, column) in columns.iter().enumerate().take(RoundLayout::CARRIES) {
                carry = (column + carry) >> LIMB_BITS;
                advice[RoundLayout::carry_at(equation, i)] = from_signed(carry as i64);
                let shifted = carry + i128::from(RoundLayout::carry_offset(equation));
                check.assign(shifted as u64, digits);
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
