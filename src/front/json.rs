//! Models as JSON: `{"input_range": [-5, 4], "layers": [{"layer_type": "relu", "input_shape": [6]}, …]}`.

use std::sync::Arc;

use super::composed::{self, Composed};
use super::ends::Ends;
use super::error::{FrontError, Problem, Result};
use super::fields::{Object, closest, list};
use super::piece::Piece;
use super::source::{Source, shown};
use super::{Layer, LayerKind, LayerSpans, MAX_BORDER, MAX_ELEMENTS, Model, Steps, shapes, tensor};
use ndarray::ArrayD;

/// A type of layer.
struct LayerType {
    name: &'static str,
    /// The fields that a layer may have.
    fields: &'static [&'static str],
    read: for<'a> fn(&Fields<'a>) -> Result<LayerKind>,
}

const LAYER_TYPES: [LayerType; 8] = [
    LayerType {
        name: "convolution",
        fields: &[
            "layer_type",
            "input_shape",
            "kernel",
            "biases",
            "stride",
            "dilation",
            "groups",
            "before",
            "after",
            "name",
            "inputs",
        ],
        read: |fields| {
            let (kernel, biases) = (fields.tensor("kernel")?, fields.optional_tensor("biases")?);
            let one = Steps::default();
            let steps = Steps {
                stride: fields.sides("stride", one.stride)?,
                dilation: fields.sides("dilation", one.dilation)?,
                groups: fields.object.optional("groups").map_or(Ok(one.groups), groups)?,
                before: fields.edges("before")?,
                after: fields.edges("after")?,
            };
            Ok(LayerKind::Convolution { kernel, biases, steps })
        },
    },
    LayerType {
        name: "max_pool",
        fields: &["layer_type", "input_shape", "window", "stride", "before", "after", "name", "inputs"],
        read: |fields| {
            let window = sides(fields.required("window")?, "window")?;
            let stride = fields.object.optional("stride").map(|piece| sides(piece, "stride")).transpose()?;
            Ok(LayerKind::MaxPool { window, stride, before: fields.edges("before")?, after: fields.edges("after")? })
        },
    },
    LayerType { name: "relu", fields: COMMON_FIELDS, read: |_| Ok(LayerKind::Relu) },
    LayerType { name: "flatten", fields: COMMON_FIELDS, read: |_| Ok(LayerKind::Flatten) },
    LayerType {
        name: "fully_connected",
        fields: &["layer_type", "input_shape", "weights", "biases", "name", "inputs"],
        read: |fields| {
            let (weights, biases) = (fields.tensor("weights")?, fields.optional_tensor("biases")?);
            Ok(LayerKind::FullyConnected { weights, biases })
        },
    },
    LayerType { name: "normalize", fields: COMMON_FIELDS, read: |_| Ok(LayerKind::Normalize) },
    LayerType {
        name: "argmax",
        fields: &["layer_type", "input_shape", "axis", "name", "inputs"],
        read: |fields| Ok(LayerKind::Argmax { axis: fields.object.optional("axis").map(axis).transpose()? }),
    },
    LayerType {
        name: "padding",
        fields: &["layer_type", "input_shape", "before", "after", "value", "name", "inputs"],
        read: |fields| {
            let (before, after) = (border(fields.required("before")?)?, border(fields.required("after")?)?);
            let value = fields.object.optional("value").map_or(Ok(0.0), number)?;
            Ok(LayerKind::Padding { before, after, value })
        },
    },
];

const COMMON_FIELDS: &[&str] = &["layer_type", "input_shape", "name", "inputs"];

/// The fields of a layer of a known type.
struct Fields<'a> {
    object: Object<'a>,
    /// Where a field is missing, the type says best which layer it is.
    type_piece: Piece<'a>,
}

