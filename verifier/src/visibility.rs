//! What the verifier learns about the input and the output.

use serde::{Deserialize, Serialize};

/// What the verifier learns about the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visibility {
    /// A salted Poseidon digest of it.
    Committed,
    /// All of it.
    Public,
    /// Nothing: some input in the range gives the output.
    Private,
}

/// What the verifier learns about the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputVisibility {
    /// All of it.
    Public,
    /// A salted Poseidon digest of it, of the form that inputs have: it may be the input of another model.
    Committed,
}

/// What the verifier learns about both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// About the input.
    pub input: Visibility,
    /// About the output.
    pub output: OutputVisibility,
}

/// The output is public unless said otherwise.
impl From<Visibility> for Exposure {
    fn from(input: Visibility) -> Self {
        Self { input, output: OutputVisibility::Public }
    }
}
