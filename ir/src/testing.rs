//! What the tests of this crate share: short constructors, the reference network, random graphs.

use ndarray::{ArcArray, ArrayD, IxDyn};
use proptest::prelude::*;

use crate::{Graph, NodeId, Number, Op, Requantize, Weights};

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
    Op::Input { shape: shape.to_vec(), number: Number::Fixed { scale: 1.0, lo, hi } }
}

pub(crate) fn real_input(shape: &[usize]) -> Op {
    Op::Input { shape: shape.to_vec(), number: Number::Real }
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
    let conv = |seed, shape: [usize; 4]| Op::Conv2d { kernel: weights(seed, &shape), bias: None };
    let dense = |seed, shape: [usize; 2]| Op::Dense { weights: weights(seed, &shape), bias: None };
    let pool = || Op::MaxPool { window: [2, 2], relu: false };
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
        Op::Normalize { fraction_bits: 24 },
    ])
}

/// Small networks of either kind of number.
pub(crate) fn any_graph() -> impl Strategy<Value = Graph> {
    prop_oneof![fixed_graph(), real_graph()]
}

/// Small fixed-point networks with weights small and huge.
pub(crate) fn fixed_graph() -> impl Strategy<Value = Graph> {
    let weight = prop_oneof![4 => -20i64..=20, 1 => -(1i64 << 40)..=1 << 40];
    let end = prop_oneof![-9i64..=9, -(1i64 << 20)..=1 << 20];
    let scale = prop_oneof![Just(1.0), Just(0.125), Just(0.1), 1e-9f64..1e9];
    let number =
        (scale, end.clone(), end).prop_map(|(scale, a, b)| Number::Fixed { scale, lo: a.min(b), hi: a.max(b) });
    sketch(number, weight)
        .prop_map(|sketch| sketch.build(|shape, weights, scale| fixed(shape, weights, scale.unwrap_or(0.5))))
}

/// Small networks in real numbers.
pub(crate) fn real_graph() -> impl Strategy<Value = Graph> {
    let weight = prop_oneof![Just(0.0), Just(-0.5), -1e3f64..1e3, -1e-9f64..1e-9];
    sketch(Just(Number::Real), weight).prop_map(|sketch| sketch.build(|shape, weights, _| real(shape, weights)))
}

/// An input that the graph accepts.
pub(crate) fn fixed_input_for(graph: &Graph) -> impl Strategy<Value = ArrayD<i64>> + use<> {
    let fact = graph.node(graph.input()).fact.clone();
    let (lo, hi) = fact.interval().unwrap();
    let value = prop_oneof![lo..=hi, Just(lo), Just(hi)];
    prop::collection::vec(value, fact.elements())
        .prop_map(move |data| ArrayD::from_shape_vec(fact.shape.clone(), data).unwrap())
}

/// What a random graph is made from; choices that do not fit are bent until they do.
#[derive(Clone, Debug)]
struct Sketch<T> {
    shape: [usize; 3],
    number: Number,
    steps: Vec<(u8, [usize; 3], Option<usize>)>,
    weights: Vec<T>,
}

fn sketch<T: Clone + std::fmt::Debug>(
    number: impl Strategy<Value = Number>,
    weight: impl Strategy<Value = T>,
) -> impl Strategy<Value = Sketch<T>> {
    let step = (0u8..9, [1usize..=4, 1usize..=3, 1usize..=3], prop::option::of(0usize..9));
    (
        [1usize..=6, 1usize..=6, 1usize..=3],
        number,
        prop::collection::vec(step, 0..6),
        prop::collection::vec(weight, 1..40),
    )
        .prop_map(|(shape, number, steps, weights)| Sketch { shape, number, steps, weights })
}

impl<T: Clone> Sketch<T> {
    /// `weights` makes a tensor of a shape, at the given scale or at one it chooses.
    fn build(&self, weights: impl Fn(&[usize], &[T], Option<f64>) -> Weights) -> Graph {
        let mut graph = Graph::new();
        let input = Op::Input { shape: self.shape.to_vec(), number: self.number.clone() };
        let mut last = graph.add(input, &[], None).unwrap();
        let fill = |shape: &[usize], scale| {
            let count = shape.iter().product();
            let data: Vec<T> = self.weights.iter().cycle().take(count).cloned().collect();
            weights(shape, &data, scale)
        };
        for (kind, [a, b, c], layer) in &self.steps {
            let fact = &graph.node(last).fact;
            let scale = |of: &Weights| of.scale().zip(fact.scale()).map(|(w, x)| x * w);
            let bias = |of: &Weights| (b == c).then(|| fill(&[*a], scale(of)));
            let op = match (kind, fact.shape.as_slice()) {
                (0 | 1, &[height, width, channels]) => {
                    let kernel = fill(&[*a, *b.min(&height), *c.min(&width), channels], None);
                    let bias = bias(&kernel);
                    Op::Conv2d { kernel, bias }
                }
                (2, &[height, width, _]) => Op::MaxPool {
                    window: [if height % b == 0 { *b } else { 1 }, if width % c == 0 { *c } else { 1 }],
                    relu: *a > 2,
                },
                (3, _) => Op::Relu,
                (4 | 5, &[length]) => {
                    let weights = fill(&[*a, length], None);
                    let bias = bias(&weights);
                    Op::Dense { weights, bias }
                }
                (6, &[_]) => Op::Normalize { fraction_bits: (5 * a) as u32 },
                (7, shape) => {
                    let channels = if b == c { 1 } else { shape.last().copied().unwrap_or(1) };
                    let multipliers = (1..=channels as i64).map(|channel| channel * *a as i64).collect();
                    let (lo, hi) = (-(1i64 << (7 * b)), 1i64 << (7 * c));
                    Op::Requantize(Requantize { multipliers, shift: (*a + 9 * (b - 1)) as u32, lo, hi, scale: 0.25 })
                }
                (8, &[_]) => Op::Argmax,
                _ => Op::Flatten,
            };
            // What would overflow, in its integers or its scale, is left out.
            last = graph.add(op, &[last], *layer).unwrap_or(last);
        }
        graph.set_output(last);
        graph
    }
}
