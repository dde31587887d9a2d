//! How each operation of the language is stated, one a file.

mod abs;
mod add;
mod affine;
mod argmax;
mod conv2d;
mod dense;
mod groups;
mod max_pool;
mod maximum;
mod multiply;
mod normalize;
mod relu;
mod requantize;
mod view;

pub use conv2d::Cut;

use super::node::Node;
use super::values::{Value, Values};
use super::{Demand, PlanError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zknn_ir::{NodeId, Op};

/// Which of the ways to state a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Each element, position or vector by one instance. Every operation can be stated so.
    #[default]
    Whole,
    /// Together with the node that reads it, in the same rows.
    Fused,
    /// A convolution at blocks of positions, in parts.
    Cut(Cut),
    /// A convolution or the like, filter by filter, with the weights as row constants, at so many positions a row.
    Filters(usize),
    /// Comparisons of many values in groups of so many, then of what these give.
    Groups(usize),
}

/// A way to state a node: what it takes, which is known before anything is written, and how to write it.
pub(super) struct Candidate<'a> {
    /// Which way it is.
    pub(super) way: Way,
    /// The node whose tensor it gives: the stated one, or the one that reads it, if that is stated along with it.
    pub(super) yields: NodeId,
    /// What it takes.
    pub(super) demands: Vec<Demand>,
    /// Gives the tensor its values, and each demand, in their order, its wiring.
    pub(super) wire: Wire<'a>,
}

/// Writes statements about values.
type Wire<'a> = Box<dyn Fn(&mut Values) -> Vec<Vec<Value>> + Sync + 'a>;

impl<'a> Candidate<'a> {
    /// The whole node by these demands.
    fn whole(node: Node<'a>, demands: Vec<Demand>, wire: impl Fn(&mut Values) -> Vec<Vec<Value>> + Sync + 'a) -> Self {
        Self { way: Way::Whole, yields: node.id, demands, wire: Box::new(wire) }
    }

    /// A tensor of values that are there already.
    fn view(node: Node<'a>, values: impl Fn(&Values) -> Arc<[Value]> + Sync + 'a) -> Self {
        Self::whole(node, Vec::new(), move |table| {
            let values = values(table);
            table.set(node.id, values);
            Vec::new()
        })
    }
}

/// The ways to state `node`, which is no input, the first of them for a start; and with it, if `unsaturated`, that none of its
/// numbers is saturated.
///
/// # Errors
/// What can't be stated.
pub(super) fn candidates(node: Node<'_>, unsaturated: bool) -> Result<Vec<Candidate<'_>>, PlanError> {
    node.interval()?;
    match node.op() {
        // What is stated of an input depends on who may know it.
        Op::Input(_) => Ok(Vec::new()),
        Op::Conv2d(op) => conv2d::candidates(node, op),
        Op::Dense(op) => dense::candidates(node, op),
        Op::MaxPool(op) => max_pool::candidates(node, op),
        Op::Relu => relu::candidates(node),
        Op::Flatten | Op::Pad(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Gather(_) | Op::Concat(_) => {
            view::candidates(node)
        }
        Op::Normalize(op) => normalize::candidates(node, op),
        Op::Requantize(op) => requantize::candidates(node, op, unsaturated),
        Op::Argmax(op) => argmax::candidates(node, op),
        Op::TopK(op) => argmax::top_k_candidates(node, op),
        Op::Add => add::candidates(node),
        Op::Abs => abs::candidates(node),
        Op::Affine(op) => affine::candidates(node, op),
        Op::Multiply => multiply::candidates(node),
        Op::Maximum => maximum::candidates(node),
        // Its operand has integers, and these take real numbers.
        Op::Clip(_) | Op::Quantize(_) => Err(PlanError::NotFixed { node: node.label() }),
    }
}

/// Rows and columns of an image.
fn positions(shape: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let (height, width) = (shape[0], shape[1]);
    (0..height).flat_map(move |row| (0..width).map(move |column| (row, column)))
}
