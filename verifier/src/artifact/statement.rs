//! What a proof says, derived from the bytes that were verified and the key they were verified with.

use super::packing::{Commitment, DIGEST, digest_bytes, unpack};
use super::{Description, Omitted, TensorInfo};
use crate::gadget::PackInput;
use crate::gadget::field::{F, to_signed};
use crate::security::Security;
use crate::visibility::{OutputVisibility, Visibility};
use ndarray::{ArrayD, IxDyn};
use std::fmt;

/// A statement that was proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Digest of the key that it was verified with. All else here is worth what this key is.
    pub key: [u8; 32],
    /// Digest of the integer program.
    pub model: [u8; 32],
    /// The model's inputs, one at least.
    pub inputs: Vec<InputStatement>,
    /// The model's outputs, one at least.
    pub outputs: Vec<OutputStatement>,
    /// The text that the proof was made for, if any: it holds for no other.
    pub context: Option<String>,
    /// Whether the integer program may be far from the network that it was rounded from: whoever compiled it accepted that.
    pub uncalibrated: bool,
    /// Whether no number was saturated.
    pub unsaturated: bool,
    /// Whether the proof was made to hide what is not disclosed.
    pub zero_knowledge: bool,
    /// Bits of security, the least over all rounds of the protocol.
    pub security: Security,
}

/// An input that something was proved of.
#[derive(Clone, Debug, PartialEq)]
pub struct InputStatement {
    /// Its shape, scale and range.
    pub tensor: TensorInfo,
    /// What is disclosed of it.
    pub disclosure: Disclosure,
}

/// What is disclosed of an input.
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
    /// What the network would do to it, and was not computed.
    pub omitted: Omitted,
}

/// What is disclosed of an output.
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
    /// The only input, or the first of several.
    pub fn input(&self) -> &InputStatement {
        &self.inputs[0]
    }

    /// The only output, or the first of several.
    pub fn output(&self) -> &OutputStatement {
        &self.outputs[0]
    }

    /// How many public inputs a proof under this description has; nothing if the description makes no sense.
    pub fn public_inputs(description: &Description) -> Option<usize> {
        let Description { inputs, outputs, options, .. } = description;
        (!inputs.is_empty() && !outputs.is_empty()).then_some(())?;
        options.visibility.of(inputs.len())?;
        options.output_visibility.of(outputs.len())?;
        options.omitted.of(outputs.len())?;
        let of_inputs = description.told_inputs().map(|(input, visibility)| public_of_input(input, visibility));
        let of_outputs = description.told_outputs().map(|(output, visibility)| public_of_output(output, visibility));
        of_outputs.chain(of_inputs).try_fold(0usize, |sum, count| sum.checked_add(count?))
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
        let mut left = public;
        let outputs = description.told_outputs().zip(description.omitted()).map(|((tensor, visibility), omitted)| {
            let (own, rest) = left.split_at_checked(public_of_output(tensor, visibility)?)?;
            left = rest;
            OutputStatement::new(tensor, visibility, omitted, own)
        });
        let outputs = outputs.collect::<Option<_>>()?;
        let inputs = description.told_inputs().map(|(tensor, visibility)| {
            let (own, rest) = left.split_at_checked(public_of_input(tensor, visibility)?)?;
            left = rest;
            InputStatement::new(tensor, visibility, own)
        });
        Some(Self {
            key,
            model: description.model,
            inputs: inputs.collect::<Option<_>>()?,
            outputs,
            context: context.map(str::to_string),
            uncalibrated: description.options.uncalibrated,
            unsaturated: description.options.unsaturated,
            zero_knowledge: description.options.scheme.zero_knowledge,
            security,
        })
    }
}

/// How many public inputs are disclosed of an input; nothing if its description makes no sense.
fn public_of_input(input: &TensorInfo, visibility: Visibility) -> Option<usize> {
    input.is_packable().then_some(())?;
    match visibility {
        Visibility::Committed => Some(DIGEST),
        Visibility::Public => Some(input.elements()?.div_ceil(PackInput::capacity(input.lo, input.hi))),
        Visibility::Private => Some(0),
    }
}

/// How many public inputs are disclosed of an output; nothing if its description makes no sense.
fn public_of_output(output: &TensorInfo, visibility: OutputVisibility) -> Option<usize> {
    match visibility {
        OutputVisibility::Committed => output.is_packable().then_some(DIGEST),
        OutputVisibility::Public => output.elements().filter(|_| output.has_form()),
    }
}

