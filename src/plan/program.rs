//! The IR as gadget instances over a table of values: what is computed, before anything has a place.

mod commitment;
mod conv;
mod fixed;
mod matrix;

pub use commitment::commitment_domain;
pub use conv::{Lowering, Lowerings, choices, fused_with};
pub use matrix::Matrix;

use super::{Exposure, PlanError};
use crate::gadget::{Add, FRACTION_BITS, Gadget, MAX_ELEMENTS, Max, NormRound, NormSquare, NormTotal};
use ndarray::{ArcArray, Dimension, Ix1, Ix2, IxDyn};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use zknn_ir::{Graph, NodeId, Op, Weights, op};

/// Index of a value in the table. Wires that hold one value are tied by copy constraints.
pub type Value = u32;

/// The value that is always 0.
pub const ZERO: Value = 0;
/// The value that is always 1.
pub const ONE: Value = 1;
/// Field elements of the salt of a commitment, and of its digest.
pub const DIGEST: usize = 4;

/// As many values are added at once, so that rows stay narrow.
pub(super) const MAX_TERMS: usize = 8;

/// Poseidon's state, and how much of it takes up input at once.
pub const SPONGE_WIDTH: usize = 12;
pub const SPONGE_RATE: usize = 8;

/// What a block's instances are.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A gadget, in rows of our own.
    Gadget(Arc<Gadget>),
    /// plonky2's Poseidon permutation: 12 inputs, 12 outputs, and the swap flag, which is zero.
    Poseidon,
    /// `y = W x`, to be cut into tiles.
    MatVec(Matrix),
}

/// Equal instances of one statement.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it comes from, for people: `layer 3 conv2d`, or `%3 conv2d` for a node of no layer.
    pub label: String,
    /// What is stated.
    pub kind: Kind,
    /// The values at the routed wires, one instance after the other, each inputs first. Of a matrix-vector product:
    /// `x`, then `y`.
    pub wiring: Vec<Value>,
    /// Blocks with the same key, a node and a part of it, get rows of their own; those without share the common rows.
    pub own_rows: Option<(usize, usize)>,
}

impl Block {
    /// Whether instances depend on those before them: each adds to a running sum.
    pub fn is_chained(&self) -> bool {
        matches!(&self.kind, Kind::Gadget(gadget) if matches!(**gadget, Gadget::NormSquare(_)))
    }
}

/// A model as statements about values.
#[derive(Clone, Debug)]
pub struct Program {
    /// How many values there are.
    pub values: usize,
    /// The statements, each after those that determine its inputs.
    pub blocks: Vec<Block>,
    /// The model's input.
    pub input: Arc<[Value]>,
    /// The salt of the commitment to it; empty without one.
    pub salt: Range<Value>,
    /// The model's output.
    pub output: Arc<[Value]>,
    /// The salt of the commitment to it; empty without one.
    pub output_salt: Range<Value>,
    /// The public inputs of the proof: the output or its commitment, then the commitment or the packed input.
    pub public: Vec<Value>,
    /// The Poseidon digest of the public inputs.
    pub public_hash: [Value; DIGEST],
}

impl Program {
    /// The greatest magnitude of a weight in a matrix.
    pub fn largest_weight(&self) -> u64 {
        self.matrices().map(|(_, _, matrix)| matrix.largest()).max().unwrap_or(0)
    }

    /// The matrices, each with the index of its block and the values it is wired to.
    pub fn matrices(&self) -> impl Iterator<Item = (usize, &[Value], &Matrix)> {
        self.blocks.iter().enumerate().filter_map(|(index, block)| match &block.kind {
            Kind::MatVec(matrix) => Some((index, block.wiring.as_slice(), matrix)),
            Kind::Gadget(_) | Kind::Poseidon => None,
        })
    }

