//! The shape rule of every layer, and the rule that layers chain.

use miette::Diagnostic;
use thiserror::Error;

use super::composed::{self, Composed, Refusal};
use super::source::shown;
use super::{Layer, LayerKind, MAX_ELEMENTS, MAX_TOGETHER, Steps};
use zknn_ir::InferError;

/// The shape that tensors of two shapes broadcast to, by numpy's rule, if there is one.
pub(super) fn broadcast(first: &[usize], second: &[usize]) -> Option<Vec<usize>> {
    let axes = first.len().max(second.len());
    let length = |shape: &[usize], at: usize| (at + shape.len()).checked_sub(axes).map_or(1, |at| shape[at]);
    let both = |at: usize| match (length(first, at), length(second, at)) {
        (1, length) | (length, 1) => Some(length),
        (own, other) => (own == other).then_some(own),
    };
    (0..axes).map(both).collect()
}

/// A layer that does not fit its input, or itself.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each one is")]
pub enum ShapeError {
    #[error("a {layer_type} layer takes an input of rank {expected}, got shape {got:?}")]
    #[diagnostic(code(zknn::shape::input_rank), help("{advice}"))]
    InputRank { layer_type: &'static str, expected: usize, got: Vec<usize>, advice: &'static str },

    #[error("`{field}` must have rank {expected}, got shape {got:?}")]
    #[diagnostic(code(zknn::shape::tensor_rank), help("the dimensions of `{field}` are {meaning}"))]
    TensorRank { field: &'static str, expected: usize, got: Vec<usize>, meaning: &'static str },

    #[error("`{field}` has an extent of zero: {got:?}")]
    #[diagnostic(code(zknn::shape::empty), help("every extent must be positive"))]
    Empty { field: &'static str, got: Vec<usize> },

    #[error("the kernel takes {expected} channels, but the input has {got}")]
    #[diagnostic(
        code(zknn::shape::channels),
        help(
            "a kernel is [c_out, height, width, c_in]; c_in times the number of groups, one unless `groups` says otherwise, \
             must be the last extent of `input_shape`"
        )
    )]
    Channels { expected: usize, got: usize },

    #[error("{outputs} output channels can't be divided into {groups} groups")]
    #[diagnostic(
        code(zknn::shape::groups),
        help("a group has as many output channels as every other: `groups` must divide the first extent of `kernel`")
    )]
    Groups { groups: usize, outputs: usize },

    #[error("a {height} by {width} kernel does not fit in an input of shape {input:?}")]
    #[diagnostic(
        code(zknn::shape::kernel_too_large),
        help("a kernel may be at most as high and wide as its input with the borders `before` and `after`")
    )]
    KernelTooLarge { height: usize, width: usize, input: Vec<usize> },

    #[error("a {height} by {width} window does not divide an input of shape {input:?}")]
    #[diagnostic(
        code(zknn::shape::window),
        help("height and width must be multiples of the window's; with a `stride` what is left over is cut off")
    )]
    Window { height: usize, width: usize, input: Vec<usize> },

    #[error("windows of {height} by {width} do not each hold some of an input of shape {input:?}")]
    #[diagnostic(
        code(zknn::shape::window_outside),
        help("windows may be as large as the image with its borders, which are narrower than a window")
    )]
    WindowOutside { height: usize, width: usize, input: Vec<usize> },

    #[error("`weights` has {expected} columns, but the input has {got} elements")]
    #[diagnostic(
        code(zknn::shape::columns),
        help("weights are [outputs, inputs], one column for each element of the input")
    )]
    Columns { expected: usize, got: usize },

    #[error("expected {expected} biases, one for each output, got {got}")]
    #[diagnostic(code(zknn::shape::biases), help("make `biases` as long as the first extent of the layer's weights"))]
    Biases { expected: usize, got: usize },

    #[error("{message}")]
    #[diagnostic(code(zknn::shape::layer), help("{help}"))]
    Layer { field: &'static str, message: String, help: String },

    #[error("the output of shape {got:?} has too many elements")]
    #[diagnostic(code(zknn::shape::too_large), help("no circuit holds more than {MAX_ELEMENTS} values of one layer"))]
    TooLarge { got: Vec<usize> },

    #[error("with the output of shape {got:?} all layers together have too many elements")]
    #[diagnostic(
        code(zknn::shape::too_large_together),
        help("no circuit holds more than {MAX_TOGETHER} values of all layers together")
    )]
    TooLargeTogether { got: Vec<usize> },

    #[error("`{field}` has {got} extents, and `input_shape` has {expected}")]
    #[diagnostic(code(zknn::shape::border), help("write one length for each extent, zero where there is no border"))]
    Border { field: &'static str, expected: usize, got: usize },

    #[error("{source_name} has shape {expected:?}, but `input_shape` is {got:?}")]
    #[diagnostic(
        code(zknn::shape::input),
        help("all that a layer reads must have its `input_shape`; set it to {expected:?}, or check `inputs`")
    )]
    Input { source_name: String, expected: Vec<usize>, got: Vec<usize> },

    #[error("the layer before gives shape {expected:?}, but `input_shape` is {got:?}")]
    #[diagnostic(
        code(zknn::shape::chain),
        help("set `input_shape` to {expected:?}, or check the layer before this one")
    )]
    Chain { expected: Vec<usize>, got: Vec<usize> },
}

