//! Random graphs, for the tests of this crate and of those that use it.

use ndarray::{ArcArray, ArrayD, IxDyn};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{Fact, Graph, MAX_FRACTION_BITS, NodeId, Number, Op, Requantize, Weights, op};

/// Small networks of either kind of number.
pub fn any_graph() -> impl Strategy<Value = Graph> {
    prop_oneof![fixed_graph(), real_graph()]
}

/// Small fixed-point networks with weights small and huge.
pub fn fixed_graph() -> impl Strategy<Value = Graph> {
    let weight = prop_oneof![4 => -20i64..=20, 1 => -(1i64 << 40)..=1 << 40];
    let end = prop_oneof![-9i64..=9, -(1i64 << 20)..=1 << 20];
    let scale = prop_oneof![Just(1.0), Just(0.125), Just(0.1), 1e-9f64..1e9];
    let number =
        (scale, end.clone(), end).prop_map(|(scale, a, b)| Number::Fixed { scale, lo: a.min(b), hi: a.max(b) });
    sketch(number, weight).prop_map(|sketch| {
        sketch
            .build(|shape, weights, scale| Weights::Fixed { data: tensor(shape, weights), scale: scale.unwrap_or(0.5) })
    })
}

/// Small networks in real numbers, weights among them that are integers with scales.
pub fn real_graph() -> impl Strategy<Value = Graph> {
    let weight = prop_oneof![Just(0.0), Just(-0.5), -1e3f64..1e3, -1e-9f64..1e-9];
    (sketch(Just(Number::Real), weight), any::<bool>()).prop_map(|(sketch, is_scaled)| {
        sketch.build(|shape, weights, _| match is_scaled {
            true => {
                let integers: Vec<i64> = weights.iter().map(|weight| *weight as i64 % 128).collect();
                Weights::Scaled { data: tensor(shape, &integers), scales: vec![0.25; shape[0]] }
            }
            false => Weights::Real(tensor(shape, weights)),
        })
    })
}

/// Inputs that the graph accepts, in their order.
pub fn fixed_inputs_for(graph: &Graph) -> impl Strategy<Value = Vec<ArrayD<i64>>> + use<> {
    let facts: Vec<Fact> = graph.inputs().iter().map(|&id| graph.node(id).fact.clone()).collect();
    facts.into_iter().map(fixed_tensor).collect::<Vec<_>>()
}

/// The names of all operations.
pub fn op_names() -> &'static [&'static str] {
    op::NAMES
}

fn fixed_tensor(fact: Fact) -> impl Strategy<Value = ArrayD<i64>> {
    let (lo, hi) = fact.interval().unwrap();
    let value = prop_oneof![lo..=hi, Just(lo), Just(hi)];
    prop::collection::vec(value, fact.elements())
        .prop_map(move |data| ArrayD::from_shape_vec(fact.shape.clone(), data).unwrap())
}

fn tensor<T: Clone>(shape: &[usize], elements: &[T]) -> ArcArray<T, IxDyn> {
    ArcArray::from_shape_vec(shape, elements.to_vec()).unwrap()
}

/// What a random graph is made from; choices that do not fit are bent until they do.
#[derive(Clone, Debug)]
struct Sketch<T> {
    shape: [usize; 3],
    number: Number,
    steps: Vec<Step>,
    weights: Vec<T>,
    /// Whether there is a second input, of the same kind.
    second_input: bool,
    /// Which nodes are outputs beside the last.
    outputs: Vec<Index>,
}

/// An operation, three small numbers for its attributes, its layer, and which nodes it reads. `None` stands for the node
/// before, which makes chains likely.
type Step = (u8, [usize; 3], Option<usize>, [Option<Index>; 2]);

fn sketch<T: Clone + std::fmt::Debug>(
    number: impl Strategy<Value = Number>,
    weight: impl Strategy<Value = T>,
) -> impl Strategy<Value = Sketch<T>> {
    let operand = || prop::option::weighted(0.3, any::<Index>());
    let step = (0u8..23, [1usize..=4, 1usize..=3, 1usize..=3], prop::option::of(0usize..9), [operand(), operand()]);
    (
        [1usize..=6, 1usize..=6, 1usize..=3],
        number,
        prop::collection::vec(step, 0..8),
        prop::collection::vec(weight, 1..40),
        any::<bool>(),
        prop::collection::vec(any::<Index>(), 0..3),
    )
        .prop_map(|(shape, number, steps, weights, second_input, outputs)| Sketch {
            shape,
            number,
            steps,
            weights,
            second_input,
            outputs,
        })
}

impl<T: Clone> Sketch<T> {
    /// `weights` makes a tensor of a shape, at the given scale or at one it chooses.
    fn build(&self, weights: impl Fn(&[usize], &[T], Option<f64>) -> Weights) -> Graph {
        let mut graph = Graph::new();
        let input = Op::Input(op::Input { shape: self.shape.to_vec(), number: self.number.clone(), rounds: false });
        let inputs = if self.second_input { 2 } else { 1 };
        let mut nodes: Vec<NodeId> = (0..inputs).map(|_| graph.add(input.clone(), &[], None).unwrap()).collect();
        for (kind, sizes, layer, reads) in &self.steps {
            let [first, second] = reads.map(|index| match index {
                Some(index) => *index.get(&nodes),
                None => nodes[nodes.len() - 1],
            });
            let op = self.op(*kind, *sizes, &graph.node(first).fact, &weights);
            let operands = match op {
                Op::Add | Op::Maximum | Op::Concat(_) if sizes[1] == 3 => vec![first, second, first],
                Op::Add | Op::Maximum | Op::Multiply | Op::Concat(_) => vec![first, second],
                _ => vec![first],
            };
            // What would overflow, in its integers or its scale, and sums of tensors that differ are left out.
            nodes.extend(graph.add(op, &operands, *layer));
        }
        let mut outputs = vec![nodes[nodes.len() - 1]];
        outputs.extend(self.outputs.iter().map(|index| *index.get(&nodes)));
        graph.set_outputs(outputs);
        graph
    }

