//! Reading models and tensors.
//!
//! A [`Model`] is always consistent: each layer fits its input, and takes what the layer before it gives. Whatever
//! is wrong with a file is told as a diagnostic with a code, the place in the file, and what to do about it; no file
//! can make the reader panic, or allocate more than its own size calls for.

mod composed;
mod ends;
mod error;
mod fields;
mod json;
mod kind;
mod lower;
mod onnx;
mod piece;
pub mod shapes;
mod source;
mod tensor;
mod wiring;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayD;

pub use composed::{Attribute, Composed, NoSuchLayer};
use ends::Ends;
pub use ends::{INPUT, Last, ModelInput};
pub use error::{FrontError, LayerDiagnostic, Problem};
pub use kind::{LayerKind, Steps};
pub use lower::{LowerError, lower};
pub use onnx::{Exported, InspectedOperator, Inspection, inspect};
use piece::Piece;
pub use shapes::ShapeError;
use source::Source as File;
pub use wiring::Source;
use wiring::{Place, Wiring};

/// The most elements a tensor may have: far beyond what can be proved, and safe to multiply with on any machine.
pub const MAX_ELEMENTS: usize = 1 << 31;

/// The most elements that the outputs of all layers may have together: more than any circuit holds, and as many as fit
/// into memory. A layer that says little can make a large output of a small input.
pub const MAX_TOGETHER: usize = 1 << 28;

/// The most extents a shape may have.
pub const MAX_RANK: usize = 8;

/// The widest border that a padding layer may have: no tensor has room for a wider one.
pub const MAX_BORDER: usize = 1 << 16;

/// A neural network: layers that read the output of the one before, or of those that they name. The output is that of the
/// last, unless others are named.
#[derive(Debug, Clone)]
pub struct Model {
    inputs: Vec<ModelInput>,
    layers: Vec<Layer>,
    wiring: Wiring,
    input_range: Option<(i64, i64)>,
    omitted: Vec<Option<Last>>,
    source: Option<Arc<File>>,
}

/// What a file may leave open, of ONNX: lengths of axes, and where the network ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The length of each axis with a name; under the name of an input, its whole shape.
    pub lengths: BTreeMap<String, Vec<usize>>,
    /// The tensors that are the outputs; none where they are those of the file.
    pub outputs: Vec<String>,
}

/// One layer, and the shape of its input.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What the layer does, with its weights.
    pub kind: LayerKind,
    /// Channels last, without a batch axis: the shape of what the layer reads, of the first of it where that is several tensors.
    pub input_shape: Vec<usize>,
    name: Option<String>,
    inputs: Option<Vec<String>>,
    output_shape: Vec<usize>,
    spans: LayerSpans,
}

