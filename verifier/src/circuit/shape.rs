//! What the verifier must know of a circuit: its gates, widths and parameters.

use super::quotient_mask::QuotientMask;
use super::row_gate::RowGate;
use crate::gadget::Shape;
use crate::gadget::field::{D, F};
use crate::row::{Part, soundness, total};
use crate::security::{CAP_HEIGHT, POW_BITS, QUOTIENT_DEGREE, RATE_BITS, SECURITY_BITS, Scheme, Soundness};
use plonky2::field::cosets::get_unique_coset_shifts;
use plonky2::fri::FriConfig;
use plonky2::fri::reduction_strategies::FriReductionStrategy;
use plonky2::gates::gate::GateRef;
use plonky2::gates::noop::NoopGate;
use plonky2::gates::poseidon::PoseidonGate;
use plonky2::gates::public_input::PublicInputGate;
use plonky2::plonk::circuit_data::{CircuitConfig, CommonCircuitData};
use plonky2::util::serialization::{Buffer, Read};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The shape of a circuit. Together with the commitment to its constants and permutation it determines which proofs
/// are accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CircuitShape {
    /// There are `2^degree_bits` rows.
    pub degree_bits: usize,
    /// Columns of wires.
    pub wires: usize,
    /// Those of them that copy constraints reach.
    pub routed: usize,
    /// Challenge sets.
    pub challenges: usize,
    /// How proofs are made.
    pub scheme: Scheme,
    /// How many public inputs there are.
    pub public_inputs: usize,
    /// The parts of each of our gates.
    pub gates: Vec<Vec<Part>>,
}

/// What a gate's selector column says in rows of other gates: plonky2's value.
pub const UNUSED_SELECTOR: u64 = u32::MAX as u64;
/// What it says if the gate is active in every row: plonky2's filter is then one.
const ALWAYS_SELECTOR: u64 = UNUSED_SELECTOR - 1;

impl CircuitShape {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        1 << self.degree_bits
    }

    /// Columns of wires that are random in all rows: the last ones.
    pub fn masks(&self) -> usize {
        self.scheme.mask_wires(self.challenges)
    }

    /// Where columns of masks start.
    pub(super) fn masks_start(&self) -> usize {
        self.wires - self.masks()
    }

    /// Where columns of digits end, and those of advice start, of which there are as many as any row has.
    pub fn digits_end(&self) -> usize {
        let advice = self.gates.iter().map(|parts| total(parts).advice).max().unwrap_or(0);
        self.masks_start().saturating_sub(advice)
    }

    /// What its soundness depends on.
    pub fn soundness(&self) -> Soundness {
        let kinds: Vec<Shape> = self.gates.iter().map(|parts| total(parts)).collect();
        soundness(&kinds, self.degree_bits, self.masks_start(), self.routed, self.scheme)
    }

    /// The runs of columns of digits, from the left.
    fn digit_runs(&self) -> Vec<DigitRun> {
        let (end, shapes) = (self.digits_end(), || self.gates.iter().map(|parts| total(parts)));
        // Numbers that no gate has with which a run shares rows.
        let first = shapes().map(|shape| shape.constraints).max().unwrap_or(0);
        let mut counts: Vec<usize> = shapes().map(|shape| shape.digits).filter(|&count| count > 0).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.dedup();
        let most = counts.first().copied().unwrap_or(0);
        let run = |(i, &count): (usize, &usize)| DigitRun {
            columns: end - count..end - counts.get(i + 1).copied().unwrap_or(0),
            first: first + most - count,
            kinds: shapes().enumerate().filter(|(_, shape)| shape.digits >= count).map(|(kind, _)| kind).collect(),
        };
        counts.iter().enumerate().map(run).collect()
    }
}

/// Columns that hold digits in all rows of the same kinds.
///
/// The digits of a row are its last columns but those of advice, so the columns that hold digits in one kind of row do so in all kinds that have
/// more of them: each column is checked once, for all kinds of rows together.
pub struct DigitRun {
    /// The columns.
    pub columns: Range<usize>,
    /// The number of the first of its constraints.
    pub first: usize,
    /// The kinds of rows, as indices into the shape's gates.
    kinds: Vec<usize>,
}

/// The gates of a circuit, in plonky2's order, and where ours and plonky2's are in it.
pub struct Gates {
    /// The gates, sorted by degree and identity.
    pub all: Vec<GateRef<F, D>>,
    /// The index of each of our row kinds.
    pub kinds: Vec<usize>,
    /// The index of the Poseidon gate.
    pub poseidon: usize,
    /// The index of the gate that binds the public inputs.
    pub public_input: usize,
    /// The index of the gate without constraints.
    pub noop: usize,
    /// The gates that state digits, by index.
    pub digits: Vec<(usize, DigitRun)>,
    /// The index of the gate that is active in every row, if there is one.
    pub mask: Option<usize>,
}

