//! Channels of unlike size brought to one size, which no number of the network's inputs and outputs shows.
//!
//! All numbers of a tensor have one scale, so a channel that is a hundred times smaller than another has seven bits fewer. Where
//! a channel comes from linear operations and goes to linear operations alone, through what commutes with a positive factor,
//! the rows of weights that give it are multiplied by a factor, and the weights that read it divided. The factor is a power of
//! two, so no weight is rounded, and the network gives in floating point, bit by bit, what it gave.
//!
//! Precondition: the graph is real, in canonical form. Where numbers are not rounded, nothing happens.
//!
//! Postcondition: the graph is real, and computes the same.
//!
//! ```text
//! %1 = dense %0 weights=real[2, 1]      →  %1 = dense %0 weights=real[2, 1]
//!        [100.0, 1.0] : [2] real                  [100.0, 64.0] : [2] real
//! %2 = relu %1 : [2] real                  %2 = relu %1 : [2] real
//! %3 = dense %2 weights=real[1, 2]         %3 = dense %2 weights=real[1, 2]
//!        [1.0, 1.0] : [1] real                    [1.0, 0.015625] : [1] real
//! ```
//!
//! Runs before [`quantize_fixed`](super::quantize_fixed), which has one scale for a tensor.
//!
//! After Nagel, van Baalen, Blankevoort, Welling: "Data-Free Quantization Through Weight Equalization and Bias Correction",
//! ICCV 2019, with ranges of numbers in the place of those of weights.

use std::collections::HashMap;
use std::ops::Range;

use ndarray::{ArcArray, ArrayViewD, IxDyn};
use petgraph::unionfind::UnionFind;
use zknn_ir::{Class, Factors, Graph, NodeId, Number, Op, Weights, op};

use super::powers::floor_log2;
use super::ranges::{self, ChannelRanges};
use super::reads::channels_read;
use super::{Context, FixedPoint, PassError};

/// Beyond so many numbers in all tensors together there is no circuit, and here is no room to go through them all.
const MOST_NUMBERS: usize = 1 << 24;

/// The greatest power of two that a channel is multiplied or divided by.
const MOST: i32 = 64;

/// Multiplies channels by powers of two, each such that its greatest number is about as great as those of the others it is told
/// with.
pub(super) fn run(graph: &mut Graph, context: &mut Context) -> Result<(), PassError> {
    let Context { inputs, fixed: Some(fixed) } = context else { return Ok(()) };
    if graph.inputs().iter().any(|&id| graph.node(id).fact.number != Number::Real) {
        return Ok(());
    }
    if graph.elements() > MOST_NUMBERS {
        return Ok(());
    }
    separate_features(graph, fixed)?;
    graph.refresh_facts()?;
    let channels = Channels::of(graph);
    if channels.is_fixed() {
        return Ok(());
    }
    let ranges = ranges::of_channels(graph, &ranges::input_numbers(graph, inputs, fixed), fixed)?;
    let factors = channels.factors(graph, &ranges, fixed.bits);
    for id in graph.topological() {
        let node = graph.node(id);
        let (Some(weights), &[operand]) = (node.op.factors(), &graph.operands(id)[..]) else { continue };
        if let Some(op) = scaled(&node.op, weights, &factors[&operand], &factors[&id]) {
            graph.replace_op(id, op);
        }
    }
    for (id, channels) in &mut fixed.seen {
        for (seen, &factor) in channels.iter_mut().zip(&factors[id]) {
            *seen = seen.scaled(factor);
        }
    }
    Ok(graph.refresh_facts()?)
}

/// Puts a factor of one for each channel behind inputs whose features, indices of the last axis, are of unlike size, where only
/// linear operations read them. An input keeps its size, but what is behind it need not.
fn separate_features(graph: &mut Graph, fixed: &mut FixedPoint) -> Result<(), PassError> {
    for input in graph.inputs().to_vec() {
        let users = graph.users(input);
        let op = |user: &NodeId| &graph.node(*user).op;
        let is_separate = users.iter().any(|user| matches!(op(user), Op::Affine(_)));
        if is_separate || !ranges::has_separate_features(graph, input, fixed) {
            continue;
        }
        let features = graph.node(input).fact.channels();
        let ones = Weights::Real(ArcArray::from_elem(IxDyn(&[features]), 1.0));
        let affine = graph.add(Op::Affine(op::Affine { weights: ones, bias: None }), &[input], None)?;
        for user in users {
            for (index, _) in graph.operands(user).iter().enumerate().filter(|(_, operand)| **operand == input) {
                graph.set_operand(user, index, affine);
            }
        }
        if let Some(seen) = fixed.seen.get(&input).cloned() {
            fixed.seen.insert(affine, seen);
        }
    }
    Ok(())
}