/// Where a layer's fields stand in the source; nothing for a layer that was made in memory.
#[derive(Debug, Clone, Default)]
struct LayerSpans(Vec<(&'static str, Range<usize>)>);

/// A place in a model's source: a layer, a field of it, an element of that field.
#[derive(Debug, Clone, Copy)]
pub struct LayerPlace<'a> {
    layer: usize,
    field: Option<&'a str>,
    element: Option<usize>,
}

impl Model {
    /// Reads a model from a JSON file, or from an ONNX file, whose name ends so.
    pub fn read(path: &Path) -> Result<Model, Box<FrontError>> {
        Model::read_with(path, &Reading::default())
    }

    /// The same, with what an ONNX file may leave open.
    pub fn read_with(path: &Path, reading: &Reading) -> Result<Model, Box<FrontError>> {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
            return onnx::read(path, &source::bytes(path)?, reading);
        }
        if *reading != Reading::default() {
            return Err(FrontError::unplaced(Problem::NothingOpen { name: path.display().to_string() }));
        }
        json::read(File::read(path)?)
    }

    /// Reads a model from the bytes of an ONNX file, all tensors of which are in it. Diagnostics call it `name`.
    pub fn parse_onnx(name: &str, bytes: &[u8], reading: &Reading) -> Result<Model, Box<FrontError>> {
        onnx::parse(name, bytes, reading)
    }

    /// Reads a model from JSON text. Diagnostics call it `name`.
    pub fn parse(name: &str, text: String) -> Result<Model, Box<FrontError>> {
        json::read(File { name: name.to_string(), text })
    }

    /// A model of one input and one output made in memory, under the same rules as one that is read.
    pub fn new(layers: Vec<Layer>, input_range: Option<(i64, i64)>) -> Result<Model, Box<FrontError>> {
        Model::unread(layers, input_range, Ends::default())
    }

    /// A model made in memory of these inputs, whose outputs are those of the layers with these names.
    pub fn with_ends(inputs: Vec<ModelInput>, layers: Vec<Layer>, outputs: &[&str]) -> Result<Model, Box<FrontError>> {
        let outputs = outputs.iter().map(|name| name.to_string()).collect();
        Model::unread(layers, None, Ends { inputs: Some(inputs), outputs: Some(outputs), omitted: None })
    }

    /// The same model, which says what of each output no layer computes.
    #[must_use]
    pub(crate) fn omitting(self, omitted: Vec<Option<Last>>) -> Model {
        Model { omitted, ..self }
    }

    fn unread(mut layers: Vec<Layer>, input_range: Option<(i64, i64)>, ends: Ends) -> Result<Model, Box<FrontError>> {
        if layers.is_empty() {
            return Err(FrontError::unplaced(Problem::NoLayers));
        }
        if input_range.is_some_and(|(lo, hi)| !is_input_range(lo, hi)) {
            return Err(FrontError::unplaced(Problem::InputRange));
        }
        ends::check(&ends)?;
        layers.iter_mut().for_each(|layer| layer.spans = LayerSpans::default());
        Model::settled(layers, input_range, ends, None)
    }

    /// Resolves what layers read, and checks their shapes.
    fn settled(
        mut layers: Vec<Layer>,
        input_range: Option<(i64, i64)>,
        ends: Ends,
        source: Option<Arc<File>>,
    ) -> Result<Model, Box<FrontError>> {
        let wiring = Wiring::of(&layers, &ends).map_err(|error| {
            match source.as_deref().and_then(|source| piece_at(source, &layers, error.place)) {
                Some(place) => place.error(*error.problem, error.label),
                None => FrontError::unplaced(*error.problem),
            }
        })?;
        let mut shapes: Vec<Option<Vec<usize>>> = match &ends.inputs {
            None => vec![None],
            Some(inputs) => inputs.iter().map(|input| Some(input.shape.clone())).collect(),
        };
        let mut together = 0;
        for &index in &wiring.order {
            let settled = settle(&mut layers, &wiring, &mut shapes, &mut together, index);
            if let Err(error) = settled {
                return Err(json::shape_error(source.as_deref(), index, &layers[index], error));
            }
        }
        let only = || {
            // Layers without a cycle, of which each reads something, end at the input.
            let shape = shapes.into_iter().flatten().next().unwrap_or_default();
            vec![ModelInput { name: INPUT.to_string(), shape, range: None }]
        };
        let inputs = ends.inputs.unwrap_or_else(only);
        let omitted = ends.omitted.unwrap_or_else(|| vec![None; wiring.outputs.len()]);
        Ok(Model { inputs, layers, wiring, input_range, omitted, source })
    }

    /// Writes the model as JSON, byte for byte as Python's `json.dump` does.
    ///
    /// # Errors
    /// Those of `w`, and `InvalidData` for a weight that is not finite.
    pub fn write(&self, w: impl Write) -> io::Result<()> {
        write::model(self, w)
    }

    /// The layers, at least one.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The range that every element of the inputs is in that have none of their own, if the model declares one.
    pub fn input_range(&self) -> Option<(i64, i64)> {
        self.input_range
    }

    /// The inputs, at least one.
    pub fn inputs(&self) -> &[ModelInput] {
        &self.inputs
    }

    /// The layers whose outputs are the model's, at least one.
    pub fn outputs(&self) -> &[usize] {
        &self.wiring.outputs
    }

    /// For each output the function that ends the network there and that no layer computes.
    pub fn omitted(&self) -> &[Option<Last>] {
        &self.omitted
    }

    /// What a layer reads, in order.
    ///
    /// # Panics
    /// If there is no layer of that index.
    pub fn reads(&self, layer: usize) -> &[Source] {
        &self.wiring.reads[layer]
    }

    /// The shapes of what a layer reads, in order.
    ///
    /// # Panics
    /// If there is no layer of that index.
    pub fn read_shapes(&self, layer: usize) -> Vec<&[usize]> {
        let shape = |source: &Source| match source {
            Source::Input(position) => self.inputs[*position].shape.as_slice(),
            Source::Layer(read) => &self.layers[*read].output_shape,
        };
        self.reads(layer).iter().map(shape).collect()
    }

    /// The indices of all layers, each after those that it reads.
    pub fn order(&self) -> &[usize] {
        &self.wiring.order
    }

    /// The shape of the only input, or of the first of several.
    pub fn input_shape(&self) -> &[usize] {
        &self.inputs[0].shape
    }

    /// The shape of the only output, or of the first of several.
    pub fn output_shape(&self) -> &[usize] {
        &self.layers[self.wiring.outputs[0]].output_shape
    }

    /// A diagnostic that points into the model's file, for passes that find fault with a layer later on.
    ///
    /// Where the place is not in the file (a field left out, an element past the end, a model made in memory) the
    /// diagnostic points at the nearest thing that is, or nowhere.
    pub fn layer_diagnostic(
        &self,
        place: LayerPlace,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
        label: impl Into<String>,
    ) -> LayerDiagnostic {
        let source = self.source.as_deref();
        let place = source.and_then(|source| Some(source.excerpt(self.locate(source, place)?)));
        LayerDiagnostic { code, message: message.into(), help: help.into(), label: label.into(), place }
    }

    fn locate(&self, source: &File, place: LayerPlace) -> Option<Range<usize>> {
        let spans = &self.layers.get(place.layer)?.spans;
        let Some(field) = place.field.and_then(|field| spans.field(field)) else {
            return spans.field("layer_type");
        };
        let element = place.element.and_then(|element| Piece::at(source, field.clone())?.element(element));
        Some(element.map_or(field, Piece::range))
    }
}