impl<'a> Fields<'a> {
    fn required(&self, field: &'static str) -> Result<Piece<'a>> {
        self.object.optional(field).ok_or_else(|| self.object.missing(field, self.type_piece))
    }

    fn tensor(&self, field: &'static str) -> Result<ArrayD<f64>> {
        tensor::read(self.required(field)?, field)
    }

    /// A height and a width, or what they are where the field is missing.
    fn sides(&self, field: &'static str, missing: [usize; 2]) -> Result<[usize; 2]> {
        self.object.optional(field).map_or(Ok(missing), |piece| sides(piece, field))
    }

    /// How far something reaches over two edges.
    fn edges(&self, field: &'static str) -> Result<[usize; 2]> {
        self.object.optional(field).map_or(Ok([0, 0]), |piece| edges(piece, field))
    }

    fn optional_tensor(&self, field: &'static str) -> Result<Option<ArrayD<f64>>> {
        self.object.optional(field).map(|piece| tensor::read(piece, field)).transpose()
    }
}

pub(super) fn read(source: Source) -> Result<Model> {
    let root = Piece::root(&source)?;
    let model = Object::new(root, "the model")?.only(&["input_range", "inputs", "outputs", "omitted", "layers"])?;
    let input_range = model.optional("input_range").map(input_range).transpose()?;
    let ends = Ends::read(&model)?;

    let list = model.required("layers")?;
    let mut layers: Vec<Layer> = Vec::new();
    list.each("`layers`", |index, piece| {
        layers.push(read_layer(piece, index)?);
        Ok(())
    })?;
    if layers.is_empty() {
        return Err(list.error(Problem::NoLayers, "empty"));
    }
    Model::settled(layers, input_range, ends, Some(Arc::new(source)))
}

fn read_layer(piece: Piece, index: usize) -> Result<Layer> {
    let object = Object::new(piece, &format!("layer {index}"))?;
    let Some(type_piece) = object.optional("layer_type") else {
        return Err(object.only(&all_fields())?.missing("layer_type", piece.opening()));
    };
    let type_name = type_piece.string("`layer_type`")?;
    let typed = LAYER_TYPES.iter().find(|layer_type| layer_type.name == type_name);
    let composed = composed::layer_types().find(|layer_type| layer_type.name == type_name);
    let known: Vec<&'static str> = match (typed, composed) {
        (Some(layer_type), _) => layer_type.fields.to_vec(),
        (None, Some(layer_type)) => fields_of(layer_type).collect(),
        (None, None) => return Err(unknown_layer_type(type_piece, &type_name)),
    };
    let object = object.called(format!("layer {index} ({type_name})")).only(&known)?;
    let fields = Fields { object, type_piece };
    let input_shape = tensor::extents(fields.required("input_shape")?, "`input_shape`")?;
    let kind = match (typed, composed) {
        (Some(layer_type), _) => (layer_type.read)(&fields)?,
        (None, Some(layer_type)) => LayerKind::Composed(read_composed(&fields, layer_type)?),
        (None, None) => return Err(unknown_layer_type(type_piece, &type_name)),
    };
    let name = fields.object.optional("name").map(|piece| piece.string("`name`")).transpose()?;
    let inputs = fields.object.optional("inputs").map(names).transpose()?;
    let span = |field: &&'static str| Some((*field, fields.object.optional(field)?.range()));
    let spans = LayerSpans(known.iter().filter_map(span).collect());
    Ok(Layer { kind, input_shape, name, inputs, output_shape: Vec::new(), spans })
}

/// The fields that a layer of the table has.
fn read_composed(fields: &Fields, layer_type: &'static composed::LayerType) -> Result<Composed> {
    let mut attributes = Vec::new();
    for field in layer_type.fields {
        let piece = match field.is_required {
            true => Some(fields.required(field.name)?),
            false => fields.object.optional(field.name),
        };
        if let Some(piece) = piece {
            attributes.push((field.name, field.kind.read(piece, field.name)?));
        }
    }
    Ok(Composed::of(layer_type, attributes))
}

/// The fields that layers of a type in the table may have.
fn fields_of(layer_type: &'static composed::LayerType) -> impl Iterator<Item = &'static str> {
    let own = layer_type.fields.iter().map(|field| field.name);
    COMMON_FIELDS[..2].iter().copied().chain(own).chain(COMMON_FIELDS[2..].iter().copied())
}

/// The fields of all layers, for one whose type is missing, so that nothing tells which of them it may have.
fn all_fields() -> Vec<&'static str> {
    let typed = LAYER_TYPES.iter().flat_map(|layer_type| layer_type.fields.iter().copied());
    let mut fields = Vec::new();
    for field in typed.chain(composed::layer_types().flat_map(fields_of)) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    fields
}

/// A list of names.
fn names(piece: Piece) -> Result<Vec<String>> {
    let mut names = Vec::new();
    piece.each("`inputs`", |_, name| {
        names.push(name.string("the name of an input")?);
        Ok(())
    })?;
    Ok(names)
}