    fn op(
        &self,
        kind: u8,
        [a, b, c]: [usize; 3],
        fact: &Fact,
        weights: &impl Fn(&[usize], &[T], Option<f64>) -> Weights,
    ) -> Op {
        let fill = |shape: &[usize], scale| {
            let count = shape.iter().product();
            let data: Vec<T> = self.weights.iter().cycle().take(count).cloned().collect();
            weights(shape, &data, scale)
        };
        let scale = |of: &Weights| of.scale().zip(fact.scale()).map(|(w, x)| x * w);
        let bias = |of: &Weights| (b == c).then(|| fill(&[a], scale(of)));
        match (kind, fact.shape.as_slice()) {
            (0 | 1, &[height, width, channels]) => {
                // Groups of all channels, or one.
                let groups = if a == b { channels } else { 1 };
                let kernel = [b.min(height), c.min(width)];
                let fits = |axis: usize, by: usize| (kernel[axis] - 1) * by < [height, width][axis];
                let steps = c > 1;
                let dilation = [if steps && fits(0, c) { c } else { 1 }, if steps && fits(1, a) { a } else { 1 }];
                let stride = if steps { [1 + a % 2, 1 + b % 3] } else { [1, 1] };
                let outputs = if groups == 1 { a } else { groups * (1 + a % 2) };
                let kernel = fill(&[outputs, kernel[0], kernel[1], channels / groups], None);
                let bias = (b == c).then(|| fill(&[outputs], scale(&kernel)));
                Op::Conv2d(op::Conv2d { kernel, bias, stride, dilation, groups })
            }
            (2, &[height, width, _]) if a < 3 => {
                let tiles = [if height % b == 0 { b } else { 1 }, if width % c == 0 { c } else { 1 }];
                Op::MaxPool(op::MaxPool::tiles(tiles, a == 2))
            }
            (2, &[height, width, _]) => {
                let window = [b.min(height), c.min(width)];
                let edges = |by: usize| [by % window[0], by % window[1]];
                Op::MaxPool(op::MaxPool { window, relu: a == 4, stride: [c, b], before: edges(a), after: edges(b) })
            }
            (3, _) => Op::Relu,
            (4 | 5, &[length]) => {
                let weights = fill(&[a, length], None);
                let bias = bias(&weights);
                Op::Dense(op::Dense { weights, bias })
            }
            (6, &[_]) => {
                Op::Normalize(op::Normalize { fraction_bits: if a == 4 { MAX_FRACTION_BITS } else { 5 * a as u32 } })
            }
            (7, shape) => {
                let channels = if b == c { 1 } else { shape.last().copied().unwrap_or(1) };
                let multipliers = (1..=channels as i64).map(|channel| channel * a as i64).collect();
                let (lo, hi) = (-(1i64 << (7 * b)), 1i64 << (7 * c));
                Op::Requantize(Requantize {
                    multipliers,
                    shift: (a + 9 * (b - 1)) as u32,
                    lo,
                    hi,
                    saturates_below: a % 2 == 0,
                    saturates_above: b % 2 == 0,
                    scale: 0.25,
                })
            }
            (8, shape) => Op::Argmax(op::Argmax { axis: a % shape.len() }),
            (9 | 10, _) => Op::Add,
            (12, _) => Op::Abs,
            (11, shape) => Op::Pad(op::Pad {
                before: (0..shape.len()).map(|axis| (a + axis) % b).collect(),
                after: (0..shape.len()).map(|axis| (a + axis) % c).collect(),
                between: (0..shape.len()).map(|axis| (a + b + c + axis) % 7 / 5).collect(),
            }),
            (13, shape) => {
                // Two neighbouring axes as one, or the last in two.
                let shape = match *shape {
                    [first, second, third] => vec![first * second, third],
                    [first, second] => vec![first * second],
                    [length] if length % b == 0 => vec![b, 1, length / b],
                    _ => shape.to_vec(),
                };
                Op::Reshape(op::Reshape { shape })
            }
            (14, shape) => {
                let mut axes: Vec<usize> = (0..shape.len()).collect();
                axes.rotate_left(a % shape.len());
                axes.swap(0, b % shape.len());
                Op::Transpose(op::Transpose { axes })
            }
            (15, shape) => {
                let (axis, step) = (a % shape.len(), b);
                Op::Gather(op::Gather { axis, indices: (0..c + 1).map(|at| (at * step + a) % shape[axis]).collect() })
            }
            (16, shape) => Op::Concat(op::Concat { axis: a % shape.len() }),
            (17, shape) => {
                let channels = shape.last().copied().unwrap_or(1);
                let weights = fill(&[channels], None);
                let bias = (b == c).then(|| fill(&[channels], scale(&weights)));
                Op::Affine(op::Affine { weights, bias })
            }
            (18, _) => Op::Multiply,
            (19, _) => Op::Maximum,
            (21, shape) => {
                let axis = a % shape.len();
                Op::TopK(op::TopK { axis, count: b.min(shape[axis]) })
            }
            (22, _) if fact.number == Number::Real => {
                Op::Quantize(op::Quantize { lo: -(1 << (2 * a)), hi: 1 << (3 * b), scale: [0.5, 0.1, 3.0][c - 1] })
            }
            (20, _) if fact.number == Number::Real => {
                let end = |size: usize| (size < 3).then_some(size as f64);
                Op::Clip(op::Clip::new(end(b).map(|end| 1.0 - end), end(c)))
            }
            _ => Op::Flatten,
        }
    }
}
