//! The layer table: one row a layer, with its output shape, parameters and operations.

use std::fmt;

use crate::front::{LayerKind, Model};

/// The rows of a model, in order. Its `Display` is the table that `ref_cnn` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// One row a layer.
    pub rows: Vec<Row>,
}

/// One layer of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The kind of layer, with the shape of its weights. A dense layer is called `conv` as well: its kernel is as
    /// large as its input.
    pub name: String,
    /// The shape of the layer's output.
    pub output_shape: Vec<usize>,
    /// How many weights and biases it has.
    pub parameters: u64,
    /// How many multiplications it takes; comparisons and additions are not counted.
    pub operations: u64,
}

impl Model {
    /// The sizes of the model's layers.
    pub fn table(&self) -> Table {
        Table { rows: (0..self.layers().len()).map(|layer| row(self, layer)).collect() }
    }
}

fn row(model: &Model, index: usize) -> Row {
    let layer = &model.layers()[index];
    let output_shape = layer.output_shape().to_vec();
    let (name, parameters, operations) = match &layer.kind {
        LayerKind::Convolution { kernel, biases, .. } => {
            let positions: usize = output_shape.iter().take(2).product();
            let biases = biases.as_ref().map_or(0, |biases| biases.len());
            let operations = kernel.len() as u64 * positions as u64;
            (conv_name(kernel.shape()), kernel.len() + biases, operations)
        }
        LayerKind::FullyConnected { weights, biases } => {
            let biases = biases.as_ref().map_or(0, |biases| biases.len());
            (conv_name(weights.shape()), weights.len() + biases, weights.len() as u64)
        }
        LayerKind::MaxPool { .. } => ("max-pool".to_string(), 0, 0),
        LayerKind::Relu => ("relu".to_string(), 0, 0),
        LayerKind::Flatten => ("flatten".to_string(), 0, 0),
        LayerKind::Argmax { .. } => ("argmax".to_string(), 0, 0),
        LayerKind::Composed(composed) => {
            (composed.layer_type().to_string(), composed.parameters(), composed.operations(&model.read_shapes(index)))
        }
        LayerKind::Padding { .. } => ("padding".to_string(), 0, 0),
        // One square a value, and one division by the norm.
        LayerKind::Normalize => {
            let values: usize = output_shape.iter().product();
            ("normalize".to_string(), 0, values as u64 + 1)
        }
    };
    Row { name, output_shape, parameters: parameters as u64, operations }
}

fn conv_name(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("conv {}", extents.join("x"))
}

/// As Python writes a tuple.
fn tuple(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    format!("({}{comma})", extents.join(", "))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{:>20} | {:>15} | {:>15} | {:>15}", "layer", "output shape", "#parameters", "#ops")?;
        write!(f, "{0:->20} | {0:->15} | {0:->15} | {0:->15}", "")?;
        for Row { name, output_shape, parameters, operations } in &self.rows {
            let shape = tuple(output_shape);
            write!(f, "\n{name:>20} | {shape:>15} | {parameters:>15} | {operations:>15}")?;
        }
        Ok(())
    }
}
