//! Sums of products: convolutions and dense layers.
//!
//! A convolution becomes a matrix product: each output pixel is a row of the pixels it reads, and floating
//! point multiplies that with the kernel. Integers go the same way while no sum can reach 2^53, where `f64`
//! is exact in whatever order it adds; beyond that they are multiplied as they are. Dense layers read every
//! weight once, so they are summed where they lie, without a copy.

use std::ops::Range;

use ndarray::{ArcArray, Array2, ArrayView1, IxDyn};

use super::as_f64;
use crate::weights::contiguous;
use crate::{Fact, Weights, channel_bounds};

/// Below this every integer is an `f64`.
const EXACT_IN_F64: i128 = 1 << 53;

/// How many output pixels are gathered at a time: enough for the product to run at full speed, few enough
/// for the gathered rows to stay in the cache.
const PIXELS_AT_A_TIME: usize = 256;

/// For each of the images in a row, one after the other; `shape` is that of one result.
pub(crate) fn conv2d_real(kernel: &Weights, bias: Option<&Weights>, images: &[f64], shape: &[usize]) -> Vec<f64> {
    let Some(geometry) = Geometry::new(kernel, shape) else {
        return Vec::new();
    };
    let mut sums = geometry.multiply_f64(elements_f64(kernel), images, |value| value);
    finish_real(&mut sums, kernel, bias);
    sums
}

/// The sums are proven within ±2^62, partial ones included; `fact` is that of one image.
pub(crate) fn conv2d_fixed(
    kernel: &Weights,
    bias: Option<&Weights>,
    images: &[i64],
    fact: &Fact,
    shape: &[usize],
) -> Vec<i64> {
    let (Weights::Fixed { data, .. }, Some(geometry)) = (kernel, Geometry::new(kernel, shape)) else {
        return Vec::new();
    };
    let mut sums: Vec<i64> = if is_exact_in_f64(data, bias, fact) {
        geometry.multiply_f64(as_f64(data), images, |value| value as f64).into_iter().map(|sum| sum as i64).collect()
    } else {
        geometry.multiply_i64(&contiguous(data), images)
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
        Weights::Real(data) => contiguous(data).chunks(x.len()).map(|row| ArrayView1::from(row).dot(&vector)).collect(),
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

/// The sizes of a convolution.
struct Geometry {
    /// Height and width of the result.
    height: usize,
    width: usize,
    /// How many pixels the kernel spans.
    kernel_height: usize,
    kernel_width: usize,
    /// Input and output channels.
    c_in: usize,
    c_out: usize,
}

impl Geometry {
    /// `shape` is that of the result.
    fn new(kernel: &Weights, shape: &[usize]) -> Option<Self> {
        let (&[height, width, c_out], &[_, kernel_height, kernel_width, c_in]) = (shape, kernel.shape()) else {
            return None;
        };
        Some(Geometry { height, width, kernel_height, kernel_width, c_in, c_out })
    }

    /// How many numbers an image has.
    fn image_length(&self) -> usize {
        (self.height + self.kernel_height - 1) * (self.width + self.kernel_width - 1) * self.c_in
    }

    /// How many numbers one output pixel is computed from.
    fn patch_length(&self) -> usize {
        self.kernel_height * self.kernel_width * self.c_in
    }

    /// Blocks of output pixels, by their row-major positions.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let pixels = self.height * self.width;
        (0..pixels).step_by(PIXELS_AT_A_TIME).map(move |start| start..pixels.min(start + PIXELS_AT_A_TIME))
    }

    /// The numbers that each of the output pixels reads, in the order of the kernel's.
    fn patches<T: Copy, U>(&self, pixels: Range<usize>, image: &[T], convert: impl Fn(T) -> U) -> Vec<U> {
        let row_length = (self.width + self.kernel_width - 1) * self.c_in;
        let span = self.kernel_width * self.c_in;
        let mut patches = Vec::with_capacity(pixels.len() * self.patch_length());
        for pixel in pixels {
            let (y, x) = (pixel / self.width, pixel % self.width);
            for i in 0..self.kernel_height {
                let start = (y + i) * row_length + x * self.c_in;
                patches.extend(image[start..start + span].iter().map(|&value| convert(value)));
            }
        }
        patches
    }

    fn multiply_f64<T: Copy>(&self, kernel: Vec<f64>, images: &[T], convert: impl Fn(T) -> f64) -> Vec<f64> {
        let kernel = matrix(self.c_out, self.patch_length(), kernel);
        let mut sums = Vec::with_capacity(images.len() / self.image_length() * self.height * self.width * self.c_out);
        for image in images.chunks(self.image_length()) {
            for pixels in self.blocks() {
                let rows = pixels.len();
                let patches = matrix(rows, self.patch_length(), self.patches(pixels, image, &convert));
                sums.extend(patches.dot(&kernel.t()).iter());
            }
        }
        sums
    }

    /// Here the kernel is what stays in the cache, one patch at a time passes by it.
    fn multiply_i64(&self, kernel: &[i64], images: &[i64]) -> Vec<i64> {
        let mut sums = Vec::with_capacity(images.len() / self.image_length() * self.height * self.width * self.c_out);
        for image in images.chunks(self.image_length()) {
            for pixels in self.blocks() {
                let patches = self.patches(pixels, image, |value| value);
                for patch in patches.chunks(self.patch_length()) {
                    sums.extend(kernel.chunks(self.patch_length()).map(|row| dot(row, patch)));
                }
            }
        }
        sums
    }
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

pub(super) fn elements_f64(weights: &Weights) -> Vec<f64> {
    match weights {
        Weights::Real(data) => data.iter().copied().collect(),
        Weights::Fixed { data, .. } => as_f64(data),
    }
}

fn integers(weights: Option<&Weights>) -> Option<&ArcArray<i64, IxDyn>> {
    match weights {
        Some(Weights::Fixed { data, .. }) => Some(data),
        _ => None,
    }
}
