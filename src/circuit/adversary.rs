//! A dishonest prover of one gadget: it perturbs a wire, then repairs violated constraints by solving for other wires.
//!
//! Mending is what makes it dangerous: a value is changed together with its digits, a quotient together with its
//! remainder and the carries. Inputs it leaves alone, as copy constraints hold them. A gadget is sound for its inputs
//! if the adversary never arrives at a row that satisfies all constraints.

mod limbs;

use super::RowGate;
use crate::gadget::field::{Ext, F};
use crate::gadget::{Gadget, Place};
use crate::plan::Part;
use plonky2::field::types::{Field, Sample};
use plonky2::gates::gate::Gate;
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::vars::EvaluationVars;
use std::sync::Arc;

/// The gate that holds nothing but this gadget, and states its digits.
pub fn gate_of(gadget: &Gadget) -> RowGate {
    let shape = gadget.shape();
    let place = Place::alone(shape);
    let gate = RowGate::new(0, vec![Part { gadget: Arc::new(gadget.clone()), place }]);
    gate.with_digits(place.digits..place.digits + shape.digits)
}

/// The wires of an honest row: inputs, outputs, advice, digits.
pub fn honest_row(gadget: &Gadget, constants: &[F], inputs: &[F]) -> Vec<F> {
    let shape = gadget.shape();
    assert_eq!(inputs.len(), shape.inputs);
    let mut outputs = vec![F::ZERO; shape.outputs];
    let (mut advice, mut digits) = (vec![F::ZERO; shape.advice], vec![F::ZERO; shape.digits]);
    gadget.assign(constants, inputs, &mut outputs, [&mut advice, &mut digits]);
    [inputs, &outputs, &advice, &digits].concat()
}

/// How many rows the adversary looks at before it gives up on a change.
const PATIENCE: usize = 60;
/// How many wires it mends one constraint by.
const BREADTH: usize = 8;
/// How many constraints it mends one after the other.
const DEPTH: usize = 12;

/// The adversary of one gadget in rows with the same constants.
pub struct Adversary<'a> {
    gadget: Gadget,
    gate: RowGate,
    constants: &'a [F],
    inputs: usize,
    /// For each constraint the wires that it depends on, inputs excluded, those that matter to few others first.
    wires_of: Vec<Vec<usize>>,
    /// A constraint that it may break.
    pub dropped: Option<usize>,
    /// How many rows it looked at.
    pub tried: usize,
}

impl<'a> Adversary<'a> {
    /// The adversary of `gadget` with these row constants.
    pub fn new(gadget: &Gadget, constants: &'a [F]) -> Self {
        let (gate, shape) = (gate_of(gadget), gadget.shape());
        let mut adversary = Self {
            gadget: gadget.clone(),
            gate,
            constants,
            inputs: shape.inputs,
            wires_of: Vec::new(),
            dropped: None,
            tried: 0,
        };
        // At a random point a constraint changes with every wire that it depends on.
        let point = F::rand_vec(shape.wires());
        let before = adversary.constraints(&point);
        let mut wires_of = vec![Vec::new(); before.len()];
        let mut weight = vec![0; shape.wires()];
        for wire in shape.inputs..shape.wires() {
            let mut moved = point.clone();
            moved[wire] += F::ONE;
            for (c, (a, b)) in before.iter().zip(adversary.constraints(&moved)).enumerate() {
                if *a != b {
                    wires_of[c].push(wire);
                    weight[wire] += 1;
                }
            }
        }
        for wires in &mut wires_of {
            wires.sort_by_key(|&wire| (weight[wire], wire));
        }
        adversary.wires_of = wires_of;
        adversary
    }

    /// The wires that no constraint depends on.
    pub fn unbound(&self, wires: usize) -> Vec<usize> {
        (self.inputs..wires).filter(|wire| !self.wires_of.iter().any(|list| list.contains(wire))).collect()
    }

    /// The wires that a constraint depends on, and those that share a constraint with one of them.
    pub fn wires_near(&self, constraint: usize) -> Vec<usize> {
        let own = &self.wires_of[constraint];
        let shares = |wires: &&Vec<usize>| wires.iter().any(|wire| own.contains(wire));
        let others = self.wires_of.iter().filter(shares).flatten();
        let mut near: Vec<usize> = Vec::new();
        for &wire in own.iter().chain(others) {
            if !near.contains(&wire) {
                near.push(wire);
            }
        }
        near
    }

    /// Whether the row satisfies all constraints, the dropped one excepted.
    pub fn accepts(&mut self, wires: &[F]) -> bool {
        self.tried += 1;
        self.first_broken(wires).is_none()
    }