impl ShapeError {
    /// The field of the layer that the error is about.
    pub fn field(&self) -> &'static str {
        match self {
            ShapeError::TensorRank { field, .. }
            | ShapeError::Empty { field, .. }
            | ShapeError::Border { field, .. }
            | ShapeError::Layer { field, .. } => field,
            ShapeError::Channels { .. } | ShapeError::KernelTooLarge { .. } => "kernel",
            ShapeError::Groups { .. } => "groups",
            ShapeError::Window { .. } | ShapeError::WindowOutside { .. } => "window",
            ShapeError::Columns { .. } => "weights",
            ShapeError::Biases { .. } => "biases",
            ShapeError::InputRank { .. }
            | ShapeError::TooLarge { .. }
            | ShapeError::TooLargeTogether { .. }
            | ShapeError::Chain { .. }
            | ShapeError::Input { .. } => "input_shape",
        }
    }

    /// A few words to stand beside that field.
    pub(super) fn label(&self) -> String {
        match self {
            ShapeError::InputRank { expected, .. } | ShapeError::TensorRank { expected, .. } => {
                format!("expected rank {expected}")
            }
            ShapeError::Empty { .. } => "zero".to_string(),
            ShapeError::Layer { .. } => "does not fit".to_string(),
            ShapeError::Channels { got, .. } => format!("expected {got} at the end"),
            ShapeError::KernelTooLarge { input, .. }
            | ShapeError::Window { input, .. }
            | ShapeError::WindowOutside { input, .. } => {
                format!("for an input of shape {input:?}")
            }
            ShapeError::Groups { outputs, .. } => format!("does not divide {outputs}"),
            ShapeError::Columns { got, .. } => format!("expected {got} columns"),
            ShapeError::Biases { expected, .. } => format!("expected [{expected}]"),
            ShapeError::TooLarge { got } | ShapeError::TooLargeTogether { got } => format!("gives {got:?}"),
            ShapeError::Chain { expected, .. } | ShapeError::Input { expected, .. } => format!("expected {expected:?}"),
            ShapeError::Border { expected, .. } => format!("expected {expected} extents"),
        }
    }
}

/// The shape that a layer makes of what it reads, the first of which has its declared input shape. Adds the elements of all that
/// it computes to those of the layers before.
pub(super) fn output_shape(layer: &Layer, reads: &[&[usize]], together: &mut usize) -> Result<Vec<usize>, ShapeError> {
    let input = &layer.input_shape;
    check_extents("input_shape", input)?;
    let output = match &layer.kind {
        LayerKind::Convolution { kernel, biases, steps } => {
            let biases = biases.as_ref().map(|biases| biases.shape());
            convolution(input, kernel.shape(), biases, steps)?
        }
        LayerKind::FullyConnected { weights, biases } => {
            let biases = biases.as_ref().map(|biases| biases.shape());
            fully_connected(input, weights.shape(), biases)?
        }
        LayerKind::MaxPool { window, stride, before, after } => max_pool(input, *window, *stride, [*before, *after])?,
        LayerKind::Flatten => vec![elements(input).ok_or_else(|| too_large(input))?],
        LayerKind::Relu | LayerKind::Normalize => input.clone(),
        LayerKind::Padding { before, after, .. } => padded(input, before, after)?,
        LayerKind::Composed(composed) => return of_composed(composed, reads, together),
        LayerKind::Argmax { axis } => argmax(input, *axis)?,
    };
    add_elements(together, &output)?;
    Ok(output)
}

