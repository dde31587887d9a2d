//! Layers that take tensors element by element.

use zknn_ir::{NodeId, Op, op};

use super::builder::Builder;
use super::{Field, FieldKind, LayerType, Reads, Refusal};

pub(super) const TYPES: &[LayerType] = &[
    LayerType { name: "add", reads: Reads::TwoOrMore, fields: &[], build: |builder| joined(builder, Op::Add) },
    LayerType { name: "subtract", reads: Reads::Two, fields: &[], build: subtract },
    LayerType { name: "multiply", reads: Reads::TwoOrMore, fields: &[], build: multiply },
    LayerType { name: "maximum", reads: Reads::TwoOrMore, fields: &[], build: |builder| joined(builder, Op::Maximum) },
    LayerType { name: "minimum", reads: Reads::TwoOrMore, fields: &[], build: minimum },
    LayerType { name: "square", reads: Reads::One, fields: &[], build: square },
    LayerType {
        name: "negate",
        reads: Reads::One,
        fields: &[],
        build: |builder| builder.scaled(builder.operand(), -1.0),
    },
    LayerType {
        name: "absolute",
        reads: Reads::One,
        fields: &[],
        build: |builder| builder.add(Op::Abs, &[builder.operand()]),
    },
    LayerType {
        name: "leaky_relu",
        reads: Reads::One,
        fields: &[Field::required("slope", FieldKind::Number)],
        build: leaky_relu,
    },
    LayerType {
        name: "clip",
        reads: Reads::One,
        fields: &[Field::optional("least", FieldKind::Number), Field::optional("greatest", FieldKind::Number)],
        build: clip,
    },
];

fn joined(builder: &mut Builder<'_>, op: Op) -> Result<NodeId, Refusal> {
    let operands = builder.operands_at_one_shape()?;
    builder.add(op, &operands)
}

fn subtract(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let operands = builder.operands_at_one_shape()?;
    let negated = builder.scaled(operands[1], -1.0)?;
    builder.add(Op::Add, &[operands[0], negated])
}

fn multiply(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let operands = builder.operands_at_one_shape()?;
    let mut product = operands[0];
    for &operand in &operands[1..] {
        product = builder.add(Op::Multiply, &[product, operand])?;
    }
    Ok(product)
}

/// `-max(-x, -y, …)`
fn minimum(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let operands = builder.operands_at_one_shape()?;
    least(builder, &operands)
}

fn least(builder: &mut Builder<'_>, operands: &[NodeId]) -> Result<NodeId, Refusal> {
    let negated = operands.iter().map(|&operand| builder.scaled(operand, -1.0)).collect::<Result<Vec<_>, _>>()?;
    let greatest = builder.add(Op::Maximum, &negated)?;
    builder.scaled(greatest, -1.0)
}

fn square(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let operand = builder.operand();
    builder.add(Op::Multiply, &[operand, operand])
}

/// The greater of `x` and `slope · x`; the smaller, where the slope is above one.
fn leaky_relu(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let (operand, slope) = (builder.operand(), builder.number("slope").unwrap_or(0.0));
    let scaled = builder.scaled(operand, slope)?;
    match slope <= 1.0 {
        true => builder.add(Op::Maximum, &[operand, scaled]),
        false => least(builder, &[operand, scaled]),
    }
}

fn clip(builder: &mut Builder<'_>) -> Result<NodeId, Refusal> {
    let (least, greatest) = (builder.number("least"), builder.number("greatest"));
    if least.is_none() && greatest.is_none() {
        let message = "a clip has neither `least` nor `greatest`".to_string();
        return Err(Refusal::Field { field: "layer_type", message, help: "give it one of them, or both" });
    }
    if least.zip(greatest).is_some_and(|(least, greatest)| least > greatest) {
        let message = "`least` of a clip is above `greatest`".to_string();
        return Err(Refusal::Field { field: "least", message, help: "exchange them" });
    }
    builder.add(Op::Clip(op::Clip::new(least, greatest)), &[builder.operand()])
}
