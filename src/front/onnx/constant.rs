//! Tensors that the file holds, or that are made of these.

use half::{bf16, f16};
use ndarray::{ArcArray, ArrayD, IxDyn};

use super::super::MAX_ELEMENTS;
use super::files::Files;
use super::node::{Imported, refused};
use super::proto::TensorProto;

/// A constant, its numbers as reals, which hold all that are read exactly but for integers beyond 53 bits. Copies share them.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    pub(super) data: ArcArray<f64, IxDyn>,
    pub(super) element: Element,
    /// What the numbers are multiples of, where they were quantized.
    pub(super) quantized: Option<Quantized>,
}

/// The types of elements that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Float,
    Double,
    Float16,
    Bfloat16,
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Bool,
}

/// One number for all elements of a tensor.
pub(super) fn number(number: f64) -> ArrayD<f64> {
    ArrayD::from_elem(IxDyn(&[]), number)
}

/// Scales and zero points, as many of these: one for all, or one for each index of an axis.
#[derive(Debug, Clone)]
pub(super) struct Quantized {
    pub(super) scales: Vec<f64>,
    pub(super) zero_points: Vec<f64>,
    pub(super) axis: usize,
}

impl Element {
    /// By the number of a type in a file.
    pub(super) fn of(data_type: i32) -> Option<Self> {
        Some(match data_type {
            1 => Element::Float,
            2 => Element::Uint8,
            3 => Element::Int8,
            4 => Element::Uint16,
            5 => Element::Int16,
            6 => Element::Int32,
            7 => Element::Int64,
            9 => Element::Bool,
            10 => Element::Float16,
            11 => Element::Double,
            12 => Element::Uint32,
            13 => Element::Uint64,
            16 => Element::Bfloat16,
            _ => return None,
        })
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Element::Float | Element::Double | Element::Float16 | Element::Bfloat16)
    }

    /// Whether each integer of another type is one of this. Numbers of a network lie within 32 bits.
    pub(super) fn holds(self, other: Element) -> bool {
        use Element::{Bool, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64};
        match self {
            Int32 | Int64 => !other.is_float(),
            Int16 => matches!(other, Bool | Int8 | Uint8 | Int16),
            Int8 => matches!(other, Bool | Int8),
            Uint32 | Uint64 => matches!(other, Bool | Uint8 | Uint16 | Uint32 | Uint64),
            Uint16 => matches!(other, Bool | Uint8 | Uint16),
            Uint8 => matches!(other, Bool | Uint8),
            Bool => other == Bool,
            Element::Float | Element::Double | Element::Float16 | Element::Bfloat16 => true,
        }
    }

    /// How many bytes an element takes.
    fn width(self) -> usize {
        match self {
            Element::Int8 | Element::Uint8 | Element::Bool => 1,
            Element::Int16 | Element::Uint16 | Element::Float16 | Element::Bfloat16 => 2,
            Element::Float | Element::Int32 | Element::Uint32 => 4,
            Element::Double | Element::Int64 | Element::Uint64 => 8,
        }
    }

    /// The type of these ends.
    pub(super) fn of_ends(least: f64, greatest: f64) -> Self {
        let types = [Element::Int8, Element::Uint8, Element::Int16, Element::Uint16];
        types.into_iter().find(|element| element.ends() == Some((least, greatest))).unwrap_or(Element::Int32)
    }

    /// The least and the greatest integer of the type, if it has so few that numbers can be quantized to them.
    pub(super) fn ends(self) -> Option<(f64, f64)> {
        match self {
            Element::Int8 => Some((-128.0, 127.0)),
            Element::Uint8 => Some((0.0, 255.0)),
            Element::Int16 => Some((-32768.0, 32767.0)),
            Element::Uint16 => Some((0.0, 65535.0)),
            _ => None,
        }
    }
}

