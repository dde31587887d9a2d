//! The circuit's own judgement of a witness: every constraint of every row and every copy constraint, one by one.
//!
//! plonky2's prover only says that some constraint fails. This says which, in terms of the model, and never the values:
//! they are private.

use super::binding::wires_of_constraints;
use super::columns::Permutation;
use super::sites::{Owner, Role, Site, Sites};
use super::witness::Witness;
use crate::gadget::Gadget;
use crate::gadget::arith::Extension;
use crate::gadget::field::{Ext, F, from_signed};
use crate::plan::{Plan, Slot};
use plonky2::field::types::Field;
use plonky2::gates::gate::Gate;
use plonky2::gates::poseidon::PoseidonGate;
use plonky2::gates::public_input::PublicInputGate;
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use plonky2::plonk::vars::EvaluationVars;
use plonky2_maybe_rayon::*;

/// Something that a witness breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A constraint does not vanish.
    Constraint {
        /// The row.
        row: usize,
        /// Whose constraint it is.
        owner: Owner,
        /// Which of the owner's constraints; those of its digits come last.
        constraint: usize,
    },
    /// Two cells that must be equal are not.
    Copy {
        /// The cells.
        cells: [Site; 2],
    },
}

/// The constraints of one plan.
pub struct Checker<'a> {
    plan: &'a Plan,
    sites: Sites<'a>,
    permutation: Permutation,
}

impl<'a> Checker<'a> {
    /// The constraints of `plan`.
    pub fn new(plan: &'a Plan) -> Self {
        Self { plan, sites: Sites::new(plan), permutation: Permutation::new(plan) }
    }

    /// What the cells are for.
    pub fn sites(&self) -> &Sites<'a> {
        &self.sites
    }

    /// All that `witness` breaks: nothing, if it satisfies the circuit.
    pub fn check(&self, witness: &Witness) -> Vec<Violation> {
        let rows = 0..self.plan.layout.rows();
        let mut found: Vec<Violation> = rows
            .clone()
            .into_par_iter()
            .flat_map_iter(|row| self.row(row, witness.row(row), &witness.public))
            .collect();
        for row in rows {
            for column in 0..self.plan.layout.routed {
                found.extend(self.copy(witness, row, column));
            }
        }
        found
    }

    /// The constraints that `row` breaks if it has these wires, and the proof these public inputs.
    pub fn row(&self, row: usize, wires: &[F], public: &[F]) -> Vec<Violation> {
        let layout = &self.plan.layout;
        let lift = |values: &[F]| values.iter().map(|&value| value.into()).collect::<Vec<Ext>>();
        let (wires, constants) = (lift(wires), lift(&self.constants(row)));
        let hash: HashOut<F> = match row == layout.public_row {
            true => PoseidonHash::hash_no_pad(public),
            false => HashOut::ZERO,
        };
        let vars = EvaluationVars { local_constants: &constants, local_wires: &wires, public_inputs_hash: &hash };
        let broken = |owner: Owner, values: Vec<Ext>| {
            let nonzero = values.into_iter().enumerate().filter(|(_, value)| !value.is_zero());
            nonzero.map(move |(constraint, _)| Violation::Constraint { row, owner, constraint })
        };
        if let Some(kind) = self.sites.kind(row) {
            let parts = layout.kinds[kind].parts.iter().enumerate();
            return parts
                .flat_map(|(part, placed)| {
                    let mut arith = Extension::new(vars);
                    placed.gadget.constrain_with_digits(&mut arith, placed.place);
                    broken(self.sites.owner(row, Slot { kind, part }), arith.constraints)
                })
                .collect();
        }
        if layout.poseidon.contains(&row) {
            return broken(self.sites.permutation(row), PoseidonGate::<F, 2>::new().eval_unfiltered(vars)).collect();
        }
        if row == layout.public_row {
            return broken(Owner::PublicInputs, PublicInputGate.eval_unfiltered(vars)).collect();
        }
        Vec::new()
    }

    /// The copy constraint that a routed cell's value breaks with the next cell of its cycle.
    pub fn copy(&self, witness: &Witness, row: usize, column: usize) -> Option<Violation> {
        let (other_row, other_column) = self.permutation.next(row, column);
        (witness.row(row)[column] != witness.row(other_row)[other_column]).then(|| Violation::Copy {
            cells: [self.sites.site(row, column), self.sites.site(other_row, other_column)],
        })
    }

    /// All cells that are tied to this one, itself first.
    pub fn cycle(&self, row: usize, column: usize) -> Vec<(usize, usize)> {
        let mut cells = vec![(row, column)];
        if column < self.plan.layout.routed {
            let mut next = self.permutation.next(row, column);
            while next != (row, column) {
                cells.push(next);
                next = self.permutation.next(next.0, next.1);
            }
        }
        cells
    }

    /// A row's constants, selectors not counted.
    pub fn constants(&self, row: usize) -> Vec<F> {
        let mut constants = vec![F::ZERO; self.plan.layout.constants];
        let Some(kind) = self.sites.kind(row) else { return constants };
        for (index, part) in self.plan.layout.kinds[kind].parts.iter().enumerate() {
            if let Owner::Instance { block, instance } = self.sites.owner(row, Slot { kind, part: index }) {
                let own = &mut constants[part.place.constant..][..part.gadget.shape().constants];
                self.plan.program.blocks[block].demand.constants.write(instance, own, from_signed);
            }
        }
        constants
    }

    /// The violation in words: layer, element and wire.
    pub fn describe(&self, violation: &Violation) -> String {
        match violation {
            Violation::Constraint { row, owner, constraint } => {
                let wires =
                    self.sites.gadget(*owner).map_or(String::new(), |gadget| wires_in_words(gadget, *constraint));
                format!("{}: constraint {constraint}{wires} fails, in row {row}", self.sites.name(*owner))
            }
            Violation::Copy { cells: [a, b] } => {
                let wire = |site: &Site| format!("{} {}", site.role, site.index);
                format!(
                    "{}: {} differs from {} of {}, in rows {} and {}",
                    self.sites.name(a.owner),
                    wire(a),
                    wire(b),
                    self.sites.name(b.owner),
                    a.row,
                    b.row
                )
            }
        }
    }
}

/// The wires that a constraint depends on, beside inputs: ` on output 0, advice 3 to 7`.
fn wires_in_words(gadget: &Gadget, constraint: usize) -> String {
    let outputs = gadget.shape().outputs;
    let named = |wire: usize| if wire < outputs { (Role::Output, wire) } else { (Role::Advice, wire - outputs) };
    let mut runs: Vec<(Role, usize, usize)> = Vec::new();
    for (role, index) in wires_of_constraints(gadget)[constraint].iter().map(|&wire| named(wire)) {
        match runs.last_mut() {
            Some((last_role, _, last)) if *last_role == role && *last + 1 == index => *last = index,
            _ => runs.push((role, index, index)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .map(
            |(role, first, last)| {
                if first == last { format!("{role} {first}") } else { format!("{role} {first} to {last}") }
            },
        )
        .collect();
    if texts.is_empty() { String::new() } else { format!(" on {}", texts.join(", ")) }
}
