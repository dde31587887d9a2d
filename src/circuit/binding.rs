//! Which constraints hold which wires.

use crate::gadget::arith::Extension;
use crate::gadget::field::{Ext, F};
use crate::gadget::{Gadget, Place};
use plonky2::field::types::{Field, Sample};
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::vars::EvaluationVars;

/// For each constraint of a gadget, those of its digits last, the wires that it depends on, its inputs aside: outputs first,
/// counted from zero, then the gadget's own.
///
/// They are found at a random point: a constraint that depends on a wire changes with it, but for a chance of about
/// `degree / p`.
pub fn wires_of_constraints(gadget: &Gadget) -> Vec<Vec<usize>> {
    let shape = gadget.shape();
    let place = Place::alone(shape);
    let constants: Vec<Ext> = F::rand_vec(shape.constants).into_iter().map(Ext::from).collect();
    let mut wires: Vec<Ext> = F::rand_vec(shape.wires()).into_iter().map(Ext::from).collect();
    let constraints = |wires: &[Ext]| {
        let vars =
            EvaluationVars { local_constants: &constants, local_wires: wires, public_inputs_hash: &HashOut::ZERO };
        let mut arith = Extension::new(vars);
        gadget.constrain_with_digits(&mut arith, place);
        arith.constraints
    };
    let before = constraints(&wires);
    let mut found = vec![Vec::new(); before.len()];
    for wire in 0..shape.outputs + shape.own() {
        wires[shape.inputs + wire] += Ext::ONE;
        let after = constraints(&wires);
        wires[shape.inputs + wire] -= Ext::ONE;
        for (found, (before, after)) in found.iter_mut().zip(before.iter().zip(after)) {
            if *before != after {
                found.push(wire);
            }
        }
    }
    found
}

/// For each output and each wire of a gadget's own, in that order, how many of its constraints depend on it.
pub fn constraints_on_wires(gadget: &Gadget) -> Vec<usize> {
    let shape = gadget.shape();
    let mut counts = vec![0; shape.outputs + shape.own()];
    for wire in wires_of_constraints(gadget).into_iter().flatten() {
        counts[wire] += 1;
    }
    counts
}
