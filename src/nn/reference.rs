//! The reference network, made here from the same random stream as in `ref_cnn/cnn.py`.

use ndarray::{ArrayD, IxDyn};
use rand_mt::Mt;

use crate::front::{Layer, LayerKind, Model, Steps};

const SEED: u32 = 12345;
const INPUT_RANGE: (i64, i64) = (-5, 4);

/// The reference CNN and its input. Both are the same, to the bit, as those that `ref_cnn/generate_cnn_json.py`
/// writes.
pub fn reference_cnn() -> (Model, ArrayD<f64>) {
    let mut random = NumpyRandom(Mt::new(SEED));
    // The order of the draws is part of the definition.
    let input = random.integers(-5, 5, &[120, 80, 3]);
    let conv1 = convolution(random.integers(-10, 10, &[32, 5, 5, 3]));
    let conv2 = convolution(random.integers(-10, 10, &[32, 5, 5, 32]));
    let dense1 = fully_connected(&mut random, 1000, 14688);
    let dense2 = fully_connected(&mut random, 5, 1000);
    let pool = || LayerKind::tiles([2, 2]);
    let layers = vec![
        Layer::new(conv1, [120, 80, 3]),
        Layer::new(pool(), [116, 76, 32]),
        Layer::new(LayerKind::Relu, [58, 38, 32]),
        Layer::new(conv2, [58, 38, 32]),
        Layer::new(pool(), [54, 34, 32]),
        Layer::new(LayerKind::Relu, [27, 17, 32]),
        Layer::new(LayerKind::Flatten, [27, 17, 32]),
        Layer::new(dense1, [14688]),
        Layer::new(LayerKind::Relu, [1000]),
        Layer::new(dense2, [1000]),
        Layer::new(LayerKind::Normalize, [5]),
    ];
    // The shapes above are constants that fit each other.
    let model = Model::new(layers, Some(INPUT_RANGE)).expect("the reference model is consistent");
    (model, input)
}

fn convolution(kernel: ArrayD<f64>) -> LayerKind {
    LayerKind::Convolution { kernel, biases: None, steps: Steps::default() }
}

fn fully_connected(random: &mut NumpyRandom, outputs: usize, inputs: usize) -> LayerKind {
    let weights = random.integers(-10, 10, &[outputs, inputs]);
    let biases = Some(random.integers(-10, 10, &[outputs]));
    LayerKind::FullyConnected { weights, biases }
}

/// `np.random` after `np.random.seed`: the stream that numpy promises never to change.
struct NumpyRandom(Mt);

impl NumpyRandom {
    /// `np.random.randint(low, high, shape)`, as floats.
    fn integers(&mut self, low: i32, high: i32, shape: &[usize]) -> ArrayD<f64> {
        let span = high.abs_diff(low) - 1;
        ArrayD::from_shape_simple_fn(IxDyn(shape), || f64::from(low) + f64::from(self.at_most(span)))
    }

    /// Draws as many bits as `limit` has until they make a number that is not above it.
    fn at_most(&mut self, limit: u32) -> u32 {
        let mask = u32::MAX.checked_shr(limit.leading_zeros()).unwrap_or(0);
        loop {
            let draw = self.0.next_u32() & mask;
            if draw <= limit {
                return draw;
            }
        }
    }
}
