//! Layers that only say where elements are; they cost a circuit nothing.

use zknn_ir::{NodeId, Op, op};

use super::builder::{Builder, broadcast_shape};
use super::{Field, FieldKind, LayerType, Reads, Refusal};

pub(super) const TYPES: &[LayerType] = &[
    LayerType {
        name: "concat",
        reads: Reads::TwoOrMore,
        fields: &[Field::required("axis", FieldKind::Index)],
        build: concat,
    },
    LayerType {
        name: "slice",
        reads: Reads::One,
        fields: &[
            Field::required("axis", FieldKind::Index),
            Field::required("start", FieldKind::Index),
            Field::required("end", FieldKind::Index),
            Field::optional("step", FieldKind::Count),
        ],
        build: slice,
    },
    LayerType {
        name: "gather",
        reads: Reads::One,
        fields: &[Field::required("axis", FieldKind::Index), Field::required("indices", FieldKind::List)],
        build: gather,
    },
    LayerType { name: "reshape", reads: Reads::One, fields: SHAPE, build: reshape },
    LayerType { name: "expand", reads: Reads::One, fields: SHAPE, build: expand },
    LayerType {
        name: "transpose",
        reads: Reads::One,
        fields: &[Field::required("axes", FieldKind::List)],
        build: transpose,
    },
    LayerType {
        name: "upsample",
        reads: Reads::One,
        fields: &[Field::required("factor", FieldKind::Sides)],
        build: upsample,
    },
    LayerType { name: "tile", reads: Reads::One, fields: &[Field::required("repeats", FieldKind::List)], build: tile },
];

const SHAPE: &[Field] = &[Field::required("shape", FieldKind::List)];

fn concat(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let axis = builder.axis("axis")?;
    builder.add(Op::Concat(op::Concat { axis }), builder.operands)
}

fn slice(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let axis = builder.axis("axis")?;
    let length = builder.shape(builder.operand())[axis];
    let (start, end) = (builder.integer("start", 0), builder.integer("end", length));
    if start >= end || end > length {
        let message = format!("a slice from {start} to {end} holds nothing of an axis of length {length}, or more");
        return Err(Refusal::Field {
            field: "end",
            message,
            help: "`start` is in it, `end` is the first index behind it",
        });
    }
    let indices = (start..end).step_by(builder.integer("step", 1)).collect();
    builder.gather(builder.operand(), axis, indices)
}

fn gather(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let axis = builder.axis("axis")?;
    let indices = builder.integers("indices").unwrap_or_default();
    builder.gather(builder.operand(), axis, indices)
}

fn reshape(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let shape = builder.integers("shape").unwrap_or_default();
    builder.reshape(builder.operand(), &shape)
}

fn expand(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let (shape, own) = (builder.integers("shape").unwrap_or_default(), builder.shape(builder.operand()));
    if broadcast_shape(&[own.clone(), shape.clone()])? != shape {
        let message = format!("a tensor of shape {own:?} can't be expanded to {shape:?}");
        return Err(Refusal::Field { field: "shape", message, help: "only axes of length one can be repeated" });
    }
    builder.broadcast(builder.operand(), &shape)
}

fn transpose(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let axes = builder.integers("axes").unwrap_or_default();
    builder.add(Op::Transpose(op::Transpose { axes }), &[builder.operand()])
}

/// Each row and column several times.
fn upsample(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let [height, width, _] = builder.axes(builder.operand(), "an image is [height, width, channels]")?;
    let mut image = builder.operand();
    for (axis, (length, factor)) in [height, width].into_iter().zip(builder.pair("factor", [1, 1])).enumerate() {
        builder.check_size("factor", &[length, factor])?;
        image = builder.gather(image, axis, (0..length * factor).map(|at| at / factor).collect())?;
    }
    Ok(image)
}

/// The whole tensor several times along each axis.
fn tile(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let (shape, repeats) = (builder.shape(builder.operand()), builder.integers("repeats").unwrap_or_default());
    if repeats.len() != shape.len() || repeats.contains(&0) {
        let message = format!("`repeats` is {repeats:?}, and the input has shape {shape:?}");
        let help = "write one positive number for each extent of `input_shape`";
        return Err(Refusal::Field { field: "repeats", message, help });
    }
    let mut tiled = builder.operand();
    for (axis, (&length, &count)) in shape.iter().zip(&repeats).enumerate() {
        builder.check_size("repeats", &[length, count])?;
        tiled = builder.gather(tiled, axis, (0..length * count).map(|at| at % length).collect())?;
    }
    Ok(tiled)
}
