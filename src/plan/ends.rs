//! Range checks, packing and commitments of the tensors that a proof is about: the input and the output.

use super::node::Node;
use super::values::{Value, Values, ZERO};
use super::{Claims, DIGEST, Demand, OutputVisibility, PlanError, Visibility, commitment_domain};
use crate::gadget::{Constants, PackInput};
use std::ops::Range;
use zknn_ir::{Fact, Graph};

/// Poseidon's state, and how much of it takes up input at once.
pub const SPONGE_WIDTH: usize = 12;
const SPONGE_RATE: usize = 8;

/// What is public of a tensor.
pub(super) struct Disclosed {
    /// The salt of its commitment; empty without one.
    pub(super) salt: Range<Value>,
    /// The public values.
    pub(super) public: Vec<Value>,
}

/// What of a tensor the verifier is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// A digest.
    Commitment,
    /// The words that elements are packed into.
    Words,
    /// Each element.
    Elements,
    /// Nothing.
    Nothing,
}

/// An input or output: what is stated of it beyond what the operations state.
pub(super) struct End<'a> {
    node: Node<'a>,
    name: &'static str,
    told: Told,
    /// Elements in a word, if each is shown to be in its range.
    capacity: Option<usize>,
}

impl<'a> End<'a> {
    /// The inputs, in their order. Every element of an input is shown to be in its range.
    pub(super) fn inputs(graph: &'a Graph, claims: &Claims) -> Result<Vec<Self>, PlanError> {
        let visibilities = claims.inputs.of(graph.inputs().len()).ok_or(PlanError::Visibility("inputs"))?;
        let input = |(&id, visibility)| {
            let told = match visibility {
                Visibility::Committed => Told::Commitment,
                Visibility::Public => Told::Words,
                Visibility::Private => Told::Nothing,
            };
            Self::new(Node { graph, id }, "input", told, true)
        };
        graph.inputs().iter().zip(visibilities).map(input).collect()
    }

    /// The outputs, in their order.
    pub(super) fn outputs(graph: &'a Graph, claims: &Claims) -> Result<Vec<Self>, PlanError> {
        let visibilities = claims.outputs.of(graph.outputs().len()).ok_or(PlanError::Visibility("outputs"))?;
        let output = |(&id, visibility)| {
            let (told, is_packed) = match visibility {
                OutputVisibility::Public => (Told::Elements, false),
                OutputVisibility::Committed => (Told::Commitment, true),
            };
            Self::new(Node { graph, id }, "output", told, is_packed)
        };
        graph.outputs().iter().zip(visibilities).map(output).collect()
    }

    fn new(node: Node<'a>, name: &'static str, told: Told, is_packed: bool) -> Result<Self, PlanError> {
        let (lo, hi) = node.interval()?;
        if is_packed {
            node.spread(false)?;
        }
        Ok(Self { node, name, told, capacity: is_packed.then(|| PackInput::capacity(lo, hi)) })
    }

    /// How many values of it are public.
    pub(super) fn public(&self) -> usize {
        match self.told {
            Told::Commitment => DIGEST,
            Told::Words => self.words(),
            Told::Elements => self.node.elements(),
            Told::Nothing => 0,
        }
    }

    /// The numbers that the message of its commitment begins with.
    fn domain(&self) -> Vec<i64> {
        if self.told == Told::Commitment { domain(self.node.fact()).unwrap_or_default() } else { Vec::new() }
    }

    fn words(&self) -> usize {
        self.capacity.map_or(0, |capacity| self.node.elements().div_ceil(capacity))
    }

    /// How many elements the words hold, and how many words hold so many: whole ones, then the rest.
    fn chunks(&self) -> impl Iterator<Item = (usize, usize)> {
        let elements = self.node.elements();
        let chunks = self.capacity.map(|capacity| [(capacity, elements / capacity), (elements % capacity, 1)]);
        chunks.into_iter().flatten().filter(|&(count, words)| count > 0 && words > 0)
    }