/// The operation whose operand has channels times some factors, and whose result is to have channels times others.
fn scaled(op: &Op, Factors { weights, bias, .. }: Factors<'_>, operand: &[f64], result: &[f64]) -> Option<Op> {
    let (Weights::Real(weights), is_one) = (weights, |factor: &f64| *factor == 1.0) else { return None };
    if operand.iter().chain(result).all(is_one) {
        return None;
    }
    let mut scaled = weights.clone();
    for (output, mut row) in scaled.outer_iter_mut().enumerate() {
        let read = channels_read(op, [output, result.len()], operand.len());
        for (weight, channel) in row.iter_mut().zip(read.cycle()) {
            *weight *= result[output] / operand[channel];
        }
    }
    let bias = bias.map(|bias| match bias {
        Weights::Real(bias) => {
            let mut bias = bias.clone();
            bias.iter_mut().zip(result).for_each(|(bias, factor)| *bias *= factor);
            Weights::Real(bias)
        }
        Weights::Fixed { .. } | Weights::Scaled { .. } => bias.clone(),
    });
    Some(op.with_factors(Weights::Real(scaled), bias))
}

/// Channels that must have one factor.
struct Channels {
    /// The indices of the channels of each node.
    of_node: HashMap<NodeId, Range<usize>>,
    classes: UnionFind<usize>,
    /// By class: whether its factor is one.
    is_fixed: Vec<bool>,
}

impl Channels {
    fn of(graph: &Graph) -> Self {
        let nodes = graph.topological();
        let mut count = 0;
        let mut of_node = HashMap::new();
        for &id in &nodes {
            let channels = graph.node(id).fact.channels();
            of_node.insert(id, count..count + channels);
            count += channels;
        }
        let mut all = Self { of_node, classes: UnionFind::new(count), is_fixed: vec![false; count] };
        nodes.iter().for_each(|&id| all.join(graph, id));
        let ends = graph.inputs().iter().chain(graph.outputs());
        let functions = nodes.iter().filter(|&&id| !commutes(&graph.node(id).op));
        let read = functions.flat_map(|&id| graph.operands(id).into_iter().chain([id]));
        let fixed: Vec<usize> = ends.copied().chain(read).flat_map(|id| all.range(id)).collect();
        for channel in fixed {
            let class = all.classes.find_mut(channel);
            all.is_fixed[class] = true;
        }
        all
    }

    /// Whether no channel can have a factor.
    fn is_fixed(&self) -> bool {
        (0..self.is_fixed.len()).all(|channel| self.is_fixed[self.classes.find(channel)])
    }

    fn range(&self, id: NodeId) -> Range<usize> {
        self.of_node[&id].clone()
    }

    /// Channels that an operation yields as it reads them have one factor.
    fn join(&mut self, graph: &Graph, id: NodeId) {
        let node = graph.node(id);
        let operands = graph.operands(id);
        match node.op.class() {
            Class::View { .. } => {
                let shapes: Vec<&[usize]> =
                    operands.iter().map(|&operand| graph.node(operand).fact.shape.as_slice()).collect();
                let channel = |range: Range<usize>, element: usize| range.start + element % range.len();
                for (at, place) in node.op.places(&shapes).into_iter().enumerate() {
                    let Some(place) = place else { continue };
                    let from = self.range(operands[place.operand as usize]);
                    self.classes.union(channel(from, place.element as usize), channel(self.range(id), at));
                }
            }
            Class::Sum | Class::Choice | Class::Greatest { .. } | Class::Monotone { .. } if commutes(&node.op) => {
                for operand in operands {
                    let (from, to) = (self.range(operand), self.range(id));
                    for (from, to) in from.zip(to) {
                        self.classes.union(from, to);
                    }
                }
            }
            _ => {}
        }
    }

