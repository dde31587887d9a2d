//! Files: circuits, verifying keys and proofs.

mod container;
mod statement;
mod write;

pub use container::{
    ArtifactError, ArtifactProblem, FileKind, VERSION, from_bytes, read, seal, to_bytes, write as write_file,
};
pub use statement::{Disclosure, OutputStatement, Statement, hex};
pub use write::{WriteError, write_atomically};

use crate::circuit::{Binding, CircuitShape};
use crate::plan::Visibility;
use crate::plan::security::{HashKind, Scheme};
use serde::{Deserialize, Serialize};
use zknn_ir::{Fact, Graph};

/// How a circuit is made from a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// What the verifier learns about the input.
    pub visibility: Visibility,
    /// How proofs are made.
    pub scheme: Scheme,
}

impl Default for Options {
    fn default() -> Self {
        let scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3 };
        Self { visibility: Visibility::Committed, scheme }
    }
}

/// What `prove` needs: the model itself, and the leaves' digests of the commitment to the circuit's constants, which take
/// long to compute. All else is made again on load, which is quicker than reading it would be.
#[derive(Debug, Serialize, Deserialize)]
pub struct CircuitFile {
    /// How the circuit was made.
    pub options: Options,
    /// The integer program.
    pub graph: Graph,
    /// The key that belongs to it.
    pub key: VerifyingKey,
    /// The digests of the leaves of the commitment in the key.
    pub leaves: Vec<u8>,
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

/// What a key says about the statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Digest of the integer program.
    pub model: [u8; 32],
    /// How the circuit was made.
    pub options: Options,
    /// The model's input.
    pub input: TensorInfo,
    /// The model's output.
    pub output: TensorInfo,
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

impl TensorInfo {
    /// What a fact says, if it is of fixed-point numbers.
    pub fn of(fact: &Fact) -> Option<Self> {
        let ((lo, hi), scale) = (fact.interval()?, fact.scale()?);
        Some(Self { shape: fact.shape.clone(), scale, lo, hi })
    }

    /// The number of elements, if it is one.
    pub fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))
    }
}

impl VerifyingKey {
    /// What every proof under this key depends on: the statement and the gates.
    pub fn binding(&self) -> Binding {
        digest(&(&self.description, &self.shape))
    }

    /// A digest of the whole key, by which a proof names it.
    pub fn digest(&self) -> [u8; 32] {
        digest(self)
    }
}

/// A proof, and the key it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFile {
    /// Digest of the verifying key.
    pub key: [u8; 32],
    /// The proof system's bytes, public inputs included.
    pub proof: Vec<u8>,
}

fn digest(value: &impl Serialize) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    bincode::serde::encode_into_std_write(value, &mut hasher, bincode::config::standard())
        // Hashing can't fail to write, and no artifact has a form that serde refuses.
        .expect("an artifact has a serial form");
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod binding_tests;
