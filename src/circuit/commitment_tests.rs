//! The commitment to the input and the digest of the public inputs, computed again from what they are defined as.

use super::hash::Blake3Config;
use super::shape::{Gates, common_data};
use super::*;
use crate::gadget::field::{D, F, from_signed};
use crate::plan::security::{HashKind, Level, Scheme};
use crate::plan::{DIGEST, Plan, Visibility};
use plonky2::field::types::{Field, PrimeField64};
use plonky2::hash::poseidon::Poseidon;
use plonky2::plonk::proof::ProofWithPublicInputs;
use std::collections::HashSet;

/// Poseidon's state, and the part of it that takes a message up.
const WIDTH: usize = 12;
const RATE: usize = 8;

/// An input, the range that it is declared to be in, and the salt.
#[derive(Clone)]
struct Opening {
    elements: Vec<i64>,
    range: (i64, i64),
    salt: [F; DIGEST],
}

impl Opening {
    fn new(count: i64, range: (i64, i64)) -> Self {
        let elements = (0..count).map(|i| range.0 + (i * 7 + 3) % (range.1 - range.0 + 1)).collect();
        Self { elements, range, salt: [3, 1, 4, 15].map(F::from_canonical_u64) }
    }

    /// The sponge that overwrites, without padding.
    fn sponge(message: &[F]) -> [F; DIGEST] {
        let mut state = [F::ZERO; WIDTH];
        for chunk in message.chunks(RATE) {
            state[..chunk.len()].copy_from_slice(chunk);
            state = F::poseidon(state);
        }
        std::array::from_fn(|i| state[i])
    }

    /// As many elements a word as leave it at most `2^63` values, the first element being the lowest digit.
    fn words(&self) -> Vec<F> {
        let (lo, hi) = self.range;
        let size = u128::from(hi.abs_diff(lo)) + 1;
        let capacity = (1..).take_while(|&count| size.pow(count) <= 1 << 63).count();
        let word = |elements: &[i64]| {
            let digits = elements.iter().rev().map(|&x| u128::from(x.abs_diff(lo)));
            F::from_canonical_u64(digits.fold(0, |word, digit| word * size + digit) as u64)
        };
        self.elements.chunks(capacity).map(word).collect()
    }

    /// The digest of tag, format version, range, scale, shape, salt and words, as `docs/circuit.md` has them.
    fn commitment(&self) -> [F; DIGEST] {
        let (lo, hi) = self.range;
        let (tag, scale) = (i64::from_le_bytes(*b"zknncmt\0"), 1f64.to_bits());
        let [low, high] = [scale & u64::from(u32::MAX), scale >> 32].map(|half| half as i64);
        let head = [tag, 5, lo, hi, low, high, 1, self.elements.len() as i64].map(from_signed);
        Self::sponge(&[&head, self.salt.as_slice(), &self.words()].concat())
    }

    fn plan(&self) -> Plan {
        let ((lo, hi), count) = (self.range, self.elements.len());
        let graph = format!("%0 = input : [{count}] fixed(scale 1, {lo}..={hi})\n%1 = relu %0\noutput %1\n");
        let scheme = Scheme { zero_knowledge: false, hash: HashKind::Blake3, level: Level::Conjectured };
        Plan::new(&zknn_ir::parse(&graph).expect("a graph"), Visibility::Committed, scheme).expect("a plan")
    }

    fn witness(&self, plan: &Plan) -> Witness {
        Witness::new(plan, &self.elements, Secrets::with_salts(vec![Some(self.salt)]))
    }

    /// What the circuit makes public after the output.
    fn disclosed(&self, plan: &Plan) -> [F; DIGEST] {
        let public = self.witness(plan).public.clone();
        assert_eq!(public.len(), self.elements.len() + DIGEST);
        std::array::from_fn(|i| public[self.elements.len() + i])
    }

    /// Every other opening that differs in one element of input or salt.
    fn neighbours(&self) -> Vec<Self> {
        let inputs = (0..self.elements.len()).map(|i| {
            let mut other = self.clone();
            other.elements[i] += if self.elements[i] < self.range.1 { 1 } else { -1 };
            other
        });
        let salts = (0..DIGEST).map(|i| {
            let mut other = self.clone();
            other.salt[i] += F::ONE;
            other
        });
        inputs.chain(salts).collect()
    }
}

/// Of messages of one block of the sponge and of several, of words that are full and that are not.
#[test]
fn a_commitment_is_the_digest_of_what_it_binds() {
    let mut seen = HashSet::new();
    for (count, range) in [(1, (-5, 4)), (18, (-5, 4)), (19, (-5, 4)), (40, (-5, 5)), (75, (0, 255))] {
        let opening = Opening::new(count, range);
        let plan = opening.plan();
        for opening in opening.neighbours().iter().chain([&opening]) {
            let disclosed = opening.disclosed(&plan);
            assert_eq!(disclosed, opening.commitment(), "{count} elements in {range:?}");
            assert!(seen.insert(disclosed.map(|x| x.to_canonical_u64())), "two openings of one commitment");
        }
    }
}

/// Inputs of which the packed words are the same.
#[test]
fn a_commitment_binds_count_and_range() {
    let opening = Opening { elements: vec![3, -5], ..Opening::new(2, (-5, 4)) };
    let shorter = Opening { elements: vec![3], ..opening.clone() };
    let higher = Opening { elements: vec![8, 0], range: (0, 9), ..opening.clone() };
    let all = [&opening, &shorter, &higher];
    assert!(all.iter().all(|other| other.words() == opening.words()));
    let disclosed: HashSet<[u64; DIGEST]> =
        all.iter().map(|other| other.disclosed(&other.plan()).map(|x| x.to_canonical_u64())).collect();
    assert_eq!(disclosed.len(), all.len());
}

/// The row of the public inputs' gate has the digest of all public inputs, and a proof says no others.
#[test]
fn the_public_digest_is_that_of_each_public_input() {
    let opening = Opening::new(19, (-5, 4));
    let plan = opening.plan();
    let witness = opening.witness(&plan);
    let digest = &witness.row(plan.layout.public_row)[..DIGEST];
    assert_eq!(digest, Opening::sponge(&witness.public));

    let (prover, shape) = (Prover::<Blake3Config>::new(&plan), shape_of(&plan));
    let key = Key::<Blake3Config>::new(&shape, prover.cap(), &Binding::default());
    let bytes = prover.prove(&witness, &Binding::default(), &mut Timings::default()).expect("an honest proof");
    let public = key.verify(&bytes).expect("the proof holds");
    assert_eq!(public[opening.elements.len()..], opening.commitment());
    let common = common_data(&shape, &Gates::new(&shape));
    let proof = ProofWithPublicInputs::<F, Blake3Config, D>::from_bytes(bytes, &common).expect("as written");
    for index in 0..public.len() {
        let mut changed = proof.clone();
        changed.public_inputs[index] += F::ONE;
        assert_ne!(digest, Opening::sponge(&changed.public_inputs));
        assert!(matches!(key.verify(&changed.to_bytes()), Err(VerifyError::Rejected(_))), "public input {index}");
    }
}