    /// Writes `graph`, whose numbers are all fixed, as statements, convolutions as `lowerings` says.
    ///
    /// # Errors
    /// A node whose values can't be stated: a real number, an interval too wide to compare in, a vector too long to
    /// normalize.
    pub fn new(graph: &Graph, exposure: Exposure, lowerings: &Lowerings) -> Result<Self, PlanError> {
        let mut writer = Writer::new(graph, lowerings);
        writer.constants(exposure);
        let input = writer.input(exposure.input)?;
        for id in graph.topological() {
            writer.node(id)?;
        }
        let output = writer.output(exposure.output)?;
        let public = [output.public, input.public].concat();
        let public_hash = writer.sponge("public inputs", &public);
        Ok(Self {
            values: writer.next as usize,
            input: writer.tensor(graph.input()),
            salt: input.salt,
            output: writer.tensor(graph.output()),
            output_salt: output.salt,
            blocks: writer.blocks,
            public,
            public_hash,
        })
    }

    /// The values at the routed wires of each Poseidon permutation, in the order of their rows.
    pub fn poseidon_wiring(&self) -> impl Iterator<Item = &[Value]> {
        let blocks = self.blocks.iter().filter(|block| matches!(block.kind, Kind::Poseidon));
        blocks.flat_map(|block| block.wiring.chunks(2 * SPONGE_WIDTH + 1))
    }
}

struct Writer<'a> {
    graph: &'a Graph,
    lowerings: &'a Lowerings,
    next: Value,
    blocks: Vec<Block>,
    /// The values of each tensor that was written, in row-major order: any values, in any order, so that an operation
    /// that only moves numbers is a list of what is there already.
    tensors: HashMap<NodeId, Arc<[Value]>>,
    /// The numbers that the first values always are.
    numbers: Vec<i64>,
}

impl<'a> Writer<'a> {
    fn new(graph: &'a Graph, lowerings: &'a Lowerings) -> Self {
        Self { graph, lowerings, next: 0, blocks: Vec::new(), tensors: HashMap::new(), numbers: Vec::new() }
    }

    fn fresh(&mut self, count: usize) -> Range<Value> {
        let start = self.next;
        self.next += count as Value;
        start..self.next
    }

    fn tensor(&self, id: NodeId) -> Arc<[Value]> {
        Arc::clone(&self.tensors[&id])
    }

    /// As many new values as the node has elements; they are its tensor from now on.
    fn fresh_tensor(&mut self, id: NodeId) -> Range<Value> {
        let values = self.fresh(self.graph.node(id).fact.elements());
        self.tensors.insert(id, values.clone().collect());
        values
    }

    fn grid(&self, id: NodeId) -> Grid {
        Grid::new(self.tensor(id), &self.graph.node(id).fact.shape)
    }

    fn gadget(
        &mut self,
        label: String,
        gadget: impl Into<Gadget>,
        wiring: Vec<Value>,
        own_rows: Option<(usize, usize)>,
    ) {
        self.blocks.push(Block { label, kind: Kind::Gadget(Arc::new(gadget.into())), wiring, own_rows });
    }

    fn label(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        match node.layer {
            Some(layer) => format!("layer {layer} {}", node.op.name()),
            None => format!("{id} {}", node.op.name()),
        }
    }

    fn interval(&self, id: NodeId) -> Result<(i64, i64), PlanError> {
        self.graph.node(id).fact.interval().ok_or_else(|| PlanError::NotFixed { node: self.label(id) })
    }

    /// The greatest difference between two values of the node, and zero if `with_zero`.
    fn spread(&self, id: NodeId, with_zero: bool) -> Result<u64, PlanError> {
        let (lo, hi) = self.interval(id)?;
        let (lo, hi) = if with_zero { (lo.min(0), hi.max(0)) } else { (lo, hi) };
        let spread = hi.abs_diff(lo);
        if spread > 1 << 62 {
            return Err(PlanError::TooWide { node: self.label(id), lo, hi });
        }
        Ok(spread)
    }

