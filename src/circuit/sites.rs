//! Which statement every cell belongs to: the way back from rows and columns to layers and elements.

use crate::gadget::Gadget;
use crate::plan::{POSEIDON_ROUTED, POSEIDON_WIRES, Plan, SPONGE_WIDTH, Segment, Slot};
use std::fmt;

/// What a part of a row is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An instance of a block of the program.
    Instance {
        /// Index of the block.
        block: usize,
        /// Which of its instances.
        instance: usize,
    },
    /// A part that no instance is in.
    Idle {
        /// Its row kind and part.
        kind: usize,
        /// Index of the part.
        part: usize,
    },
    /// The digest of the public inputs.
    PublicInputs,
    /// Rows and columns of randomness.
    Blinding,
    /// Rows and columns that nothing is in.
    Nothing,
}

/// What a wire is to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A routed wire whose value comes from elsewhere.
    Input,
    /// A routed wire that the owner determines.
    Output,
    /// A wire of the owner's own; digits come after all others.
    Advice,
    /// A wire that no constraint reads.
    Free,
}

/// A cell and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Its row.
    pub row: usize,
    /// Its column.
    pub column: usize,
    /// The statement it belongs to.
    pub owner: Owner,
    /// What it is there.
    pub role: Role,
    /// Which of the wires of that role.
    pub index: usize,
}

/// The map of a plan's cells.
pub struct Sites<'a> {
    plan: &'a Plan,
    /// By row kind and part, what lies there of which block.
    tenants: Vec<Vec<Vec<(usize, &'a Segment)>>>,
    /// Block and instance of each Poseidon row.
    poseidon: Vec<(usize, usize)>,
}

impl<'a> Sites<'a> {
    /// The map of `plan`.
    pub fn new(plan: &'a Plan) -> Self {
        let layout = &plan.layout;
        let mut tenants: Vec<Vec<_>> = layout.kinds.iter().map(|kind| vec![Vec::new(); kind.parts.len()]).collect();
        for placement in &layout.placements {
            for segment in &placement.segments {
                tenants[segment.slot.kind][segment.slot.part].push((placement.block, segment));
            }
        }
        let mut poseidon = Vec::new();
        for (block, statement) in plan.program.blocks.iter().enumerate() {
            poseidon.extend((0..statement.demand.permutations()).map(|instance| (block, instance)));
        }
        Self { plan, tenants, poseidon }
    }

    /// Whose the part of a row kind is in `row`, which is one of the kind's.
    pub fn owner(&self, row: usize, slot: Slot) -> Owner {
        let mut tenants = self.tenants[slot.kind][slot.part].iter();
        match tenants.find(|(_, segment)| segment.rows.contains(&row)) {
            Some(&(block, segment)) => Owner::Instance { block, instance: segment.first + row - segment.rows.start },
            None => Owner::Idle { kind: slot.kind, part: slot.part },
        }
    }

    /// Whose a Poseidon row is.
    pub fn permutation(&self, row: usize) -> Owner {
        let (block, instance) = self.poseidon[row - self.plan.layout.poseidon.start];
        Owner::Instance { block, instance }
    }

    /// The index of the row kind that has `row`.
    pub fn kind(&self, row: usize) -> Option<usize> {
        self.plan.layout.kinds.iter().position(|kind| kind.rows.contains(&row))
    }

    /// What the cell in `row` and `column` is for.
    pub fn site(&self, row: usize, column: usize) -> Site {
        let layout = &self.plan.layout;
        let site = |owner, role, index| Site { row, column, owner, role, index };
        if column >= layout.wires - layout.masks {
            return site(Owner::Blinding, Role::Free, column);
        }
        if let Some(kind) = self.kind(row) {
            for (part, placed) in layout.kinds[kind].parts.iter().enumerate() {
                let shape = placed.gadget.shape();
                let nth = |start: usize, len: usize| column.checked_sub(start).filter(|&i| i < len);
                let inputs = placed.place.routed;
                let found = nth(inputs, shape.inputs)
                    .map(|i| (Role::Input, i))
                    .or_else(|| nth(inputs + shape.inputs, shape.outputs).map(|i| (Role::Output, i)))
                    .or_else(|| nth(placed.place.advice, shape.advice).map(|i| (Role::Advice, i)))
                    .or_else(|| nth(placed.place.digits, shape.digits).map(|i| (Role::Advice, shape.advice + i)));
                if let Some((role, index)) = found {
                    return site(self.owner(row, Slot { kind, part }), role, index);
                }
            }
            return site(Owner::Nothing, Role::Free, column);
        }
        let blinding = layout.blinding_row..layout.blinding_row + layout.blinding.rows();
        if layout.poseidon.contains(&row) && column < POSEIDON_WIRES {
            let (role, index) = match column {
                0..SPONGE_WIDTH => (Role::Input, column),
                SPONGE_WIDTH..POSEIDON_OUTPUTS_END => (Role::Output, column - SPONGE_WIDTH),
                POSEIDON_OUTPUTS_END => (Role::Input, SPONGE_WIDTH),
                _ => (Role::Advice, column - POSEIDON_ROUTED),
            };
            return site(self.permutation(row), role, index);
        }
        if row == layout.public_row && column < self.plan.program.public_hash.len() {
            return site(Owner::PublicInputs, Role::Input, column);
        }
        let owner = if blinding.contains(&row) { Owner::Blinding } else { Owner::Nothing };
        site(owner, Role::Free, column)
    }

    /// The gadget that the owner is an instance of; nothing where the proof system's own gates are.
    pub fn gadget(&self, owner: Owner) -> Option<&'a Gadget> {
        match owner {
            Owner::Instance { block, .. } => self.plan.program.blocks[block].demand.gadget().map(|gadget| &**gadget),
            Owner::Idle { kind, part } => self.plan.layout.kinds[kind].parts.get(part).map(|part| &*part.gadget),
            Owner::PublicInputs | Owner::Blinding | Owner::Nothing => None,
        }
    }

    /// The owner in words.
    pub fn name(&self, owner: Owner) -> String {
        match owner {
            Owner::Instance { block, instance } => {
                format!("{}[{instance}]", self.plan.program.blocks[block].demand.label)
            }
            Owner::Idle { kind, part } => {
                format!("an unused {}", self.plan.layout.kinds[kind].parts[part].gadget.name())
            }
            Owner::PublicInputs => "the digest of the public inputs".into(),
            Owner::Blinding => "blinding".into(),
            Owner::Nothing => "an empty cell".into(),
        }
    }
}

/// Where the outputs of plonky2's Poseidon gate end, and its swap wire is.
const POSEIDON_OUTPUTS_END: usize = 2 * SPONGE_WIDTH;

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Input => "input",
            Role::Output => "output",
            Role::Advice => "advice",
            Role::Free => "cell",
        })
    }
}
