//! The plan as text.

use super::{Cost, Demand, Kind, Plan, RowConstants, total};
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = &self.layout;
        writeln!(
            f,
            "2^{} rows: {} wires ({} routed, {} masks), {} constants, {} challenge sets",
            layout.degree_bits, layout.wires, layout.routed, layout.masks, layout.constants, layout.challenges
        )?;
        for kind in &layout.kinds {
            let shape = total(&kind.parts);
            let share = 100 * shape.wires() / layout.wires;
            writeln!(f, "rows {:?}: {} wires ({share} %), {} constants", kind.rows, shape.wires(), shape.constants)?;
            let mut parts = kind.parts.iter().peekable();
            while let Some(part) = parts.next() {
                let mut count = 1;
                while parts.next_if(|next| std::sync::Arc::ptr_eq(&next.gadget, &part.gadget)).is_some() {
                    count += 1;
                }
                let shape = part.gadget.shape();
                let (name, routed) = (part.gadget.name(), shape.routed());
                writeln!(f, "  {count} × {name}: {routed} routed, {} advice, {} digits", shape.advice, shape.digits)?;
            }
        }
        writeln!(f, "rows {:?}: Poseidon", layout.poseidon)?;
        writeln!(f, "row {}: public inputs", layout.public_row)?;
        let blinding = layout.blinding;
        let end = layout.blinding_row + blinding.rows();
        writeln!(
            f,
            "rows {}..{end}: blinding, {} single and {} chained",
            layout.blinding_row, blinding.single, blinding.chained
        )?;
        writeln!(f, "rows {end}..{}: empty", layout.rows())?;
        for Demand { label, kind, count, constants, .. } in self.program.blocks.iter().map(|block| &block.demand) {
            match (constants, kind) {
                (RowConstants::Tiles { matrix, .. }, _) | (_, Kind::MatVec(matrix)) => {
                    writeln!(f, "{label}: {} × {} in tiles", matrix.dim().0, matrix.dim().1)?;
                }
                (_, Kind::Gadget(gadget)) => writeln!(f, "{label}: {count} × {}", gadget.name())?,
                (_, Kind::Poseidon) => writeln!(f, "{label}: {count} × Poseidon")?,
            }
        }
        if let Some(shape) = layout.tile {
            writeln!(f, "tiles of {} × {}: {}", shape.height, shape.width, layout.tiles)?;
        }
        let cost = Cost::of(layout);
        writeln!(
            f,
            "estimate: {:.1} s to prove, {:.1} GiB, proof of {:.2} MB",
            cost.seconds,
            cost.memory as f64 / f64::from(1 << 30),
            cost.proof as f64 / 1e6
        )
    }
}
