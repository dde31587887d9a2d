//! What a proof says, derived from the bytes that were verified and the key they were verified with.

use super::{Description, TensorInfo};
use crate::gadget::PackInput;
use crate::gadget::field::{F, from_signed, to_signed};
use crate::plan::security::Security;
use crate::plan::{DIGEST, Visibility};
use ndarray::{ArrayD, IxDyn};
use plonky2::field::types::{Field, PrimeField64};
use std::fmt;

/// Tensors of a higher rank are in no model.
const MAX_RANK: usize = 8;

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
    /// Whether the proof was made to hide what is not disclosed.
    pub zero_knowledge: bool,
    /// Bits of security, the least over all rounds of the protocol.
    pub security: Security,
}

/// What is disclosed of the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Disclosure {
    /// A digest of it and a salt.
    Committed([u8; 32]),
    /// All of it, as integers.
    Public(ArrayD<i64>),
    /// Nothing.
    Private,
}

/// An output that was proved.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputStatement {
    /// The integers.
    pub integers: ArrayD<i64>,
    /// What each is multiplied by to give the real number it stands for.
    pub scale: f64,
}

impl OutputStatement {
    /// The real numbers that the integers stand for.
    pub fn reals(&self) -> ArrayD<f64> {
        self.integers.mapv(|y| y as f64 * self.scale)
    }
}

impl Statement {
    /// How many public inputs a proof under this description has; nothing if the description makes no sense.
    pub fn public_inputs(description: &Description) -> Option<usize> {
        let sound = |info: &TensorInfo| info.shape.len() <= MAX_RANK && info.scale.is_finite() && info.scale > 0.0;
        (sound(&description.input) && sound(&description.output)).then_some(())?;
        let inputs = description.input.elements()?;
        let TensorInfo { lo, hi, .. } = description.input;
        (lo <= hi && hi.abs_diff(lo) <= 1 << 62).then_some(())?;
        let disclosed = match description.options.visibility {
            Visibility::Committed => DIGEST,
            Visibility::Public => inputs.div_ceil(PackInput::capacity(lo, hi)),
            Visibility::Private => 0,
        };
        description.output.elements()?.checked_add(disclosed)
    }

    /// The statement that the public inputs of an accepted proof make; nothing if they are not as many as they must
    /// be.
    pub fn new(description: &Description, key: [u8; 32], public: &[F], security: Security) -> Option<Self> {
        if Self::public_inputs(description)? != public.len() {
            return None;
        }
        let (output, disclosed) = public.split_at(description.output.elements()?);
        let integers = output.iter().map(|&y| to_signed(y)).collect();
        let integers = ArrayD::from_shape_vec(IxDyn(&description.output.shape), integers).ok()?;
        let disclosure = match description.options.visibility {
            Visibility::Committed => Disclosure::Committed(commitment(disclosed)),
            Visibility::Public => Disclosure::Public(unpack(&description.input, disclosed)?),
            Visibility::Private => Disclosure::Private,
        };
        Some(Self {
            key,
            model: description.model,
            input: description.input.clone(),
            disclosure,
            output: OutputStatement { integers, scale: description.output.scale },
            zero_knowledge: description.options.scheme.zero_knowledge,
            security,
        })
    }
}

fn commitment(elements: &[F]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, element) in bytes.chunks_exact_mut(8).zip(elements) {
        chunk.copy_from_slice(&element.to_canonical_u64().to_le_bytes());
    }
    bytes
}

/// The elements of an input from its packed words.
fn unpack(input: &TensorInfo, words: &[F]) -> Option<ArrayD<i64>> {
    let size = input.hi.abs_diff(input.lo) + 1;
    let capacity = PackInput::capacity(input.lo, input.hi);
    let count = input.elements()?;
    let mut elements = Vec::with_capacity(words.len() * capacity);
    for word in words {
        let mut rest = word.to_canonical_u64();
        for _ in 0..capacity {
            let above = F::from_canonical_u64(rest % size);
            elements.push(to_signed(above + from_signed(input.lo)));
            rest /= size;
        }
    }
    elements.truncate(count);
    ArrayD::from_shape_vec(IxDyn(&input.shape), elements).ok()
}

/// The statement in plain words.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TensorInfo { shape, lo, hi, .. } = &self.input;
        write!(f, "There is an input X of shape {shape:?}, every element in {lo}..={hi}")?;
        match &self.disclosure {
            Disclosure::Committed(digest) => write!(f, ", with commitment {}", hex(digest))?,
            Disclosure::Public(integers) => write!(f, ", made public as {:?}", integers.iter().collect::<Vec<_>>())?,
            Disclosure::Private => {}
        }
        writeln!(f, ", such that the integer program of the model {} maps X to", hex(&self.model))?;
        let integers: Vec<i64> = self.output.integers.iter().copied().collect();
        let reals: Vec<f64> = self.output.reals().iter().copied().collect();
        writeln!(f, "{reals:?},")?;
        write!(f, "exactly the integers {integers:?} times {}.", self.output.scale)?;
        if self.disclosure == Disclosure::Private {
            write!(f, "\nNothing binds X: any input in the range that gives this output would do.")?;
        }
        Ok(())
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
