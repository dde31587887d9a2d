//! How good the integers are: on labels, targets or alone, and what rounding and clamping do to each layer.

mod comparison;

pub(crate) use comparison::Comparison;
use comparison::class;

use crate::input::{self, InputError};
use crate::saturation::saturated;
use miette::Diagnostic;
use ndarray::{ArrayD, Axis};
use std::collections::HashSet;
use thiserror::Error;
use zknn_ir::eval::{self, EvalError, Values, eval_fixed_batch, eval_real_batch};
use zknn_ir::{Class, Graph, Node, NodeId, Op};

/// How many inputs are evaluated at a time, at most: enough for matrix products, few enough for the cache.
const BATCH: usize = 64;

/// How many numbers are held at a time, where one input does not have more.
const BATCH_NUMBERS: usize = 1 << 25;

/// What an evaluation found. Accuracies and agreement are fractions of the samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// How many inputs were evaluated.
    pub samples: usize,
    /// How many more there were, which the program does not take: no proof can be made of them.
    pub refused: usize,
    /// How well both do, where it is known what they should give.
    pub score: Option<Score>,
    /// How often the two give the same class, or have their greatest output at the same place.
    pub agreement: f64,
    /// The root of the mean square of the differences of the two, relative to how much outputs differ from input to input.
    pub error: f64,
    /// The greatest difference likewise.
    pub greatest: f64,
    /// What happens on the way, layer by layer.
    pub layers: Vec<Drift>,
}

/// What is known of the outputs for some inputs.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    /// Nothing: the two are compared with each other.
    Nothing,
    /// The class of each, the index of the greatest output.
    Labels(&'a [usize]),
    /// The output of each, in a batch.
    Targets(&'a ArrayD<f64>),
}

/// How well floating point does, and the integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// How often each gives the label.
    Accuracy {
        /// In floating point.
        float: f64,
        /// In integers.
        integer: f64,
    },
    /// The root of the mean square of how far each is from the target.
    Distance {
        /// In floating point.
        float: f64,
        /// In integers.
        integer: f64,
        /// How many of all integers are the nearest to the targets, as a fraction.
        equal: f64,
    },
}

/// How far integers are from the numbers that they stand for, behind a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The layer of the model, counted from zero.
    pub layer: usize,
    /// The real value of the integer one.
    pub scale: f64,
    /// The greatest difference, in units of the scale.
    pub max: f64,
    /// The mean difference, in units of the scale.
    pub mean: f64,
    /// How many numbers there were, over all samples.
    pub numbers: usize,
    /// How many of them were saturated, held at an end of the range that the network does not have.
    pub saturated: usize,
}

