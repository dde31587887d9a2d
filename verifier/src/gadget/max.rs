//! Maximum of a few values, and of zero: pooling and relu.

use super::digits::DigitWires;
use super::{Cells, Digits, MAX_SIZE, Shape, Statement};
use crate::gadget::arith::Arith;
use crate::gadget::field::{F, from_signed, to_signed};
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// Factors multiplied before a wire takes the product up, so that no constraint passes degree 8.
const FACTORS_PER_WIRE: usize = 7;

/// `m = max(x_1, …, x_n)`, or `max(0, x_1, …, x_n)` with relu.
///
/// Each difference `m - x_i` (and `m`, with relu) is shown to be in `[0, 2^bits)`, and their product to be zero: so
/// `m` is one of the values, and none is above it. Sound while any two of the values differ by at most `2^62`: then a
/// negative difference, read as a field element, is far above `2^62`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Max {
    arity: usize,
    relu: bool,
    digits: Digits,
}

impl Max {
    /// The maximum of `arity` values, between which (and zero, with relu) lie at most `spread <= 2^62`.
    pub fn new(arity: usize, relu: bool, spread: u64) -> Self {
        assert!(spread <= 1 << 62, "a difference of {spread} could be mistaken for a negative one");
        let bits = u64::BITS - spread.leading_zeros();
        Self { arity, relu, digits: Digits::for_bits(bits) }
    }

    /// How many values there are.
    pub fn arity(&self) -> usize {
        self.arity
    }

    /// Whether its parts fit together.
    pub fn has_consistent_parts(&self) -> bool {
        Statement::is_consistent(self)
    }

    fn factors(&self) -> usize {
        self.arity + usize::from(self.relu)
    }

    /// How many advice wires it needs: for products.
    pub fn product_wires(&self) -> usize {
        self.factors().saturating_sub(FACTORS_PER_WIRE).div_ceil(FACTORS_PER_WIRE - 1)
    }

    /// How many digit wires the statement needs.
    pub fn digit_wires(&self) -> usize {
        self.factors() * self.digits.wires()
    }

    /// The highest degree among its constraints, if values are linear in the wires.
    pub fn degree(&self) -> usize {
        self.digits.degree().max(self.factors().min(FACTORS_PER_WIRE))
    }

    /// How many constraints it states.
    pub fn constraints(&self) -> usize {
        self.factors() * self.digits.constraints() + self.product_wires() + 1
    }

    /// States that `max` is the maximum of `values`; the advice wires from `first` on, and the next digit
    /// wires, are the statement's own.
    pub fn constrain_values<A: Arith>(&self, cells: &mut Cells<'_, A>, values: &[A::V], max: A::V, first: usize) {
        let mut differences: Vec<A::V> = values.iter().map(|&x| cells.arith.sub(max, x)).collect();
        if self.relu {
            differences.push(max);
        }
        for &difference in &differences {
            self.digits.constrain(cells, difference);
        }
        let mut wire = first;
        let mut product = differences[0];
        let mut factors = 1;
        for &difference in &differences[1..] {
            if factors == FACTORS_PER_WIRE {
                let partial = cells.advice(wire);
                cells.arith.assert_equal(product, partial);
                (product, factors, wire) = (partial, 1, wire + 1);
            }
            product = cells.arith.mul(product, difference);
            factors += 1;
        }
        cells.arith.assert_zero(product);
    }

    /// The maximum of `values`, with the advice and the digits that go with it.
    pub fn assign_values(&self, values: &[i64], advice: &mut [F], digits: &mut DigitWires<'_>) -> i64 {
        let floor = if self.relu { 0 } else { i64::MIN };
        let max = values.iter().copied().fold(floor, i64::max);
        let zero = self.relu.then_some(0);
        let mut product = F::ONE;
        let (mut factors, mut products) = (0, advice.iter_mut());
        for value in values.iter().copied().chain(zero) {
            let difference = max.wrapping_sub(value) as u64;
            self.digits.assign(difference, digits);
            if factors == FACTORS_PER_WIRE {
                if let Some(wire) = products.next() {
                    *wire = product;
                }
                factors = 1;
            }
            product *= F::from_noncanonical_u64(difference);
            factors += 1;
        }
        max
    }
}

impl Statement for Max {
    fn is_consistent(&self) -> bool {
        (1..=MAX_SIZE).contains(&self.arity) && self.digits.is_consistent()
    }

    fn shape(&self) -> Shape {
        Shape {
            inputs: self.arity,
            outputs: 1,
            advice: self.product_wires(),
            digits: self.digit_wires(),
            constraints: self.constraints(),
            degree: self.degree(),
            ..Shape::default()
        }
    }

    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>) {
        let values: Vec<A::V> = (0..self.arity).map(|i| cells.input(i)).collect();
        let max = cells.output(0);
        self.constrain_values(cells, &values, max, 0);
    }

    fn assign(&self, _: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>) {
        let values: Vec<i64> = inputs.iter().map(|&x| to_signed(x)).collect();
        let max = self.assign_values(&values, advice, digits);
        outputs[0] = from_signed(max);
    }
}
