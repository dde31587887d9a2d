//! The IR as gadget instances over a table of values: what is computed, before anything has a place.

use super::ends::{Disclosed, End, Numbers, sponge, wire_sponge};
use super::node::Node;
use super::op::{Candidate, Way, candidates};
use super::tiles::{TileShape, cut};
use super::values::{Value, Values};
use super::{Block, Claims, DIGEST, Demand, PlanError, SPONGE_WIDTH};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use zknn_ir::{Graph, NodeId};

/// A model as statements about values.
#[derive(Clone, Debug)]
pub struct Program {
    /// How many values there are.
    pub values: usize,
    /// The statements, each after those that determine its inputs.
    pub blocks: Vec<Block>,
    /// The model's inputs.
    pub inputs: Vec<Tensor>,
    /// Its outputs.
    pub outputs: Vec<Tensor>,
    /// The public inputs of the proof: of each output all or its commitment, then of each input the commitment or the
    /// packed elements.
    pub public: Vec<Value>,
    /// The Poseidon digest of the public inputs.
    pub public_hash: [Value; DIGEST],
}

/// An input or output.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its elements.
    pub elements: Arc<[Value]>,
    /// The salt of the commitment to it; empty without one.
    pub salt: Range<Value>,
}

impl Program {
    /// The greatest magnitude of a row constant.
    pub fn largest_constant(&self) -> u64 {
        self.blocks.iter().map(|block| block.demand.constants.largest()).max().unwrap_or(0)
    }

    /// Cuts the matrix-vector products into tiles, if there are any.
    pub(super) fn cut(&mut self, tile: Option<TileShape>) {
        for block in &mut self.blocks {
            if let (Some(matrix), Some(shape)) = (block.demand.matrix(), tile) {
                *block = cut(block, matrix, shape, &mut self.values);
            }
        }
    }

    /// The values at the routed wires of each Poseidon permutation, in the order of their rows.
    pub fn poseidon_wiring(&self) -> impl Iterator<Item = &[Value]> {
        let blocks = self.blocks.iter().filter(|block| block.demand.permutations() > 0);
        blocks.flat_map(|block| block.wiring.chunks(2 * SPONGE_WIDTH + 1))
    }
}

/// All ways to state a graph.
pub(super) struct Statable<'a> {
    inputs: Vec<End<'a>>,
    /// In topological order.
    nodes: Vec<(NodeId, Vec<Candidate<'a>>)>,
    outputs: Vec<End<'a>>,
    numbers: Numbers,
    /// What the inputs take, before all nodes.
    first: Vec<Demand>,
    /// What the outputs take, and the digest of what is public, after them.
    last: Vec<Demand>,
    graph: &'a Graph,
}

/// What each of a node's candidates demands.
pub(super) type Alternatives<'a> = Vec<&'a [Demand]>;

/// Which of its candidates each node is stated by; where none is named, by the first.
pub(super) type Picks = BTreeMap<NodeId, usize>;

impl<'a> Statable<'a> {
    /// All ways to state `graph`, whose numbers are all fixed. Nothing is made for each element.
    ///
    /// # Errors
    /// A node whose values can't be stated: a real number, an interval too wide to compare in, a vector too long to
    /// normalize.
    pub(super) fn new(graph: &'a Graph, claims: Claims) -> Result<Self, PlanError> {
        let inputs = End::inputs(graph, &claims)?;
        let of_node = |id| Ok((id, candidates(Node { graph, id }, claims.unsaturated)?));
        let nodes = graph.topological().into_iter().map(of_node).collect::<Result<Vec<_>, PlanError>>()?;
        let outputs = End::outputs(graph, &claims)?;
        let numbers = Numbers::new(inputs.iter().chain(&outputs));
        let mut first = vec![numbers.demand()];
        for input in &inputs {
            first.extend(input.demands()?);
        }
        let mut last = Vec::new();
        for output in &outputs {
            last.extend(output.demands()?);
        }
        let public = outputs.iter().chain(&inputs).map(End::public).fold(0, usize::saturating_add);
        last.push(sponge("public inputs", public));
        Ok(Self { inputs, nodes, outputs, numbers, first, last, graph })
    }

