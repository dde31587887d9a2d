//! A circuit as its verifier has it: plonky2's description and the preprocessed columns, nothing else of the plan.
//!
//! The columns are those whose commitment is in the key; the tests of whole circuits compare that commitment with one that
//! plonky2 makes of them.

use super::Secrets;
use super::columns::{Permutation, constant_rows, mask_column, selector_columns};
use super::shape::{Gates, common_data};
use crate::circuit::shape_of;
use crate::gadget::field::{D, Ext, F, from_signed};
use crate::plan::Plan;
use plonky2::field::types::Field;
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::vars::EvaluationVars;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::collections::HashMap;

/// The same salts and the same blinding for the same `seed`.
pub fn secrets(seed: u64) -> Secrets {
    Secrets { salts: Vec::new(), randomness: ChaCha20Rng::seed_from_u64(seed) }
}

/// The columns before those of the permutation, in the order of the commitment: selectors, weights, the mask's.
pub fn constant_columns(plan: &Plan, gates: &Gates) -> Vec<Vec<F>> {
    let (rows, width) = (plan.layout.rows(), plan.layout.constants);
    let mut columns: Vec<Vec<F>> = selector_columns(&plan.layout, gates).chunks(rows).map(<[F]>::to_vec).collect();
    let weights = constant_rows(plan, from_signed);
    columns.extend((0..width).map(|index| {
        let mut column: Vec<F> = weights.chunks(width).map(|row| row[index]).collect();
        column.resize(rows, F::ZERO);
        column
    }));
    if plan.layout.masks > 0 {
        columns.push(mask_column(&plan.layout));
    }
    columns
}

/// What the verifier evaluates, at the rows.
pub struct VerifierView {
    common: CommonCircuitData<F, D>,
    rows: usize,
    /// The columns of selectors and constants.
    constants: Vec<Vec<F>>,
    /// For each routed cell, as `column · rows + row`, the cell that sigma names there.
    next: Vec<usize>,
}

impl VerifierView {
    /// The view of the circuit that `plan` describes.
    pub fn new(plan: &Plan) -> Self {
        let shape = shape_of(plan);
        let gates = Gates::new(&shape);
        let common = common_data(&shape, &gates);
        let constants = constant_columns(plan, &gates);
        assert_eq!(constants.len(), common.num_constants);
        let next = cells_named(&Permutation::new(plan).columns(&common.k_is), &common);
        Self { rows: common.degree(), common, constants, next }
    }

    /// plonky2's description.
    pub fn common(&self) -> &CommonCircuitData<F, D> {
        &self.common
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The cells that the permutation argument makes equal, as (row, column). A cell that is equal to no
    /// other is in one of its own.
    pub fn cycles(&self) -> Vec<Vec<(usize, usize)>> {
        let mut seen = vec![false; self.next.len()];
        let mut cycles = Vec::new();
        for start in 0..self.next.len() {
            let mut cycle = Vec::new();
            let mut cell = start;
            while !seen[cell] {
                seen[cell] = true;
                cycle.push((cell % self.rows, cell / self.rows));
                cell = self.next[cell];
            }
            assert!(cycle.is_empty() || cell == start, "sigma is no permutation");
            if !cycle.is_empty() {
                cycles.push(cycle);
            }
        }
        cycles
    }

    /// The constraints of a row with these wires, as plonky2's verifier sums them over the gates: all zero, if it holds.
    pub fn constraints(&self, row: usize, wires: &[F], public_hash: &HashOut<F>) -> Vec<Ext> {
        let wires: Vec<Ext> = wires.iter().map(|&wire| wire.into()).collect();
        let constants: Vec<Ext> = self.constants.iter().map(|column| column[row].into()).collect();
        let vars = EvaluationVars { local_constants: &constants, local_wires: &wires, public_inputs_hash: public_hash };
        let gates = &self.common.gates;
        let mut sums = vec![Ext::ZERO; self.common.num_gate_constraints];
        for (index, gate) in gates.iter().enumerate() {
            let own = index..index + 1;
            let values = gate.0.eval_filtered(vars, index, index, own, gates.len(), 0);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        sums
    }

    /// Whether the row holds with these wires.
    pub fn holds(&self, row: usize, wires: &[F], public_hash: &HashOut<F>) -> bool {
        self.constraints(row, wires, public_hash).iter().all(Field::is_zero)
    }
}

/// The cells that sigma's values are the identities of. The identity of a cell is its column's shift times its row's power of
/// the generator; raised to the number of rows, the column alone is left.
fn cells_named(sigmas: &[F], common: &CommonCircuitData<F, D>) -> Vec<usize> {
    let (bits, rows) = (common.degree_bits(), common.degree());
    let points: HashMap<F, usize> = (0..).zip(F::two_adic_subgroup(bits)).map(|(row, point)| (point, row)).collect();
    let shifts = common.k_is.iter().enumerate();
    let shifts: HashMap<F, (usize, F)> =
        shifts.map(|(column, shift)| (shift.exp_power_of_2(bits), (column, shift.inverse()))).collect();
    let cell = |sigma: &F| {
        let (column, inverse) = shifts[&sigma.exp_power_of_2(bits)];
        column * rows + points[&(*sigma * inverse)]
    };
    sigmas.iter().map(cell).collect()
}