    /// The greatest factor of each class: rows of weights that become much greater than others take their bits, for instance those
    /// that read only what is always zero.
    fn most(&self, graph: &Graph, bits: u32) -> Vec<f64> {
        let mut most = vec![f64::INFINITY; self.is_fixed.len()];
        for id in graph.topological() {
            let Some(Factors { weights: Weights::Real(weights), bias, .. }) = graph.node(id).op.factors() else {
                continue;
            };
            // A single weight has one magnitude, which is told exactly.
            if bias.is_none() && weights.len() == weights.shape()[0] {
                continue;
            }
            let magnitude = |row: ArrayViewD<f64>| row.iter().fold(0.0, |most, weight| f64::max(most, weight.abs()));
            let rows: Vec<f64> = weights.outer_iter().map(magnitude).collect();
            let greatest = rows.iter().copied().fold(0.0, f64::max) * 2f64.powi(bits as i32 / 2);
            for (channel, row) in self.range(id).zip(rows).filter(|(_, row)| *row > 0.0) {
                let class = self.classes.find(channel);
                most[class] = most[class].min(greatest / row);
            }
        }
        most
    }

    /// A factor for each channel of each node.
    fn factors(&self, graph: &Graph, ranges: &ChannelRanges, bits: u32) -> HashMap<NodeId, Vec<f64>> {
        let mut reach = vec![0.0f64; self.is_fixed.len()];
        for id in graph.topological() {
            for (channel, range) in self.range(id).zip(&ranges[&id]) {
                let class = self.classes.find(channel);
                reach[class] = reach[class].max(range.reach());
            }
        }
        let (targets, most) = (self.targets(graph, &reach), self.most(graph, bits));
        let factor = |channel: usize| {
            let class = self.classes.find(channel);
            match self.is_fixed[class] || !reach[class].is_normal() {
                true => 1.0,
                false => power_below((targets[class] / reach[class]).min(most[class])),
            }
        };
        let of_node = |&id: &NodeId| (id, self.range(id).map(factor).collect());
        graph.topological().iter().map(of_node).collect()
    }

    /// What each class is brought up to, the same for all that are told together in some tensor: the greatest of those whose factor
    /// is one, or the greatest of all.
    fn targets(&self, graph: &Graph, reach: &[f64]) -> Vec<f64> {
        let mut families: UnionFind<usize> = UnionFind::new(reach.len());
        for id in graph.topological() {
            let classes: Vec<usize> = self.range(id).map(|channel| self.classes.find(channel)).collect();
            for pair in classes.windows(2) {
                families.union(pair[0], pair[1]);
            }
        }
        let mut greatest = [vec![0.0f64; reach.len()], vec![0.0f64; reach.len()]];
        for (class, &reach) in reach.iter().enumerate().filter(|(_, reach)| reach.is_normal()) {
            let greatest = &mut greatest[usize::from(self.is_fixed[class])][families.find(class)];
            *greatest = greatest.max(reach);
        }
        let [of_free, of_fixed] = greatest;
        let target = |class| match families.find(class) {
            family if of_fixed[family] > 0.0 => of_fixed[family],
            family => of_free[family],
        };
        (0..reach.len()).map(target).collect()
    }
}

/// Whether a channel may be multiplied by a positive factor before the operation as well as behind it; or the operation has
/// weights, which take it up. Those that are integers already do not.
fn commutes(op: &Op) -> bool {
    match op.class() {
        Class::Linear => op.factors().is_some_and(|factors| matches!(factors.weights, Weights::Real(_))),
        Class::Sum | Class::Choice | Class::Greatest { .. } | Class::View { .. } => true,
        Class::Monotone { .. } => *op == Op::Relu,
        Class::Input | Class::Product | Class::Function => false,
    }
}

/// The greatest power of two that a positive number is not below; or the end of the factors that there are.
fn power_below(number: f64) -> f64 {
    2f64.powi(floor_log2(number).clamp(-MOST, MOST))
}

#[cfg(test)]
mod tests {
    use zknn_ir::eval::eval_real_batch;
    use zknn_ir::{Range, parse, print, validate};

    use super::super::Calibration;
    use super::*;

    fn context(inputs: usize) -> Context {
        Context { inputs: vec![(-4, 4).into(); inputs], fixed: Some(FixedPoint::new(8, Calibration::Nothing)) }
    }

