//! Layers that are said by operations of the language: one row of a table each, with its fields and a function that adds
//! these operations to a graph. Shapes and values follow from the operations.

mod attribute;
mod builder;
mod linear;
mod pointwise;
mod pooling;
mod quantized;
mod ranking;
mod views;

#[cfg(test)]
mod tests;

use thiserror::Error;
use zknn_ir::{Fact, Graph, InferError, NodeId, Number, Op, op};

pub use attribute::Attribute;
pub(super) use attribute::{Field, FieldKind};
use builder::Builder;

/// A layer of one of the types in the table.
#[derive(Debug, Clone)]
pub struct Composed {
    layer_type: &'static LayerType,
    /// The fields that it has, in the table's order.
    attributes: Vec<(&'static str, Attribute)>,
}

/// A type of layer.
#[derive(Debug)]
pub(super) struct LayerType {
    pub(super) name: &'static str,
    pub(super) reads: Reads,
    /// The fields that a layer may have beside those that all have.
    pub(super) fields: &'static [Field],
    build: fn(&mut Builder<'_>) -> Result<NodeId, Refusal>,
}

/// How many tensors a layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    One,
    Two,
    TwoOrMore,
}

/// Why a layer can't be what its fields say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// A field does not fit.
    Field { field: &'static str, message: String, help: &'static str },
    /// An operation is not defined on what it is given.
    Operation(InferError),
}

/// Why there is no such layer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no layer of type {layer_type} with these fields")]
pub struct NoSuchLayer {
    /// The type asked for.
    pub layer_type: String,
}

impl From<InferError> for Refusal {
    fn from(error: InferError) -> Self {
        Refusal::Operation(error)
    }
}

/// All types of the table.
pub(super) fn layer_types() -> impl Iterator<Item = &'static LayerType> {
    [linear::TYPES, quantized::TYPES, pooling::TYPES, pointwise::TYPES, views::TYPES, ranking::TYPES]
        .into_iter()
        .flatten()
}

impl Composed {
    /// A layer of the type that has this name in JSON, with fields as they have them there.
    ///
    /// # Errors
    /// [`NoSuchLayer`] if there is no such type, or its fields are others, or of other kinds.
    pub fn new<'a>(
        name: &str,
        attributes: impl IntoIterator<Item = (&'a str, Attribute)>,
    ) -> Result<Composed, NoSuchLayer> {
        let error = || NoSuchLayer { layer_type: name.to_string() };
        let layer_type = layer_types().find(|layer_type| layer_type.name == name).ok_or_else(error)?;
        let mut given: Vec<(&str, Attribute)> = attributes.into_iter().collect();
        let mut attributes = Vec::new();
        for field in layer_type.fields {
            match given.iter().position(|(name, _)| *name == field.name) {
                Some(at) if field.kind.accepts(&given[at].1) => attributes.push((field.name, given.swap_remove(at).1)),
                None if !field.is_required => {}
                Some(_) | None => return Err(error()),
            }
        }
        if given.is_empty() { Ok(Composed { layer_type, attributes }) } else { Err(error()) }
    }

    /// What a file says of a layer of this type.
    pub(super) fn of(layer_type: &'static LayerType, attributes: Vec<(&'static str, Attribute)>) -> Composed {
        Composed { layer_type, attributes }
    }

    /// The name of the type in JSON.
    pub fn layer_type(&self) -> &'static str {
        self.layer_type.name
    }

    pub(super) fn reads(&self) -> Reads {
        self.layer_type.reads
    }

    /// The fields that the layer has, with what they are.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static Field, &Attribute)> {
        let attribute = |field: &'static Field| Some((field, self.attribute(field.name)?));
        self.layer_type.fields.iter().filter_map(attribute)
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(other, _)| *other == name).map(|(_, attribute)| attribute)
    }

    /// Adds the layer's operations to a graph, and yields the node of its output.
    pub(super) fn build(
        &self,
        graph: &mut Graph,
        operands: &[NodeId],
        layer: Option<usize>,
    ) -> Result<NodeId, Refusal> {
        (self.layer_type.build)(&mut Builder { graph, operands, layer, composed: self })
    }

    /// The layer alone: a graph of its operations on inputs of these shapes, and real numbers.
    pub(crate) fn alone(&self, shapes: &[&[usize]]) -> Result<Graph, Refusal> {
        let mut graph = Graph::new();
        let mut operands = Vec::new();
        for shape in shapes {
            let input = op::Input { shape: shape.to_vec(), number: Number::Real, rounds: false };
            operands.push(graph.add(Op::Input(input), &[], None)?);
        }
        let output = self.build(&mut graph, &operands, None)?;
        graph.set_output(output);
        Ok(graph)
    }

    /// How many multiplications it takes on tensors of these shapes.
    pub(crate) fn operations(&self, shapes: &[&[usize]]) -> u64 {
        // A model's layers were built once.
        let Ok(graph) = self.alone(shapes) else { return 0 };
        let of_node = |id: NodeId| {
            let node = graph.node(id);
            let elements = node.fact.elements() as u64;
            match node.op.factors() {
                Some(factors) => elements * factors.row_length() as u64,
                None if node.op == Op::Multiply => elements,
                None => 0,
            }
        };
        graph.topological().into_iter().map(of_node).sum()
    }

    /// How many weights it has.
    pub(crate) fn parameters(&self) -> usize {
        self.attributes.iter().map(|(_, attribute)| attribute.tensor().map_or(0, |tensor| tensor.len())).sum()
    }
}

/// The facts of what a layer computes on the way, its output last.
pub(super) fn facts(graph: &Graph) -> impl Iterator<Item = &Fact> {
    graph.topological().into_iter().filter(|id| !graph.inputs().contains(id)).map(|id| &graph.node(id).fact)
}

/// By type and fields.
impl PartialEq for Composed {
    fn eq(&self, other: &Self) -> bool {
        self.layer_type.name == other.layer_type.name && self.attributes == other.attributes
    }
}
