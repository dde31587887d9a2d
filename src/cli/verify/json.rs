//! A statement as JSON.

use miette::{IntoDiagnostic, Report};
use ndarray::ArrayD;
use serde::Serialize;
use zknn::artifact::{Disclosure, InputStatement, OutputDisclosure, OutputStatement, Statement, TensorInfo, hex};
use zknn::plan::security::Security;

#[derive(Serialize)]
struct Acceptance<'a> {
    valid: bool,
    /// Digest of the key.
    key: String,
    /// Digest of the integer program.
    model: String,
    /// The text that the proof is bound to, if any.
    context: Option<&'a str>,
    /// The only input.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Tensor<'a>>,
    /// Several inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<Tensor<'a>>,
    /// The only output.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Tensor<'a>>,
    /// Several outputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<Tensor<'a>>,
    /// Whether rounding may have made another network of the one that was compiled.
    uncalibrated: bool,
    /// Whether the proof states that no number was saturated.
    unsaturated: bool,
    zero_knowledge: bool,
    security: Security,
}

/// An input or an output.
#[derive(Serialize)]
struct Tensor<'a> {
    #[serde(flatten)]
    disclosed: Disclosed,
    dim: &'a [usize],
    /// The least and the greatest integer it may hold.
    range: [i64; 2],
    /// What an integer is multiplied by to give the real number it stands for.
    scale: f64,
    /// What the network would do to it, and was not computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<&'static str>,
}

/// What is disclosed of it.
#[derive(Serialize)]
#[serde(tag = "visibility", rename_all = "lowercase")]
enum Disclosed {
    Committed {
        commitment: String,
    },
    Public {
        /// The real numbers that the integers stand for.
        data: Vec<f64>,
        integers: Vec<i64>,
    },
    Private,
}

impl Disclosed {
    fn public(integers: &ArrayD<i64>, scale: f64) -> Self {
        let data = integers.iter().map(|&y| y as f64 * scale).collect();
        Self::Public { data, integers: integers.iter().copied().collect() }
    }
}

impl<'a> Tensor<'a> {
    fn new(TensorInfo { shape, scale, lo, hi }: &'a TensorInfo, disclosed: Disclosed) -> Self {
        Self { disclosed, dim: shape, range: [*lo, *hi], scale: *scale, omitted: None }
    }
}

/// The statement in one line.
pub(super) fn statement<'a>(statement: &'a Statement) -> Result<String, Report> {
    let of_input = |InputStatement { tensor, disclosure }: &'a InputStatement| {
        let disclosed = match disclosure {
            Disclosure::Committed(digest) => Disclosed::Committed { commitment: hex(digest) },
            Disclosure::Public(integers) => Disclosed::public(integers, tensor.scale),
            Disclosure::Private => Disclosed::Private,
        };
        Tensor::new(tensor, disclosed)
    };
    let of_output = |OutputStatement { tensor, disclosure, omitted }: &'a OutputStatement| {
        let disclosed = match disclosure {
            OutputDisclosure::Committed(digest) => Disclosed::Committed { commitment: hex(digest) },
            OutputDisclosure::Public(integers) => Disclosed::public(integers, tensor.scale),
        };
        Tensor { omitted: omitted.name(), ..Tensor::new(tensor, disclosed) }
    };
    let (input, inputs) = one_or_several(statement.inputs.iter().map(of_input).collect());
    let (output, outputs) = one_or_several(statement.outputs.iter().map(of_output).collect());
    let acceptance = Acceptance {
        valid: true,
        key: hex(&statement.key),
        model: hex(&statement.model),
        context: statement.context.as_deref(),
        input,
        inputs,
        output,
        outputs,
        uncalibrated: statement.uncalibrated,
        unsaturated: statement.unsaturated,
        zero_knowledge: statement.zero_knowledge,
        security: statement.security.in_tenths(),
    };
    serde_json::to_string(&acceptance).into_diagnostic()
}

fn one_or_several(mut tensors: Vec<Tensor<'_>>) -> (Option<Tensor<'_>>, Vec<Tensor<'_>>) {
    if tensors.len() == 1 { (tensors.pop(), tensors) } else { (None, tensors) }
}