    /// Changes `wire` by `change` and mends what that breaks; the row it ends with, if it satisfies all.
    pub fn forge(&mut self, honest: &[F], wire: usize, change: F) -> Option<Vec<F>> {
        let mut row = honest.to_vec();
        row[wire] += change;
        let mut frozen = vec![false; row.len()];
        frozen[wire] = true;
        let mut patience = PATIENCE;
        self.mend(&mut row, &mut frozen, DEPTH, &mut patience).then_some(row)
    }

    /// Hides a change of one digit in another, which is held by the dropped constraint alone: it takes whatever fraction
    /// makes up for the change.
    pub fn forge_digit(&mut self, honest: &[F], dropped: usize) -> Option<Vec<F>> {
        self.dropped = Some(dropped);
        let &[loose] = &self.wires_of[dropped][..] else { return None };
        let ratios = (1..=21).map(|k| F::from_canonical_u64(8).exp_u64(k)).chain((2..=7).map(F::from_canonical_u64));
        let ratios: Vec<F> = ratios.flat_map(|ratio| [ratio.inverse(), ratio]).collect();
        for wire in self.wires_near(dropped).into_iter().filter(|&wire| wire != loose) {
            for step in [F::ONE, -F::ONE] {
                for &ratio in &ratios {
                    let mut row = honest.to_vec();
                    row[wire] += step;
                    row[loose] -= step * ratio;
                    if self.accepts(&row) {
                        return Some(row);
                    }
                }
            }
        }
        // A digit that is alone beside the lowest, which has no wire.
        let alone = ratios.iter().flat_map(|&ratio| [ratio, -ratio]).map(|change| {
            let mut row = honest.to_vec();
            row[loose] += change;
            row
        });
        alone.into_iter().find(|row| self.accepts(row))
    }

    fn mend(&mut self, row: &mut Vec<F>, frozen: &mut [bool], depth: usize, patience: &mut usize) -> bool {
        self.tried += 1;
        let Some(broken) = self.first_broken(row) else { return true };
        if depth == 0 || *patience == 0 {
            return false;
        }
        let mut wires: Vec<usize> = self.wires_of[broken].iter().copied().filter(|&wire| !frozen[wire]).collect();
        // What the dropped constraint would have held is the best place to hide a lie.
        let is_loose = |wire: &usize| self.dropped.is_some_and(|dropped| self.wires_of[dropped].contains(wire));
        wires.sort_by_key(|wire| !is_loose(wire));
        for wire in wires.into_iter().take(BREADTH) {
            let before = row[wire];
            for value in self.remedies(row, broken, wire) {
                if *patience == 0 {
                    return false;
                }
                *patience -= 1;
                (row[wire], frozen[wire]) = (value, true);
                if self.mend(row, frozen, depth - 1, patience) {
                    return true;
                }
                (row[wire], frozen[wire]) = (before, false);
            }
        }
        false
    }

    /// Values of `wire` that satisfy the constraint: the solution, if it is linear in the wire, else near ones.
    fn remedies(&self, row: &mut [F], constraint: usize, wire: usize) -> Vec<F> {
        let before = row[wire];
        let mut at = |value: F| {
            row[wire] = value;
            let result = self.constraints(row)[constraint];
            row[wire] = before;
            result
        };
        let (here, up, down) = (at(before), at(before + F::ONE), at(before - F::ONE));
        let slope = up - here;
        if slope == here - down {
            // Wires and constants are base field elements here, and so is every result.
            return if slope.is_zero() { Vec::new() } else { vec![before - (here / slope).0[0]] };
        }
        let near = [(up, before + F::ONE), (down, before - F::ONE)];
        near.into_iter().filter(|(result, _)| result.is_zero()).map(|(_, value)| value).collect()
    }

    fn first_broken(&self, wires: &[F]) -> Option<usize> {
        let values = self.constraints(wires);
        (0..values.len()).find(|&c| !values[c].is_zero() && Some(c) != self.dropped)
    }

    fn constraints(&self, wires: &[F]) -> Vec<Ext> {
        let lift = |values: &[F]| values.iter().map(|&value| value.into()).collect::<Vec<Ext>>();
        let (local_wires, local_constants) = (lift(wires), lift(self.constants));
        let vars = EvaluationVars {
            local_constants: &local_constants,
            local_wires: &local_wires,
            public_inputs_hash: &HashOut::ZERO,
        };
        self.gate.eval_unfiltered(vars)
    }
}