fn of_composed(composed: &Composed, reads: &[&[usize]], together: &mut usize) -> Result<Vec<usize>, ShapeError> {
    let graph = composed.alone(reads).map_err(|refusal| match refusal {
        Refusal::Field { field, message, help } => ShapeError::Layer { field, message, help: help.to_string() },
        Refusal::Operation(InferError::TooManyElements { shape }) => ShapeError::TooLarge { got: shape },
        Refusal::Operation(error) => ShapeError::Layer {
            field: "input_shape",
            message: format!("a {} layer can't be stated: {error}", composed.layer_type()),
            help: format!("compare the fields of the layer with its input shape {:?}", reads[0]),
        },
    })?;
    for fact in composed::facts(&graph) {
        add_elements(together, &fact.shape)?;
    }
    Ok(graph.node(graph.output()).fact.shape.clone())
}

/// Holds a layer's declared input to a tensor that it reads: that of the layer before it, or one that it names.
pub(super) fn check_input(given: &[usize], layer: &Layer, name: Option<&str>) -> Result<(), ShapeError> {
    if given == layer.input_shape {
        return Ok(());
    }
    let (expected, got) = (given.to_vec(), layer.input_shape.clone());
    Err(match name {
        None => ShapeError::Chain { expected, got },
        Some(name) => ShapeError::Input { source_name: format!("`{}`", shown(name)), expected, got },
    })
}

/// Adds the elements of a layer's output to those of the layers before.
fn add_elements(together: &mut usize, output: &[usize]) -> Result<(), ShapeError> {
    // An output has at most `MAX_ELEMENTS`.
    *together += elements(output).ok_or_else(|| too_large(output))?;
    if *together > MAX_TOGETHER {
        return Err(ShapeError::TooLargeTogether { got: output.to_vec() });
    }
    Ok(())
}

/// The number of elements of a shape, unless it is beyond [`MAX_ELEMENTS`].
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    let product = shape.iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent))?;
    (product <= MAX_ELEMENTS).then_some(product)
}

/// What the dimensions of a tensor field mean. Their number is the rank the field must have.
pub(super) fn dimensions(field: &str) -> Option<(usize, &'static str)> {
    match field {
        "kernel" => Some((4, "[c_out, height, width, c_in]")),
        "weights" => Some((2, "[outputs, inputs]")),
        "biases" => Some((1, "[outputs]")),
        _ => None,
    }
}

fn convolution(
    input: &[usize],
    kernel: &[usize],
    biases: Option<&[usize]>,
    steps: &Steps,
) -> Result<Vec<usize>, ShapeError> {
    for (field, sides) in [("stride", steps.stride), ("dilation", steps.dilation)] {
        check_extents(field, &sides)?;
    }
    let &[c_out, k_h, k_w, c_in] = kernel else {
        return Err(tensor_rank("kernel", kernel));
    };
    check_extents("kernel", kernel)?;
    let &[h, w, channels] = input else {
        return Err(image_rank("convolution", input));
    };
    if steps.groups == 0 || c_out % steps.groups != 0 {
        return Err(ShapeError::Groups { groups: steps.groups, outputs: c_out });
    }
    if c_in.checked_mul(steps.groups) != Some(channels) {
        return Err(ShapeError::Channels { expected: c_in.saturating_mul(steps.groups), got: channels });
    }
    let (h, w) = (h + steps.before[0] + steps.after[0], w + steps.before[1] + steps.after[1]);
    // What the kernel covers, the elements that dilation leaves out among them.
    let span = |side: usize, dilation: usize| (side - 1).saturating_mul(dilation).saturating_add(1);
    let (height, width) = (span(k_h, steps.dilation[0]), span(k_w, steps.dilation[1]));
    if height > h || width > w {
        return Err(ShapeError::KernelTooLarge { height, width, input: input.to_vec() });
    }
    check_biases(biases, c_out)?;
    Ok(vec![(h - height) / steps.stride[0] + 1, (w - width) / steps.stride[1] + 1, c_out])
}

