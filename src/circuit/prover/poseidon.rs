//! plonky2's Poseidon gate at many points at once. plonky2 evaluates it point by point, which takes several times as long.

use crate::gadget::field::{D, F, Packed};
use plonky2::field::ops::Square;
use plonky2::field::packed::PackedField;
use plonky2::field::types::Field;
use plonky2::hash::poseidon::{HALF_N_FULL_ROUNDS, N_PARTIAL_ROUNDS, Poseidon, SPONGE_WIDTH};

type State = [Packed; SPONGE_WIDTH];

/// The wires of the gate: inputs and outputs come first, then these.
const SWAP: usize = 2 * SPONGE_WIDTH;
const DELTAS: usize = SWAP + 1;
/// How many inputs the swap exchanges with as many others.
const SWAPPED: usize = 4;
/// What goes into the S-boxes, but for those of the first round.
const SBOXES: usize = DELTAS + SWAPPED;

/// Evaluates the gate's constraints, in plonky2's order, on the wires that `wire` gives.
pub fn constrain(wire: impl Fn(usize) -> Packed, mut take: impl FnMut(Packed)) {
    let swap = wire(SWAP);
    take(swap * (swap - F::ONE));
    let mut state: State = std::array::from_fn(&wire);
    for i in 0..SWAPPED {
        let delta = wire(DELTAS + i);
        let (left, right) = (state[i], state[i + SWAPPED]);
        take(swap * (right - left) - delta);
        (state[i], state[i + SWAPPED]) = (left + delta, right - delta);
    }

    // Each S-box takes its input from a wire, which must be what the rounds before give.
    let mut next = SBOXES;
    let mut taken = |value: &mut Packed| {
        let input = wire(next);
        next += 1;
        take(*value - input);
        *value = input;
    };
    for round in 0..HALF_N_FULL_ROUNDS {
        add_constants(&mut state, round);
        if round > 0 {
            state.iter_mut().for_each(&mut taken);
        }
        state = mixed(&state.map(seventh_power));
    }
    <F as Poseidon>::partial_first_constant_layer_packed_field::<F, D, F, Packed, 1>(&mut state);
    state = <F as Poseidon>::mds_partial_layer_init_packed_field::<F, D, F, Packed, 1>(&state);
    for round in 0..N_PARTIAL_ROUNDS {
        taken(&mut state[0]);
        state[0] = seventh_power(state[0]);
        if round + 1 < N_PARTIAL_ROUNDS {
            state[0] += F::from_canonical_u64(<F as Poseidon>::FAST_PARTIAL_ROUND_CONSTANTS[round]);
        }
        state = <F as Poseidon>::mds_partial_layer_fast_packed_field::<F, D, F, Packed, 1>(&state, round);
    }
    for round in 0..HALF_N_FULL_ROUNDS {
        add_constants(&mut state, HALF_N_FULL_ROUNDS + N_PARTIAL_ROUNDS + round);
        state.iter_mut().for_each(&mut taken);
        state = mixed(&state.map(seventh_power));
    }
    for (i, value) in state.into_iter().enumerate() {
        take(value - wire(SPONGE_WIDTH + i));
    }
}

fn add_constants(state: &mut State, round: usize) {
    <F as Poseidon>::constant_layer_packed_field::<F, D, F, Packed, 1>(state, round);
}

fn seventh_power(x: Packed) -> Packed {
    let square = x.square();
    square.square() * (square * x)
}

/// One number for each lane.
type Lanes = [u64; Packed::WIDTH];

/// The product with the matrix of full rounds. Its entries are so small that halves of 32 bits can be multiplied and summed
/// as integers.
fn mixed(state: &State) -> State {
    let half = |shift: u32| state.map(|x| lanes(|lane| x.as_slice()[lane].0 >> shift & u64::from(u32::MAX)));
    let (low, high) = (half(0), half(32));
    std::array::from_fn(|row| {
        let (low, high) = (dot(row, &low), dot(row, &high));
        // 2^64 is 2^32 - 1 in the field. Both sums are below 2^41.
        let shifted = lanes(|lane| high[lane] << 32);
        let rest = lanes(|lane| low[lane] + (high[lane] >> 32) * u64::from(u32::MAX));
        packed(&shifted) + packed(&rest)
    })
}

fn dot(row: usize, values: &[Lanes; SPONGE_WIDTH]) -> Lanes {
    let diagonal = <F as Poseidon>::MDS_MATRIX_DIAG[row];
    let mut sum = lanes(|lane| values[row][lane] * diagonal);
    for (i, entry) in <F as Poseidon>::MDS_MATRIX_CIRC.into_iter().enumerate() {
        let values = &values[(i + row) % SPONGE_WIDTH];
        sum = lanes(|lane| sum[lane] + values[lane] * entry);
    }
    sum
}

fn lanes(number: impl Fn(usize) -> u64) -> Lanes {
    let mut lanes = [0; Packed::WIDTH];
    for (lane, slot) in lanes.iter_mut().enumerate() {
        *slot = number(lane);
    }
    lanes
}

fn packed(lanes: &Lanes) -> Packed {
    let mut packed = Packed::ZEROS;
    // Numbers below 2^64 that may be above the modulus are elements too.
    packed.as_slice_mut().iter_mut().zip(lanes).for_each(|(element, &lane)| *element = F::from_noncanonical_u64(lane));
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::Sample;
    use plonky2::gates::gate::Gate;
    use plonky2::gates::poseidon::PoseidonGate;
    use plonky2::hash::hash_types::HashOut;
    use plonky2::plonk::vars::EvaluationVarsBaseBatch;

    #[test]
    fn the_constraints_are_plonky2s() {
        const LANES: usize = Packed::WIDTH;
        let gate = PoseidonGate::<F, D>::new();
        let mut wires = F::rand_vec(gate.num_wires() * LANES);
        // The least and the greatest element, where sums of halves are.
        wires[..LANES].fill(F::ZERO);
        wires[LANES..9 * LANES].fill(F::NEG_ONE);
        let vars = EvaluationVarsBaseBatch::new(LANES, &[], &wires, &HashOut::ZERO);
        let mut found = Vec::new();
        constrain(
            |i| *Packed::from_slice(&wires[i * LANES..][..LANES]),
            |value| found.extend_from_slice(value.as_slice()),
        );
        assert_eq!(found, gate.eval_unfiltered_base_batch(vars));
    }
}
