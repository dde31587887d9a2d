//! Sums of products: convolutions and dense layers.
//!
//! A convolution becomes a matrix product: each output pixel is a row of the pixels it reads, and floating
//! point multiplies that with the kernel. Integers go the same way while no sum can reach 2^53, where `f64`
//! is exact in whatever order it adds; beyond that they are multiplied as they are. Dense layers read every
//! weight once, so they are summed where they lie, without a copy.

use ndarray::{ArcArray, Array2, ArrayView1, Axis, IxDyn};

use super::as_f64;
use super::patches::Patches;
use crate::op::Conv2d;
use crate::weights::contiguous;
use crate::{Fact, Weights, channel_bounds};

/// Below this every integer is an `f64`.
const EXACT_IN_F64: i128 = 1 << 53;

/// For each of the images in a row, one after the other; `fact` is that of one image, `shape` that of one result.
pub(crate) fn conv2d_real(op: &Conv2d, images: &[f64], fact: &Fact, shape: &[usize]) -> Vec<f64> {
    let Some(patches) = Patches::new(op, &fact.shape, shape) else {
        return Vec::new();
    };
    let mut sums = multiply_f64(&patches, elements_f64(&op.kernel), images, |value| value);
    finish_real(&mut sums, &op.kernel, op.bias.as_ref());
    sums
}

/// The sums are proven within ±2^62, partial ones included.
pub(crate) fn conv2d_fixed(op: &Conv2d, images: &[i64], fact: &Fact, shape: &[usize]) -> Vec<i64> {
    let bias = op.bias.as_ref();
    let (Weights::Fixed { data, .. }, Some(patches)) = (&op.kernel, Patches::new(op, &fact.shape, shape)) else {
        return Vec::new();
    };
    let mut sums: Vec<i64> = if is_exact_in_f64(data, bias, fact) {
        multiply_f64(&patches, as_f64(data), images, |value| value as f64).into_iter().map(|sum| sum as i64).collect()
    } else {
        multiply_i64(&patches, &contiguous(data), images)
    };
    add_bias(&mut sums, bias);
    sums
}

/// For each of the vectors in a row, one after the other.
pub(crate) fn dense_real(weights: &Weights, bias: Option<&Weights>, x: &[f64]) -> Vec<f64> {
    let length = row_length(weights);
    let vector = ArrayView1::from(x);
    let mut sums: Vec<f64> = match weights {
        _ if x.len() != length => multiply_batch(elements_f64(weights), x.to_vec(), length),
        Weights::Real(data) => contiguous_rows(&contiguous(data), x.len()).map(|row| row.dot(&vector)).collect(),
        Weights::Scaled { .. } => contiguous_rows(&weights.reals(), x.len()).map(|row| row.dot(&vector)).collect(),
        Weights::Fixed { data, .. } => {
            let mut converted = Vec::with_capacity(x.len());
            contiguous(data)
                .chunks(x.len())
                .map(|row| {
                    converted.clear();
                    converted.extend(row.iter().map(|&weight| weight as f64));
                    ArrayView1::from(&converted).dot(&vector)
                })
                .collect()
        }
    };
    finish_real(&mut sums, weights, bias);
    sums
}

/// The sums are proven within ±2^62, partial ones included; `fact` is that of one vector.
pub(crate) fn dense_fixed(weights: &Weights, bias: Option<&Weights>, x: &[i64], fact: &Fact) -> Vec<i64> {
    let Weights::Fixed { data, .. } = weights else {
        return Vec::new();
    };
    let length = row_length(weights);
    let mut sums: Vec<i64> = if x.len() != length && is_exact_in_f64(data, bias, fact) {
        let vectors = x.iter().map(|&value| value as f64).collect();
        multiply_batch(as_f64(data), vectors, length).into_iter().map(|sum| sum as i64).collect()
    } else {
        let rows = contiguous(data);
        x.chunks(length).flat_map(|vector| rows.chunks(length).map(|row| dot(row, vector))).collect()
    };
    add_bias(&mut sums, bias);
    sums
}

/// For each of the tensors in a row, whose last axis is as long as the weights.
pub(crate) fn affine_real(weights: &Weights, bias: Option<&Weights>, x: &[f64]) -> Vec<f64> {
    let factors = elements_f64(weights);
    let mut products: Vec<f64> = x.iter().zip(factors.iter().cycle()).map(|(x, factor)| x * factor).collect();
    finish_real(&mut products, weights, bias);
    products
}

/// The sums are proven within ±2^62.
pub(crate) fn affine_fixed(weights: &Weights, bias: Option<&Weights>, x: &[i64]) -> Vec<i64> {
    let Weights::Fixed { data, .. } = weights else {
        return Vec::new();
    };
    let factors = contiguous(data);
    let mut products: Vec<i64> =
        x.iter().zip(factors.iter().cycle()).map(|(x, factor)| x.wrapping_mul(*factor)).collect();
    add_bias(&mut products, bias);
    products
}