/// The type that other tools call by this name; the inner `None` is for a layer that there is none for, however much the
/// name is like another.
fn meant(name: &str) -> Option<Option<&'static str>> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match letters.as_str() {
        "dense" | "linear" | "gemm" | "fc" => Some(Some("fully_connected")),
        "conv" | "conv2d" => Some(Some("convolution")),
        "maxpool2d" | "maxpooling2d" => Some(Some("max_pool")),
        "avgpool" | "avgpool2d" | "averagepooling2d" => Some(Some("average_pool")),
        "conv1d" => Some(Some("convolution_1d")),
        "convtranspose2d" | "conv2dtranspose" | "deconvolution" => Some(Some("transposed_convolution")),
        "batchnorm2d" | "batchnorm1d" | "batchnormalization" => Some(Some("batch_norm")),
        "mul" => Some(Some("multiply")),
        "sub" => Some(Some("subtract")),
        "relu6" | "hardtanh" | "clamp" => Some(Some("clip")),
        "squeeze" | "unsqueeze" | "view" => Some(Some("reshape")),
        "permute" => Some(Some("transpose")),
        "repeat" => Some(Some("tile")),
        "abs" => Some(Some("absolute")),
        "neg" => Some(Some("negate")),
        "conv3d" | "softmax" | "sigmoid" | "tanh" | "gelu" | "dropout" => Some(None),
        _ => None,
    }
}

fn unknown_layer_type(piece: Piece, name: &str) -> Box<FrontError> {
    let typed = LAYER_TYPES.iter().map(|layer_type| layer_type.name);
    let known: Vec<&str> = typed.chain(composed::layer_types().map(|layer_type| layer_type.name)).collect();
    let label = match meant(name).unwrap_or_else(|| closest(name, &known)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "not supported".to_string(),
    };
    let advice = format!("the supported types are {}", list(&known));
    piece.error(Problem::UnknownLayerType { got: shown(name), advice }, label)
}

pub(super) fn shape_error(
    source: Option<&Source>,
    index: usize,
    layer: &Layer,
    error: shapes::ShapeError,
) -> Box<FrontError> {
    let label = error.label();
    let field = layer.spans.field(error.field()).and_then(|range| Piece::at(source?, range));
    let problem = Problem::Shape { layer: index, error };
    match field {
        // Of a tensor, the part that is about its shape.
        Some(field) => field.member("dim").unwrap_or(field).error(problem, label),
        None => FrontError::unplaced(problem),
    }
}

pub(super) fn input_range(piece: Piece) -> Result<(i64, i64)> {
    match integers(piece, "`input_range`")?.as_slice() {
        [Some(lo), Some(hi)] if super::is_input_range(*lo, *hi) => Ok((*lo, *hi)),
        _ => Err(piece.error(Problem::InputRange, "not such a range")),
    }
}

/// The number of an axis.
fn axis(piece: Piece) -> Result<usize> {
    let expected = "an integer, not negative";
    piece
        .text()
        .parse()
        .map_err(|_| piece.error(Problem::Attribute { field: "axis", expected }, format!("expected {expected}")))
}

/// A number of groups.
fn groups(piece: Piece) -> Result<usize> {
    let groups = piece.text().parse().ok().filter(|groups| (1..=MAX_ELEMENTS).contains(groups));
    groups.ok_or_else(|| piece.error(Problem::Groups, "not such an integer"))
}

/// A height and a width: two lengths, or one for both.
fn sides(piece: Piece, field: &'static str) -> Result<[usize; 2]> {
    let extents = match piece.is_array() {
        true => integers(piece, &format!("`{field}`"))?,
        false => vec![piece.text().parse().ok(); 2],
    };
    let extent = |extent: &Option<i64>| {
        let extent = usize::try_from((*extent)?).ok()?;
        (1..=MAX_ELEMENTS).contains(&extent).then_some(extent)
    };
    match extents.iter().map(extent).collect::<Vec<_>>().as_slice() {
        [Some(height), Some(width)] => Ok([*height, *width]),
        _ => Err(piece.error(Problem::Sides { field }, format!("not a {field}"))),
    }
}

/// A number.
fn number(piece: Piece) -> Result<f64> {
    let number = piece.text().parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| piece.wrong_type("`value`", "a number"))
}

/// How far something reaches over two edges: two lengths, or one for both.
fn edges(piece: Piece, field: &'static str) -> Result<[usize; 2]> {
    if !piece.is_array() {
        let length = piece.text().parse().ok().filter(|length| *length <= MAX_BORDER);
        return length
            .map(|length| [length; 2])
            .ok_or_else(|| piece.error(Problem::Edges { field }, "expected two integers"));
    }
    match border(piece)?[..] {
        [first, second] => Ok([first, second]),
        _ => Err(piece.error(Problem::Edges { field }, "expected two integers")),
    }
}

fn border(piece: Piece) -> Result<Vec<usize>> {
    let mut border = Vec::new();
    piece.each("a border", |_, element| {
        let length = element.text().parse().ok().filter(|length| *length <= MAX_BORDER);
        border.push(length.ok_or_else(|| element.error(Problem::Border, "not such an integer"))?);
        Ok(())
    })?;
    Ok(border)
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
