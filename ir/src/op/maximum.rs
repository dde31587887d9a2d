//! The greatest of several tensors.

use super::{Arity, Class, Operand, Operation};
use crate::infer::{check_one_scale, check_one_shape};
use crate::{Fact, InferError, Number, Range};

/// The greatest of tensors of one shape, number by number. Integers are all at one scale.
pub struct Maximum;

impl Operation for Maximum {
    const NAME: &'static str = "maximum";
    const ARITY: Arity = Arity::AtLeast(2);

    fn class(&self) -> Class {
        Class::Choice
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        check_one_shape(Self::NAME, operands)?;
        check_one_scale(Self::NAME, operands)?;
        let mut number = operands[0].number.clone();
        for operand in &operands[1..] {
            if let (Number::Fixed { lo, hi, .. }, Some((least, greatest))) = (&mut number, operand.interval()) {
                (*lo, *hi) = ((*lo).max(least), (*hi).max(greatest));
            }
        }
        Ok(Fact { shape: operands[0].shape.clone(), number })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        let greater = |a: Range, b: &Range| Range { lo: a.lo.max(b.lo), hi: a.hi.max(b.hi) };
        operands[1..].iter().fold(operands[0], greater)
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], _: &Fact) -> Vec<f64> {
        greatest(operands, f64::max)
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], _: &Fact) -> Vec<i64> {
        greatest(operands, i64::max)
    }
}

fn greatest<T: Copy>(operands: &[Operand<'_, T>], greater: impl Fn(T, T) -> T) -> Vec<T> {
    let mut maxima = operands[0].elements.to_vec();
    for operand in &operands[1..] {
        for (maximum, &value) in maxima.iter_mut().zip(operand.elements) {
            *maximum = greater(*maximum, value);
        }
    }
    maxima
}