impl InputStatement {
    /// What these public inputs say of it.
    fn new(tensor: &TensorInfo, visibility: Visibility, public: &[F]) -> Option<Self> {
        let disclosure = match visibility {
            Visibility::Committed => Disclosure::Committed(digest_bytes(public)),
            Visibility::Public => Disclosure::Public(unpack(tensor, public)?),
            Visibility::Private => Disclosure::Private,
        };
        Some(Self { tensor: tensor.clone(), disclosure })
    }
}

impl OutputStatement {
    /// What these public inputs say of it.
    fn new(tensor: &TensorInfo, visibility: OutputVisibility, omitted: Omitted, public: &[F]) -> Option<Self> {
        let disclosure = match visibility {
            OutputVisibility::Committed => OutputDisclosure::Committed(digest_bytes(public)),
            OutputVisibility::Public => {
                let integers = public.iter().map(|&y| to_signed(y)).collect();
                OutputDisclosure::Public(ArrayD::from_shape_vec(IxDyn(&tensor.shape), integers).ok()?)
            }
        };
        Some(Self { tensor: tensor.clone(), disclosure, omitted })
    }
}

/// The statement in plain words.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = names("X", self.inputs.len());
        for (index, (input, name)) in self.inputs.iter().zip(&names).enumerate() {
            write!(f, "{} an input {name} {input}", if index == 0 { "There is" } else { "; and" })?;
        }
        let program = hex(&self.model);
        write!(f, ", such that the integer program of the model {program} maps {} to", names.join(", "))?;
        for (index, output) in self.outputs.iter().enumerate() {
            write!(f, "{}{output}", if index == 0 { "" } else { ";\nand to" })?;
        }
        f.write_str(".")?;
        if self.inputs.iter().any(|input| input.disclosure == Disclosure::Private) {
            let names = names.join(", ");
            let (binds, any) = match self.inputs.len() {
                1 => ("Nothing binds", "any input in the range that gives this output would do"),
                _ => ("Nothing binds any of", "any inputs in the ranges that give these outputs would do"),
            };
            write!(f, "\n{binds} {names}: {any}.")?;
        }
        if self.uncalibrated {
            write!(
                f,
                "\nThe program is uncalibrated: rounding may have made another network of the one that it was compiled from."
            )?;
        }
        if self.unsaturated {
            write!(
                f,
                "\nNo number was saturated: on the way to the output none was too large for the room that rounding leaves it."
            )?;
        }
        if let Some(context) = &self.context {
            write!(f, "\nThe proof was made for the context {context:?} and holds for no other.")?;
        }
        Ok(())
    }
}

/// So many names: `X` for one, else `X1`, `X2`, …
fn names(name: &str, count: usize) -> Vec<String> {
    if count == 1 { vec![name.into()] } else { (1..=count).map(|i| format!("{name}{i}")).collect() }
}

/// Of what shape and elements an input is, and what is disclosed of it.
impl fmt::Display for InputStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of shape {:?}, every element {}", self.tensor.shape, elements(&self.tensor))?;
        match &self.disclosure {
            Disclosure::Committed(digest) => write!(f, ", with commitment {}", hex(digest)),
            Disclosure::Public(integers) => write!(f, ", made public as {:?}", integers.iter().collect::<Vec<_>>()),
            Disclosure::Private => Ok(()),
        }
    }
}

/// The output as the end of the statement.
impl fmt::Display for OutputStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TensorInfo { shape, scale, .. } = &self.tensor;
        match &self.disclosure {
            OutputDisclosure::Committed(digest) => {
                let (elements, digest) = (elements(&self.tensor), hex(digest));
                write!(f, " an output of shape {shape:?}, every element {elements}, with commitment {digest}")?;
            }
            OutputDisclosure::Public(integers) => {
                let reals: Vec<f64> = integers.iter().map(|&y| y as f64 * scale).collect();
                let integers: Vec<i64> = integers.iter().copied().collect();
                write!(f, "\n{reals:?},\nexactly the integers {integers:?} times {scale}")?;
            }
        }
        match self.omitted.name() {
            Some(name) => write!(f, ",\nof which the network gives the {name}, which is not computed"),
            None => Ok(()),
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