impl Layer {
    /// A layer made in memory. Its shapes are checked when it becomes part of a [`Model`].
    pub fn new(kind: LayerKind, input_shape: impl Into<Vec<usize>>) -> Layer {
        Layer {
            kind,
            input_shape: input_shape.into(),
            name: None,
            inputs: None,
            output_shape: Vec::new(),
            spans: LayerSpans::default(),
        }
    }

    /// The same layer with a name that others can read it by.
    #[must_use]
    pub fn named(self, name: &str) -> Layer {
        Layer { name: Some(name.to_string()), ..self }
    }

    /// The same layer, reading the layers of these names; those of the model's inputs count among
    /// them, [`INPUT`] where the model does not name its inputs. Without this it reads the layer before it.
    #[must_use]
    pub fn reading(self, names: &[&str]) -> Layer {
        Layer { inputs: Some(names.iter().map(|name| name.to_string()).collect()), ..self }
    }

    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The names that it reads, if it says them.
    pub(super) fn inputs(&self) -> &[String] {
        self.inputs.as_deref().unwrap_or_default()
    }

    /// The shape of the output. Empty until the layer is part of a model.
    pub fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }
}

/// The piece of the source that is at fault.
fn piece_at<'a>(source: &'a File, layers: &[Layer], place: Place) -> Option<Piece<'a>> {
    let of_model = |field| Piece::root(source).ok()?.member(field);
    match place {
        Place::Layer { layer, field, element } => layers[layer].spans.element(source, field, element),
        Place::Input(at) => of_model("inputs")?.element(at)?.member("name"),
        Place::Output(at) => of_model("outputs")?.element(at),
    }
}

