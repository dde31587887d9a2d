//! What can be wrong with a file, and how it is told.

use std::io;

use miette::{Diagnostic, LabeledSpan, SourceCode, SourceSpan};
use thiserror::Error;

use super::shapes::ShapeError;
use super::source::{Excerpt, Source};

pub(super) type Result<T> = std::result::Result<T, Box<FrontError>>;

/// A problem, with the place in the file where it shows, if the file could be read and the model came from one.
#[derive(Debug, Error, Diagnostic)]
#[error("{problem}")]
#[diagnostic(forward(problem))]
pub struct FrontError {
    /// What is wrong.
    pub problem: Problem,
    #[source_code]
    excerpt: Option<Excerpt>,
    #[label("{label}")]
    span: Option<SourceSpan>,
    label: String,
}

impl FrontError {
    pub(super) fn unplaced(problem: Problem) -> Box<FrontError> {
        Box::new(FrontError { problem, excerpt: None, span: None, label: String::new() })
    }

    pub(super) fn placed(
        problem: Problem,
        source: &Source,
        range: std::ops::Range<usize>,
        label: String,
    ) -> Box<FrontError> {
        let (excerpt, span) = source.excerpt(range);
        Box::new(FrontError { problem, excerpt: Some(excerpt), span: Some(span), label })
    }
}

/// Everything that can be wrong with a model or a tensor file.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each one is")]
pub enum Problem {
    #[error("there is no file {name}")]
    #[diagnostic(code(zknn::file::not_found), help("check the path; it is taken relative to the current folder"))]
    NotFound { name: String },

    #[error("{name} is a folder")]
    #[diagnostic(code(zknn::file::directory), help("name the JSON file in it"))]
    Directory { name: String },

    #[error("{name} is larger than 4 GiB")]
    #[diagnostic(code(zknn::file::too_large), help("no circuit holds that many weights; is it the right file?"))]
    FileTooLarge { name: String },

    #[error("cannot read {name}: {error}")]
    #[diagnostic(code(zknn::file::unreadable), help("check that it is a file you may read"))]
    Unreadable { name: String, error: io::Error },

    #[error("{name} is not UTF-8: invalid byte at offset {offset}")]
    #[diagnostic(code(zknn::file::not_utf8), help("JSON is UTF-8 text; save it as such, without compression"))]
    NotUtf8 { name: String, offset: usize },

