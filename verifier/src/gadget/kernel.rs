//! The weights of a convolution, and what each of them is multiplied with.

#[cfg(feature = "prover")]
mod floats;
mod serial;

#[cfg(feature = "prover")]
use super::field::{F, from_signed};
use ndarray::{ArcArray, Ix4};
#[cfg(feature = "prover")]
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::OnceLock;

/// The most weights that a kernel may have, and the most products that it may take.
const MAX_PRODUCTS: usize = 1 << 28;

/// A kernel that is applied at a block of positions, all of which read from one patch of an image.
///
/// The patch has those rows and columns of the image that any position reads, in their order, and all channels, which come
/// last. Of several groups, each reads channels of its own, and gives channels of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kernel {
    /// Channels out, height, width, and channels in of a group.
    #[serde(with = "serial")]
    weights: ArcArray<i64, Ix4>,
    groups: usize,
    stride: [usize; 2],
    dilation: [usize; 2],
    block: [usize; 2],
    /// See [`Kernel::cells`].
    #[serde(skip)]
    cells: OnceLock<Vec<Vec<usize>>>,
    /// The weights as floats, once a prover asks for them; nothing where products of floats would not be exact.
    #[cfg(feature = "prover")]
    #[serde(skip)]
    floats: OnceLock<Option<Vec<floats::Strip>>>,
}

impl Kernel {
    /// These weights (channels out, height, width, channels in), in one group, at one position.
    pub fn new(weights: impl Into<ArcArray<i64, Ix4>>) -> Self {
        Self {
            weights: weights.into(),
            groups: 1,
            stride: [1, 1],
            dilation: [1, 1],
            block: [1, 1],
            cells: OnceLock::new(),
            #[cfg(feature = "prover")]
            floats: OnceLock::new(),
        }
    }

    /// The same, with nothing worked out yet.
    fn afresh(self) -> Self {
        let Self { weights, groups, stride, dilation, block, .. } = self;
        Self { groups, stride, dilation, block, ..Self::new(weights) }
    }

    /// The same in so many groups.
    pub fn in_groups(self, groups: usize) -> Self {
        Self { groups, ..self.afresh() }
    }

    /// The same with other distances between positions, and between what one position reads.
    pub fn with_steps(self, stride: [usize; 2], dilation: [usize; 2]) -> Self {
        Self { stride, dilation, ..self.afresh() }
    }

    /// The same at so many positions, down and to the right.
    pub fn at_block(self, block: [usize; 2]) -> Self {
        Self { block, ..self.afresh() }
    }

    /// Whether its parts fit together, and it is not too large. The other methods may panic where it is not.
    pub fn is_consistent(&self) -> bool {
        let is_small = |factors: &[usize]| {
            let product = factors.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
            product.is_some_and(|product| (1..=MAX_PRODUCTS).contains(&product))
        };
        let (outputs, height, width, inputs) = self.weights.dim();
        let [down, right] = self.block;
        let axis = |axis: usize, extent: usize| {
            is_small(&[self.block[axis], self.stride[axis]]) && is_small(&[extent, self.dilation[axis]])
        };
        is_small(&[outputs, height, width, inputs, down, right])
            && axis(0, height)
            && axis(1, width)
            && is_small(&[down, right, height, width, inputs, self.groups])
            && outputs.is_multiple_of(self.groups)
    }

    /// Channels that it gives.
    pub fn outputs(&self) -> usize {
        self.weights.dim().0
    }

    /// Positions of the block.
    pub fn positions(&self) -> usize {
        self.block[0] * self.block[1]
    }

    /// How many products of a weight and a number it takes.
    pub fn products(&self) -> usize {
        self.weights.len() * self.positions()
    }

    /// Height, width and channels of the patch.
    pub fn patch(&self) -> [usize; 3] {
        let extents = [self.weights.dim().1, self.weights.dim().2];
        let [height, width] = std::array::from_fn(|axis| {
            // Without gaps, or without lines that two positions read, they need not be listed.
            match (self.block[axis], extents[axis], self.stride[axis], self.dilation[axis]) {
                (block, extent, stride, 1) if stride <= extent => (block - 1) * stride + extent,
                (block, extent, stride, dilation) if stride > (extent - 1) * dilation => block * extent,
                _ => self.lines(axis).len(),
            }
        });
        [height, width, self.weights.dim().3 * self.groups]
    }