fn max_pool(
    input: &[usize],
    [height, width]: [usize; 2],
    stride: Option<[usize; 2]>,
    [before, after]: [[usize; 2]; 2],
) -> Result<Vec<usize>, ShapeError> {
    check_extents("window", &[height, width])?;
    check_extents("stride", &stride.unwrap_or([1, 1]))?;
    let &[h, w, channels] = input else {
        return Err(image_rank("max_pool", input));
    };
    let padded = [h + before[0] + after[0], w + before[1] + after[1]];
    if stride.is_none() && (padded[0] % height != 0 || padded[1] % width != 0) {
        return Err(ShapeError::Window { height, width, input: input.to_vec() });
    }
    let windows = |axis: usize, side: usize, length: usize| {
        let step = stride.map_or(side, |stride| stride[axis]);
        let windows = padded[axis].checked_sub(side)? / step + 1;
        // Every window holds something of the image.
        (before[axis] < side && (windows - 1) * step < before[axis] + length).then_some(windows)
    };
    match (windows(0, height, h), windows(1, width, w)) {
        (Some(rows), Some(columns)) => Ok(vec![rows, columns, channels]),
        _ => Err(ShapeError::WindowOutside { height, width, input: input.to_vec() }),
    }
}

fn fully_connected(input: &[usize], weights: &[usize], biases: Option<&[usize]>) -> Result<Vec<usize>, ShapeError> {
    let &[outputs, columns] = weights else {
        return Err(tensor_rank("weights", weights));
    };
    check_extents("weights", weights)?;
    let &[inputs] = input else {
        let advice = "put a `flatten` layer before it";
        return Err(ShapeError::InputRank { layer_type: "fully_connected", expected: 1, got: input.to_vec(), advice });
    };
    if inputs != columns {
        return Err(ShapeError::Columns { expected: columns, got: inputs });
    }
    check_biases(biases, outputs)?;
    Ok(vec![outputs])
}

fn padded(input: &[usize], before: &[usize], after: &[usize]) -> Result<Vec<usize>, ShapeError> {
    for (field, border) in [("before", before), ("after", after)] {
        if border.len() != input.len() {
            return Err(ShapeError::Border { field, expected: input.len(), got: border.len() });
        }
    }
    let extent =
        |((&extent, &before), &after): ((&usize, &usize), &usize)| extent.saturating_add(before).saturating_add(after);
    Ok(input.iter().zip(before).zip(after).map(extent).collect())
}

fn argmax(input: &[usize], axis: Option<usize>) -> Result<Vec<usize>, ShapeError> {
    match (input, axis) {
        ([_], None) => Ok(vec![1]),
        (_, Some(axis)) if axis < input.len() => {
            let mut output = input.to_vec();
            output[axis] = 1;
            Ok(output)
        }
        (_, Some(axis)) => Err(ShapeError::Layer {
            field: "axis",
            message: format!("there is no axis {axis} in an input of {} axes, counted from zero", input.len()),
            help: "axes are those of `input_shape`; there is no batch axis".to_string(),
        }),
        _ => {
            let advice = "put a `flatten` layer before it, or say along which `axis`";
            Err(ShapeError::InputRank { layer_type: "argmax", expected: 1, got: input.to_vec(), advice })
        }
    }
}

fn check_biases(biases: Option<&[usize]>, outputs: usize) -> Result<(), ShapeError> {
    match biases {
        None => Ok(()),
        Some(&[length]) if length == outputs => Ok(()),
        Some(&[length]) => Err(ShapeError::Biases { expected: outputs, got: length }),
        Some(shape) => Err(tensor_rank("biases", shape)),
    }
}

fn check_extents(field: &'static str, shape: &[usize]) -> Result<(), ShapeError> {
    if shape.is_empty() || shape.contains(&0) {
        return Err(ShapeError::Empty { field, got: shape.to_vec() });
    }
    Ok(())
}

fn tensor_rank(field: &'static str, got: &[usize]) -> ShapeError {
    let (expected, meaning) = dimensions(field).unwrap_or((1, "[outputs]"));
    ShapeError::TensorRank { field, expected, got: got.to_vec(), meaning }
}

fn image_rank(layer_type: &'static str, got: &[usize]) -> ShapeError {
    let advice = "an image is [height, width, channels], without a batch axis";
    ShapeError::InputRank { layer_type, expected: 3, got: got.to_vec(), advice }
}

fn too_large(shape: &[usize]) -> ShapeError {
    ShapeError::TooLarge { got: shape.to_vec() }
}