    #[error("{name} is not JSON, but {format}")]
    #[diagnostic(
        code(zknn::file::other_format),
        help(
            "write the layers and weights of the network as JSON, in the form that the README describes under `Layers`"
        )
    )]
    OtherFormat { name: String, format: &'static str },

    #[error("`omitted` does not say for each output what ends the network there")]
    #[diagnostic(
        code(zknn::model::omitted),
        help("list one of softmax, log_softmax, sigmoid and none for each output")
    )]
    Omitted,

    #[error("{name} is JSON, which leaves nothing open")]
    #[diagnostic(code(zknn::onnx::nothing_open), help("`--shape` and `--output` are for ONNX files"))]
    NothingOpen { name: String },

    #[error("{name} is no ONNX model: {reason}")]
    #[diagnostic(
        code(zknn::onnx::malformed),
        help("the file may be cut off, or of another format; export the network again")
    )]
    OnnxMalformed { name: String, reason: String },

    #[error("the network is of version {version} of ONNX's operators")]
    #[diagnostic(
        code(zknn::onnx::version),
        help(
            "versions {least} to {most} are supported; exporters take the version as an option, `opset_version` in PyTorch"
        )
    )]
    OnnxVersion { version: i64, least: i64, most: i64 },

    #[error("tensor `{tensor}` {reason}")]
    #[diagnostic(code(zknn::onnx::tensor), help("the file may be damaged; export the network again"))]
    OnnxTensor { tensor: String, reason: String },

    #[error("{message}")]
    #[diagnostic(
        code(zknn::onnx::name),
        help("every name must be given once, by an input, a tensor or a node before those that read it")
    )]
    OnnxName { name: String, message: String },

    #[error("operators are not supported: {operators}")]
    #[diagnostic(
        code(zknn::onnx::unsupported),
        help("the README lists the operators that are, under `ONNX`; say the network by these, or end it before them")
    )]
    OnnxUnsupported { operators: String },

    #[error("node `{name}` ({operator}): {message}")]
    #[diagnostic(code(zknn::onnx::node), help("{help}"))]
    OnnxNode { name: String, operator: String, message: String, help: &'static str },

    #[error("{count} things are wrong with the network")]
    #[diagnostic(code(zknn::onnx::several), help("each has its own help below"))]
    OnnxSeveral {
        count: usize,
        #[related]
        problems: Vec<Problem>,
    },

    #[error("{message}")]
    #[diagnostic(code(zknn::onnx::ends), help("{help}"))]
    OnnxEnds { message: String, help: &'static str },

    #[error("not valid JSON: {message}")]
    #[diagnostic(
        code(zknn::json::syntax),
        help("the file must be one JSON value; `json.dump` in Python writes such files")
    )]
    Syntax { message: String },

    #[error("{name} is empty")]
    #[diagnostic(
        code(zknn::json::empty),
        help("the file must be one JSON value; `json.dump` in Python writes such files")
    )]
    Empty { name: String },

    #[error("`{literal}` is not a number in JSON")]
    #[diagnostic(
        code(zknn::json::not_finite),
        help("JSON has no NaN and no Infinity, though Python writes them; make every number finite before export")
    )]
    NotFinite { literal: String },

    #[error("{what} must be {expected}, got {got}")]
    #[diagnostic(code(zknn::json::wrong_type), help("replace it by {expected}"))]
    WrongType { what: String, expected: &'static str, got: &'static str },

    #[error("the number {text} does not fit a 64-bit float")]
    #[diagnostic(code(zknn::json::number_too_large), help("every number must be finite: below 1.8e308 in size"))]
    NumberTooLarge { text: String },

    #[error("{object} has no field `{field}`")]
    #[diagnostic(code(zknn::model::missing_field), help("add `\"{field}\": …`; the fields of {object} are {known}"))]
    MissingField { object: String, field: &'static str, known: String },

    #[error("{object} has an unknown field `{field}`")]
    #[diagnostic(code(zknn::model::unknown_field), help("{advice}"))]
    UnknownField { object: String, field: String, advice: String },

    #[error("{object} has the field `{field}` twice")]
    #[diagnostic(code(zknn::model::duplicate_field), help("remove one of them"))]
    DuplicateField { object: String, field: &'static str },

    #[error("unknown layer type `{got}`")]
    #[diagnostic(code(zknn::model::unknown_layer_type), help("{advice}"))]
    UnknownLayerType { got: String, advice: String },

    #[error("the model has no layers")]
    #[diagnostic(code(zknn::model::no_layers), help("`layers` must list at least one layer"))]
    NoLayers,

    #[error("`input_range` must be two integers [lo, hi] with lo ≤ hi, within ±2^31")]
    #[diagnostic(
        code(zknn::model::input_range),
        help("every input value is proved to lie in this range; write for example [-128, 127]")
    )]
    InputRange,

    #[error("`{field}` must be a positive integer, or two of them: [height, width]")]
    #[diagnostic(code(zknn::model::sides), help("write 2 for 2 by 2, or [1, 3] for 1 by 3"))]
    Sides { field: &'static str },

    #[error("`{field}` must be two integers: along height and width")]
    #[diagnostic(code(zknn::model::edges), help("write [1, 1] for windows that reach over both edges by one"))]
    Edges { field: &'static str },

    #[error("`groups` must be a positive integer")]
    #[diagnostic(code(zknn::model::groups), help("write the number of channels for a depthwise convolution"))]
    Groups,

    #[error("`{field}` must be {expected}")]
    #[diagnostic(code(zknn::model::attribute), help("the table of layers in the README says what each field is"))]
    Attribute { field: &'static str, expected: &'static str },

    #[error(
        "a border must be a list of integers from 0 to {}, one for each extent of `input_shape`",
        super::MAX_BORDER
    )]
    #[diagnostic(
        code(zknn::model::border),
        help("write [1, 1, 0] for a border around an image of [height, width, channels]")
    )]
    Border,

    #[error("layer {layer} is named `{name}`, which is the name of an input of the model")]
    #[diagnostic(code(zknn::model::reserved_name), help("choose another name"))]
    ReservedName { layer: usize, name: String },

    #[error("{what} lists nothing")]
    #[diagnostic(code(zknn::model::no_ends), help("list one at least, or leave the field out"))]
    NoEnds { what: &'static str },

    #[error("two inputs are named `{name}`")]
    #[diagnostic(code(zknn::model::repeated_input), help("give each input a name of its own"))]
    RepeatedInput { name: String },

    #[error("no layer reads the input `{name}`")]
    #[diagnostic(
        code(zknn::model::unread_input),
        help(
            "a layer reads it by name, `\"inputs\": [{name:?}]`; the first layer reads the first input where it names none"
        )
    )]
    UnreadInput { name: String },

    #[error("the output `{name}` is no layer's name")]
    #[diagnostic(
        code(zknn::model::unknown_output),
        help("`outputs` lists the names of layers; give the layer a `name`")
    )]
    UnknownOutput { name: String },

    #[error("the output `{name}` is listed twice")]
    #[diagnostic(code(zknn::model::repeated_output), help("list each layer once"))]
    RepeatedOutput { name: String },

    #[error("layers {first} and {layer} are both named `{name}`")]
    #[diagnostic(code(zknn::model::duplicate_name), help("give each layer a name of its own, or none"))]
    DuplicateName { layer: usize, first: usize, name: String },

    #[error("layer {layer} reads `{name}`, and no layer has that name")]
    #[diagnostic(code(zknn::model::unknown_input), help("{advice}"))]
    UnknownInput { layer: usize, name: String, advice: String },

    #[error("layer {layer}, of type {layer_type}, takes {expected}, got {got}")]
    #[diagnostic(
        code(zknn::model::input_count),
        help("`inputs` lists the names of the layers that a layer reads; without it, a layer reads the one before")
    )]
    InputCount { layer: usize, layer_type: &'static str, expected: &'static str, got: usize },

    #[error("layer {layer} reads layer {read}, which depends on layer {layer}")]
    #[diagnostic(code(zknn::model::cycle), help("no layer may depend on its own output"))]
    Cycle { layer: usize, read: usize },

    #[error("no layer reads layer {layer}")]
    #[diagnostic(
        code(zknn::model::unread_layer),
        help(
            "an output of the model is that of the last layer, {}, or of those that `outputs` names; every other layer must be \
             among the `inputs` of one",
            layers - 1
        )
    )]
    Unread { layer: usize, layers: usize },

    #[error("tensor version {got} is not supported")]
    #[diagnostic(
        code(zknn::tensor::version),
        help("the form read here is version 1, `{{\"v\": 1, \"dim\": […], \"data\": […]}}`")
    )]
    TensorVersion { got: String },

    #[error("`{field}` must have rank {expected}, got rank {got}")]
    #[diagnostic(code(zknn::tensor::rank), help("the dimensions of `{field}` are {meaning}"))]
    TensorRank { field: String, expected: usize, got: usize, meaning: &'static str },

    #[error("{what} has the extent {got}")]
    #[diagnostic(
        code(zknn::tensor::extent),
        help("every extent must be a positive integer, and their product at most {}", super::MAX_ELEMENTS)
    )]
    Extent { what: String, got: String },

    #[error("{what} has no extents")]
    #[diagnostic(code(zknn::tensor::no_extents), help("even a single value has an extent: write [1]"))]
    NoExtents { what: String },

    #[error("{what} has more than {} extents", super::MAX_RANK)]
    #[diagnostic(code(zknn::tensor::too_many_extents), help("no layer takes a tensor of such a rank"))]
    TooManyExtents { what: String },

    #[error("{what} {extents:?} has too many elements")]
    #[diagnostic(
        code(zknn::tensor::too_large),
        help("the product of the extents must be at most {}", super::MAX_ELEMENTS)
    )]
    TooManyElements { what: String, extents: Vec<usize> },

    #[error("`data` is too {}: expected {expected} elements for `dim` {dim:?}, got {got}",
        if got < expected { "short" } else { "long" })]
    #[diagnostic(code(zknn::tensor::data_length), help("`data` must have as many elements as the product of `dim`"))]
    DataLength { dim: Vec<usize>, expected: usize, got: usize },

    #[error("the lists of the tensor are not all of one length and depth")]
    #[diagnostic(
        code(zknn::tensor::ragged),
        help("write lists in lists, of one length at each depth: `[[0.5, 1.5], [2.5, 3.5]]` has shape [2, 2]")
    )]
    Ragged,

    #[error("`input_data` is no field of a tensor")]
    #[diagnostic(
        code(zknn::tensor::foreign),
        help(
            "write the lists alone, `[[0.5, 1.5], [2.5, 3.5]]` for shape [2, 2], or \
             `{{\"v\": 1, \"dim\": [2, 2], \"data\": [0.5, 1.5, 2.5, 3.5]}}`"
        )
    )]
    ForeignTensor,

    #[error("layer {layer}: {error}")]
    #[diagnostic(forward(error))]
    Shape { layer: usize, error: ShapeError },
}

/// What a later pass has to say about a layer, pointing at the file the model came from.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct LayerDiagnostic {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
    pub(super) label: String,
    pub(super) place: Option<(Excerpt, SourceSpan)>,
}

impl Diagnostic for LayerDiagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(excerpt, _)| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.place.as_ref()?;
        let label = LabeledSpan::new_with_span(Some(self.label.clone()), *span);
        Some(Box::new(std::iter::once(label)))
    }
}
