//! Linear algebra over the field and its extension, as much as the tests need.

use crate::gadget::field::{Ext, F};
use plonky2::field::types::Field;

/// Brings the first `columns` columns to echelon form and returns their rank. The rows from there on are zero in them.
pub fn eliminate<E: Field>(rows: &mut [Vec<E>], columns: usize) -> usize {
    let mut rank = 0;
    for column in 0..columns {
        let Some(pivot) = (rank..rows.len()).find(|&row| !rows[row][column].is_zero()) else { continue };
        rows.swap(rank, pivot);
        let (done, rest) = rows.split_at_mut(rank + 1);
        let pivot = &mut done[rank];
        let inverse = pivot[column].inverse();
        pivot[column..].iter_mut().for_each(|value| *value *= inverse);
        for row in rest {
            let factor = row[column];
            if !factor.is_zero() {
                row[column..].iter_mut().zip(&pivot[column..]).for_each(|(value, &lead)| *value -= factor * lead);
            }
        }
        rank += 1;
    }
    rank
}

/// The rank of a matrix.
pub fn rank<E: Field>(mut rows: Vec<Vec<E>>) -> usize {
    let columns = rows.first().map_or(0, Vec::len);
    eliminate(&mut rows, columns)
}

/// The solution of a regular system, whose last column is its right side.
pub fn solve<E: Field>(mut rows: Vec<Vec<E>>) -> Vec<E> {
    let unknowns = rows.len();
    assert_eq!(eliminate(&mut rows, unknowns), unknowns, "the system is regular");
    let mut solution = vec![E::ZERO; unknowns];
    for (i, row) in rows.iter().enumerate().rev() {
        let known: E = (i + 1..unknowns).map(|k| row[k] * solution[k]).sum();
        solution[i] = row[unknowns] - known;
    }
    solution
}

/// The values at `point` of the polynomials that are one in one row and zero in all others: what the values at the rows are
/// weighed with to give the value at the point, which is no row.
pub fn lagrange(subgroup: &[F], point: Ext) -> Vec<Ext> {
    let rows = subgroup.len();
    let factor = (point.exp_u64(rows as u64) - Ext::ONE) * Ext::from_canonical_usize(rows).inverse();
    let differences: Vec<Ext> = subgroup.iter().map(|&row| point - Ext::from(row)).collect();
    let inverses = Ext::batch_multiplicative_inverse(&differences);
    inverses.into_iter().zip(subgroup).map(|(inverse, &row)| factor * inverse * Ext::from(row)).collect()
}

/// The value of a polynomial over the base field at a point, as linear forms over the base field in its values at the rows:
/// one form at a point of the base field, two at any other.
pub fn forms(subgroup: &[F], point: Ext) -> Vec<Vec<F>> {
    parts(&lagrange(subgroup, point), point)
}

/// Whether the element lies in the base field.
pub fn is_in_base_field(element: Ext) -> bool {
    element.0[1].is_zero()
}

/// The other root of the equation over the base field that `element` solves.
pub fn conjugate(element: Ext) -> Ext {
    let [real, imaginary] = element.0;
    plonky2::field::extension::quadratic::QuadraticExtension([real, -imaginary])
}

/// A form in random elements of the base field, whose value is in the base field if the point is one: as one form over the
/// base field then, and otherwise as two.
pub fn parts(form: &[Ext], point: Ext) -> Vec<Vec<F>> {
    let count = if is_in_base_field(point) { 1 } else { 2 };
    (0..count).map(|part| form.iter().map(|value| value.0[part]).collect()).collect()
}

/// How many values of an oracle a proof tells, and how many of them are independently random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub told: usize,
    pub random: usize,
}

impl Coverage {
    pub fn of(forms: Vec<Vec<F>>) -> Self {
        Self { told: forms.len(), random: rank(forms) }
    }
}

impl std::iter::Sum for Coverage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { told: sum.told + one.told, random: sum.random + one.random })
    }
}
