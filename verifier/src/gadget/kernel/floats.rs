//! A convolution of batches of field elements, as one of floats.
//!
//! Each field element is split into halves of 32 bits, which times a weight and summed stay under 2^53 and so are exact; the
//! two sums are put together again mod `p`. Weights too large for that are multiplied in the field.

use super::Kernel;
use crate::gadget::arith::{BATCH, Column};
use crate::gadget::field::{F, from_signed};
use crate::gadget::halves::{EXACT_BITS, HALF_BITS, LANES, STRIP, halves, joined_floats, sums};
use wide::f64x8;

/// The weights of some results, neighbours of one another. Elements of the patch that none of them reads, which are most where a
/// block has several positions, are left out.
#[derive(Clone, Debug)]
pub(super) struct Strip {
    /// The elements, by their places, and what they are multiplied with.
    columns: Vec<(usize, [f64; STRIP])>,
}

/// The weights as floats, if every product of halves is exact.
fn strips(kernel: &Kernel) -> Option<Vec<Strip>> {
    let filters: Vec<_> = (0..kernel.outputs()).map(|channel| kernel.filter(channel)).collect();
    let magnitude = |filter: &[i64]| -> u128 { filter.iter().map(|weight| u128::from(weight.unsigned_abs())).sum() };
    let largest = filters.iter().map(|filter| magnitude(filter)).max().unwrap_or(0);
    if largest >= 1 << (EXACT_BITS - HALF_BITS) {
        return None;
    }
    let outputs = kernel.outputs();
    let inputs = kernel.patch().iter().product();
    let results: Vec<usize> = (0..kernel.positions() * outputs).collect();
    let strip = |results: &[usize]| {
        let mut columns = vec![[0.0; STRIP]; inputs];
        for (at, result) in results.iter().enumerate() {
            let (position, channel) = (result / outputs, result % outputs);
            let group = channel / (outputs / kernel.groups);
            for (tap, &weight) in kernel.taps(position, group).zip(filters[channel].iter()) {
                columns[tap][at] = weight as f64;
            }
        }
        Strip { columns: columns.into_iter().enumerate().filter(|(_, weights)| *weights != [0.0; STRIP]).collect() }
    };
    Some(results.chunks(STRIP).map(strip).collect())
}

impl Kernel {
    /// As [`Kernel::convolve`], of the patches at [`BATCH`] points at once.
    pub fn convolve_batch(&self, patch: &[Column]) -> Vec<Column> {
        match self.floats.get_or_init(|| strips(self)) {
            Some(strips) => self.convolve_floats(strips, patch),
            None => self.convolve_in_field(patch),
        }
    }

    fn convolve_floats(&self, strips: &[Strip], inputs: &[Column]) -> Vec<Column> {
        let mut products = vec![Column::ZERO; self.positions() * self.outputs()];
        let mut lanes = vec![[f64x8::ZERO; 2]; inputs.len()];
        for start in (0..BATCH).step_by(LANES) {
            for (lanes, input) in lanes.iter_mut().zip(inputs) {
                *lanes = lanes_of(&input.0[start..start + LANES]);
            }
            for (strip, products) in strips.iter().zip(products.chunks_mut(STRIP)) {
                let sums = sums(strip.columns.iter().map(|(index, weights)| (weights, lanes[*index])));
                for (sum, product) in sums.into_iter().zip(products) {
                    put_together(sum, &mut product.0[start..start + LANES]);
                }
            }
        }
        products
    }

    fn convolve_in_field(&self, patch: &[Column]) -> Vec<Column> {
        // Numbers of elements in their place: a column is too large to be moved about.
        let places: Vec<usize> = (0..patch.len()).collect();
        let mut sums = Vec::new();
        self.convolve(&places, |weights, places| {
            let mut sum = Column::ZERO;
            for (&weight, &place) in weights.iter().zip(places).filter(|(weight, _)| **weight != 0) {
                sum.add_scaled(&patch[place], from_signed(weight));
            }
            sums.push(sum);
            0
        });
        sums
    }
}

/// The low and the high halves of elements.
fn lanes_of(elements: &[F]) -> [f64x8; 2] {
    let halves: [[f64; 2]; LANES] = std::array::from_fn(|i| halves(elements[i]));
    [halves.map(|[low, _]| low), halves.map(|[_, high]| high)].map(f64x8::new)
}

fn put_together([low, high]: [f64x8; 2], elements: &mut [F]) {
    let (low, high) = (low.to_array(), high.to_array());
    for (element, (low, high)) in elements.iter_mut().zip(low.into_iter().zip(high)) {
        *element = joined_floats(low, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;
    use plonky2::field::types::{Field, Sample};

    fn columns(n: usize) -> Vec<Column> {
        (0..n).map(|_| Column(std::array::from_fn(|_| F::rand()))).collect()
    }

    /// Groups, strides, dilations and blocks; and a number of results that fills no strip.
    #[test]
    fn the_float_product_is_the_field_product() {
        let weights =
            Array4::from_shape_fn((6, 3, 2, 3), |(o, y, x, c)| (o * 31 + y * 17 + x * 5 + c * 7) as i64 % 255 - 127);
        let kernel = Kernel::new(weights);
        for kernel in [
            kernel.clone(),
            kernel.clone().at_block([2, 3]),
            kernel.clone().in_groups(3).with_steps([2, 1], [1, 2]).at_block([2, 2]),
        ] {
            assert!(strips(&kernel).is_some() && kernel.is_consistent());
            let mut patch = columns(kernel.patch().iter().product());
            patch[0] = Column([F::NEG_ONE; BATCH]);
            patch[1] = Column([F::from_canonical_u64(u32::MAX.into()); BATCH]);
            patch[2] = Column::ZERO;
            let exact = kernel.convolve_in_field(&patch);
            let fast = kernel.convolve_batch(&patch);
            assert_eq!(fast.len(), exact.len());
            for (fast, slow) in fast.iter().zip(&exact) {
                assert_eq!(fast.0, slow.0);
            }
        }
    }

    #[test]
    fn large_weights_are_multiplied_in_the_field() {
        let kernel = |weight| Kernel::new(Array4::from_elem((1, 1, 1, 2), weight));
        assert!(strips(&kernel(1 << 20)).is_none());
        assert!(strips(&kernel((1 << 20) - 1)).is_some());
    }
}