impl Gates {
    /// The gates of a circuit of this shape.
    pub fn new(shape: &CircuitShape) -> Self {
        let own: Vec<GateRef<F, D>> = shape
            .gates
            .iter()
            .enumerate()
            .map(|(kind, parts)| GateRef::new(RowGate::new(kind, parts.clone())))
            .collect();
        let poseidon = GateRef::new(PoseidonGate::<F, D>::new());
        let (public_input, noop) = (GateRef::new(PublicInputGate), GateRef::new(NoopGate));
        let mut all = own.clone();
        all.extend([poseidon.clone(), public_input.clone(), noop.clone()]);
        all.sort_by_cached_key(|gate| (gate.0.degree(), gate.0.id()));
        let digits: Vec<(usize, DigitRun)> = (all.len()..).zip(shape.digit_runs()).collect();
        all.extend(digits.iter().map(|(_, run)| GateRef::new(RowGate::of_digits(run.columns.clone(), run.first))));
        let mask = shape.scheme.zero_knowledge.then_some(all.len());
        if shape.scheme.zero_knowledge {
            let constants = all.iter().map(|gate| gate.0.num_constants()).max().unwrap_or(0);
            all.push(GateRef::new(QuotientMask::of(shape, constants)));
        }
        // Every gate asked for was put in.
        let index = |gate: &GateRef<F, D>| all.iter().position(|other| other == gate).expect("the gate is listed");
        Self {
            kinds: own.iter().map(index).collect(),
            poseidon: index(&poseidon),
            public_input: index(&public_input),
            noop: index(&noop),
            digits,
            mask,
            all,
        }
    }

    /// Selector columns: one for each gate. So a filter has degree one, and gates of low degree keep a low degree; a column
    /// more costs little.
    pub fn selectors(&self) -> usize {
        self.all.len()
    }

    /// What the selector column of `gate` says in a row whose own gate has this `index`.
    pub fn selector(&self, gate: usize, index: usize) -> u64 {
        if self.mask == Some(gate) {
            return ALWAYS_SELECTOR;
        }
        let run = self.digits.iter().find(|(of_digits, _)| *of_digits == gate);
        let is_active = match run {
            Some((_, run)) => run.kinds.iter().any(|&kind| self.kinds[kind] == index),
            None => gate == index,
        };
        if is_active { gate as u64 } else { UNUSED_SELECTOR }
    }
}

/// plonky2's description of the circuit.
pub fn common_data(shape: &CircuitShape, gates: &Gates) -> CommonCircuitData<F, D> {
    let constants = gates.all.iter().map(|gate| gate.0.num_constants()).max().unwrap_or(0);
    let fri_config = FriConfig {
        rate_bits: RATE_BITS,
        cap_height: CAP_HEIGHT,
        proof_of_work_bits: POW_BITS,
        reduction_strategy: FriReductionStrategy::Fixed(shape.scheme.folding(shape.degree_bits)),
        num_query_rounds: shape.scheme.queries(),
    };
    let fri_params = fri_config.fri_params(shape.degree_bits, shape.scheme.zero_knowledge);
    let config = CircuitConfig {
        num_wires: shape.wires,
        num_routed_wires: shape.routed,
        num_constants: constants,
        use_base_arithmetic_gate: true,
        security_bits: SECURITY_BITS,
        num_challenges: shape.challenges,
        zero_knowledge: shape.scheme.zero_knowledge,
        max_quotient_degree_factor: QUOTIENT_DEGREE,
        fri_config,
    };
    CommonCircuitData {
        fri_params,
        // The bytes are just what the reader asks for.
        selectors_info: Buffer::new(&selector_bytes(gates)).read_selectors_info().expect("selectors in serial form"),
        quotient_degree_factor: QUOTIENT_DEGREE,
        num_gate_constraints: gates.all.iter().map(|gate| gate.0.num_constraints()).max().unwrap_or(0),
        num_constants: gates.selectors() + constants,
        num_public_inputs: shape.public_inputs,
        k_is: get_unique_coset_shifts(1 << shape.degree_bits, shape.routed),
        num_partial_products: shape.routed.div_ceil(QUOTIENT_DEGREE) - 1,
        num_lookup_polys: 0,
        num_lookup_selectors: 0,
        luts: Vec::new(),
        gates: gates.all.clone(),
        config,
    }
}

/// The selector groups in plonky2's serial form: it keeps the fields of their type to itself, but reads it from bytes.
fn selector_bytes(gates: &Gates) -> Vec<u8> {
    let count = gates.selectors();
    let groups = (0..count).flat_map(|gate| [gate, gate + 1]);
    let numbers = std::iter::once(count).chain(0..count).chain([count]).chain(groups);
    numbers.flat_map(|number| (number as u64).to_le_bytes()).collect()
}
