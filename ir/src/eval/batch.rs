//! Batches: many samples of each input, along a first axis.

use std::ops::Range;

use ndarray::{ArrayD, Axis, Slice};

use crate::Graph;

/// Some samples of batches, as far as these go.
///
/// # Panics
///
/// If a tensor has no axes.
pub fn samples<T: Clone>(batches: &[ArrayD<T>], range: Range<usize>) -> Vec<ArrayD<T>> {
    let part = |batch: &ArrayD<T>| {
        let end = range.end.min(batch.shape()[0]);
        batch.slice_axis(Axis(0), Slice::from(range.start.min(end)..end)).to_owned()
    };
    batches.iter().map(part).collect()
}

/// So many samples in parts, to be evaluated one after the other: each of at most `most` samples, and of no more than have
/// `numbers` numbers in all tensors of the graph together, but one sample at least.
pub fn parts(graph: &Graph, samples: usize, numbers: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let part = (numbers / graph.elements().max(1)).clamp(1, most);
    (0..samples).step_by(part).map(move |start| start..(start + part).min(samples))
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    #[test]
    fn parts_cover_all_samples_and_hold_no_more_than_they_may() {
        // Six numbers a sample.
        let graph = crate::parse("%0 = input : [3] real\n%1 = relu %0\noutput %1").unwrap();
        let of = |samples, numbers, most| parts(&graph, samples, numbers, most).collect::<Vec<_>>();
        assert_eq!(of(5, 12, 9), [0..2, 2..4, 4..5]);
        assert_eq!(of(5, 600, 3), [0..3, 3..5]);
        assert_eq!(of(2, 1, 9), [0..1, 1..2]);
        assert_eq!(of(0, 12, 9), []);
    }

    #[test]
    fn samples_are_those_that_there_are() {
        let batches = [arr2(&[[1], [2], [3]]).into_dyn(), arr2(&[[4], [5]]).into_dyn()];
        assert_eq!(samples(&batches, 1..9), [arr2(&[[2], [3]]).into_dyn(), arr2(&[[5]]).into_dyn()]);
        assert_eq!(samples(&batches, 2..3)[1].shape(), [0, 1]);
    }
}