    fn node(&mut self, id: NodeId) -> Result<(), PlanError> {
        // A node may have been written already, as part of the convolution before it.
        if self.tensors.contains_key(&id) {
            return Ok(());
        }
        self.interval(id)?;
        let operands = self.graph.operands(id);
        // Every operation but the input, which is written already, has an operand, and one unless it says otherwise.
        let operand = operands[0];
        match &self.graph.node(id).op {
            // Written before all others.
            Op::Input(_) => {}
            // The elements in row-major order are what they were.
            Op::Flatten => {
                self.tensors.insert(id, self.tensor(operand));
            }
            Op::Pad(pad) => self.pad(id, operand, pad),
            Op::Conv2d(op::Conv2d { kernel, bias }) => self.conv(id, operand, kernel, bias.as_ref())?,
            Op::Dense(op::Dense { weights, bias }) => self.dense(id, operand, weights, bias.as_ref())?,
            Op::MaxPool(op::MaxPool { window, relu }) => self.pool(id, operand, *window, *relu)?,
            Op::Relu => self.relu(id, operand)?,
            Op::Add => self.sum(id, &operands),
            Op::Normalize(op::Normalize { fraction_bits }) => self.normalize(id, operand, *fraction_bits)?,
            Op::Requantize(op) => self.requantize(id, operand, op)?,
            Op::Argmax => self.argmax(id, operand)?,
        }
        Ok(())
    }

    /// What was there, and the value that is always 0.
    fn pad(&mut self, id: NodeId, operand: NodeId, pad: &op::Pad) {
        let from = self.tensor(operand);
        let places = pad.places(&self.graph.node(operand).fact.shape);
        self.tensors.insert(id, places.into_iter().map(|place| place.map_or(ZERO, |place| from[place])).collect());
    }

    /// Sums of many operands go on from the sum of those before them.
    fn sum(&mut self, id: NodeId, operands: &[NodeId]) {
        let operands: Vec<Arc<[Value]>> = operands.iter().map(|&operand| self.tensor(operand)).collect();
        let (mut sums, mut rest) = (Arc::clone(&operands[0]), &operands[1..]);
        while !rest.is_empty() {
            let (terms, later) = rest.split_at(rest.len().min(MAX_TERMS - 1));
            let outputs = self.fresh_tensor(id);
            let mut wiring = Vec::with_capacity(outputs.len() * (terms.len() + 2));
            for (at, output) in outputs.enumerate() {
                wiring.push(sums[at]);
                wiring.extend(terms.iter().map(|term| term[at]));
                wiring.push(output);
            }
            self.gadget(self.label(id), Add::new(1 + terms.len()), wiring, None);
            (sums, rest) = (self.tensor(id), later);
        }
    }

    fn integers(&self, id: NodeId, weights: &Weights) -> Result<ArcArray<i64, IxDyn>, PlanError> {
        match weights {
            Weights::Fixed { data, .. } => Ok(data.clone()),
            Weights::Real(_) => Err(PlanError::NotFixed { node: self.label(id) }),
        }
    }

    fn dense(
        &mut self,
        id: NodeId,
        operand: NodeId,
        weights: &Weights,
        bias: Option<&Weights>,
    ) -> Result<(), PlanError> {
        let weights = rank::<Ix2>(self.integers(id, weights)?);
        let bias = bias.map(|bias| self.integers(id, bias).map(rank::<Ix1>)).transpose()?;
        let mut wiring: Vec<Value> = self.tensor(operand).to_vec();
        if bias.is_some() {
            wiring.push(ONE);
        }
        wiring.extend(self.fresh_tensor(id));
        let kind = Kind::MatVec(Matrix { weights, bias });
        self.blocks.push(Block { label: self.label(id), kind, wiring, own_rows: None });
        Ok(())
    }

