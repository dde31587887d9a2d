//! The row constants of instances.

use super::{Matrix, TileShape};
use ndarray::ArcArray2;

/// What the row constants of a block's instances are.
#[derive(Clone, Debug)]
pub enum RowConstants {
    /// There are none.
    None,
    /// Each instance is a tile of a matrix: those of one band, from left to right, then those of the band below.
    Tiles {
        /// The matrix. Beyond its edges weights are zero.
        matrix: Matrix,
        /// What it is cut into.
        shape: TileShape,
    },
    /// So many instances, one after the other, have the constants of a row, then as many those of the next row.
    Shared {
        /// Constants, one row after the other.
        rows: ArcArray2<i64>,
        /// How many instances have the same.
        instances: usize,
    },
}

impl RowConstants {
    /// Writes those of an instance, each as an `element`.
    pub fn write<T: Copy>(&self, instance: usize, out: &mut [T], element: impl Fn(i64) -> T + Copy) {
        match self {
            RowConstants::None => {}
            RowConstants::Tiles { matrix, shape } => {
                let [top, left] = shape.corner(matrix.dim(), instance);
                for (row, out) in (top..).zip(out.chunks_exact_mut(shape.width)) {
                    matrix.write(row, left, out, element);
                }
            }
            RowConstants::Shared { rows, instances } => {
                let row = rows.row(instance / instances);
                out.iter_mut().zip(row).for_each(|(out, &constant)| *out = element(constant));
            }
        }
    }

    /// The greatest magnitude among them.
    pub fn largest(&self) -> u64 {
        match self {
            RowConstants::None => 0,
            RowConstants::Tiles { matrix, .. } => matrix.largest(),
            RowConstants::Shared { rows, .. } => rows.iter().map(|constant| constant.unsigned_abs()).max().unwrap_or(0),
        }
    }
}
