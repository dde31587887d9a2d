//! Constraints as polynomials with integer coefficients, and what the ranges of their wires make of them: whether an
//! equality modulo `p` is one of integers.
//!
//! A wire stands for an integer once its range is known: that of an input from the statement before, that of any other wire
//! from a constraint that leaves no choice. An identity between such integers that are too small for a difference of `p`
//! holds for the integers themselves.

use crate::gadget::arith::Arith;
use crate::gadget::field::{F, to_signed};
use crate::gadget::{DIGIT_RADIX, Gadget, Place};
use plonky2::field::types::Field64;
use std::collections::{BTreeMap, BTreeSet};

/// The least and the greatest integer of a range.
pub type Interval = (i128, i128);

const P: i128 = F::ORDER as i128;

/// Sums of products of wires, each with its coefficient.
type Polynomial = BTreeMap<Vec<usize>, i128>;

/// Products with more terms than this are not multiplied out.
const MAX_TERMS: usize = 1 << 12;

enum Form {
    Sum(Polynomial),
    Product(usize, usize),
    /// Of a degree at which it has no bounds of use.
    Large,
}

enum Stated {
    Zero(usize),
    Digit(usize, u8),
    /// A wire takes up a product of field elements, so that products of many factors may have a low degree.
    Named,
}

/// The constraints of one gadget. Wires are numbered as in a row of its own; row constants follow.
pub struct Symbolic {
    constants_at: usize,
    forms: Vec<Form>,
    stated: Vec<Stated>,
    names: BTreeMap<usize, usize>,
}

/// What the constraints of one instance say of integers.
pub struct Findings {
    /// The ranges of its wires, as far as they are known.
    pub ranges: Vec<Option<Interval>>,
    /// For each identity by how much, at most, its sides may differ as integers. It is one of integers if that is less than
    /// `p`. For each wire that an identity defines, how wide its range is.
    pub differences: Vec<i128>,
    /// Constraints between field elements that stand for no integers.
    pub of_field: usize,
}

impl Findings {
    /// Whether each equality modulo `p` is one of integers.
    pub fn hold_for_integers(&self) -> bool {
        self.differences.iter().all(|&difference| difference < P)
    }

    /// How many bits the widest difference stays below `p`.
    pub fn margin(&self) -> f64 {
        let widest = self.differences.iter().copied().max().unwrap_or(1).max(1);
        (P as f64).log2() - (widest as f64).log2()
    }
}

impl Symbolic {
    /// The constraints of `gadget`, but those of its digit wires.
    pub fn new(gadget: &Gadget) -> Self {
        let shape = gadget.shape();
        let mut symbolic =
            Self { constants_at: shape.wires(), forms: Vec::new(), stated: Vec::new(), names: BTreeMap::new() };
        gadget.constrain(&mut symbolic, Place::alone(shape));
        symbolic
    }

    /// What they say of an instance whose digit wires hold digits, and whose other wires and constants have these ranges.
    pub fn find(&self, gadget: &Gadget, mut ranges: Vec<Option<Interval>>) -> Findings {
        let shape = gadget.shape();
        ranges[shape.routed() + shape.advice..shape.wires()].fill(Some((0, i128::from(DIGIT_RADIX) - 1)));
        let mut findings = Findings { ranges, differences: Vec::new(), of_field: 0 };
        let mut open: Vec<&Stated> = self.stated.iter().collect();
        loop {
            let before = open.len();
            // Products first: that a value is one of several says more than its digits.
            let (products, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|stated| self.is_product(stated));
            open = products.into_iter().filter(|stated| !self.settle(stated, &mut findings)).collect();
            let is_open = |stated: &&Stated| !self.settle(stated, &mut findings);
            open.extend(others.into_iter().filter(is_open));
            if open.len() == before && !self.find_flag(&open, &mut findings) {
                break;
            }
        }
        findings.of_field = open.len();
        findings
    }

    fn push(&mut self, form: Form) -> usize {
        self.forms.push(form);
        self.forms.len() - 1
    }

    fn polynomial(&self, value: usize) -> Option<Polynomial> {
        match &self.forms[value] {
            Form::Sum(sum) => Some(sum.clone()),
            Form::Large => None,
            Form::Product(a, b) => {
                let (a, b) = (self.polynomial(*a)?, self.polynomial(*b)?);
                if a.len() * b.len() > MAX_TERMS {
                    return None;
                }
                let mut product = Polynomial::new();
                for ((left, c), (right, d)) in a.iter().flat_map(|a| b.iter().map(move |b| (a, b))) {
                    let mut wires = [left.as_slice(), right].concat();
                    wires.sort_unstable();
                    let sum = product.entry(wires).or_insert(0i128);
                    *sum = sum.checked_add(c.checked_mul(*d)?)?;
                }
                Some(product)
            }
        }
    }

    fn combined(&mut self, a: usize, b: usize, factor: i128) -> usize {
        let sum = || {
            let (mut sum, other) = (self.polynomial(a)?, self.polynomial(b)?);
            for (wires, coefficient) in other {
                let term = sum.entry(wires).or_insert(0i128);
                *term = term.checked_add(coefficient.checked_mul(factor)?)?;
            }
            sum.retain(|_, coefficient| *coefficient != 0);
            Some(sum)
        };
        let form = sum().map_or(Form::Large, Form::Sum);
        self.push(form)
    }