/// Checks a layer against itself and what it reads, and keeps its output shape. `inputs` are the shapes of the model's inputs;
/// one that is not known is decided by the first layer that reads it. `together` counts the elements of all layers.
fn settle(
    layers: &mut [Layer],
    wiring: &Wiring,
    inputs: &mut [Option<Vec<usize>>],
    together: &mut usize,
    index: usize,
) -> Result<(), ShapeError> {
    let layer = &layers[index];
    let mut reads = Vec::new();
    for source in &wiring.reads[index] {
        reads.push(
            match source {
                Source::Input(position) => &*inputs[*position].get_or_insert_with(|| layer.input_shape.clone()),
                Source::Layer(read) => &layers[*read].output_shape,
            }
            .clone(),
        );
    }
    let name = layer.inputs.as_ref().map(|names| names[0].as_str());
    shapes::check_input(&reads[0], layer, name)?;
    let reads: Vec<&[usize]> = reads.iter().map(Vec::as_slice).collect();
    layers[index].output_shape = shapes::output_shape(layer, &reads, together)?;
    Ok(())
}

impl LayerSpans {
    fn field(&self, name: &str) -> Option<Range<usize>> {
        self.0.iter().find(|(field, _)| *field == name).map(|(_, range)| range.clone())
    }

    /// The piece of the source where a field stands, or an element of it; of the layer type, where the field is not there.
    fn element<'a>(&self, source: &'a File, field: &str, at: Option<usize>) -> Option<Piece<'a>> {
        let piece = Piece::at(source, self.field(field).or_else(|| self.field("layer_type"))?)?;
        Some(at.and_then(|at| piece.element(at)).unwrap_or(piece))
    }
}

impl<'a> LayerPlace<'a> {
    /// The layer as such: its `layer_type`.
    pub fn of(layer: usize) -> LayerPlace<'a> {
        LayerPlace { layer, field: None, element: None }
    }

    /// A field of the layer.
    pub fn field(self, field: &'a str) -> LayerPlace<'a> {
        LayerPlace { field: Some(field), ..self }
    }

    /// An element of the field: of its `data`, if the field is a tensor, counted in the order in which it stands.
    pub fn element(self, element: usize) -> LayerPlace<'a> {
        LayerPlace { element: Some(element), ..self }
    }
}

/// Reads a tensor, such as a model's input, from a JSON file.
pub fn read_tensor(path: &Path) -> Result<ArrayD<f64>, Box<FrontError>> {
    let source = File::read(path)?;
    tensor::read_whole(Piece::root(&source)?)
}

/// Reads labels from a JSON file: a list of the index of the right output for each input, or a tensor of these with one axis.
pub fn read_labels(path: &Path) -> Result<Vec<usize>, Box<FrontError>> {
    let source = File::read(path)?;
    let root = Piece::root(&source)?;
    let mut labels = Vec::new();
    let list = match (root.member("dim"), root.member("data")) {
        (Some(dim), Some(data)) if !root.is_array() && dim.element(1).is_none() => data,
        _ => root,
    };
    list.each("the list of labels", |_, label| {
        labels.push(label.text().parse().map_err(|_| label.wrong_type("a label", "a whole number, not negative"))?);
        Ok(())
    })?;
    Ok(labels)
}

/// Reads a tensor from JSON text. Diagnostics call it `name`.
pub fn parse_tensor(name: &str, text: String) -> Result<ArrayD<f64>, Box<FrontError>> {
    let source = File { name: name.to_string(), text };
    tensor::read_whole(Piece::root(&source)?)
}

/// Writes a tensor as JSON, byte for byte as Python's `json.dump` does.
///
/// # Errors
/// Those of `w`, and `InvalidData` for an element that is not finite.
pub fn write_tensor(tensor: &ArrayD<f64>, w: impl Write) -> io::Result<()> {
    write::tensor_file(tensor, w)
}

/// Whether a model may declare that its input lies in `lo..=hi`: not empty, and within ±2^31.
pub fn is_input_range(lo: i64, hi: i64) -> bool {
    const LIMIT: i64 = 1 << 31;
    -LIMIT <= lo && lo <= hi && hi <= LIMIT
}