    /// What it takes: range checks, and a commitment.
    pub(super) fn demands(&self) -> Result<Vec<Demand>, PlanError> {
        let (lo, hi) = self.node.interval()?;
        let label = format!("{} {}", self.node.id, self.name);
        let packing = |(count, words)| Demand::new(label.clone(), PackInput::new(lo, hi, count), words);
        let mut demands: Vec<Demand> = self.chunks().map(packing).collect();
        if self.told == Told::Commitment {
            let message = self.domain().len() + DIGEST + self.words();
            demands.push(sponge(format!("{} commitment", self.name), message));
        }
        Ok(demands)
    }

    /// The wiring of each demand, and what is public. The tensor is written already.
    pub(super) fn wire(&self, values: &mut Values, constants: &Numbers) -> (Vec<Vec<Value>>, Disclosed) {
        let elements = values.tensor(self.node.id);
        let words: Vec<Value> = values.fresh(self.words()).collect();
        let (mut left, mut to) = (&elements[..], &words[..]);
        let mut wirings = Vec::new();
        for (count, number) in self.chunks() {
            let (here, later) = left.split_at(count * number);
            let (these, others) = to.split_at(number);
            let instances = here.chunks(count).zip(these);
            wirings.push(instances.flat_map(|(chunk, word)| chunk.iter().chain([word])).copied().collect());
            (left, to) = (later, others);
        }
        let mut salt = 0..0;
        let public = match self.told {
            Told::Commitment => {
                salt = values.fresh(DIGEST);
                let mut message: Vec<Value> = self.domain().into_iter().map(|number| constants.value(number)).collect();
                message.extend(salt.clone().chain(words));
                let (wiring, digest) = wire_sponge(values, &message);
                wirings.push(wiring);
                digest.to_vec()
            }
            Told::Words => words,
            Told::Elements => elements.to_vec(),
            Told::Nothing => Vec::new(),
        };
        (wirings, Disclosed { salt, public })
    }
}

/// The numbers that the first values always are: zero, one, and the domains of the commitments there are.
pub(super) struct Numbers(Vec<i64>);

impl Numbers {
    pub(super) fn new<'a>(ends: impl Iterator<Item = &'a End<'a>>) -> Self {
        let mut numbers = vec![0, 1];
        for number in ends.flat_map(|end| end.domain()) {
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        Self(numbers)
    }

    pub(super) fn demand(&self) -> Demand {
        Demand::new("constants", Constants(self.0.clone()), 1)
    }

    /// Before any other value is made.
    pub(super) fn wire(&self, values: &mut Values) -> Vec<Value> {
        values.fresh(self.0.len()).collect()
    }

    fn value(&self, number: i64) -> Value {
        let position = self.0.iter().position(|&other| other == number);
        // The domain of every commitment was put there before anything else.
        position.expect("a number of a domain is a constant") as Value
    }
}

/// The permutations that take up a message of so many elements.
pub(super) fn sponge(label: impl Into<String>, message: usize) -> Demand {
    Demand::poseidon(label, message.div_ceil(SPONGE_RATE))
}

/// Poseidon's sponge in overwrite mode, as plonky2's `hash_n_to_hash_no_pad` has it: its wiring, and the digest.
pub(super) fn wire_sponge(values: &mut Values, message: &[Value]) -> (Vec<Value>, [Value; DIGEST]) {
    let mut state = [ZERO; SPONGE_WIDTH];
    let mut wiring = Vec::new();
    for chunk in message.chunks(SPONGE_RATE) {
        state[..chunk.len()].copy_from_slice(chunk);
        wiring.extend(state);
        for (slot, value) in state.iter_mut().zip(values.fresh(SPONGE_WIDTH)) {
            *slot = value;
        }
        wiring.extend(state);
        wiring.push(ZERO);
    }
    (wiring, std::array::from_fn(|i| state[i]))
}

/// The domain of a commitment to a tensor of integers.
fn domain(fact: &Fact) -> Option<Vec<i64>> {
    Some(commitment_domain(&fact.shape, fact.scale()?, fact.interval()?))
}
