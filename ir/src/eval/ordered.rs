//! Sums of products in one order, the same to the last bit on every machine.
//!
//! Each sum starts at zero and takes its products one after the other, in the order in which the weights lie; each product
//! and each sum is rounded by itself. So the standard for floating point leaves no choice. What [`super::linear`] does is
//! faster, but depends on whether a CPU multiplies and adds in one step, and on how it splits a sum. Here vectors hold
//! different sums, never parts of one.

use rayon::prelude::*;

use super::linear::{elements_f64, finish_real};
use crate::Weights;

/// Rows that are multiplied together, for each weight to be read once for all of them.
const TOGETHER: usize = 16;

/// As [`super::linear::conv2d_real`].
pub(crate) fn conv2d(kernel: &Weights, bias: Option<&Weights>, images: &[f64], shape: &[usize]) -> Vec<f64> {
    let (&[height, width, _], &[c_out, kernel_height, kernel_width, c_in]) = (shape, kernel.shape()) else {
        return Vec::new();
    };
    let (span, row_length) = (kernel_width * c_in, (width + kernel_width - 1) * c_in);
    let image_length = (height + kernel_height - 1) * row_length;
    let columns = Columns::new(kernel, c_out);
    let row_of_pixels = |(image, y): (&[f64], usize)| {
        let pieces = (0..width).flat_map(|x| (y..y + kernel_height).map(move |y| y * row_length + x * c_in));
        let patches: Vec<f64> = pieces.flat_map(|start| &image[start..start + span]).copied().collect();
        columns.multiply(&patches)
    };
    let rows: Vec<(&[f64], usize)> =
        images.chunks(image_length.max(1)).flat_map(|image| (0..height).map(move |y| (image, y))).collect();
    let mut sums: Vec<f64> = rows.into_par_iter().flat_map_iter(row_of_pixels).collect();
    finish_real(&mut sums, kernel, bias);
    sums
}

/// As [`super::linear::dense_real`].
pub(crate) fn dense(weights: &Weights, bias: Option<&Weights>, x: &[f64]) -> Vec<f64> {
    let columns = Columns::new(weights, weights.shape().first().copied().unwrap_or(1));
    let mut sums: Vec<f64> =
        x.par_chunks(columns.length * TOGETHER).flat_map_iter(|vectors| columns.multiply(vectors)).collect();
    finish_real(&mut sums, weights, bias);
    sums
}

/// A matrix, column by column: the weights that one number is multiplied with lie together.
struct Columns {
    weights: Vec<f64>,
    /// How many weights a column has, one for each sum.
    outputs: usize,
    /// How many columns there are, one for each product of a sum.
    length: usize,
}

impl Columns {
    fn new(weights: &Weights, outputs: usize) -> Self {
        let rows = elements_f64(weights);
        let outputs = outputs.max(1);
        let length = (rows.len() / outputs).max(1);
        let weights = (0..length).flat_map(|k| rows.iter().skip(k).step_by(length).copied()).collect();
        Self { weights, outputs, length }
    }

    /// The products of the matrix and each of the vectors in a row.
    fn multiply(&self, vectors: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; vectors.len() / self.length * self.outputs];
        let groups = sums.chunks_mut(TOGETHER * self.outputs).zip(vectors.chunks(TOGETHER * self.length));
        for (sums, vectors) in groups {
            for (k, column) in self.weights.chunks_exact(self.outputs).enumerate() {
                for (sums, vector) in sums.chunks_exact_mut(self.outputs).zip(vectors.chunks_exact(self.length)) {
                    let x = vector[k];
                    sums.iter_mut().zip(column).for_each(|(sum, weight)| *sum += x * weight);
                }
            }
        }
        sums
    }
}