    /// The nodes that there is more than one way to state, and these ways.
    pub(super) fn open(&self) -> impl Iterator<Item = (NodeId, &[Candidate<'a>])> {
        let open = self.nodes.iter().filter(|(_, candidates)| candidates.len() > 1);
        open.map(|(id, candidates)| (*id, &candidates[..]))
    }

    /// The candidates picked, in topological order. A node that is stated along with another has none.
    fn picked(&self, picks: &Picks) -> Vec<(usize, &Candidate<'a>)> {
        let mut along: Vec<NodeId> = Vec::new();
        let mut picked = Vec::new();
        for (position, (id, candidates)) in self.nodes.iter().enumerate() {
            let pick = picks.get(id).copied().unwrap_or(0);
            let Some(candidate) = candidates.get(pick).filter(|_| !along.contains(id)) else { continue };
            if candidate.yields != *id {
                along.push(candidate.yields);
            }
            picked.push((position, candidate));
        }
        picked
    }

    /// What the graph takes, stated as picked, in the order of the blocks.
    pub(super) fn demands(&self, picks: &Picks) -> Vec<Demand> {
        let of_nodes = self.picked(picks).into_iter().flat_map(|(_, candidate)| &candidate.demands);
        self.first.iter().chain(of_nodes).chain(&self.last).cloned().collect()
    }

    /// What the graph takes in any case, and for each node that can't be stated along with another the demands of each of
    /// its candidates.
    pub(super) fn alternatives(&self) -> (Vec<&Demand>, Vec<Alternatives<'_>>) {
        let all = || self.nodes.iter().flat_map(|(id, candidates)| candidates.iter().map(move |one| (*id, one)));
        let along: BTreeSet<NodeId> = all().filter(|(id, one)| one.yields != *id).map(|(_, one)| one.yields).collect();
        let alone = self.nodes.iter().filter(|(id, candidates)| !along.contains(id) && !candidates.is_empty());
        let alternatives = alone.map(|(_, candidates)| candidates.iter().map(|one| &one.demands[..]).collect());
        (self.first.iter().chain(&self.last).collect(), alternatives.collect())
    }

    /// How the nodes are stated that are not stated whole, by their places in topological order.
    pub(super) fn ways(&self, picks: &Picks) -> Vec<(usize, Way)> {
        let ways = self.picked(picks).into_iter().map(|(position, candidate)| (position, candidate.way));
        ways.filter(|(_, way)| *way != Way::Whole).collect()
    }

    /// The picks that give these ways; nothing if no picks do.
    pub(super) fn picks(&self, ways: &[(usize, Way)]) -> Option<Picks> {
        let mut picks = Picks::new();
        let mut left = ways.iter().peekable();
        for (position, (id, candidates)) in self.nodes.iter().enumerate() {
            let way = left.next_if(|(at, _)| *at == position).map_or(Way::Whole, |(_, way)| *way);
            if let Some(pick) = candidates.iter().position(|candidate| candidate.way == way) {
                picks.insert(*id, pick);
            }
        }
        // This refuses ways that no candidate has, and those of nodes that are stated along with another.
        (self.ways(&picks) == ways).then_some(picks)
    }

    /// The statements themselves.
    pub(super) fn write(&self, picks: &Picks) -> Program {
        let mut values = Values::default();
        let mut wirings = vec![self.numbers.wire(&mut values)];
        let disclose = |ends: &[End<'a>], values: &mut Values, wirings: &mut Vec<Vec<Value>>| -> Vec<Disclosed> {
            let of_end = |end: &End<'a>| {
                let (wiring, disclosed) = end.wire(values, &self.numbers);
                wirings.extend(wiring);
                disclosed
            };
            ends.iter().map(of_end).collect()
        };
        for &id in self.graph.inputs() {
            values.fresh_tensor(id, Node { graph: self.graph, id }.elements());
        }
        let inputs = disclose(&self.inputs, &mut values, &mut wirings);
        for (_, candidate) in self.picked(picks) {
            wirings.extend((candidate.wire)(&mut values));
        }
        let outputs = disclose(&self.outputs, &mut values, &mut wirings);
        let public: Vec<Value> = outputs.iter().chain(&inputs).flat_map(|end| end.public.iter().copied()).collect();
        let (wiring, public_hash) = wire_sponge(&mut values, &public);
        wirings.push(wiring);
        let tensors = |ids: &[NodeId], ends: Vec<Disclosed>| {
            let tensor = |(&id, end): (&NodeId, Disclosed)| Tensor { elements: values.tensor(id), salt: end.salt };
            ids.iter().zip(ends).map(tensor).collect()
        };
        Program {
            values: values.len(),
            inputs: tensors(self.graph.inputs(), inputs),
            outputs: tensors(self.graph.outputs(), outputs),
            blocks: self
                .demands(picks)
                .into_iter()
                .zip(wirings)
                .map(|(demand, wiring)| Block { demand, wiring })
                .collect(),
            public,
            public_hash,
        }
    }
}
