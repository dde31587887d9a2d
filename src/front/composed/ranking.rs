//! Which elements are the least, and which the greatest.

use zknn_ir::{NodeId, Op, op};

use super::builder::Builder;
use super::{Field, FieldKind, LayerType, Reads, Refusal};

pub(super) const TYPES: &[LayerType] = &[
    LayerType {
        name: "argmin",
        reads: Reads::One,
        fields: &[Field::optional("axis", FieldKind::Index)],
        build: argmin,
    },
    LayerType {
        name: "top_k",
        reads: Reads::One,
        fields: &[Field::required("k", FieldKind::Count), Field::optional("axis", FieldKind::Index)],
        build: top_k,
    },
];

fn argmin(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let axis = axis(builder)?;
    let negated = builder.scaled(builder.operand(), -1.0)?;
    builder.add(Op::Argmax(op::Argmax { axis }), &[negated])
}

fn top_k(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let (axis, count) = (axis(builder)?, builder.integer("k", 1));
    builder.add(Op::TopK(op::TopK { axis, count }), &[builder.operand()])
}

/// The axis that the layer names, or the only one.
fn axis(builder: &Builder<'_>) -> Result<usize, Refusal> {
    let axis = builder.axis("axis")?;
    if builder.integers("axis").is_none() {
        builder.axes::<1>(builder.operand(), "put a `flatten` layer before it, or say along which `axis`")?;
    }
    Ok(axis)
}