impl Constant {
    /// The tensor of a file; or why it is none, in words that follow its name.
    pub(super) fn read(tensor: &TensorProto, files: &Files) -> Result<Self, String> {
        let element = Element::of(tensor.data_type);
        let element =
            element.ok_or_else(|| format!("has elements of type {}, which are not read", tensor.data_type))?;
        let length = |&dim: &i64| usize::try_from(dim).ok().filter(|length| *length <= MAX_ELEMENTS);
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(length).collect();
        let shape = shape.ok_or_else(|| format!("has shape {:?}, which no tensor has", tensor.dims))?;
        let expected = shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
        let expected = expected.filter(|elements| *elements <= MAX_ELEMENTS);
        let expected = expected.ok_or_else(|| format!("has shape {shape:?}, and more than {MAX_ELEMENTS} elements"))?;
        let outside = if tensor.data_location == 0 { None } else { Some(files.data(tensor)?) };
        let numbers = match outside.as_deref().unwrap_or(&tensor.raw_data) {
            [] => listed(tensor, element),
            bytes if expected.checked_mul(element.width()) == Some(bytes.len()) => raw(bytes, element),
            bytes => {
                let (width, got) = (element.width(), bytes.len());
                let takes = expected.saturating_mul(width);
                return Err(format!("has shape {shape:?}, which takes {takes} bytes, and the file has {got} of them"));
            }
        };
        let got = numbers.len();
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(format!("has element {at}, which is not finite"));
        }
        let data = ArrayD::from_shape_vec(IxDyn(&shape), numbers);
        let data =
            data.map_err(|_| format!("has shape {shape:?}, so {expected} elements, and the file has {got} of them"))?;
        Ok(Self { data: data.into_shared(), element, quantized: None })
    }

    /// Of floats.
    pub(super) fn of_floats(data: ArrayD<f64>) -> Self {
        Self { data: data.into_shared(), element: Element::Float, quantized: None }
    }

    /// Of elements of a type: of integers without what is behind the point, of flags one for all but zero.
    pub(super) fn of(data: ArrayD<f64>, element: Element) -> Self {
        let data = match element {
            Element::Bool => data.mapv_into(|number| f64::from(u8::from(number != 0.0))),
            element if element.is_float() => data,
            _ => data.mapv_into(f64::trunc),
        };
        Self { data: data.into_shared(), element, quantized: None }
    }

    /// Integers, row by row.
    pub(super) fn of_integers(shape: &[usize], integers: Vec<f64>) -> Imported<Self> {
        match ArrayD::from_shape_vec(IxDyn(shape), integers) {
            Ok(data) => Ok(Self::of(data, Element::Int64)),
            Err(_) => refused(format!("it makes no tensor of shape {shape:?}"), "see the operator's definition"),
        }
    }

    /// The real numbers that it stands for.
    pub(super) fn reals(&self) -> ArrayD<f64> {
        let Some(Quantized { scales, zero_points, axis }) = &self.quantized else { return self.data.to_owned() };
        let one = |values: &[f64], at: usize| values[if values.len() == 1 { 0 } else { at }];
        if scales.len() == 1 {
            return self.data.mapv(|integer| scales[0] * (integer - one(zero_points, 0))).into_owned();
        }
        let mut reals = self.data.to_owned();
        for (at, mut part) in reals.axis_iter_mut(ndarray::Axis(*axis)).enumerate() {
            part.mapv_inplace(|integer| one(scales, at) * (integer - one(zero_points, at)));
        }
        reals
    }

    /// The numbers as integers, row by row.
    pub(super) fn integers(&self) -> Vec<i64> {
        // Casts saturate.
        self.data.iter().map(|number| *number as i64).collect()
    }

    /// The numbers as lengths, such as those of a shape.
    pub(super) fn lengths(&self) -> Imported<Vec<usize>> {
        let length = |integer: i64| usize::try_from(integer).ok().filter(|length| *length <= MAX_ELEMENTS);
        match self.integers().into_iter().map(length).collect() {
            Some(lengths) => Ok(lengths),
            None => {
                refused(format!("{:?} are no lengths", self.integers()), "none may be negative, or beyond any tensor")
            }
        }
    }
}

fn listed(tensor: &TensorProto, element: Element) -> Vec<f64> {
    match element {
        Element::Float => tensor.float_data.iter().map(|number| f64::from(*number)).collect(),
        Element::Double => tensor.double_data.clone(),
        Element::Int64 => tensor.int64_data.iter().map(|number| *number as f64).collect(),
        Element::Uint32 | Element::Uint64 => tensor.uint64_data.iter().map(|number| *number as f64).collect(),
        Element::Float16 => tensor.int32_data.iter().map(|bits| f16::from_bits(*bits as u16).into()).collect(),
        Element::Bfloat16 => tensor.int32_data.iter().map(|bits| bf16::from_bits(*bits as u16).into()).collect(),
        _ => tensor.int32_data.iter().map(|number| f64::from(*number)).collect(),
    }
}

/// Little-endian elements without anything between.
fn raw(bytes: &[u8], element: Element) -> Vec<f64> {
    fn each<const N: usize>(bytes: &[u8], number: fn([u8; N]) -> f64) -> Vec<f64> {
        let (words, _) = bytes.as_chunks::<N>();
        words.iter().map(|word| number(*word)).collect()
    }
    match element {
        Element::Float => each(bytes, |word| f32::from_le_bytes(word).into()),
        Element::Double => each(bytes, f64::from_le_bytes),
        Element::Float16 => each(bytes, |word| f16::from_le_bytes(word).into()),
        Element::Bfloat16 => each(bytes, |word| bf16::from_le_bytes(word).into()),
        Element::Int8 => each(bytes, |word| i8::from_le_bytes(word).into()),
        Element::Uint8 | Element::Bool => each(bytes, |word| u8::from_le_bytes(word).into()),
        Element::Int16 => each(bytes, |word| i16::from_le_bytes(word).into()),
        Element::Uint16 => each(bytes, |word| u16::from_le_bytes(word).into()),
        Element::Int32 => each(bytes, |word| i32::from_le_bytes(word).into()),
        Element::Uint32 => each(bytes, |word| u32::from_le_bytes(word).into()),
        Element::Int64 => each(bytes, |word| i64::from_le_bytes(word) as f64),
        Element::Uint64 => each(bytes, |word| u64::from_le_bytes(word) as f64),
    }
}
