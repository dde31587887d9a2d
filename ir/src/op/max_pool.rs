//! Max-pooling.

use std::ops;

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::infer::{axes, rectified};
use crate::{Fact, InferError, Range};

/// The greatest number of each window of an image, channel by channel. Windows may overlap, and may reach over the edges:
/// what lies beyond takes no part. What is left at the end, and holds no whole window, is cut off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaxPool {
    /// Height and width of a window.
    pub window: [usize; 2],
    /// Whether zero takes part in each maximum.
    pub relu: bool,
    /// From one window to the next, along height and width.
    pub stride: [usize; 2],
    /// How far windows reach over the upper and the left edge.
    pub before: [usize; 2],
    /// How far they reach over the lower and the right edge.
    pub after: [usize; 2],
}

impl MaxPool {
    /// With windows that lie side by side, and within the image.
    pub fn tiles(window: [usize; 2], relu: bool) -> Self {
        Self { window, relu, stride: window, ..Self::default() }
    }

    /// Whether windows lie side by side, and within the image.
    pub fn is_tiling(&self) -> bool {
        self.stride == self.window && self.before == [0, 0] && self.after == [0, 0]
    }

    /// The rows of an image of so many that the windows in a row of the result cover, or its columns: axis 0 or 1. There is
    /// one at least, if the operation is defined on the image.
    pub fn covered(&self, axis: usize, length: usize, index: usize) -> ops::Range<usize> {
        let start = index * self.stride[axis];
        start.saturating_sub(self.before[axis])..(start + self.window[axis] - self.before[axis]).min(length)
    }

    /// How many windows there are along an axis of this length, each of which holds some of it.
    fn windows(&self, axis: usize, length: usize) -> Option<usize> {
        let (window, before) = (self.window[axis], self.before[axis]);
        let padded = length.checked_add(before)?.checked_add(self.after[axis])?;
        let windows = padded.checked_sub(window)? / self.stride[axis] + 1;
        let last = (windows - 1) * self.stride[axis];
        (before < window && last < before + length).then_some(windows)
    }
}

impl Operation for MaxPool {
    const NAME: &'static str = "max_pool";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Greatest { with_zero: self.relu }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.height_and_width("window", &mut self.window)?;
        visitor.flag("relu", &mut self.relu)?;
        let window = self.window;
        visitor.sides_unless("stride", &mut self.stride, window)?;
        visitor.sides_unless("before", &mut self.before, [0, 0])?;
        visitor.sides_unless("after", &mut self.after, [0, 0])
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let (operand, window) = (operands[0], self.window);
        let [height, width, channels] = axes(Self::NAME, "input", &operand.shape)?;
        if window.contains(&0) || self.stride.contains(&0) {
            return Err(InferError::EmptyWindow { window, stride: self.stride });
        }
        let (Some(rows), Some(columns)) = (self.windows(0, height), self.windows(1, width)) else {
            return Err(InferError::WindowOutside { window, input: [height, width] });
        };
        Ok(Fact {
            shape: vec![rows, columns, channels],
            number: if self.relu { rectified(&operand.number) } else { operand.number.clone() },
        })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        if self.relu { operands[0].rectified() } else { operands[0] }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
        let floor = self.relu.then_some(0.0);
        operands[0].each(|image| self.greatest(floor, image, &operands[0].fact.shape, &result.shape, f64::max))
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], result: &Fact) -> Vec<i64> {
        let floor = self.relu.then_some(0);
        operands[0].each(|image| self.greatest(floor, image, &operands[0].fact.shape, &result.shape, i64::max))
    }
}

impl MaxPool {
    /// The greatest element of each window, and of `floor` where there is one.
    fn greatest<T: Copy>(
        &self,
        floor: Option<T>,
        image: &[T],
        from: &[usize],
        to: &[usize],
        max: impl Fn(T, T) -> T,
    ) -> Vec<T> {
        let (&[height, width, channels], &[rows, columns, _]) = (from, to) else {
            return Vec::new();
        };
        let mut pooled = Vec::with_capacity(rows * columns * channels);
        for row in 0..rows {
            for column in 0..columns {
                let (ys, xs) = (self.covered(0, height, row), self.covered(1, width, column));
                let corner = (ys.start * width + xs.start) * channels;
                let start = pooled.len();
                pooled.extend_from_slice(&image[corner..corner + channels]);
                let greatest = &mut pooled[start..];
                for y in ys {
                    let pixels = &image[(y * width + xs.start) * channels..(y * width + xs.end) * channels];
                    for pixel in pixels.chunks(channels) {
                        for (so_far, &value) in greatest.iter_mut().zip(pixel) {
                            *so_far = max(*so_far, value);
                        }
                    }
                }
                if let Some(floor) = floor {
                    for value in greatest {
                        *value = max(*value, floor);
                    }
                }
            }
        }
        pooled
    }
}
