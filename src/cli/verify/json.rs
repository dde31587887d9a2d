//! A statement as JSON.

use miette::{IntoDiagnostic, Report};
use ndarray::ArrayD;
use serde::Serialize;
use zknn::artifact::{Disclosure, OutputDisclosure, Statement, TensorInfo, hex};
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
    input: Tensor<'a>,
    output: Tensor<'a>,
    zero_knowledge: bool,
    security: Security,
}

/// The input or the output.
#[derive(Serialize)]
struct Tensor<'a> {
    #[serde(flatten)]
    disclosed: Disclosed,
    dim: &'a [usize],
    /// The least and the greatest integer it may hold.
    range: [i64; 2],
    /// What an integer is multiplied by to give the real number it stands for.
    scale: f64,
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
        Self { disclosed, dim: shape, range: [*lo, *hi], scale: *scale }
    }
}

/// The statement in one line.
pub(super) fn statement(statement: &Statement) -> Result<String, Report> {
    let of_input = match &statement.disclosure {
        Disclosure::Committed(digest) => Disclosed::Committed { commitment: hex(digest) },
        Disclosure::Public(integers) => Disclosed::public(integers, statement.input.scale),
        Disclosure::Private => Disclosed::Private,
    };
    let output = &statement.output;
    let of_output = match &output.disclosure {
        OutputDisclosure::Committed(digest) => Disclosed::Committed { commitment: hex(digest) },
        OutputDisclosure::Public(integers) => Disclosed::public(integers, output.tensor.scale),
    };
    let acceptance = Acceptance {
        valid: true,
        key: hex(&statement.key),
        model: hex(&statement.model),
        context: statement.context.as_deref(),
        input: Tensor::new(&statement.input, of_input),
        output: Tensor::new(&output.tensor, of_output),
        zero_knowledge: statement.zero_knowledge,
        security: statement.security.in_tenths(),
    };
    serde_json::to_string(&acceptance).into_diagnostic()
}