    /// The factors of a value; those of the product that a wire takes up in its place.
    fn factors(&self, value: usize) -> Vec<usize> {
        match &self.forms[value] {
            Form::Product(a, b) => [self.factors(*a), self.factors(*b)].concat(),
            Form::Sum(sum) => {
                let wire = sum.iter().next().filter(|(wires, c)| sum.len() == 1 && wires.len() == 1 && **c == 1);
                let product = wire.and_then(|(wires, _)| self.names.get(&wires[0]));
                product.map_or(vec![value], |&product| self.factors(product))
            }
            Form::Large => vec![value],
        }
    }

    fn is_product(&self, stated: &Stated) -> bool {
        matches!(stated, Stated::Zero(value) if self.factors(*value).len() > 1)
    }

    /// Takes what a constraint says into the findings; false where too little is known yet.
    fn settle(&self, stated: &Stated, findings: &mut Findings) -> bool {
        match *stated {
            Stated::Named => false,
            Stated::Digit(value, radix) => {
                self.polynomial(value).is_some_and(|sum| identity(&sum, (0, i128::from(radix) - 1), findings))
            }
            Stated::Zero(value) => {
                let factors = self.factors(value);
                let Some(sums) = factors.into_iter().map(|factor| self.polynomial(factor)).collect::<Option<Vec<_>>>()
                else {
                    return false;
                };
                match &sums[..] {
                    [sum] => identity(sum, (0, 0), findings),
                    sums => one_is_zero(sums, findings),
                }
            }
        }
    }

    /// A wire `z` with `a z = 0` and `a v + z = 1` is 0 or 1: if it is not 0, `a` is, and then it is 1.
    fn find_flag(&self, open: &[&Stated], findings: &mut Findings) -> bool {
        let zeros =
            || open.iter().filter_map(|stated| if let Stated::Zero(value) = stated { Some(*value) } else { None });
        let sums: Vec<Polynomial> = zeros().filter_map(|value| self.polynomial(value)).collect();
        for pair in zeros().map(|value| self.factors(value)).filter(|factors| factors.len() == 2) {
            for (a, z) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                let (Some(a), Some(z)) = (self.polynomial(a), self.polynomial(z)) else { continue };
                let Some(flag) = single_wire(&z).filter(|&wire| findings.ranges[wire].is_none()) else { continue };
                let is_inverse = |sum: &Polynomial| {
                    let wires: BTreeSet<usize> = sum.keys().flatten().copied().collect();
                    wires.into_iter().any(|inverse| {
                        let mut expected = Polynomial::from([(vec![], -1), (vec![flag], 1)]);
                        for (wires, &coefficient) in &a {
                            let mut wires = [wires.as_slice(), &[inverse]].concat();
                            wires.sort_unstable();
                            expected.insert(wires, coefficient);
                        }
                        *sum == expected
                    })
                };
                if sums.iter().any(is_inverse) {
                    findings.ranges[flag] = Some((0, 1));
                    return true;
                }
            }
        }
        false
    }
}

fn single_wire(sum: &Polynomial) -> Option<usize> {
    let (wires, coefficient) = sum.iter().next()?;
    (sum.len() == 1 && wires.len() == 1 && *coefficient == 1).then(|| wires[0])
}

/// The wires of unknown range in `sum`, each once.
fn unknown(sum: &Polynomial, ranges: &[Option<Interval>]) -> Vec<usize> {
    let wires: BTreeSet<usize> = sum.keys().flatten().copied().collect();
    wires.into_iter().filter(|&wire| ranges[wire].is_none()).collect()
}

/// The range of `wire` for which `sum` is in `value`, if it occurs once and alone, and nothing else is unknown.
fn solved(sum: &Polynomial, wire: usize, value: Interval, ranges: &[Option<Interval>]) -> Option<Interval> {
    let coefficient = *sum.get(&vec![wire])?;
    let rest: Polynomial =
        sum.iter().filter(|(wires, _)| !wires.contains(&wire)).map(|(w, &c)| (w.clone(), c)).collect();
    if coefficient.abs() != 1 || rest.len() + 1 != sum.len() {
        return None;
    }
    let (lo, hi) = bounds(&rest, ranges)?;
    let difference = (value.0.checked_sub(hi)?, value.1.checked_sub(lo)?);
    Some(if coefficient == 1 { difference } else { (-difference.1, -difference.0) })
}

/// That `sum` is in `value`: it defines a wire, or it is an identity of what is known.
fn identity(sum: &Polynomial, value: Interval, findings: &mut Findings) -> bool {
    match unknown(sum, &findings.ranges)[..] {
        [] => {
            let Some((lo, hi)) = bounds(sum, &findings.ranges) else { return false };
            findings.differences.push((hi - value.0).max(value.1 - lo));
            true
        }
        [wire] => {
            let Some(range) = solved(sum, wire, value, &findings.ranges) else { return false };
            findings.differences.push(range.1 - range.0);
            findings.ranges[wire] = Some(range);
            true
        }
        _ => false,
    }
}