/// Why there was nothing to evaluate.
#[derive(Debug, Error, Diagnostic)]
pub enum EvaluateError {
    /// The inputs are not such as the model takes.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Input(#[from] InputError),
    /// Not as many labels as inputs.
    #[error("there are {labels} labels for {inputs} inputs")]
    #[diagnostic(code(zknn::eval::labels), help("give one label for each input, in the same order"))]
    Labels {
        /// How many inputs there are.
        inputs: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// Targets that are not of the outputs' shape, or not as many as inputs.
    #[error("the targets have shape {got:?}, and the outputs for all inputs {expected:?}")]
    #[diagnostic(
        code(zknn::eval::targets),
        help("give one output for each input, in one tensor whose first axis counts them")
    )]
    Targets {
        /// The shape of all outputs.
        expected: Vec<usize>,
        /// The shape of the targets.
        got: Vec<usize>,
    },
    /// No inputs.
    #[error("there are no inputs")]
    #[diagnostic(code(zknn::eval::empty), help("give one tensor whose first axis counts the inputs"))]
    Empty,
    /// A label that no output stands for.
    #[error("label {index} is {label}, and the model has {classes} classes")]
    #[diagnostic(code(zknn::eval::label), help("a label is the index of an output of the model"))]
    Label {
        /// Its position.
        index: usize,
        /// The label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// The interpreter refuses the inputs.
    #[error("the model can't be evaluated: {0}")]
    #[diagnostic(code(zknn::eval::failed), help("this is a bug in zknn: please report it with the model"))]
    Eval(#[from] EvalError),
}

/// Runs an integer program and its network in floating point on a batch of each input and compares both with each other, and with
/// what is expected of the first output. Inputs that the program does not take are counted, and left out.
///
/// Without the network in real numbers, as [`crate::lower_with_reals`] gives it, the program itself is run in floating point:
/// with the weights it has, but without rounding.
/// `progress` is called with the number of inputs done.
///
/// # Errors
/// Inputs, labels or targets that do not fit the program; or it takes none of the inputs.
pub fn evaluate(
    graph: &Graph,
    reals: Option<&Graph>,
    inputs: &[ArrayD<f64>],
    expected: Expected<'_>,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, EvaluateError> {
    let accepted = input::accepted(graph, inputs)?;
    let given = inputs[0].shape()[0];
    if given == 0 {
        return Err(EvaluateError::Empty);
    }
    check(graph, given, expected)?;
    let inputs = input::selected(inputs, &accepted);
    let integers = input::integers_of_batches(graph, &inputs)?;
    let float = reals.unwrap_or(graph);
    let stations = stations(graph, reals);

    let mut tally = Tally::default();
    let mut drifts: Vec<Drift> = stations.iter().map(|station| station.unmoved(graph)).collect();
    for part in eval::parts(graph, accepted.len(), BATCH_NUMBERS, BATCH) {
        let indices = &accepted[part.clone()];
        let reals = eval_real_batch(float, &eval::samples(&inputs, part.clone())[..])?;
        let values = eval_fixed_batch(graph, &eval::samples(&integers, part)[..])?;
        tally.add([float, graph], &reals, &values, indices, expected);
        for (drift, station) in drifts.iter_mut().zip(&stations) {
            station.measure(graph, &values, &reals, drift);
        }
        progress(indices.len());
    }
    for drift in &mut drifts {
        drift.mean /= drift.numbers.max(1) as f64;
    }
    let samples = accepted.len();
    Ok(Evaluation {
        samples,
        refused: given - samples,
        score: tally.score(samples, expected),
        agreement: tally.comparison.same_class as f64 / samples as f64,
        error: tally.comparison.error(),
        greatest: tally.comparison.greatest(),
        layers: drifts,
    })
}

/// What has been counted of the first output.
#[derive(Default)]
struct Tally {
    comparison: Comparison,
    /// How often each gives the label, floating point first.
    hits: [usize; 2],
    /// The squares of how far each is from the targets, and how many numbers there are.
    squares: [f64; 2],
    numbers: usize,
    /// How many integers are the nearest to their targets.
    equal: usize,
}

impl Tally {
    /// Adds a batch of samples with these indices; the programs are that of real numbers and that of integers.
    fn add(
        &mut self,
        [float, graph]: [&Graph; 2],
        reals: &Values<f64>,
        values: &Values<i64>,
        indices: &[usize],
        expected: Expected<'_>,
    ) {
        let of_float = reals.get(scores(float, float.output()));
        let of_graph = rescaled(graph, values, scores(graph, graph.output()));
        for ((real, rounded), &index) in of_float.outer_iter().zip(of_graph.outer_iter()).zip(indices) {
            self.comparison.add(real.view(), rounded.view());
            if let Expected::Labels(labels) = expected {
                for (hits, scores) in self.hits.iter_mut().zip([real, rounded]) {
                    *hits += usize::from(class(scores) == labels[index]);
                }
            }
        }
        if let Expected::Targets(targets) = expected {
            let targets = targets.select(Axis(0), indices);
            let outputs = [reals.output().clone(), rescaled(graph, values, graph.output())];
            for (squares, outputs) in self.squares.iter_mut().zip(&outputs) {
                *squares += outputs.iter().zip(&targets).map(|(y, target)| (y - target).powi(2)).sum::<f64>();
            }
            let scale = graph.node(graph.output()).fact.scale().unwrap_or(1.0);
            let nearest = |(integer, target): (&i64, &f64)| *integer as f64 == (target / scale).round();
            self.equal += values.output().iter().zip(&targets).filter(|pair| nearest(*pair)).count();
            self.numbers += targets.len();
        }
    }

    fn score(&self, samples: usize, expected: Expected<'_>) -> Option<Score> {
        match expected {
            Expected::Nothing => None,
            Expected::Labels(_) => {
                let [float, integer] = self.hits.map(|hits| hits as f64 / samples as f64);
                Some(Score::Accuracy { float, integer })
            }
            Expected::Targets(_) => {
                let numbers = self.numbers.max(1) as f64;
                let [float, integer] = self.squares.map(|squares| (squares / numbers).sqrt());
                Some(Score::Distance { float, integer, equal: self.equal as f64 / numbers })
            }
        }
    }
}

/// Refuses labels and targets that do not fit so many inputs.
fn check(graph: &Graph, inputs: usize, expected: Expected<'_>) -> Result<(), EvaluateError> {
    match expected {
        Expected::Nothing => Ok(()),
        Expected::Labels(labels) if labels.len() != inputs => {
            Err(EvaluateError::Labels { inputs, labels: labels.len() })
        }
        Expected::Labels(labels) => {
            let classes = graph.node(scores(graph, graph.output())).fact.elements();
            match labels.iter().position(|&label| label >= classes) {
                Some(index) => Err(EvaluateError::Label { index, label: labels[index], classes }),
                None => Ok(()),
            }
        }
        Expected::Targets(targets) => {
            let expected = [&[inputs], &graph.node(graph.output()).fact.shape[..]].concat();
            match targets.shape() == expected {
                true => Ok(()),
                false => Err(EvaluateError::Targets { expected, got: targets.shape().to_vec() }),
            }
        }
    }
}

/// The real numbers that the integers of a node stand for.
pub(crate) fn rescaled(graph: &Graph, values: &Values<i64>, id: NodeId) -> ArrayD<f64> {
    let scale = graph.node(id).fact.scale().unwrap_or(1.0);
    values.get(id).mapv(|integer| integer as f64 * scale)
}

/// Whether an operation yields places among its operand's elements.
pub(crate) fn chooses(op: &Op) -> bool {
    matches!(op, Op::Argmax(_) | Op::TopK(_))
}

/// The node of the numbers that count: the output, or what it chooses from.
pub(crate) fn scores(graph: &Graph, output: NodeId) -> NodeId {
    match graph.operands(output)[..] {
        [scores] if chooses(&graph.node(output).op) => scores,
        _ => output,
    }
}

/// A tensor that the integer program and the floating-point one both have.
pub(crate) struct Station {
    pub(crate) layer: usize,
    pub(crate) integer: NodeId,
    pub(crate) float: NodeId,
    /// The requantize that the integers come from, if they do.
    requantize: Option<NodeId>,
}

/// The tensors that layers read which sum, normalize or choose, and the output. What they are in floating point is what
/// the same layer reads there; without a network in real numbers the program is its own counterpart.
pub(crate) fn stations(graph: &Graph, reals: Option<&Graph>) -> Vec<Station> {
    let mut stations = Vec::new();
    let is_affine = |node: &Node| matches!(node.op, Op::Affine(_));
    let of_reals = |reals: &Graph| {
        let nodes = reals.topological();
        nodes.into_iter().map(|id| reals.node(id)).filter(|node| is_affine(node)).map(|node| node.layer).collect()
    };
    let affine: Option<HashSet<Option<usize>>> = reals.map(of_reals);
    // An affine that the network does not have.
    let is_brought = |id: NodeId| {
        let node = graph.node(id);
        is_affine(node) && affine.as_ref().is_some_and(|affine| !affine.contains(&node.layer))
    };
    for integer in graph.topological() {
        let source = source(graph, integer);
        let op = &graph.node(source).op;
        if matches!(op, Op::Input(_)) || chooses(op) {
            continue;
        }
        if is_brought(integer) {
            continue;
        }
        let float = match reader(graph, integer, &is_brought) {
            _ if graph.outputs().contains(&integer) => {
                let position = graph.outputs().iter().position(|&output| output == integer);
                reals.map_or(Some(integer), |reals| reals.outputs().get(position?).copied())
            }
            Some((read, user)) => reals.map_or(Some(integer), |reals| counterpart(graph, reals, read, user)),
            None => None,
        };
        let Some(float) = float else { continue };
        // In a program that was not lowered here, the layer is the one that its own node came from.
        let Some(layer) = reals.unwrap_or(graph).node(float).layer else { continue };
        let requantize = Some(source).filter(|&id| matches!(graph.node(id).op, Op::Requantize(_)));
        stations.push(Station { layer, integer, float, requantize });
    }
    stations
}

/// A node that computes with the numbers of another, and what it reads of them: these, or these brought to another scale.
fn reader(graph: &Graph, read: NodeId, is_brought: &dyn Fn(NodeId) -> bool) -> Option<(NodeId, NodeId)> {
    let computes = |user: &NodeId| {
        matches!(
            graph.node(*user).op.class(),
            Class::Linear | Class::Sum | Class::Product | Class::Choice | Class::Function
        )
    };
    match graph.users(read).into_iter().find(computes)? {
        user if is_brought(user) => reader(graph, user, is_brought),
        user => Some((read, user)),
    }
}

/// What the layer of `user` reads in the network of real numbers, where `user` reads `integer`: passes leave operands in order. Nothing
/// where a layer has several such operations, or none, as it became part of another.
fn counterpart(graph: &Graph, reals: &Graph, integer: NodeId, user: NodeId) -> Option<NodeId> {
    let layer = graph.node(user).layer?;
    let position = graph.operands(user).iter().position(|&operand| operand == integer)?;
    let is_same = |id: &NodeId| {
        let node = reals.node(*id);
        node.layer == Some(layer) && node.op.name() == graph.node(user).op.name()
    };
    let mut nodes = reals.topological().into_iter().filter(is_same);
    let (Some(node), None) = (nodes.next(), nodes.next()) else { return None };
    reals.operands(node).get(position).copied()
}

/// The node that made the numbers, which others between only selected.
fn source(graph: &Graph, mut id: NodeId) -> NodeId {
    loop {
        let op = &graph.node(id).op;
        let selects = match op.class() {
            Class::View { .. } | Class::Greatest { .. } => true,
            Class::Monotone { .. } => *op == Op::Relu,
            Class::Input | Class::Linear | Class::Sum | Class::Product | Class::Choice | Class::Function => false,
        };
        match graph.operands(id)[..] {
            [operand] if selects => id = operand,
            _ => return id,
        }
    }
}

impl Station {
    fn unmoved(&self, graph: &Graph) -> Drift {
        let scale = graph.node(self.integer).fact.scale().unwrap_or(1.0);
        Drift { layer: self.layer, scale, max: 0.0, mean: 0.0, numbers: 0, saturated: 0 }
    }

    /// Adds a batch; the mean is a sum as yet.
    fn measure(&self, graph: &Graph, integers: &Values<i64>, reals: &Values<f64>, drift: &mut Drift) {
        let (integers_here, reals_here) = (integers.get(self.integer), reals.get(self.float));
        for (&integer, real) in integers_here.iter().zip(reals_here) {
            let difference = (integer as f64 - real / drift.scale).abs();
            drift.max = drift.max.max(difference);
            drift.mean += difference;
        }
        drift.numbers += integers_here.len();
        drift.saturated += self.requantize.map_or(0, |id| saturated(graph, integers, id));
    }
}

#[cfg(test)]
mod tests;
