//! Inputs that nobody gave, to see how large numbers get.

use ndarray::{ArrayD, IxDyn};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use zknn_ir::{Graph, NodeId, Range};

/// How many kinds of samples there are, in turn.
pub const SAMPLE_KINDS: usize = 4;

/// So many samples of each input of a graph, with elements in its range; the same for the same seed, on every machine.
///
/// Noise alone would show too little: where weights sum many numbers of which each goes its own way, sums stay small. So the
/// samples are, in turn, of elements that go their own way; of elements at either end; of one number for each channel, index of
/// the last axis; and of slopes along the axes.
pub fn random_inputs(graph: &Graph, range: impl Fn(NodeId) -> Range, count: usize, seed: u64) -> Vec<ArrayD<f64>> {
    let of_input = |(&id, seed): (&NodeId, u64)| random_samples(&graph.node(id).fact.shape, range(id), count, seed);
    graph.inputs().iter().zip(seed..).map(of_input).collect()
}

fn random_samples(shape: &[usize], range: Range, count: usize, seed: u64) -> ArrayD<f64> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let samples: Vec<f64> = (0..count).flat_map(|nth| sample(shape, range, nth, &mut random)).collect();
    ArrayD::from_shape_vec(IxDyn(&[&[count], shape].concat()), samples).expect("a sample of each")
}

fn sample(shape: &[usize], Range { lo, hi }: Range, nth: usize, random: &mut ChaCha20Rng) -> Vec<f64> {
    let elements: usize = shape.iter().product();
    let mut anywhere = |_| random.gen_range(lo..=hi);
    match nth % SAMPLE_KINDS {
        0 => (0..elements).map(anywhere).collect(),
        1 => (0..elements).map(|at| if anywhere(at) < 0.5 * (lo + hi) { lo } else { hi }).collect(),
        2 => {
            let channels = shape.last().copied().unwrap_or(1).max(1);
            let of_channel: Vec<f64> = (0..channels).map(anywhere).collect();
            (0..elements).map(|at| of_channel[at % channels]).collect()
        }
        _ => {
            let [start, end] = [0, 1].map(anywhere);
            let slopes: Vec<f64> = shape.iter().map(|_| random.gen_range(0.0..1.0)).collect();
            let total = slopes.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            let along = |index: IxDyn| -> f64 {
                let part = |axis: usize| slopes[axis] * index[axis] as f64 / (shape[axis].max(2) - 1) as f64;
                (0..shape.len()).map(part).sum::<f64>() / total
            };
            let ramp = ArrayD::from_shape_fn(IxDyn(shape), |index| start + (end - start) * along(index));
            ramp.into_iter().map(|x| x.clamp(lo, hi)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_in_range_and_the_same_each_time() {
        let range = Range { lo: -5.0, hi: 4.0 };
        let samples = random_samples(&[3, 4, 2], range, 9, 1);
        assert_eq!(samples.shape(), [9, 3, 4, 2]);
        assert!(samples.iter().all(|x| (-5.0..=4.0).contains(x)));
        assert_eq!(samples, random_samples(&[3, 4, 2], range, 9, 1));
        assert_ne!(samples, random_samples(&[3, 4, 2], range, 9, 2));
        // Of one number for each channel.
        let even = samples.index_axis(ndarray::Axis(0), 2);
        assert!(even.outer_iter().all(|row| row == even.index_axis(ndarray::Axis(0), 0)));
        assert!(random_samples(&[2], Range { lo: 7.0, hi: 7.0 }, 4, 0).iter().all(|x| *x == 7.0));
    }
}
