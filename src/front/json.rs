//! Models as JSON: `{"input_range": [-5, 4], "layers": [{"layer_type": "relu", "input_shape": [6]}, …]}`.

use std::sync::Arc;

use super::error::{FrontError, Problem, Result};
use super::fields::{Object, closest, list};
use super::piece::Piece;
use super::source::{Source, shown};
use super::{Layer, LayerKind, LayerSpans, MAX_ELEMENTS, Model, shapes, tensor};

/// The types of layers, and the fields each may have.
const LAYER_TYPES: [(&str, &[&str]); 7] = [
    ("convolution", &["layer_type", "input_shape", "kernel", "biases"]),
    ("max_pool", &["layer_type", "input_shape", "window"]),
    ("relu", &["layer_type", "input_shape"]),
    ("flatten", &["layer_type", "input_shape"]),
    ("fully_connected", &["layer_type", "input_shape", "weights", "biases"]),
    ("normalize", &["layer_type", "input_shape"]),
    ("argmax", &["layer_type", "input_shape"]),
];

/// For a layer whose type is missing, so that nothing tells which of them it may have.
const ALL_FIELDS: &[&str] = &["layer_type", "input_shape", "kernel", "window", "weights", "biases"];

pub(super) fn read(source: Source) -> Result<Model> {
    let root = Piece::root(&source)?;
    let model = Object::new(root, "the model")?.only(&["input_range", "layers"])?;
    let input_range = model.optional("input_range").map(input_range).transpose()?;

    let list = model.required("layers")?;
    let mut layers: Vec<Layer> = Vec::new();
    list.each("`layers`", |index, piece| {
        let mut layer = read_layer(piece, index)?;
        let previous = layers.last().map(|layer| layer.output_shape.as_slice());
        if let Err(error) = layer.settle(previous) {
            return Err(shape_error(&source, index, &layer, error));
        }
        layers.push(layer);
        Ok(())
    })?;
    if layers.is_empty() {
        return Err(list.error(Problem::NoLayers, "empty"));
    }
    Ok(Model { layers, input_range, source: Some(Arc::new(source)) })
}

fn read_layer(piece: Piece, index: usize) -> Result<Layer> {
    let object = Object::new(piece, &format!("layer {index}"))?;
    let Some(type_piece) = object.optional("layer_type") else {
        return Err(object.only(ALL_FIELDS)?.missing("layer_type", piece.opening()));
    };
    let name = type_piece.string("`layer_type`")?;
    let Some((layer_type, known)) = LAYER_TYPES.iter().find(|(layer_type, _)| *layer_type == name) else {
        return Err(unknown_layer_type(type_piece, &name));
    };
    let object = object.called(format!("layer {index} ({layer_type})")).only(known)?;
    // Where a field is missing, the type says best which layer it is.
    let required = |field| object.optional(field).ok_or_else(|| object.missing(field, type_piece));
    let optional_tensor = |field| object.optional(field).map(|piece| tensor::read(piece, Some(field))).transpose();

    let input_shape = tensor::extents(required("input_shape")?, "`input_shape`")?;
    let kind = match *layer_type {
        "convolution" => LayerKind::Convolution {
            kernel: tensor::read(required("kernel")?, Some("kernel"))?,
            biases: optional_tensor("biases")?,
        },
        "fully_connected" => LayerKind::FullyConnected {
            weights: tensor::read(required("weights")?, Some("weights"))?,
            biases: optional_tensor("biases")?,
        },
        "max_pool" => LayerKind::MaxPool { window: window(required("window")?)? },
        "relu" => LayerKind::Relu,
        "flatten" => LayerKind::Flatten,
        "argmax" => LayerKind::Argmax,
        _ => LayerKind::Normalize,
    };
    let spans = known.iter().filter_map(|field| Some((*field, object.optional(field)?.range()))).collect();
    Ok(Layer { kind, input_shape, output_shape: Vec::new(), spans: LayerSpans(spans) })
}

/// The type that other tools call by this name; the inner `None` is for a layer that there is none for, however much the
/// name is like another.
fn meant(name: &str) -> Option<Option<&'static str>> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match letters.as_str() {
        "dense" | "linear" | "gemm" | "fc" => Some(Some("fully_connected")),
        "conv" | "conv2d" => Some(Some("convolution")),
        "maxpool2d" | "maxpooling2d" => Some(Some("max_pool")),
        "reshape" => Some(Some("flatten")),
        "avgpool" | "avgpool2d" | "averagepool" | "averagepooling2d" | "globalaveragepool" | "conv1d" | "conv3d" => {
            Some(None)
        }
        _ => None,
    }
}

fn unknown_layer_type(piece: Piece, name: &str) -> Box<FrontError> {
    let known = LAYER_TYPES.map(|(layer_type, _)| layer_type);
    let label = match meant(name).unwrap_or_else(|| closest(name, &known)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "not supported".to_string(),
    };
    let advice = format!("the supported types are {}", list(&known));
    piece.error(Problem::UnknownLayerType { got: shown(name), advice }, label)
}

fn shape_error(source: &Source, index: usize, layer: &Layer, error: shapes::ShapeError) -> Box<FrontError> {
    let label = error.label();
    let field = layer.spans.field(error.field()).and_then(|range| Piece::at(source, range));
    let problem = Problem::Shape { layer: index, error };
    match field {
        // Of a tensor, the part that is about its shape.
        Some(field) => field.member("dim").unwrap_or(field).error(problem, label),
        None => FrontError::unplaced(problem),
    }
}

fn input_range(piece: Piece) -> Result<(i64, i64)> {
    match integers(piece, "`input_range`")?.as_slice() {
        [Some(lo), Some(hi)] if super::is_input_range(*lo, *hi) => Ok((*lo, *hi)),
        _ => Err(piece.error(Problem::InputRange, "not such a range")),
    }
}

fn window(piece: Piece) -> Result<[usize; 2]> {
    let extents = match piece.is_array() {
        true => integers(piece, "`window`")?,
        false => vec![piece.text().parse().ok(); 2],
    };
    let extent = |extent: &Option<i64>| {
        let extent = usize::try_from((*extent)?).ok()?;
        (1..=MAX_ELEMENTS).contains(&extent).then_some(extent)
    };
    match extents.iter().map(extent).collect::<Vec<_>>().as_slice() {
        [Some(height), Some(width)] => Ok([*height, *width]),
        _ => Err(piece.error(Problem::Window, "not a window")),
    }
}

/// The elements of a list, `None` where one is not an integer. No list read here may have more than a few.
fn integers(piece: Piece, what: &str) -> Result<Vec<Option<i64>>> {
    let mut integers = Vec::new();
    piece.each(what, |index, element| {
        if index < 3 {
            integers.push(element.text().parse().ok());
        }
        Ok(())
    })?;
    Ok(integers)
}
