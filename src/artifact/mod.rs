//! Files: those of the verifier, and circuits.

mod write;

pub use write::{WriteError, write_atomically, write_file};
pub use zknn_verifier::artifact::*;

use crate::plan::Choices;
use serde::{Deserialize, Serialize};
use zknn_ir::{Fact, Graph, Number};

/// What `prove` needs: the model itself, and the leaves' digests of the commitment to the circuit's constants, which take
/// long to compute. All else is made again on load, which is quicker than reading it would be.
#[derive(Debug, Serialize, Deserialize)]
pub struct CircuitFile {
    /// How the circuit was made.
    pub options: Options,
    /// The integer program.
    pub graph: Graph,
    /// What the planner chose, so that loading plans nothing.
    pub choices: Choices,
    /// The key that belongs to it.
    pub key: VerifyingKey,
    /// The digests of the leaves of the commitment in the key.
    pub leaves: Vec<u8>,
}

/// What a fact says, if it is of fixed-point numbers.
pub fn tensor_of(fact: &Fact) -> Option<TensorInfo> {
    let ((lo, hi), scale) = (fact.interval()?, fact.scale()?);
    Some(TensorInfo { shape: fact.shape.clone(), scale, lo, hi })
}

/// What is said of a tensor, as a fact.
pub fn fact_of(tensor: &TensorInfo) -> Fact {
    let TensorInfo { scale, lo, hi, .. } = *tensor;
    Fact { shape: tensor.shape.clone(), number: Number::Fixed { scale, lo, hi } }
}

#[cfg(test)]
mod binding_tests;
