//! Range checks, packing and commitments of the tensors that a proof is about: the input and the output.

use super::{Block, DIGEST, Kind, SPONGE_RATE, SPONGE_WIDTH, Value, Writer, ZERO};
use crate::gadget::{Constants, PackInput};
use crate::plan::{Exposure, OutputVisibility, PlanError, Visibility};
use std::ops::Range;
use zknn_ir::{Fact, NodeId};

/// What the first word of every message that is committed to stands for, in ASCII.
const TAG: i64 = i64::from_le_bytes(*b"zknncmt\0");

/// The words that a commitment's message starts with: a tag, the format version, the ends of the range, the bits of the
/// scale in two halves of 32 bits, the low one first, the number of axes, and their lengths.
///
/// The number of all further words, of salt and packed elements, follows from these, and so no two tensors, and no two
/// salts, share a message.
pub fn commitment_domain(shape: &[usize], scale: f64, (lo, hi): (i64, i64)) -> Vec<i64> {
    let bits = scale.to_bits();
    let halves = [bits & u64::from(u32::MAX), bits >> u32::BITS].map(|half| half as i64);
    let [low, high] = halves;
    let mut words = vec![TAG, i64::from(crate::FORMAT_VERSION), lo, hi, low, high, shape.len() as i64];
    words.extend(shape.iter().map(|&axis| axis as i64));
    words
}

/// What is public of a tensor.
pub(super) struct Disclosed {
    /// The salt of its commitment; empty without one.
    pub(super) salt: Range<Value>,
    /// The public values.
    pub(super) public: Vec<Value>,
}

impl Writer<'_> {
    /// The constants: zero, one, and the domains of the commitments there are.
    pub(super) fn constants(&mut self, exposure: Exposure) {
        let committed = [
            (exposure.input == Visibility::Committed).then(|| self.graph.input()),
            (exposure.output == OutputVisibility::Committed).then(|| self.graph.output()),
        ];
        let domains = committed.into_iter().flatten().filter_map(|id| domain(&self.graph.node(id).fact));
        let mut numbers = vec![0, 1];
        for number in domains.flatten() {
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        let wiring = self.fresh(numbers.len()).collect();
        self.gadget("constants".into(), Constants(numbers.clone()), wiring, None);
        self.numbers = numbers;
    }

    /// The input's elements, in their range, and what is public of them.
    pub(super) fn input(&mut self, visibility: Visibility) -> Result<Disclosed, PlanError> {
        let id = self.graph.input();
        self.fresh_tensor(id);
        let words = self.packed(id, "input")?;
        Ok(match visibility {
            Visibility::Private => Disclosed { salt: 0..0, public: Vec::new() },
            Visibility::Public => Disclosed { salt: 0..0, public: words },
            Visibility::Committed => self.commitment(id, &words, "input"),
        })
    }

    /// What is public of the output, which is written already.
    pub(super) fn output(&mut self, visibility: OutputVisibility) -> Result<Disclosed, PlanError> {
        let id = self.graph.output();
        Ok(match visibility {
            OutputVisibility::Public => Disclosed { salt: 0..0, public: self.tensor(id).to_vec() },
            OutputVisibility::Committed => {
                let words = self.packed(id, "output")?;
                self.commitment(id, &words, "output")
            }
        })
    }

    /// The words that hold the elements of a tensor, each of which is shown to be in its range.
    fn packed(&mut self, id: NodeId, name: &str) -> Result<Vec<Value>, PlanError> {
        self.spread(id, false)?;
        let (lo, hi) = self.interval(id)?;
        let elements = self.tensor(id);
        let capacity = PackInput::capacity(lo, hi);
        let words: Vec<Value> = self.fresh(elements.len().div_ceil(capacity)).collect();
        let whole = elements.len() / capacity;
        for (chunks, words, count) in [
            (&elements[..whole * capacity], &words[..whole], capacity),
            (&elements[whole * capacity..], &words[whole..], elements.len() % capacity),
        ] {
            if !words.is_empty() {
                let instances = chunks.chunks(count).zip(words);
                let wiring = instances.flat_map(|(chunk, word)| chunk.iter().chain([word])).copied().collect();
                self.gadget(format!("{id} {name}"), PackInput::new(lo, hi, count), wiring, None);
            }
        }
        Ok(words)
    }

    /// The digest of a tensor's domain, a salt, and its packed words.
    fn commitment(&mut self, id: NodeId, words: &[Value], name: &str) -> Disclosed {
        let salt = self.fresh(DIGEST);
        let domain = domain(&self.graph.node(id).fact).into_iter().flatten();
        let mut message: Vec<Value> = domain.map(|number| self.constant(number)).collect();
        message.extend(salt.clone().chain(words.iter().copied()));
        Disclosed { salt, public: self.sponge(&format!("{name} commitment"), &message).to_vec() }
    }

    fn constant(&self, number: i64) -> Value {
        let position = self.numbers.iter().position(|&other| other == number);
        // The domain of every commitment was put there before anything else.
        position.expect("a number of a domain is a constant") as Value
    }

    /// Poseidon's sponge in overwrite mode, as plonky2's `hash_n_to_hash_no_pad` has it.
    pub(super) fn sponge(&mut self, label: &str, message: &[Value]) -> [Value; DIGEST] {
        let mut state = [ZERO; SPONGE_WIDTH];
        let mut wiring = Vec::new();
        for chunk in message.chunks(SPONGE_RATE) {
            state[..chunk.len()].copy_from_slice(chunk);
            wiring.extend(state);
            for (slot, value) in state.iter_mut().zip(self.fresh(SPONGE_WIDTH)) {
                *slot = value;
            }
            wiring.extend(state);
            wiring.push(ZERO);
        }
        self.blocks.push(Block { label: label.into(), kind: Kind::Poseidon, wiring, own_rows: None });
        std::array::from_fn(|i| state[i])
    }
}

/// The domain of a commitment to a tensor of integers.
fn domain(fact: &Fact) -> Option<Vec<i64>> {
    Some(commitment_domain(&fact.shape, fact.scale()?, fact.interval()?))
}