/// That one of these factors is zero: either they all define one wire, which is then in one of several ranges, or each is
/// known and must be no multiple of `p` but zero.
fn one_is_zero(factors: &[Polynomial], findings: &mut Findings) -> bool {
    let all: BTreeSet<usize> = factors.iter().flat_map(|sum| unknown(sum, &findings.ranges)).collect();
    match all.into_iter().collect::<Vec<_>>()[..] {
        [] => {
            let all: Option<Vec<Interval>> = factors.iter().map(|sum| bounds(sum, &findings.ranges)).collect();
            let Some(all) = all else { return false };
            findings.differences.extend(all.into_iter().map(|(lo, hi)| hi.max(-lo)));
            true
        }
        [wire] => {
            let ranges: Option<Vec<Interval>> =
                factors.iter().map(|sum| solved(sum, wire, (0, 0), &findings.ranges)).collect();
            let Some(range) = ranges.and_then(|ranges| ranges.into_iter().reduce(hull)) else { return false };
            findings.differences.push(range.1 - range.0);
            findings.ranges[wire] = Some(range);
            true
        }
        _ => false,
    }
}

/// The least range that has both.
pub fn hull(a: Interval, b: Interval) -> Interval {
    (a.0.min(b.0), a.1.max(b.1))
}

/// The range of a sum of products. Bits that are multiplied with others are taken case by case, as they choose between terms.
fn bounds(sum: &Polynomial, ranges: &[Option<Interval>]) -> Option<Interval> {
    let products = sum.keys().filter(|wires| wires.len() > 1).flatten();
    if let Some(bit) = products.copied().find(|&wire| ranges[wire] == Some((0, 1))) {
        let zero =
            sum.iter().filter(|(wires, _)| !wires.contains(&bit)).map(|(wires, &c)| (wires.clone(), c)).collect();
        let mut one = Polynomial::new();
        for (wires, coefficient) in sum {
            let others = wires.iter().copied().filter(|&wire| wire != bit).collect();
            *one.entry(others).or_insert(0) += coefficient;
        }
        return Some(hull(bounds(&zero, ranges)?, bounds(&one, ranges)?));
    }
    sum.iter().try_fold((0i128, 0i128), |(lo, hi), (wires, &coefficient)| {
        let product = wires.iter().try_fold((coefficient, coefficient), |a, &wire| times(a, ranges[wire]?))?;
        Some((lo.checked_add(product.0)?, hi.checked_add(product.1)?))
    })
}

fn times(a: Interval, b: Interval) -> Option<Interval> {
    let products = [a.0.checked_mul(b.0)?, a.0.checked_mul(b.1)?, a.1.checked_mul(b.0)?, a.1.checked_mul(b.1)?];
    products.into_iter().map(|product| (product, product)).reduce(hull)
}

impl Arith for Symbolic {
    type V = usize;

    fn wire(&mut self, index: usize) -> usize {
        self.push(Form::Sum(Polynomial::from([(vec![index], 1)])))
    }

    fn row_constant(&mut self, index: usize) -> usize {
        self.wire(self.constants_at + index)
    }

    fn fixed(&mut self, value: F) -> usize {
        let value = i128::from(to_signed(value));
        let terms = (value != 0).then_some((vec![], value));
        self.push(Form::Sum(terms.into_iter().collect()))
    }

    fn add(&mut self, a: usize, b: usize) -> usize {
        self.combined(a, b, 1)
    }

    fn sub(&mut self, a: usize, b: usize) -> usize {
        self.combined(a, b, -1)
    }

    fn mul(&mut self, a: usize, b: usize) -> usize {
        self.push(Form::Product(a, b))
    }

    fn scale(&mut self, a: usize, c: F) -> usize {
        let zero = self.fixed(F::default());
        self.combined(zero, a, to_signed(c).into())
    }

    fn dot(&mut self, weights: &[i64], values: &[usize]) -> usize {
        let mut terms = weights.iter().zip(values).filter(|(weight, _)| **weight != 0);
        let sum = terms.try_fold(Polynomial::new(), |mut sum, (&weight, &value)| {
            for (wires, coefficient) in self.polynomial(value)? {
                *sum.entry(wires).or_insert(0) += coefficient * i128::from(weight);
            }
            Some(sum)
        });
        self.push(sum.map_or(Form::Large, Form::Sum))
    }

    fn assert_zero(&mut self, value: usize) {
        self.stated.push(Stated::Zero(value));
    }

    fn assert_digit(&mut self, value: usize, radix: u8) {
        self.stated.push(Stated::Digit(value, radix));
    }

    fn assert_equal(&mut self, a: usize, b: usize) {
        let wire = self.polynomial(b).as_ref().and_then(single_wire);
        match wire.filter(|_| matches!(self.forms[a], Form::Product(..))) {
            Some(wire) => {
                self.names.insert(wire, a);
                self.stated.push(Stated::Named);
            }
            None => {
                let difference = self.sub(a, b);
                self.assert_zero(difference);
            }
        }
    }
}
