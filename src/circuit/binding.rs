//! Which constraints hold which wires.

use crate::gadget::arith::Extension;
use crate::gadget::field::{Ext, F};
use crate::gadget::{Gadget, Place};
use plonky2::field::types::{Field, Sample};
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::vars::EvaluationVars;

/// For each constraint of a gadget, in order, the wires that it depends on, its inputs aside: outputs first, counted from
/// zero, then advice.
///
/// They are found at a random point: a constraint that depends on a wire changes with it, but for a chance of about
/// `degree / p`.
pub fn wires_of_constraints(gadget: &Gadget) -> Vec<Vec<usize>> {
    let shape = gadget.shape();
    let place = Place { routed: 0, advice: shape.routed(), constant: 0 };
    let constants: Vec<Ext> = F::rand_vec(shape.constants).into_iter().map(Ext::from).collect();
    let mut wires: Vec<Ext> = F::rand_vec(shape.wires()).into_iter().map(Ext::from).collect();
    let constraints = |wires: &[Ext]| {
        let vars =
            EvaluationVars { local_constants: &constants, local_wires: wires, public_inputs_hash: &HashOut::ZERO };
        let mut arith = Extension::new(vars);
        gadget.constrain(&mut arith, place);
        arith.constraints
    };
    let before = constraints(&wires);
    let mut found = vec![Vec::new(); before.len()];
    for wire in 0..shape.outputs + shape.advice {
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

/// For each output and advice wire of a gadget, in that order, how many of its constraints depend on it.
pub fn constraints_on_wires(gadget: &Gadget) -> Vec<usize> {
    let shape = gadget.shape();
    let mut counts = vec![0; shape.outputs + shape.advice];
    for wire in wires_of_constraints(gadget).into_iter().flatten() {
        counts[wire] += 1;
    }
    counts
}