/// Whether no sum that an operand within its fact leads to, partial ones included, is beyond the integers of `f64`.
fn is_exact_in_f64(weights: &ArcArray<i64, IxDyn>, bias: Option<&Weights>, operand: &Fact) -> bool {
    let Some(interval) = operand.interval() else {
        return false;
    };
    channel_bounds(weights, integers(bias), interval).iter().all(|bound| bound.magnitude < EXACT_IN_F64)
}

/// How many numbers a row of a matrix has; positive, as `infer` has seen to.
fn row_length(weights: &Weights) -> usize {
    weights.shape().last().copied().unwrap_or(1).max(1)
}

/// The products of a matrix and each of the vectors in a row.
fn multiply_batch(weights: Vec<f64>, vectors: Vec<f64>, length: usize) -> Vec<f64> {
    let weights = matrix(weights.len() / length, length, weights);
    let vectors = matrix(vectors.len() / length, length, vectors);
    vectors.dot(&weights.t()).iter().copied().collect()
}

fn multiply_f64<T: Copy>(patches: &Patches, kernel: Vec<f64>, images: &[T], convert: impl Fn(T) -> f64) -> Vec<f64> {
    let kernel = matrix(patches.groups * patches.c_out, patches.length(), kernel);
    let mut sums = vec![0.0; images.len() / patches.image_length() * patches.result_length()];
    for (image, sums) in images.chunks(patches.image_length()).zip(sums.chunks_mut(patches.result_length())) {
        for (group, kernel) in kernel.axis_chunks_iter(Axis(0), patches.c_out).enumerate() {
            for pixels in patches.blocks() {
                let rows = patches.gather(group, pixels.clone(), image, &convert);
                let rows = matrix(pixels.len(), patches.length(), rows);
                patches.scatter(group, pixels, rows.dot(&kernel.t()).iter().copied(), sums);
            }
        }
    }
    sums
}

/// Here the kernel is what stays in the cache, one patch at a time passes by it.
fn multiply_i64(patches: &Patches, kernel: &[i64], images: &[i64]) -> Vec<i64> {
    let length = patches.length();
    let mut sums = vec![0; images.len() / patches.image_length() * patches.result_length()];
    for (image, sums) in images.chunks(patches.image_length()).zip(sums.chunks_mut(patches.result_length())) {
        for (group, kernel) in kernel.chunks(patches.c_out * length).enumerate() {
            for pixels in patches.blocks() {
                let rows = patches.gather(group, pixels.clone(), image, |value| value);
                let products = rows.chunks(length).flat_map(|patch| kernel.chunks(length).map(|row| dot(row, patch)));
                patches.scatter(group, pixels, products, sums);
            }
        }
    }
    sums
}

fn matrix(rows: usize, columns: usize, elements: Vec<f64>) -> Array2<f64> {
    // Callers gather exactly `columns` numbers for each of `rows` rows; both are sizes of tensors in memory.
    Array2::from_shape_vec((rows, columns), elements).expect("rows of equal length")
}

/// Wrapping, since `infer` proved that no partial sum leaves ±2^62: nothing wraps, and nothing is checked.
fn dot(row: &[i64], x: &[i64]) -> i64 {
    row.iter().zip(x).fold(0, |sum: i64, (&weight, &value)| sum.wrapping_add(weight.wrapping_mul(value)))
}

fn add_bias(sums: &mut [i64], bias: Option<&Weights>) {
    let Some(bias) = integers(bias) else { return };
    let bias = contiguous(bias);
    for channels in sums.chunks_mut(bias.len().max(1)) {
        for (sum, &bias) in channels.iter_mut().zip(bias.iter()) {
            *sum = sum.wrapping_add(bias);
        }
    }
}

/// Brings sums over integer weights to real values and adds the bias.
pub(super) fn finish_real(sums: &mut [f64], weights: &Weights, bias: Option<&Weights>) {
    if let Some(scale) = weights.scale() {
        sums.iter_mut().for_each(|sum| *sum *= scale);
    }
    let Some(bias) = bias else { return };
    let scale = bias.scale().unwrap_or(1.0);
    let bias = elements_f64(bias);
    for channels in sums.chunks_mut(bias.len().max(1)) {
        for (sum, bias) in channels.iter_mut().zip(&bias) {
            *sum += scale * bias;
        }
    }
}

/// The elements, which [`finish_real`] brings to real values where they are integers at one scale.
pub(super) fn elements_f64(weights: &Weights) -> Vec<f64> {
    match weights {
        Weights::Real(_) | Weights::Scaled { .. } => weights.reals(),
        Weights::Fixed { data, .. } => as_f64(data),
    }
}

fn contiguous_rows(elements: &[f64], length: usize) -> impl Iterator<Item = ArrayView1<'_, f64>> {
    elements.chunks(length).map(ArrayView1::from)
}

fn integers(weights: Option<&Weights>) -> Option<&ArcArray<i64, IxDyn>> {
    match weights {
        Some(Weights::Fixed { data, .. }) => Some(data),
        _ => None,
    }
}