    fn pool(&mut self, id: NodeId, operand: NodeId, window: [usize; 2], relu: bool) -> Result<(), PlanError> {
        let gadget = Max::new(window[0] * window[1], relu, self.spread(operand, relu)?);
        let from = self.grid(operand);
        let shape = &self.graph.node(id).fact.shape;
        let outputs = self.fresh_tensor(id);
        let to = self.grid(id);
        let mut wiring = Vec::with_capacity(outputs.len() * (window[0] * window[1] + 1));
        for row in 0..shape[0] {
            for column in 0..shape[1] {
                for channel in 0..shape[2] {
                    for y in 0..window[0] {
                        for x in 0..window[1] {
                            wiring.push(from.at(row * window[0] + y, column * window[1] + x, channel));
                        }
                    }
                    wiring.push(to.at(row, column, channel));
                }
            }
        }
        self.gadget(self.label(id), gadget, wiring, None);
        Ok(())
    }

    fn relu(&mut self, id: NodeId, operand: NodeId) -> Result<(), PlanError> {
        let gadget = Max::new(1, true, self.spread(operand, true)?);
        let outputs = self.fresh_tensor(id);
        let wiring = self.tensor(operand).iter().zip(outputs).flat_map(|(&x, y)| [x, y]).collect();
        self.gadget(self.label(id), gadget, wiring, None);
        Ok(())
    }

    fn normalize(&mut self, id: NodeId, operand: NodeId, fraction_bits: u32) -> Result<(), PlanError> {
        let from = self.tensor(operand);
        if fraction_bits != FRACTION_BITS || from.len() > MAX_ELEMENTS {
            return Err(PlanError::Normalize { node: self.label(id), fraction_bits, elements: from.len() });
        }
        let (squares, totals) = (Gadget::from(NormSquare).shape(), Gadget::from(NormTotal).shape());
        let mut sums = vec![ZERO; squares.inputs - 1];
        let (mut square_wiring, mut parts) = (Vec::new(), Vec::new());
        for &x in from.iter() {
            square_wiring.push(x);
            square_wiring.extend(&sums);
            let part: Vec<Value> = self.fresh(squares.outputs - sums.len()).collect();
            sums = self.fresh(sums.len()).collect();
            square_wiring.extend(part.iter().chain(&sums));
            parts.push(part);
        }
        let total: Vec<Value> = self.fresh(totals.outputs).collect();
        let rounds = parts.iter().zip(self.fresh_tensor(id));
        let round_wiring = rounds.flat_map(|(part, y)| part.iter().chain(&total).copied().chain([y])).collect();
        let own_rows = Some((id.index(), 0));
        self.gadget(format!("{} squares", self.label(id)), NormSquare, square_wiring, own_rows);
        self.gadget(format!("{} total", self.label(id)), NormTotal, [sums, total].concat(), own_rows);
        self.gadget(format!("{} rounding", self.label(id)), NormRound, round_wiring, own_rows);
        Ok(())
    }
}

/// The weights at the rank that validation has found them to have.
fn rank<D: Dimension>(weights: ArcArray<i64, IxDyn>) -> ArcArray<i64, D> {
    // The graph was validated: a kernel has four axes, a matrix two, a bias one.
    weights.into_dimensionality().expect("a validated graph's weights have their operation's rank")
}

/// The values of a tensor with height, width and channels, in row-major order.
struct Grid {
    values: Arc<[Value]>,
    width: usize,
    channels: usize,
}

impl Grid {
    fn new(values: Arc<[Value]>, shape: &[usize]) -> Self {
        Self { values, width: shape[1], channels: shape[2] }
    }

    fn at(&self, row: usize, column: usize, channel: usize) -> Value {
        self.values[(row * self.width + column) * self.channels + channel]
    }

    /// All channels of `count` positions from there on to the right.
    fn span(&self, row: usize, column: usize, count: usize) -> &[Value] {
        &self.values[(row * self.width + column) * self.channels..][..count * self.channels]
    }
}
