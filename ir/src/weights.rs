//! The constant tensors of an operation.

use std::borrow::Cow;

use ndarray::{ArcArray, ArrayBase, Data, IxDyn};

use crate::canonical::{self, Sink};

/// A constant tensor: real numbers as a model file gives them, or integers that stand for `scale * integer`, at one scale for all,
/// or at one for each index of the first axis.
///
/// The elements are shared, so a clone costs nothing. Equality and digest go by the logical (row-major)
/// order of the elements, whatever the layout in memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// Floating point numbers.
    Real(ArcArray<f64, IxDyn>),
    /// Integers with the real value of the integer one.
    Fixed {
        /// The integers.
        data: ArcArray<i64, IxDyn>,
        /// The real value of the integer one.
        scale: f64,
    },
    /// Real numbers of which is known that they are multiples of a scale, as those of a network that was quantized before.
    Scaled {
        /// The multiples.
        data: ArcArray<i64, IxDyn>,
        /// The scale for each index of the first axis.
        scales: Vec<f64>,
    },
}

impl Weights {
    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Weights::Real(data) => data.shape(),
            Weights::Fixed { data, .. } | Weights::Scaled { data, .. } => data.shape(),
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Weights::Real(data) => data.len(),
            Weights::Fixed { data, .. } | Weights::Scaled { data, .. } => data.len(),
        }
    }

    /// Whether there are no numbers at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The real value of the integer one; `None` for real numbers.
    pub fn scale(&self) -> Option<f64> {
        match *self {
            Weights::Real(_) | Weights::Scaled { .. } => None,
            Weights::Fixed { scale, .. } => Some(scale),
        }
    }

    /// Whether the elements stand for real numbers, which passes are yet to make integers.
    pub fn is_real(&self) -> bool {
        matches!(self, Weights::Real(_) | Weights::Scaled { .. })
    }

    /// The real numbers that the elements stand for, in row-major order.
    pub fn reals(&self) -> Vec<f64> {
        match self {
            Weights::Real(data) => data.iter().copied().collect(),
            Weights::Fixed { data, scale } => data.iter().map(|&integer| integer as f64 * scale).collect(),
            Weights::Scaled { data, scales } => {
                let row = (data.len() / scales.len().max(1)).max(1);
                let scales = scales.iter().flat_map(|scale| std::iter::repeat_n(scale, row));
                data.iter().zip(scales).map(|(&integer, scale)| integer as f64 * scale).collect()
            }
        }
    }

    /// BLAKE3 over kind, shape, scale or scales, and elements, in the encoding of [`crate::Graph::canonical_bytes`].
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.put(b"zknn-ir weights 1\n");
        canonical::weights(self, &mut hasher);
        *hasher.finalize().as_bytes()
    }

    /// The first 16 hexadecimal digits of [`Weights::digest`]: what the text form shows of a big tensor.
    ///
    /// Enough to tell tensors apart by mistake, too short to bind them against an adversary.
    pub fn short_digest(&self) -> String {
        self.digest()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Lays the elements out row by row; the tensor stays the same.
    pub(crate) fn lay_out_by_rows(&mut self) {
        match self {
            Weights::Real(data) if !data.is_standard_layout() => {
                *data = data.as_standard_layout().into_owned().into_shared();
            }
            Weights::Fixed { data, .. } | Weights::Scaled { data, .. } if !data.is_standard_layout() => {
                *data = data.as_standard_layout().into_owned().into_shared();
            }
            Weights::Real(_) | Weights::Fixed { .. } | Weights::Scaled { .. } => {}
        }
    }
}

impl Default for Weights {
    /// No numbers at all: what weights are before they are read.
    fn default() -> Self {
        Weights::Real(ArcArray::from_shape_vec(IxDyn(&[0]), Vec::new()).unwrap_or_default())
    }
}

/// The elements in row-major order, borrowed where they already lie so.
pub(crate) fn contiguous<T: Copy, S: Data<Elem = T>>(tensor: &ArrayBase<S, IxDyn>) -> Cow<'_, [T]> {
    match tensor.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(tensor.iter().copied().collect()),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArcArray2, arr2};

    use super::*;

    fn fixed(data: ArcArray2<i64>, scale: f64) -> Weights {
        Weights::Fixed { data: data.into_dyn(), scale }
    }

    fn scaled(scales: &[f64]) -> Weights {
        Weights::Scaled { data: arr2(&[[0, 0], [0, 0]]).into_shared().into_dyn(), scales: scales.to_vec() }
    }

    #[test]
    fn each_row_of_scaled_weights_has_its_own_scale() {
        let data = arr2(&[[1, -2], [3, 4]]).into_shared().into_dyn();
        let weights = Weights::Scaled { data, scales: vec![0.5, 0.25] };
        assert_eq!(weights.reals(), [0.5, -1.0, 0.75, 1.0]);
    }

    #[test]
    fn layout_changes_neither_digest_nor_equality() {
        let plain = fixed(arr2(&[[1, 2], [3, 4]]).into_shared(), 1.0);
        let turned = fixed(arr2(&[[1, 3], [2, 4]]).reversed_axes().into_shared(), 1.0);
        assert_eq!(plain, turned);
        assert_eq!(plain.digest(), turned.digest());
        let mut by_rows = turned;
        by_rows.lay_out_by_rows();
        assert_eq!(plain, by_rows);
    }

    #[test]
    fn the_digest_covers_kind_shape_scale_and_elements() {
        let base = fixed(arr2(&[[0, 0], [0, 0]]).into_shared(), 1.0);
        let others = [
            fixed(arr2(&[[0, 0], [0, 1]]).into_shared(), 1.0),
            fixed(arr2(&[[0, 0], [0, 0]]).into_shared(), 0.5),
            fixed(arr2(&[[0, 0, 0, 0]]).into_shared(), 1.0),
            scaled(&[1.0, 1.0]),
            scaled(&[1.0, 0.5]),
            Weights::Real(arr2(&[[0.0, 0.0], [0.0, 0.0]]).into_shared().into_dyn()),
        ];
        for other in others {
            assert_ne!(base.digest(), other.digest(), "{other:?}");
        }
        assert_ne!(scaled(&[1.0, 1.0]).digest(), scaled(&[1.0, 0.5]).digest());
        assert_eq!(base.short_digest().len(), 16);
    }
}
