//! What the tests of this crate share: short constructors, and the reference network.

use ndarray::{ArcArray, IxDyn};

use crate::{Graph, NodeId, Number, Op, Weights, op};

pub(crate) fn integers(shape: &[usize], data: &[i64]) -> ArcArray<i64, IxDyn> {
    ArcArray::from_shape_vec(shape, data.to_vec()).unwrap()
}

pub(crate) fn fixed(shape: &[usize], data: &[i64], scale: f64) -> Weights {
    Weights::Fixed { data: integers(shape, data), scale }
}

pub(crate) fn real(shape: &[usize], data: &[f64]) -> Weights {
    Weights::Real(ArcArray::from_shape_vec(shape, data.to_vec()).unwrap())
}

pub(crate) fn fixed_input(shape: &[usize], lo: i64, hi: i64) -> Op {
    Op::Input(op::Input { shape: shape.to_vec(), number: Number::Fixed { scale: 1.0, lo, hi }, rounds: false })
}

pub(crate) fn real_input(shape: &[usize]) -> Op {
    Op::Input(op::Input { shape: shape.to_vec(), number: Number::Real, rounds: false })
}

/// The operations in a row, each reading the one before; the last is the output.
pub(crate) fn chain(ops: impl IntoIterator<Item = Op>) -> Graph {
    let mut graph = Graph::new();
    let mut last: Option<NodeId> = None;
    for (layer, op) in ops.into_iter().enumerate() {
        let operands: Vec<NodeId> = last.into_iter().collect();
        last = Some(graph.add(op, &operands, Some(layer)).unwrap());
    }
    graph.set_output(last.unwrap());
    graph
}

/// Integers from -5 to 4 that look random and are the same in each run.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<i64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i64 % 10 - 5
        })
        .collect()
}

/// The network of 14.7 million weights that the project measures itself by.
pub(crate) fn reference_network() -> Graph {
    let weights = |seed, shape: &[usize]| fixed(shape, &noise(seed, shape.iter().product()), 1.0);
    let conv = |seed, shape: [usize; 4]| {
        Op::Conv2d(op::Conv2d { kernel: weights(seed, &shape), bias: None, ..op::Conv2d::default() })
    };
    let dense = |seed, shape: [usize; 2]| Op::Dense(op::Dense { weights: weights(seed, &shape), bias: None });
    let pool = || Op::MaxPool(op::MaxPool::tiles([2, 2], false));
    chain([
        fixed_input(&[120, 80, 3], -5, 4),
        conv(1, [32, 5, 5, 3]),
        pool(),
        Op::Relu,
        conv(2, [32, 5, 5, 32]),
        pool(),
        Op::Relu,
        Op::Flatten,
        dense(3, [1000, 14688]),
        Op::Relu,
        dense(4, [5, 1000]),
        Op::Normalize(op::Normalize { fraction_bits: 24 }),
    ])
}
