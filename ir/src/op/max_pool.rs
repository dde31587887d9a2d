//! Max-pooling.

use serde::{Deserialize, Serialize};

use super::attribute::Visitor;
use super::{Arity, Class, Operand, Operation};
use crate::infer::{axes, rectified};
use crate::{Fact, InferError, Range};

/// The greatest number of each window of an image, channel by channel. Windows do not overlap and tile the image exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaxPool {
    /// Height and width of a window.
    pub window: [usize; 2],
    /// Whether zero takes part in each maximum.
    pub relu: bool,
}

impl Operation for MaxPool {
    const NAME: &'static str = "max_pool";
    const ARITY: Arity = Arity::Exactly(1);

    fn class(&self) -> Class {
        Class::Greatest { with_zero: self.relu }
    }

    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        visitor.height_and_width("window", &mut self.window)?;
        visitor.flag("relu", &mut self.relu)
    }

    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
        let (operand, window) = (operands[0], self.window);
        let [height, width, channels] = axes(Self::NAME, "input", &operand.shape)?;
        if window.contains(&0) {
            return Err(InferError::EmptyWindow { window });
        }
        if height % window[0] != 0 || width % window[1] != 0 {
            return Err(InferError::WindowDoesNotDivide { window, input: [height, width] });
        }
        Ok(Fact {
            shape: vec![height / window[0], width / window[1], channels],
            number: if self.relu { rectified(&operand.number) } else { operand.number.clone() },
        })
    }

    fn range(&self, operands: &[Range], _: &Fact) -> Range {
        if self.relu { operands[0].rectified() } else { operands[0] }
    }

    fn eval_real(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
        let floor = self.relu.then_some(0.0);
        operands[0].each(|image| max_pool(self.window, floor, image, &result.shape, f64::max))
    }

    fn eval_fixed(&self, operands: &[Operand<'_, i64>], result: &Fact) -> Vec<i64> {
        let floor = self.relu.then_some(0);
        operands[0].each(|image| max_pool(self.window, floor, image, &result.shape, i64::max))
    }
}

/// The greatest element of each window, and of `floor` where there is one; `shape` is that of the result.
fn max_pool<T: Copy>(
    window: [usize; 2],
    floor: Option<T>,
    image: &[T],
    shape: &[usize],
    max: impl Fn(T, T) -> T,
) -> Vec<T> {
    let &[height, width, channels] = shape else {
        return Vec::new();
    };
    let row_length = width * window[1] * channels;
    let mut pooled = Vec::with_capacity(height * width * channels);
    for y in 0..height {
        for x in 0..width {
            let corner = y * window[0] * row_length + x * window[1] * channels;
            let start = pooled.len();
            pooled.extend_from_slice(&image[corner..corner + channels]);
            let greatest = &mut pooled[start..];
            for i in 0..window[0] {
                let row = corner + i * row_length;
                for pixel in image[row..row + window[1] * channels].chunks(channels) {
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
