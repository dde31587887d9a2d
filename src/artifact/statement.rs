//! What a proof says, derived from the bytes that were verified and the key they were verified with.

use super::packing::{Commitment, digest_bytes, unpack};
use super::{Description, TensorInfo};
use crate::gadget::PackInput;
use crate::gadget::field::{F, to_signed};
use crate::plan::security::Security;
use crate::plan::{DIGEST, OutputVisibility, Visibility};
use ndarray::{ArrayD, IxDyn};
use std::fmt;

/// A statement that was proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Digest of the key that it was verified with. All else here is worth what this key is.
    pub key: [u8; 32],
    /// Digest of the integer program.
    pub model: [u8; 32],
    /// The model's input: shape, scale and range.
    pub input: TensorInfo,
    /// What is disclosed of it.
    pub disclosure: Disclosure,
    /// The model's output.
    pub output: OutputStatement,
    /// The text that the proof was made for, if any: it holds for no other.
    pub context: Option<String>,
    /// Whether the proof was made to hide what is not disclosed.
    pub zero_knowledge: bool,
    /// Bits of security, the least over all rounds of the protocol.
    pub security: Security,
}

/// What is disclosed of the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Disclosure {
    /// A digest of it, its shape, scale and range, and a salt.
    Committed(Commitment),
    /// All of it, as integers.
    Public(ArrayD<i64>),
    /// Nothing.
    Private,
}

/// An output that was proved.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputStatement {
    /// Its shape, scale and range.
    pub tensor: TensorInfo,
    /// What is disclosed of it.
    pub disclosure: OutputDisclosure,
}

/// What is disclosed of the output.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputDisclosure {
    /// A digest of it, its shape, scale and range, and a salt.
    Committed(Commitment),
    /// All of it, as integers.
    Public(ArrayD<i64>),
}

impl OutputStatement {
    /// The integers, if they are public.
    pub fn integers(&self) -> Option<&ArrayD<i64>> {
        match &self.disclosure {
            OutputDisclosure::Public(integers) => Some(integers),
            OutputDisclosure::Committed(_) => None,
        }
    }

    /// The real numbers that the integers stand for, if they are public.
    pub fn reals(&self) -> Option<ArrayD<f64>> {
        Some(self.integers()?.mapv(|y| y as f64 * self.tensor.scale))
    }
}

impl Statement {
    /// How many public inputs a proof under this description has; nothing if the description makes no sense.
    pub fn public_inputs(description: &Description) -> Option<usize> {
        let Description { input, output, options, .. } = description;
        (input.is_packable() && output.has_form()).then_some(())?;
        let of_input = match options.visibility {
            Visibility::Committed => DIGEST,
            Visibility::Public => input.elements()?.div_ceil(PackInput::capacity(input.lo, input.hi)),
            Visibility::Private => 0,
        };
        outputs(description)?.checked_add(of_input)
    }

    /// The statement that the public inputs of an accepted proof make; nothing if they are not as many as they must
    /// be.
    pub fn new(
        description: &Description,
        key: [u8; 32],
        context: Option<&str>,
        public: &[F],
        security: Security,
    ) -> Option<Self> {
        if Self::public_inputs(description)? != public.len() {
            return None;
        }
        let (output, input) = public.split_at(outputs(description)?);
        let disclosure = match description.options.visibility {
            Visibility::Committed => Disclosure::Committed(digest_bytes(input)),
            Visibility::Public => Disclosure::Public(unpack(&description.input, input)?),
            Visibility::Private => Disclosure::Private,
        };
        let of_output = match description.options.output_visibility {
            OutputVisibility::Committed => OutputDisclosure::Committed(digest_bytes(output)),
            OutputVisibility::Public => {
                let integers = output.iter().map(|&y| to_signed(y)).collect();
                let integers = ArrayD::from_shape_vec(IxDyn(&description.output.shape), integers);
                OutputDisclosure::Public(integers.ok()?)
            }
        };
        Some(Self {
            key,
            model: description.model,
            input: description.input.clone(),
            disclosure,
            output: OutputStatement { tensor: description.output.clone(), disclosure: of_output },
            context: context.map(str::to_string),
            zero_knowledge: description.options.scheme.zero_knowledge,
            security,
        })
    }
}

/// How many public inputs are disclosed of the output; nothing if its description makes no sense.
fn outputs(description: &Description) -> Option<usize> {
    match description.options.output_visibility {
        OutputVisibility::Committed => description.output.is_packable().then_some(DIGEST),
        OutputVisibility::Public => description.output.elements(),
    }
}

/// The statement in plain words.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "There is an input X of shape {:?}, every element {}", self.input.shape, elements(&self.input))?;
        match &self.disclosure {
            Disclosure::Committed(digest) => write!(f, ", with commitment {}", hex(digest))?,
            Disclosure::Public(integers) => write!(f, ", made public as {:?}", integers.iter().collect::<Vec<_>>())?,
            Disclosure::Private => {}
        }
        write!(f, ", such that the integer program of the model {} maps X to", hex(&self.model))?;
        self.output.fmt(f)?;
        if self.disclosure == Disclosure::Private {
            write!(f, "\nNothing binds X: any input in the range that gives this output would do.")?;
        }
        if let Some(context) = &self.context {
            write!(f, "\nThe proof was made for the context {context:?} and holds for no other.")?;
        }
        Ok(())
    }
}

/// The output as the end of the statement.
impl fmt::Display for OutputStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TensorInfo { shape, scale, .. } = &self.tensor;
        match &self.disclosure {
            OutputDisclosure::Committed(digest) => {
                let (elements, digest) = (elements(&self.tensor), hex(digest));
                write!(f, " an output of shape {shape:?}, every element {elements}, with commitment {digest}.")
            }
            OutputDisclosure::Public(integers) => {
                let reals: Vec<f64> = integers.iter().map(|&y| y as f64 * scale).collect();
                let integers: Vec<i64> = integers.iter().copied().collect();
                write!(f, "\n{reals:?},\nexactly the integers {integers:?} times {scale}.")
            }
        }
    }
}

/// Which elements a tensor may have: integers, or multiples of a scale, which are told by their ends, too.
fn elements(TensorInfo { scale, lo, hi, .. }: &TensorInfo) -> String {
    if *scale == 1.0 {
        return format!("in {lo}..={hi}");
    }
    let (least, greatest) = (*lo as f64 * scale, *hi as f64 * scale);
    format!("an integer in {lo}..={hi} times {scale}, from {least} to {greatest}")
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a digest in hexadecimal, if that is what the text is.
pub fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}
