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

/// What holds for each of a model's inputs, or outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Each<T> {
    /// The same for all, however many there are.
    Same(T),
    /// Something for each, in their order.
    Own(Vec<T>),
}

impl<T: Copy> Each<T> {
    /// What holds for each of so many; nothing if it is said of another number.
    pub fn of(&self, count: usize) -> Option<Vec<T>> {
        match self {
            Self::Same(all) => Some(vec![*all; count]),
            Self::Own(own) => (own.len() == count).then(|| own.clone()),
        }
    }
}

impl<T> From<T> for Each<T> {
    fn from(all: T) -> Self {
        Self::Same(all)
    }
}

/// What a proof tells beside that its program was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// About the inputs.
    pub inputs: Each<Visibility>,
    /// About the outputs.
    pub outputs: Each<OutputVisibility>,
    /// That no number was saturated.
    pub unsaturated: bool,
}

/// The output is public unless said otherwise, and nothing is told of saturation.
impl From<Visibility> for Claims {
    fn from(input: Visibility) -> Self {
        Self { inputs: input.into(), outputs: OutputVisibility::Public.into(), unsaturated: false }
    }
}
