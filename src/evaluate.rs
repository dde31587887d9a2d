//! How good the integers are: accuracy on a labelled set, and what rounding and clamping do to each layer.

use crate::input::{self, InputError};
use miette::Diagnostic;
use ndarray::{ArrayD, ArrayView1, ArrayViewD};
use thiserror::Error;
use zknn_ir::eval::{EvalError, Values, eval_fixed_batch, eval_real_batch};
use zknn_ir::{Class, Graph, NodeId, Op};

/// How many inputs are evaluated at a time, at most: enough for matrix products, few enough for the cache.
const BATCH: usize = 64;

/// How many numbers are held at a time, where one input does not have more.
const BATCH_NUMBERS: usize = 1 << 25;

/// What an evaluation found. Accuracies and agreement are fractions of the samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// How many inputs there were.
    pub samples: usize,
    /// How often floating point gives the label.
    pub float_accuracy: f64,
    /// How often the integer program gives the label.
    pub integer_accuracy: f64,
    /// How often the two give the same class.
    pub agreement: f64,
    /// What happens on the way, layer by layer.
    pub layers: Vec<Drift>,
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
    /// How many of them were clamped, to an end of the range other than the zero of a relu.
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

/// Runs an integer program and its network in floating point on a batch of each input and compares both with the labels, which
/// are those of the first output.
///
/// Without the network in real numbers, as [`crate::lower_with_reals`] gives it, the program itself is run in floating point:
/// with the weights it has, but without rounding.
/// `progress` is called with the number of inputs done.
///
/// # Errors
/// Inputs or labels that do not fit the program.
pub fn evaluate(
    graph: &Graph,
    reals: Option<&Graph>,
    inputs: &[ArrayD<f64>],
    labels: &[usize],
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, EvaluateError> {
    let integers = input::integers_of_batches(graph, inputs)?;
    check_labels(graph, integers[0].shape()[0], labels)?;
    let float = reals.unwrap_or(graph);
    let stations = stations(graph, reals);

    let mut counts = [0; 3];
    let mut drifts: Vec<Drift> = stations.iter().map(|station| station.unmoved(graph)).collect();
    let numbers: usize = graph.topological().iter().map(|&id| graph.node(id).fact.elements()).sum();
    let batch = (BATCH_NUMBERS / numbers.max(1)).clamp(1, BATCH);
    for (nth, labels) in labels.chunks(batch).enumerate() {
        let part = nth * batch..nth * batch + labels.len();
        let reals = eval_real_batch(float, &input::samples(inputs, part.clone())[..])?;
        let values = eval_fixed_batch(graph, &input::samples(&integers, part)[..])?;
        let float_classes = classes(float, reals.output().view());
        let integer_classes = classes(graph, values.output().mapv(|y| y as f64).view());
        for ((&label, a), b) in labels.iter().zip(float_classes).zip(integer_classes) {
            for (count, hit) in counts.iter_mut().zip([a == label, b == label, a == b]) {
                *count += usize::from(hit);
            }
        }
        for (drift, station) in drifts.iter_mut().zip(&stations) {
            station.measure(graph, &values, &reals, drift);
        }
        progress(labels.len());
    }
    for drift in &mut drifts {
        drift.mean /= drift.numbers.max(1) as f64;
    }
    let fraction = |count: usize| count as f64 / labels.len() as f64;
    let [float_accuracy, integer_accuracy, agreement] = counts.map(fraction);
    Ok(Evaluation { samples: labels.len(), float_accuracy, integer_accuracy, agreement, layers: drifts })
}

fn check_labels(graph: &Graph, inputs: usize, labels: &[usize]) -> Result<(), EvaluateError> {
    if inputs == 0 {
        return Err(EvaluateError::Empty);
    }
    if inputs != labels.len() {
        return Err(EvaluateError::Labels { inputs, labels: labels.len() });
    }
    let output = graph.output();
    let scores = match graph.node(output).op {
        Op::Argmax(_) => graph.operands(output)[0],
        _ => output,
    };
    let classes = graph.node(scores).fact.elements();
    match labels.iter().position(|&label| label >= classes) {
        Some(index) => Err(EvaluateError::Label { index, label: labels[index], classes }),
        None => Ok(()),
    }
}

/// The class of each sample: the output itself of a network that ends in argmax, else the index of the greatest.
fn classes(graph: &Graph, outputs: ArrayViewD<f64>) -> Vec<usize> {
    let is_class = matches!(graph.node(graph.output()).op, Op::Argmax(_));
    let class = |scores: ArrayViewD<f64>| {
        let greatest = |best: (usize, f64), (index, &score): (usize, &f64)| {
            if score > best.1 { (index, score) } else { best }
        };
        scores.iter().enumerate().fold((0, f64::NEG_INFINITY), greatest).0
    };
    let of_sample = |scores: ArrayViewD<f64>| match scores.first() {
        Some(&index) if is_class => index as usize,
        _ => class(scores),
    };
    outputs.outer_iter().map(of_sample).collect()
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
    for integer in graph.topological() {
        let source = source(graph, integer);
        if matches!(graph.node(source).op, Op::Input(_) | Op::Argmax(_) | Op::TopK(_)) {
            continue;
        }
        let computes = |user: &NodeId| {
            matches!(
                graph.node(*user).op.class(),
                Class::Linear | Class::Sum | Class::Product | Class::Choice | Class::Function
            )
        };
        let float = match graph.users(integer).into_iter().find(computes) {
            _ if graph.outputs().contains(&integer) => {
                let position = graph.outputs().iter().position(|&output| output == integer);
                reals.map_or(Some(integer), |reals| reals.outputs().get(position?).copied())
            }
            Some(user) => reals.map_or(Some(integer), |reals| counterpart(graph, reals, integer, user)),
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
        if let Some(id) = self.requantize
            && let Op::Requantize(op) = &graph.node(id).op
        {
            let sums = integers.get(graph.operands(id)[0]);
            let is_clamped = |(position, &sum): (usize, &i64)| {
                let quotient = op.quotient(position, sum);
                quotient > op.hi || (quotient < op.lo && op.lo != 0)
            };
            let sums = sums.as_standard_layout();
            let sums: ArrayView1<i64> = ArrayView1::from(sums.as_slice().unwrap_or(&[]));
            drift.saturated += sums.iter().enumerate().filter(|&place| is_clamped(place)).count();
        }
    }
}

#[cfg(test)]
mod tests;
