//! Operators that give constants: shapes, and what is made of numbers.

use ndarray::{ArrayD, IxDyn};

use super::super::constant::{Constant, Element};
use super::super::importer::Importer;
use super::super::node::{Imported, Node, refused};
use super::super::stream::Value;
use crate::front::MAX_ELEMENTS;

/// Shape, or a part of it.
pub(super) fn shape(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let full = importer.required(node, 0)?.full_shape();
    let end = |name: &str, missing: usize| {
        let at = node.optional_int(name).unwrap_or(missing as i64);
        (if at < 0 { at + full.len() as i64 } else { at }).clamp(0, full.len() as i64) as usize
    };
    let (start, end) = (end("start", 0), end("end", full.len()));
    let lengths: Vec<f64> = full[start.min(end)..end].iter().map(|length| *length as f64).collect();
    Constant::of_integers(&[lengths.len()], lengths).map(Value::Constant)
}

/// Size.
pub(super) fn size(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let count: usize = importer.required(node, 0)?.full_shape().iter().product();
    Constant::of_integers(&[], vec![count as f64]).map(Value::Constant)
}

/// Constant.
pub(super) fn constant(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    if let Some(tensor) = node.tensor("value") {
        return match Constant::read(tensor, &importer.files) {
            Ok(constant) => Ok(Value::Constant(constant)),
            Err(reason) => refused(format!("its tensor {reason}"), "check the file"),
        };
    }
    let floats = |shape: &[usize], numbers: Vec<f64>| {
        ArrayD::from_shape_vec(IxDyn(shape), numbers).map(Constant::of_floats).ok()
    };
    let integers = |numbers: &[i64]| numbers.iter().map(|number| *number as f64).collect::<Vec<f64>>();
    let made = if let Some(number) = node.float("value_float") {
        floats(&[], vec![number])
    } else if let Some(numbers) = node.floats("value_floats") {
        floats(&[numbers.len()], numbers)
    } else if let Some(number) = node.optional_int("value_int") {
        Some(Constant::of_integers(&[], integers(&[number]))?)
    } else if let Some(numbers) = node.ints("value_ints") {
        Some(Constant::of_integers(&[numbers.len()], integers(numbers))?)
    } else {
        None
    };
    match made {
        Some(constant) => Ok(Value::Constant(constant)),
        None => refused("it holds no numbers that are read", "give a tensor of numbers as `value`"),
    }
}

/// ConstantOfShape: one number everywhere.
pub(super) fn constant_of_shape(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let shape = importer.constant(node, 0)?.lengths()?;
    importer.spend_on(&shape, 1)?;
    let one = match node.tensor("value").map(|tensor| Constant::read(tensor, &importer.files)) {
        None => Constant::of_floats(ArrayD::zeros(IxDyn(&[1]))),
        Some(Ok(constant)) => constant,
        Some(Err(reason)) => return refused(format!("its tensor {reason}"), "check the file"),
    };
    let number = one.data.first().copied().unwrap_or(0.0);
    Ok(Value::Constant(Constant::of(ArrayD::from_elem(IxDyn(&shape), number), one.element)))
}

/// Range of constants.
pub(super) fn range(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let start = importer.constant(node, 0)?;
    let number = |at: usize| importer.constant(node, at).map(|constant| constant.reals().sum());
    let (from, to, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((to - from) / step).ceil().max(0.0);
    if !count.is_finite() || count > MAX_ELEMENTS as f64 {
        return refused(format!("it goes from {from} to {to} by {step}"), "steps must come to an end");
    }
    importer.spend(Some(count as usize))?;
    let numbers: Vec<f64> = (0..count as usize).map(|at| from + at as f64 * step).collect();
    Ok(Value::Constant(Constant::of(ndarray::Array1::from(numbers).into_dyn(), start.element)))
}

/// EyeLike: ones on a diagonal, of the shape of the operand.
pub(super) fn eye_like(importer: &mut Importer, node: &Node<'_>) -> Imported<Value> {
    let operand = importer.required(node, 0)?;
    let (shape, diagonal) = (operand.full_shape(), node.int("k", 0));
    let element = match node.optional_int("dtype") {
        Some(to) => i32::try_from(to).ok().and_then(Element::of),
        None => Some(operand.element()),
    };
    match (&shape[..], element) {
        (&[rows, columns], Some(element)) => {
            importer.spend(rows.checked_mul(columns))?;
            let on = |at: IxDyn| f64::from(u8::from(at[1] as i64 - at[0] as i64 == diagonal));
            Ok(Value::Constant(Constant::of(ArrayD::from_shape_fn(IxDyn(&shape), on), element)))
        }
        _ => refused(format!("its operand has shape {shape:?}"), "it must be a matrix of numbers"),
    }
}