    /// Which rows (`axis` 0) or columns (1) of the image the patch has, counted from its first.
    pub fn lines(&self, axis: usize) -> Vec<usize> {
        let extents = [self.weights.dim().1, self.weights.dim().2];
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        let positions = (0..self.block[axis]).map(|position| position * stride);
        let mut lines: Vec<usize> =
            positions.flat_map(|first| (0..extents[axis]).map(move |at| first + at * dilation)).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// For each position of the block where in the patch the cells lie that it reads, in the order of the weights: the first
    /// channel of each.
    fn cells(&self) -> &[Vec<usize>] {
        self.cells.get_or_init(|| {
            let (_, height, width, inputs) = self.weights.dim();
            let lines = [self.lines(0), self.lines(1)];
            let channels = inputs * self.groups;
            let place = |axis: usize, position: usize, at: usize| {
                let line = position * self.stride[axis] + at * self.dilation[axis];
                // Lines are those that any position reads.
                lines[axis].binary_search(&line).expect("a line of the patch")
            };
            let of_position = |(down, right): (usize, usize)| {
                let cells = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
                cells.map(|(y, x)| (place(0, down, y) * lines[1].len() + place(1, right, x)) * channels).collect()
            };
            let [down, right] = self.block;
            (0..down).flat_map(|y| (0..right).map(move |x| (y, x))).map(of_position).collect()
        })
    }

    /// The elements of the patch that a position of the block reads of a group, in the order of the weights of one channel.
    fn taps(&self, position: usize, group: usize) -> impl Iterator<Item = usize> + '_ {
        let inputs = self.weights.dim().3;
        self.cells()[position].iter().flat_map(move |&cell| cell + group * inputs..cell + (group + 1) * inputs)
    }

    /// The weights of a channel.
    fn filter(&self, channel: usize) -> Cow<'_, [i64]> {
        let filter = self.weights.index_axis(ndarray::Axis(0), channel);
        // It outlives the view that it is seen through, as all of it lies in `weights`; a copy where it does not lie in a row.
        match filter.to_slice() {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(filter.iter().copied().collect()),
        }
    }

    /// What it gives of a patch, position by position, all channels of each: `dot` multiplies a channel's weights with what
    /// they stand over, and sums.
    pub fn convolve<V: Copy>(&self, patch: &[V], mut dot: impl FnMut(&[i64], &[V]) -> V) -> Vec<V> {
        let of_group = self.outputs() / self.groups;
        let mut results = Vec::with_capacity(self.positions() * self.outputs());
        let mut over = Vec::new();
        for position in 0..self.positions() {
            for group in 0..self.groups {
                over.clear();
                over.extend(self.taps(position, group).map(|tap| patch[tap]));
                for channel in group * of_group..(group + 1) * of_group {
                    results.push(dot(&self.filter(channel), &over));
                }
            }
        }
        results
    }

    /// Adds to each of `sums`, one for each element of the patch, what it is multiplied with in `Σ first · step^i · y_i`, where
    /// `y_i` is all that the kernel gives, in the order of [`Kernel::convolve`].
    #[cfg(feature = "prover")]
    pub fn combine(&self, first: F, step: F, sums: &mut [F]) {
        let of_group = self.outputs() / self.groups;
        let powers: Vec<F> = step.powers().take(self.outputs()).map(|power| first * power).collect();
        let next = step.exp_u64(self.outputs() as u64);
        for group in 0..self.groups {
            let mut of_position = vec![F::ZERO; self.weights.len() / self.outputs()];
            for (channel, &power) in powers.iter().enumerate().skip(group * of_group).take(of_group) {
                for (sum, &weight) in of_position.iter_mut().zip(self.filter(channel).iter()) {
                    *sum += power * from_signed(weight);
                }
            }
            // From one position to the next all factors change by the same one.
            for (position, shift) in (0..self.positions()).zip(next.powers()) {
                self.taps(position, group).zip(&of_position).for_each(|(tap, &sum)| sums[tap] += shift * sum);
            }
        }
    }
}
