//! What the verifier must know of a circuit: its gates, widths and parameters.

use super::quotient_mask::QuotientMask;
use super::row_gate::RowGate;
use crate::gadget::Shape;
use crate::gadget::field::{D, F};
use crate::plan::security::{CAP_HEIGHT, POW_BITS, QUOTIENT_DEGREE, RATE_BITS, SECURITY_BITS, Scheme, Soundness};
use crate::plan::{Part, Plan, soundness, total};
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
    /// The shape of the circuit that `plan` describes.
    pub fn new(plan: &Plan) -> Self {
        let layout = &plan.layout;
        Self {
            degree_bits: layout.degree_bits,
            wires: layout.wires,
            routed: layout.routed,
            challenges: layout.challenges,
            scheme: layout.scheme,
            public_inputs: plan.program.public.len(),
            gates: layout.kinds.iter().map(|kind| kind.parts.clone()).collect(),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        1 << self.degree_bits
    }

    /// Columns of wires that are random in all rows: the last ones.
    pub fn masks(&self) -> usize {
        self.scheme.mask_wires(self.challenges)
    }

    /// Where columns of digits end, and those of masks start.
    pub fn digits_end(&self) -> usize {
        self.wires - self.masks()
    }

    /// What its soundness depends on.
    pub fn soundness(&self) -> Soundness {
        let kinds: Vec<Shape> = self.gates.iter().map(|parts| total(parts)).collect();
        soundness(&kinds, self.degree_bits, self.digits_end(), self.routed, self.scheme)
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
/// The digits of a row are its last columns, so the columns that hold digits in one kind of row do so in all kinds that have
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
        let own: Vec<GateRef<F, D>> =
            shape.gates.iter().map(|parts| GateRef::new(RowGate::new(parts.clone()))).collect();
        let poseidon = GateRef::new(PoseidonGate::<F, D>::new());
        let (public_input, noop) = (GateRef::new(PublicInputGate), GateRef::new(NoopGate));
        let mut all = own.clone();
        all.extend([poseidon.clone(), public_input.clone(), noop.clone()]);
        all.sort_by_cached_key(|gate| (gate.0.degree(), gate.0.id()));
        all.dedup();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Visibility;
    use crate::plan::security::{HashKind, Level};
    use std::collections::HashSet;

    /// plonky2 adds up what different gates state under one number. In a row that satisfies each of them that is zero, but the
    /// converse holds only where no number is used twice.
    #[test]
    fn no_two_constraints_of_a_row_have_one_number() {
        let text = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=100)
%1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -5]
%2 = max_pool %1 window=[2, 2] relu
%3 = flatten %2
%4 = normalize %3 fraction_bits=24
output %4
";
        let graph = zknn_ir::parse(text).expect("a graph");
        let scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, ..Scheme::default() };
        let plan = Plan::new(&graph, Visibility::Committed, scheme).expect("a plan");
        let shape = CircuitShape::new(&plan);
        let gates = Gates::new(&shape);
        assert!(gates.digits.len() > 1, "kinds of rows differ in digits");
        for (kind, parts) in shape.gates.iter().enumerate() {
            let shapes = total(parts);
            let (mut numbers, mut columns) = ((0..shapes.constraints).collect::<HashSet<_>>(), HashSet::new());
            for (gate, run) in &gates.digits {
                if gates.selector(*gate, gates.kinds[kind]) == UNUSED_SELECTOR {
                    continue;
                }
                assert_eq!(gates.all[*gate].0.num_constraints(), run.first + run.columns.len());
                for (i, column) in run.columns.clone().enumerate() {
                    assert!(numbers.insert(run.first + i) && columns.insert(column));
                }
            }
            let digits =
                parts.iter().flat_map(|part| part.place.digits..part.place.digits + part.gadget.shape().digits);
            assert_eq!(columns, digits.collect(), "in rows of kind {kind}");
            assert!(numbers.into_iter().all(|number| number < shape.soundness().constraints));
        }
    }

    const TEXT: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=100)
%1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -5]
%2 = max_pool %1 window=[2, 2] relu
%3 = flatten %2
%4 = dense %3 weights=fixed[1, 8] scale 1 [1, 2, 3, 4, 5, 6, 7, 8]
output %4
";

    /// What security is computed from is what plonky2's verifier is given.
    #[test]
    fn soundness_counts_what_the_verifier_checks() {
        let graph = zknn_ir::parse(TEXT).expect("a graph");
        for zero_knowledge in [true, false] {
            for level in [Level::Conjectured, Level::Proven] {
                let scheme = Scheme { zero_knowledge, level, ..Scheme::default() };
                let plan = Plan::new(&graph, Visibility::Committed, scheme).expect("a plan");
                let shape = CircuitShape::new(&plan);
                let (common, soundness) = (common_data(&shape, &Gates::new(&shape)), shape.soundness());
                assert_eq!(plan.layout.soundness(), soundness);
                let config = &common.config;
                assert_eq!(soundness.degree_bits, common.degree_bits());
                assert_eq!(soundness.routed, config.num_routed_wires);
                assert_eq!(soundness.constraints, common.num_gate_constraints);
                assert_eq!(soundness.challenges, config.num_challenges);
                let of_set = 1 + common.num_partial_products + common.quotient_degree_factor + 1;
                let columns = common.num_constants + config.num_routed_wires + config.num_wires;
                assert_eq!(soundness.polynomials, columns + config.num_challenges * of_set);
                assert_eq!(soundness.folding, common.fri_params.reduction_arity_bits);
                assert_eq!(soundness.queries, common.fri_params.config.num_query_rounds);
                assert_eq!(common.fri_params.config.rate_bits, RATE_BITS);
                assert_eq!(common.fri_params.config.proof_of_work_bits, POW_BITS);
            }
        }
    }

    /// A key whose proofs would be less secure than its level says is refused, whatever else is right about it.
    #[test]
    fn a_shape_that_falls_short_of_its_level_is_refused() {
        let graph = zknn_ir::parse(TEXT).expect("a graph");
        let plan = Plan::new(&graph, Visibility::Committed, Scheme::default()).expect("a plan");
        let shape = CircuitShape::new(&plan);
        assert_eq!(shape.problem(), None);
        let mut tall = CircuitShape { degree_bits: 20, ..shape.clone() };
        (tall.challenges, tall.wires) = (tall.soundness().challenges, tall.wires + 1);
        let problem = tall.problem().expect("too few bits");
        assert!(problem.starts_with("security"), "{problem}");
        // Too few rows to blind as many values as its queries would tell.
        let scheme = Scheme { level: Level::Proven, ..shape.scheme };
        assert_eq!(CircuitShape { scheme, ..shape }.problem(), Some("number of rows"));
    }
}