    /// The graph after the pass, which leaves every output as it is, to the bit, and is idle when it runs again.
    fn after(text: &str) -> Graph {
        let before = parse(text).unwrap();
        let mut context = context(before.inputs().len());
        let mut graph = before.clone();
        run(&mut graph, &mut context).unwrap();
        assert_eq!(validate(&graph), Ok(()));
        let once = print(&graph);
        run(&mut graph, &mut context).unwrap();
        assert_eq!(print(&graph), once);
        let inputs = super::super::random_inputs(&before, |_| Range { lo: -4.0, hi: 4.0 }, 16, 0);
        let [expected, values] = [&before, &graph].map(|graph| eval_real_batch(graph, &inputs[..]).unwrap());
        assert!(expected.outputs().eq(values.outputs()));
        graph
    }

    /// The greatest number of each channel of a node.
    fn reach(graph: &Graph, id: NodeId) -> Vec<f64> {
        let context = context(graph.inputs().len());
        let fixed = context.fixed.as_ref().unwrap();
        let ranges = ranges::of_channels(graph, &ranges::input_numbers(graph, &context.inputs, fixed), fixed).unwrap();
        ranges[&id].iter().map(|range| range.reach()).collect()
    }

    /// Whether no channel is smaller than half the greatest.
    fn is_even(reach: &[f64]) -> bool {
        let greatest = reach.iter().copied().fold(0.0, f64::max);
        reach.iter().all(|reach| *reach * 2.0 >= greatest)
    }

    #[test]
    fn channels_between_sums_become_even() {
        let graph = after(
            "%0 = input : [2] real
            %1 = dense %0 weights=real[3, 2] [100.0, 0.0, 0.0, 1.0, 0.01, 0.01] bias=real[3] [1.0, 1.0, 1e-3]
            %2 = relu %1
            %3 = dense %2 weights=real[1, 3] [1.0, 1.0, 1.0]
            output %3",
        );
        insta::assert_snapshot!(print(&graph));
        let hidden = graph.operands(graph.output())[0];
        assert!(is_even(&reach(&graph, hidden)));
    }

    /// Through images, groups, borders, maxima, sums of branches, and lists of all elements.
    #[test]
    fn channels_keep_their_factor_wherever_they_go() {
        let graph = after(
            "%0 = input : [4, 4, 2] real
            %1 = conv2d %0 kernel=real[4, 1, 1, 1] [16.0, 1.0, 1.0, 2.0] groups=2
            %2 = pad %1 before=[1, 0, 0] after=[0, 0, 0]
            %3 = conv2d %2 kernel=real[4, 2, 1, 1] [1.0, 0.5, 3.0, 0.25, 1.0, 9.0, 7.0, 1.0] groups=4
            %4 = add %3 %1
            %5 = max_pool %4 window=[2, 2] relu
            %6 = flatten %5
            %7 = dense %6 weights=real[1, 16] [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0]
            output %7",
        );
        let sum = graph.topological().into_iter().find(|&id| graph.node(id).op == Op::Add).unwrap();
        // What meets in a sum has one factor, and need not be even by itself.
        let reach = reach(&graph, sum);
        let greatest = reach.iter().copied().fold(0.0, f64::max);
        assert!(reach.iter().all(|reach| *reach * 8.0 > greatest), "{reach:?}");
    }

    /// What an output, an input, a product or another function reads keeps its size, and what is beside it follows.
    #[test]
    fn numbers_that_are_shown_or_multiplied_stay() {
        let graph = after(
            "%0 = input : [2] real
            %1 = dense %0 weights=real[2, 2] [100.0, 0.0, 0.0, 1.0]
            %2 = concat %1 %0 axis=0
            %3 = dense %2 weights=real[1, 4] [1.0, 1.0, 1.0, 1.0]
            %4 = dense %0 weights=real[2, 2] [100.0, 0.0, 0.0, 1.0]
            %5 = multiply %4 %4
            output %3 %5",
        );
        let concat = graph.operands(graph.outputs()[0])[0];
        assert!(is_even(&reach(&graph, concat)), "{:?}", reach(&graph, concat));
        let factor = graph.operands(graph.outputs()[1])[0];
        assert!(reach(&graph, factor)[0] > 40.0 * reach(&graph, factor)[1], "{:?}", reach(&graph, factor));
    }
}
