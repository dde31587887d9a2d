//! Files: verifying keys, proofs, and openings of commitments; and what a proof states.

mod container;
mod opening;
mod packing;
mod statement;

pub use container::{ArtifactError, ArtifactProblem, FileKind, VERSION, from_bytes, read, seal, to_bytes, wipe};
pub use opening::{Opening, OpeningError};
pub use packing::{Commitment, DIGEST, commitment_domain};
pub use statement::{Disclosure, InputStatement, OutputDisclosure, OutputStatement, Statement, hex, parse_hex};

use crate::circuit::{Binding, CircuitShape};
use crate::security::Scheme;
use crate::visibility::{Claims, Each, OutputVisibility, Visibility};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a circuit is made from a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// What the verifier learns about the inputs.
    pub visibility: Each<Visibility>,
    /// What the verifier learns about the outputs.
    pub output_visibility: Each<OutputVisibility>,
    /// What the network does last to each output, and the program does not: the statement says so.
    pub omitted: Each<Omitted>,
    /// Whether whoever compiled accepted that rounding may have changed what the network computes: the statement says so.
    pub uncalibrated: bool,
    /// Whether proofs state that no number was saturated: that none was too large for the room that rounding leaves it.
    pub unsaturated: bool,
    /// How proofs are made.
    pub scheme: Scheme,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            visibility: Visibility::Committed.into(),
            output_visibility: OutputVisibility::Public.into(),
            omitted: Omitted::Nothing.into(),
            uncalibrated: false,
            unsaturated: false,
            scheme: Scheme::default(),
        }
    }
}

/// A function that ends a network and is not computed: of what goes into it anyone can tell what comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Omitted {
    /// All of the network is computed.
    #[default]
    Nothing,
    /// Shares of exponentials.
    Softmax,
    /// Logarithms of these.
    LogSoftmax,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
}

impl Omitted {
    /// Its name, if there is one.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Softmax => Some("softmax"),
            Self::LogSoftmax => Some("log-softmax"),
            Self::Sigmoid => Some("sigmoid"),
        }
    }
}

impl Options {
    /// What proofs tell beside that the program was followed.
    pub fn claims(&self) -> Claims {
        Claims {
            inputs: self.visibility.clone(),
            outputs: self.output_visibility.clone(),
            unsaturated: self.unsaturated,
        }
    }
}

/// What `verify` needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyingKey {
    /// The statement that proofs make.
    pub description: Description,
    /// The gates and parameters of the circuit.
    pub shape: CircuitShape,
    /// The commitment to the circuit's constants and permutation.
    pub cap: Vec<u8>,
}

/// What proofs under a key name and depend on.
pub struct Digests {
    /// See [`VerifyingKey::digest`].
    pub key: [u8; 32],
    /// See [`VerifyingKey::binding`].
    pub binding: Binding,
}

/// What a key says about the statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Digest of the integer program.
    pub model: [u8; 32],
    /// How the circuit was made.
    pub options: Options,
    /// The model's inputs, in their order.
    pub inputs: Vec<TensorInfo>,
    /// Whether tensors of real numbers are rounded to such inputs. Otherwise they must consist of multiples of the scale.
    pub rounds: bool,
    /// The model's outputs, in their order.
    pub outputs: Vec<TensorInfo>,
}

impl Description {
    /// The inputs with what the verifier learns of each. Of a circuit's or an accepted key's there are as many; of others, whose
    /// options speak of another number of inputs, there are none.
    pub fn told_inputs(&self) -> impl Iterator<Item = (&TensorInfo, Visibility)> {
        self.inputs.iter().zip(self.options.visibility.of(self.inputs.len()).unwrap_or_default())
    }

    /// The outputs likewise.
    pub fn told_outputs(&self) -> impl Iterator<Item = (&TensorInfo, OutputVisibility)> {
        self.outputs.iter().zip(self.options.output_visibility.of(self.outputs.len()).unwrap_or_default())
    }

    /// What is omitted of each output, likewise.
    pub fn omitted(&self) -> Vec<Omitted> {
        self.options.omitted.of(self.outputs.len()).unwrap_or_default()
    }
}

/// Shape, scale and range of a tensor of integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Its shape.
    pub shape: Vec<usize>,
    /// What an integer is multiplied by to give the real number it stands for.
    pub scale: f64,
    /// The least integer.
    pub lo: i64,
    /// The greatest.
    pub hi: i64,
}

/// Tensors of a higher rank are in no model.
const MAX_RANK: usize = 8;

impl TensorInfo {
    /// Whether such a tensor can be packed and committed to: few axes, a scale that is a positive number, and a range that
    /// the field tells apart.
    pub fn is_packable(&self) -> bool {
        self.has_form() && self.lo <= self.hi && self.hi.abs_diff(self.lo) <= 1 << 62
    }

    /// Whether it has few axes and a scale that is a positive number.
    fn has_form(&self) -> bool {
        self.shape.len() <= MAX_RANK && self.scale.is_finite() && self.scale > 0.0
    }

    /// The number of elements, if it is one.
    pub fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, scale, lo, hi } = self;
        write!(f, "shape {shape:?}, integers in {lo}..={hi} times {scale}")
    }
}

impl VerifyingKey {
    /// What every proof under this key, in this context, depends on: the statement, the gates and the context.
    pub fn binding(&self, context: Option<&str>) -> Binding {
        self.digests(context).binding
    }

    /// A digest of the whole key, by which a proof names it.
    pub fn digest(&self) -> [u8; 32] {
        self.digests(None).key
    }

    /// Both. Gates hold all weights of convolutions, and are digested once.
    pub fn digests(&self, context: Option<&str>) -> Digests {
        let shape = digest("shape", &self.shape);
        Digests {
            key: digest("verifying key", &(&self.description, shape, &self.cap)),
            binding: digest("binding", &(&self.description, shape, context)),
        }
    }
}

/// A proof, the key it was made for, and the context it was made in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFile {
    /// Digest of the verifying key.
    pub key: [u8; 32],
    /// Digest of the context, by which a verifier with another one is told what is wrong. The proof itself depends on the
    /// context.
    pub context: [u8; 32],
    /// The proof system's bytes, public inputs included.
    pub proof: Vec<u8>,
}

/// A digest of the text that a proof is bound to, or of there being none.
pub fn context_digest(context: Option<&str>) -> [u8; 32] {
    digest("context", &context)
}

/// A digest of what the value is, the format version, and the value.
fn digest(domain: &str, value: &impl Serialize) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let tagged = ("zknn", domain, crate::FORMAT_VERSION, value);
    bincode::serde::encode_into_std_write(tagged, &mut hasher, bincode::config::standard())
        // Hashing can't fail to write, and no artifact has a form that serde refuses.
        .expect("an artifact has a serial form");
    *hasher.finalize().as_bytes()
}
