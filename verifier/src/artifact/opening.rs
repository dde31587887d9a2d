//! Openings: what is behind a commitment.

use super::TensorInfo;
use super::packing::{Commitment, DIGEST, commit};
use crate::gadget::field::F;
use miette::Diagnostic;
use ndarray::{ArrayD, IxDyn};
use plonky2::field::types::{Field, Field64, PrimeField64, Sample};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize;

/// The integers of a tensor and the salt that they are committed to with. Both are secrets; they are wiped from memory
/// when the opening is dropped.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Opening {
    tensor: TensorInfo,
    salt: [u64; DIGEST],
    integers: Vec<i64>,
}

/// An opening as a file has it.
#[derive(Deserialize)]
struct Unchecked {
    tensor: TensorInfo,
    salt: [u64; DIGEST],
    integers: Vec<i64>,
}

/// Why numbers are no opening. No message holds one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[diagnostic(code(zknn::opening), help("commit to as many integers as the shape has, all in the range"))]
pub enum OpeningError {
    /// No tensor that a model takes or gives is like that.
    #[error("no tensor has this shape, scale and range")]
    Tensor,
    /// Too few or too many elements for the shape.
    #[error("there are {got} elements, and the shape has {expected}")]
    Count {
        /// As many as the shape has.
        expected: usize,
        /// As many as there are.
        got: usize,
    },
    /// An element outside of the range.
    #[error("element {index} is not in the range")]
    OutOfRange {
        /// Its place in row-major order.
        index: usize,
    },
    /// A salt that is no list of field elements in canonical form.
    #[error("the salt is not in canonical form")]
    Salt,
}

impl Opening {
    /// An opening of a new commitment to `integers`, in row-major order, with a salt from the operating system.
    ///
    /// # Errors
    /// The integers are not as many as the tensor has, or not all in its range.
    pub fn new(tensor: TensorInfo, integers: Vec<i64>) -> Result<Self, OpeningError> {
        Self::with_salt(tensor, F::rand_array(), integers)
    }

    /// As [`Opening::new`], with a salt that is given. Whoever knows it can try out what is committed to.
    ///
    /// # Errors
    /// The same.
    pub fn with_salt(tensor: TensorInfo, salt: [F; DIGEST], integers: Vec<i64>) -> Result<Self, OpeningError> {
        let salt = salt.map(|element| element.to_canonical_u64());
        Self { tensor, salt, integers }.checked()
    }

    fn checked(self) -> Result<Self, OpeningError> {
        let TensorInfo { lo, hi, .. } = self.tensor;
        let expected = self.tensor.elements().filter(|_| self.tensor.is_packable()).ok_or(OpeningError::Tensor)?;
        if self.integers.len() != expected {
            return Err(OpeningError::Count { expected, got: self.integers.len() });
        }
        if let Some(index) = self.integers.iter().position(|x| !(lo..=hi).contains(x)) {
            return Err(OpeningError::OutOfRange { index });
        }
        if self.salt.iter().any(|&word| word >= F::ORDER) {
            return Err(OpeningError::Salt);
        }
        Ok(self)
    }

    /// Shape, scale and range of what is committed to. The commitment binds all of them.
    pub fn tensor(&self) -> &TensorInfo {
        &self.tensor
    }

    /// What is committed to.
    pub fn integers(&self) -> ArrayD<i64> {
        let integers = ArrayD::from_shape_vec(IxDyn(&self.tensor.shape), self.integers.clone());
        integers.expect("an opening was checked to have as many integers as its shape")
    }

    /// The commitment that this opens.
    pub fn commitment(&self) -> Commitment {
        commit(&self.tensor, &self.salt, &self.integers)
    }

    /// The salt, a secret.
    pub fn salt(&self) -> [F; DIGEST] {
        self.salt.map(F::from_canonical_u64)
    }
}

impl TryFrom<Unchecked> for Opening {
    type Error = OpeningError;

    fn try_from(Unchecked { tensor, salt, integers }: Unchecked) -> Result<Self, OpeningError> {
        Self { tensor, salt, integers }.checked()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.salt.zeroize();
        self.integers.zeroize();
    }
}

/// Without the secrets.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("tensor", &self.tensor).finish_non_exhaustive()
    }
}
