//! Sums of products in one order, the same to the last bit on every machine.
//!
//! Each sum starts at zero and takes its products one after the other, in the order in which the weights lie; each product
//! and each sum is rounded by itself. So the standard for floating point leaves no choice. What [`super::linear`] does is
//! faster, but depends on whether a CPU multiplies and adds in one step, and on how it splits a sum. Here vectors hold
//! different sums, never parts of one.

use rayon::prelude::*;

use super::linear::{elements_f64, finish_real};
use super::patches::Patches;
use crate::op::Conv2d;
use crate::{Fact, Weights};

/// Rows that are multiplied together, for each weight to be read once for all of them.
const TOGETHER: usize = 16;

/// As [`super::linear::conv2d_real`].
pub(crate) fn conv2d(op: &Conv2d, images: &[f64], fact: &Fact, shape: &[usize]) -> Vec<f64> {
    let Some(patches) = Patches::new(op, &fact.shape, shape) else {
        return Vec::new();
    };
    let kernel = elements_f64(&op.kernel);
    let groups: Vec<Columns> =
        kernel.chunks(patches.c_out * patches.length()).map(|rows| Columns::new(rows, patches.c_out)).collect();
    let row_of_pixels = |(image, y): (&[f64], usize)| {
        let mut sums = vec![0.0; patches.width * patches.groups * patches.c_out];
        for (group, columns) in groups.iter().enumerate() {
            let rows = patches.gather(group, y * patches.width..(y + 1) * patches.width, image, |value| value);
            patches.scatter(group, 0..patches.width, columns.multiply(&rows), &mut sums);
        }
        sums
    };
    let rows: Vec<(&[f64], usize)> = images
        .chunks(patches.image_length().max(1))
        .flat_map(|image| (0..patches.height).map(move |y| (image, y)))
        .collect();
    let mut sums: Vec<f64> = rows.into_par_iter().flat_map_iter(row_of_pixels).collect();
    finish_real(&mut sums, &op.kernel, op.bias.as_ref());
    sums
}

/// As [`super::linear::dense_real`].
pub(crate) fn dense(weights: &Weights, bias: Option<&Weights>, x: &[f64]) -> Vec<f64> {
    let columns = Columns::new(&elements_f64(weights), weights.shape().first().copied().unwrap_or(1));
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
    /// Of a matrix that lies row by row, one row for each of the outputs.
    fn new(rows: &[f64], outputs: usize) -> Self {
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
