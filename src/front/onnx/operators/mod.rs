//! The operators that are supported, family by family, and a file for each kind of them. The README's table is made of this one.

mod borders;
mod constants;
pub(super) mod elementwise;
mod ends;
mod linear;
mod logic;
mod places;
mod pooling;
mod products;
mod quantized;
mod reduction;
mod resize;
mod selection;
mod views;

use super::constant::Element;
use super::importer::Importer;
use super::node::{Imported, Node};
use super::stream::{Omitted, Stream, Value};
use crate::front::Last;

/// The domain of operators for classical machine learning.
const ML: &str = "ai.onnx.ml";

/// The domain of onnxruntime's own operators.
const RUNTIME: &str = "com.microsoft";

/// An operator that is supported.
pub(super) struct Operator {
    pub(super) domain: &'static str,
    pub(super) name: &'static str,
    /// What of it is supported, if not all that the definition says of tensors of numbers.
    pub(super) limits: &'static str,
    import: Import,
    /// Whether integers of a type, as QuantizeLinear gives them, can go to it: it is about these, or moves and selects elements.
    pub(super) takes_integers: bool,
    /// Whether it puts all elements of its operand elsewhere, and does nothing else.
    pub(super) moves: bool,
}

enum Import {
    /// To a tensor that depends on the inputs; of constants alone the node is evaluated.
    Stream(fn(&mut Importer, &Node<'_>) -> Imported<Stream>),
    /// To several such tensors.
    Streams(fn(&mut Importer, &Node<'_>) -> Imported<Vec<Stream>>),
    /// To one that does or does not depend on them.
    Value(fn(&mut Importer, &Node<'_>) -> Imported<Value>),
}

impl Operator {
    const fn new(name: &'static str, import: Import) -> Self {
        Self { domain: "", name, limits: "", import, takes_integers: false, moves: false }
    }

    const fn limited(self, limits: &'static str) -> Self {
        Self { limits, ..self }
    }

    const fn of(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }

    const fn of_integers(self) -> Self {
        Self { takes_integers: true, ..self }
    }

    const fn moving(self) -> Self {
        Self { moves: true, takes_integers: true, ..self }
    }

    /// The operator of a domain and a name, if it is supported.
    pub(super) fn find(domain: &str, name: &str) -> Option<&'static Self> {
        Self::find_in_family(domain, name).map(|(_, operator)| operator)
    }

    /// The same with what its family is called.
    pub(super) fn find_in_family(domain: &str, name: &str) -> Option<(&'static str, &'static Self)> {
        let mut all =
            FAMILIES.iter().flat_map(|family| family.operators.iter().map(|operator| (family.title, operator)));
        all.find(|(_, operator)| operator.domain == domain && operator.name == name)
    }

    /// What a node of this operator gives.
    pub(super) fn import(&self, importer: &mut Importer, node: &Node<'_>) -> Imported<Vec<Value>> {
        match self.import {
            Import::Stream(import) => Ok(vec![Value::Stream(import(importer, node)?)]),
            Import::Streams(import) => Ok(import(importer, node)?.into_iter().map(Value::Stream).collect()),
            Import::Value(import) => Ok(vec![import(importer, node)?]),
        }
    }

    /// What is left to compute of a function that is not computed, behind a node of this operator that reads what it gives; nothing
    /// where the node would make another thing of what goes into the function. Of an index of the greatest nothing is left.
    pub(super) fn after(&self, omitted: &Omitted, node: &Node<'_>, importer: &Importer) -> Option<Option<Omitted>> {
        let axis = || {
            let Some(Value::Stream(x)) = node.proto.input.first().and_then(|read| importer.value(read)) else {
                return None;
            };
            x.full_axis(node.int("axis", 0)).ok()
        };
        let same = || Some(omitted.clone());
        match self.name {
            "ArgMax" => axis().is_some_and(|axis| omitted.keeps_greatest(axis)).then_some(None),
            "Identity" => Some(same()),
            "Cast" => {
                let to = i32::try_from(node.int("to", 1)).ok().and_then(Element::of);
                to.is_some_and(Element::is_float).then(same)
            }
            // The shares that a softmax gives have the sum of one already.
            "Normalizer" => (node.text("norm") == Some("L1") && omitted.last == Last::Softmax).then(same),
            _ => self.moves.then(|| Some(omitted.clone().moved())),
        }
    }

    /// Whether it is a function that may end a network, and is not computed.
    pub(super) fn may_end(&self) -> bool {
        self.limits == LAST
    }

    /// Whether a node whose operands are all constants is evaluated as a network of its own.
    pub(super) fn is_folded(&self) -> bool {
        !matches!(self.import, Import::Value(_))
    }
}

const fn stream(name: &'static str, import: fn(&mut Importer, &Node<'_>) -> Imported<Stream>) -> Operator {
    Operator::new(name, Import::Stream(import))
}

const fn streams(name: &'static str, import: fn(&mut Importer, &Node<'_>) -> Imported<Vec<Stream>>) -> Operator {
    Operator::new(name, Import::Streams(import))
}

const fn value(name: &'static str, import: fn(&mut Importer, &Node<'_>) -> Imported<Value>) -> Operator {
    Operator::new(name, Import::Value(import))
}

/// Operators that are alike.
pub(super) struct Family {
    pub(super) title: &'static str,
    pub(super) operators: &'static [Operator],
}

/// All operators that are supported.
pub(super) const FAMILIES: &[Family] = &[
    Family { title: "sums of products", operators: PRODUCTS },
    Family { title: "windows and reductions", operators: REDUCTIONS },
    Family { title: "element by element", operators: ELEMENTWISE },
    Family { title: "ends of networks", operators: ENDS },
    Family { title: "comparisons and flags", operators: COMPARISONS },
    Family { title: "shapes and order", operators: VIEWS },
    Family { title: "selection", operators: SELECTIONS },
    Family { title: "constants", operators: CONSTANTS },
    Family { title: "quantized networks", operators: QUANTIZED },
];

const DIMENSIONS: &str = "one and two dimensions";

const PRODUCTS: &[Operator] = &[
    stream("Conv", linear::conv).limited(DIMENSIONS),
    stream("ConvTranspose", linear::conv_transpose).limited(DIMENSIONS),
    stream("ConvInteger", linear::conv_integer).limited(DIMENSIONS),
    stream("Gemm", products::gemm),
    stream("MatMul", products::mat_mul),
    stream("MatMulInteger", products::mat_mul_integer).limited("a constant second operand"),
    stream("BatchNormalization", linear::batch_normalization).limited("as it is after training"),
    streams("LinearClassifier", products::linear_classifier)
        .limited("a score for each of the classes, which are integers")
        .of(ML),
    stream("LinearRegressor", products::linear_regressor).of(ML),
    stream("Scaler", elementwise::scaler).of(ML),
    stream("CumSum", reduction::cumulative_sum),
];

const REDUCTIONS: &[Operator] = &[
    stream("MaxPool", pooling::max_pool).of_integers(),
    stream("AveragePool", pooling::average_pool),
    stream("GlobalAveragePool", |importer, node| reduction::global_pool(importer, node, "reduce_mean")),
    stream("GlobalMaxPool", |importer, node| reduction::global_pool(importer, node, "reduce_max")),
    stream("ReduceSum", |importer, node| reduction::reduce(importer, node, "reduce_sum")),
    stream("ReduceMean", |importer, node| reduction::reduce(importer, node, "reduce_mean")),
    stream("ReduceMax", |importer, node| reduction::reduce(importer, node, "reduce_max")),
    stream("ReduceMin", |importer, node| reduction::reduce(importer, node, "reduce_min")),
    stream("ReduceL1", |importer, node| reduction::reduce(importer, node, "reduce_sum")),
    stream("ReduceSumSquare", |importer, node| reduction::reduce(importer, node, "reduce_sum")),
    stream("ReduceProd", |importer, node| reduction::reduce(importer, node, "multiply")),
    stream("ArgMax", reduction::argmax),
    stream("ArgMin", reduction::argmax),
    streams("TopK", reduction::top_k),
    stream("LpNormalization", reduction::normalization).limited("one vector, by the root of its squares"),
    stream("Normalizer", reduction::normalization)
        .limited("one vector, by the root of its squares; by its sum behind a softmax")
        .of(ML),
];

const ELEMENTWISE: &[Operator] = &[
    stream("Relu", elementwise::relu),
    stream("LeakyRelu", elementwise::leaky_relu),
    stream("PRelu", elementwise::p_relu).limited("constant slopes"),
    stream("Clip", elementwise::clip).limited("constant ends"),
    stream("HardSigmoid", elementwise::hard_sigmoid),
    stream("HardSwish", elementwise::hard_swish),
    stream("Abs", |importer, node| elementwise::simple(importer, node, "absolute")),
    stream("Neg", |importer, node| elementwise::simple(importer, node, "negate")),
    stream("Add", elementwise::arithmetic),
    stream("Sub", elementwise::arithmetic),
    stream("Mul", elementwise::arithmetic),
    stream("Div", elementwise::arithmetic).limited("by a constant"),
    stream("Pow", elementwise::power).limited("exponents that are whole numbers from 0 to 16"),
    stream("Sum", elementwise::arithmetic),
    stream("Mean", elementwise::arithmetic),
    stream("Max", elementwise::arithmetic),
    stream("Min", elementwise::arithmetic),
    stream("Round", elementwise::round),
    value("Cast", elementwise::cast).limited("to floating point, flags and wider integers"),
];

const ENDS: &[Operator] = &[
    stream("Softmax", ends::softmax).limited(LAST),
    stream("LogSoftmax", ends::softmax).limited(LAST),
    stream("Sigmoid", ends::sigmoid).limited(LAST),
];

const LAST: &str = "as the end of a network, not computed";

const COMPARISONS: &[Operator] = &[
    stream("Greater", logic::compare),
    stream("GreaterOrEqual", logic::compare),
    stream("Less", logic::compare),
    stream("LessOrEqual", logic::compare),
    stream("Equal", logic::equal),
    stream("And", logic::logical),
    stream("Or", logic::logical),
    stream("Xor", logic::logical),
    stream("Not", logic::not),
    stream("Where", logic::choose),
    stream("Sign", logic::sign),
    stream("ThresholdedRelu", logic::thresholded_relu),
    stream("Shrink", logic::shrink),
    stream("Binarizer", logic::binarizer).of(ML),
    stream("OneHot", logic::one_hot),
    stream("Hardmax", logic::hardmax),
];

const VIEWS: &[Operator] = &[
    stream("Flatten", views::flatten).moving(),
    stream("Reshape", views::reshape).moving(),
    stream("Squeeze", views::squeeze).moving(),
    stream("Unsqueeze", views::unsqueeze).moving(),
    stream("Transpose", views::transpose).moving(),
    stream("Expand", views::expand),
    stream("Tile", views::tile),
    stream("DepthToSpace", views::depth_to_space),
    stream("SpaceToDepth", views::space_to_depth),
    stream("ReverseSequence", views::reverse_sequence),
    stream("Resize", resize::resize),
    stream("Upsample", resize::resize),
    stream("Pad", borders::pad),
    stream("CenterCropPad", borders::center_crop_pad),
    value("Identity", views::identity).moving(),
    value("Dropout", views::identity).limited("as it is after training"),
];

const INDICES: &str = "constant indices";

const SELECTIONS: &[Operator] = &[
    stream("Concat", selection::concat),
    streams("Split", selection::split),
    stream("Slice", selection::slice).limited("constant ends and steps"),
    stream("Gather", selection::gather).limited("constant indices, or rows of a constant table"),
    stream("GatherElements", places::gather_elements).limited(INDICES),
    stream("GatherND", places::gather_nd).limited(INDICES),
    stream("ScatterElements", places::scatter_elements).limited(INDICES),
    stream("Scatter", places::scatter_elements).limited(INDICES),
    stream("ScatterND", places::scatter_nd).limited(INDICES),
    stream("Compress", selection::compress).limited("a constant condition"),
    stream("Trilu", logic::triangle),
    stream("ArrayFeatureExtractor", selection::features)
        .limited("constant indices, or elements of a constant list")
        .of(ML),
];

const CONSTANTS: &[Operator] = &[
    value("Constant", constants::constant),
    value("ConstantOfShape", constants::constant_of_shape),
    value("Shape", constants::shape).of_integers(),
    value("Size", constants::size).of_integers(),
    value("Range", constants::range),
    value("EyeLike", constants::eye_like),
];

const QUANTIZED: &[Operator] = &[
    stream("QuantizeLinear", quantized::quantize).limited("one scale"),
    value("DequantizeLinear", quantized::dequantize).of_integers(),
    stream("QLinearConv", quantized::q_linear_conv).of_integers(),
    stream("QLinearMatMul", quantized::q_products).limited("a constant matrix").of_integers(),
    stream("QGemm", quantized::q_products).limited("a constant matrix").of(RUNTIME).of_integers(),
    stream("QLinearAdd", quantized::q_linear_add).of(RUNTIME).of_integers(),
    stream("QLinearGlobalAveragePool", quantized::q_linear_mean).of(RUNTIME).of_integers(),
    stream("QLinearConcat", quantized::q_linear_concat).of(RUNTIME).of_integers(),
];
