//! The operations of the language, one file each.
//!
//! An operation is a type that implements `Operation` in a file of its own, and a line in the list of [`Op`]: all that
//! the crate does with operations (inference, evaluation, text, digest, stored form) asks the trait.

mod abs;
mod add;
mod affine;
mod argmax;
pub(crate) mod attribute;
mod clip;
mod concat;
mod conv2d;
mod dense;
mod flatten;
mod gather;
mod input;
pub(crate) mod linear;
mod max_pool;
mod maximum;
mod multiply;
mod normalize;
mod pad;
mod quantize;
mod relu;
mod requantize;
mod reshape;
mod top_k;
mod transpose;
mod view;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use abs::Abs;
pub use add::Add;
pub use affine::Affine;
pub use argmax::Argmax;
use attribute::{StandardLayout, Visitor};
pub use clip::Clip;
pub use concat::Concat;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use flatten::Flatten;
pub use gather::Gather;
pub use input::Input;
pub use max_pool::MaxPool;
pub use maximum::Maximum;
pub use multiply::Multiply;
pub use normalize::{Normalize, normalize_roots};
pub use pad::Pad;
pub use quantize::{MAX_LEVEL, Quantize};
pub use relu::Relu;
pub use requantize::{MAX_SHIFT, Requantize};
pub use reshape::Reshape;
pub use top_k::TopK;
pub use transpose::Transpose;
pub use view::Place;

use crate::{Fact, InferError, Range, Weights};

/// What an operation is: everything that the language says about it.
pub(crate) trait Operation {
    /// The name in the text form.
    const NAME: &'static str;

    /// How many operands it takes.
    const ARITY: Arity;

    /// What kind of function it computes.
    fn class(&self) -> Class;

    /// Shows its attributes to a visitor, each by its kind, in the order in which text and canonical encoding have them.
    ///
    /// # Errors
    ///
    /// Those of the visitor.
    fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        let _ = visitor;
        Ok(())
    }

    /// The fact about the result. There are as many operands as [`Operation::ARITY`] accepts. That the result has not
    /// too many elements is checked for all operations in one place.
    ///
    /// # Errors
    ///
    /// The first reason why the operation is not defined on such operands.
    fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError>;

    /// In which range the results lie, in real numbers, for operands in the given ranges; `result` is as for
    /// [`Operation::eval_real`]. An operation on integers only keeps the range of its operand.
    fn range(&self, operands: &[Range], result: &Fact) -> Range;

    /// The weights that an operation of class [`Class::Linear`] has.
    fn factors(&self) -> Option<Factors<'_>> {
        None
    }

    /// Puts other weights in their place, where there are any.
    fn set_factors(&mut self, weights: Weights, bias: Option<Weights>) {
        let _ = (weights, bias);
    }

    /// Where each element of the result of an operation of class [`Class::View`] comes from, in row-major order; `None` for
    /// a zero. The operands have these shapes, on which the operation is defined.
    fn places(&self, operands: &[&[usize]]) -> Vec<Option<Place>> {
        let _ = operands;
        Vec::new()
    }

    /// The real numbers that the result consists of, for each tensor of a batch, one after the other; `result` is the
    /// fact that [`Operation::infer`] found for the facts of the operands.
    fn eval_real(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64>;

    /// As [`Operation::eval_real`], with every sum in the one order that `eval::ordered` states, for an operation that
    /// leaves a choice.
    fn eval_real_in_order(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
        self.eval_real(operands, result)
    }

    /// The integers that the result consists of, likewise. The operands are fixed-point.
    fn eval_fixed(&self, operands: &[Operand<'_, i64>], result: &Fact) -> Vec<i64>;
}

/// An operand in evaluation.
pub(crate) struct Operand<'a, T> {
    /// The fact about one tensor.
    pub(crate) fact: &'a Fact,
    /// The elements of each tensor of a batch, one after the other, in row-major order.
    pub(crate) elements: &'a [T],
}

impl<T> Operand<'_, T> {
    /// What `step` makes of each tensor of the batch, one after the other.
    fn each<U>(&self, step: impl Fn(&[T]) -> Vec<U>) -> Vec<U> {
        self.elements.chunks(self.fact.elements().max(1)).flat_map(step).collect()
    }
}

/// How many operands an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// So many.
    Exactly(usize),
    /// So many or more.
    AtLeast(usize),
}

impl Arity {
    /// Whether so many operands will do.
    pub fn accepts(self, count: usize) -> bool {
        match self {
            Arity::Exactly(expected) => count == expected,
            Arity::AtLeast(least) => count >= least,
        }
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arity::Exactly(expected) => write!(f, "{expected}"),
            Arity::AtLeast(least) => write!(f, "{least} or more"),
        }
    }
}

/// The weights of a linear operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors<'a> {
    /// What the operation calls them.
    pub name: &'static str,
    /// The factors, with an output channel for each index of the first axis.
    pub weights: &'a Weights,
    /// What is added to the sums of each output channel.
    pub bias: Option<&'a Weights>,
}

impl Factors<'_> {
    /// How many weights each output channel has: as many products are summed for each element of the result.
    pub fn row_length(&self) -> usize {
        self.weights.shape().iter().skip(1).product()
    }
}

/// What kind of function an operation computes. Rewrites ask for this where it is all that they need to know, so that
/// they hold for operations to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What the network is given.
    Input,
    /// Each element of the result is a sum of the operand's elements times weights, which [`Op::factors`] shows, and a
    /// bias. The scale of the result is that of the operand times that of the weights.
    Linear,
    /// Each element of the result is the sum of the operands' elements at the same place. All have one scale.
    Sum,
    /// Each element of the result is the product of the operands' elements at the same place.
    Product,
    /// Each element of the result is one of the operands' elements at the same place. All have one scale.
    Choice,
    /// Each element of the result is an element of an operand, at a place that shapes and attributes decide, or zero;
    /// [`Op::places`] shows where. All operands have one scale.
    View {
        /// Whether there are such zeros.
        with_zero: bool,
    },
    /// Each element of the result is the greatest of some elements of the operand, all of one channel (index of the last
    /// axis), and of zero where that takes part.
    Greatest {
        /// Whether zero takes part.
        with_zero: bool,
    },
    /// Each element of the result is a monotone function of the operand's element at the same place: greater elements
    /// never give smaller results. The function may differ from channel to channel.
    Monotone {
        /// Whether zero gives zero.
        keeps_zero: bool,
    },
    /// Any other function.
    Function,
}

/// Makes the closed set of operations: `Name` has no attributes, `Name(op)` has those of the type `Name`. The position in
/// the list is the tag in the canonical encoding and in the stored form, so new operations come last.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident $(($op:ident))?,)*) => {
        /// One operation: the tensor it yields is a function of its operands and of what it holds itself.
        ///
        /// Images are `[height, width, channels]`. What each operation requires of its operands, and the fact about
        /// its result, is decided by [`crate::infer()`]; what it computes, by [`crate::eval`].
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Op {
            $($(#[$doc])* $name $((operations!(@type $name $op)))?,)*
        }

        impl Op {
            /// The name in the text form.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Op::$name { .. } => <$name as Operation>::NAME,)*
                }
            }

            /// How many operands the operation takes.
            pub fn arity(&self) -> Arity {
                match self {
                    $(Op::$name { .. } => <$name as Operation>::ARITY,)*
                }
            }

            /// What kind of function it computes.
            pub fn class(&self) -> Class {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).class(),)*
                }
            }

            /// The operation of that name, its attributes yet to be read.
            pub(crate) fn blank(name: &str) -> Option<Op> {
                match name {
                    $(<$name as Operation>::NAME => Some(operations!(@blank $name $($op)?)),)*
                    _ => None,
                }
            }

            /// The position in the list of operations.
            pub(crate) fn tag(&self) -> u8 {
                /// The same operations without attributes.
                #[repr(u8)]
                enum Tag {
                    $($name,)*
                }
                match self {
                    $(Op::$name { .. } => Tag::$name as u8,)*
                }
            }

            pub(crate) fn attributes<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
                match self {
                    $(Op::$name $(($op))? => operations!(@value_mut $name $($op)?).attributes(visitor),)*
                }
            }

            /// In which range the results lie, in real numbers, for operands in the given ranges: as many as the
            /// operation takes. `result` is the fact about the result.
            pub fn range(&self, operands: &[Range], result: &Fact) -> Range {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).range(operands, result),)*
                }
            }

            /// The weights of an operation of class [`Class::Linear`]; others have none.
            pub fn factors(&self) -> Option<Factors<'_>> {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).factors(),)*
                }
            }

            /// The same operation with other weights, where it has any.
            #[must_use]
            pub fn with_factors(&self, weights: Weights, bias: Option<Weights>) -> Op {
                let mut op = self.clone();
                match &mut op {
                    $(Op::$name $(($op))? => operations!(@value_mut $name $($op)?).set_factors(weights, bias),)*
                }
                op
            }

            /// Where each element of the result of an operation of class [`Class::View`] comes from, in row-major order;
            /// `None` for a zero. The operands have these shapes, for which [`crate::infer()`] has a result. Other
            /// operations have no places.
            pub fn places(&self, operands: &[&[usize]]) -> Vec<Option<Place>> {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).places(operands),)*
                }
            }

            /// As [`Operation::infer`].
            pub(crate) fn infer(&self, operands: &[&Fact]) -> Result<Fact, InferError> {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).infer(operands),)*
                }
            }

            pub(crate) fn eval_real(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).eval_real(operands, result),)*
                }
            }

            pub(crate) fn eval_real_in_order(&self, operands: &[Operand<'_, f64>], result: &Fact) -> Vec<f64> {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).eval_real_in_order(operands, result),)*
                }
            }

            pub(crate) fn eval_fixed(&self, operands: &[Operand<'_, i64>], result: &Fact) -> Vec<i64> {
                match self {
                    $(Op::$name $(($op))? => operations!(@value $name $($op)?).eval_fixed(operands, result),)*
                }
            }
        }

        /// The names of all operations, in the order of their tags.
        #[cfg(any(test, feature = "testing"))]
        pub(crate) const NAMES: &[&str] = &[$(<$name as Operation>::NAME),*];
    };
    (@type $name:ident $op:ident) => { $name };
    (@value $name:ident $op:ident) => { $op };
    (@value $name:ident) => { $name };
    (@value_mut $name:ident $op:ident) => { $op };
    (@value_mut $name:ident) => { $name };
    (@blank $name:ident $op:ident) => { Op::$name($name::default()) };
    (@blank $name:ident) => { Op::$name };
}

operations! {
    /// The input of the network; no operand.
    Input(op),
    /// Cross-correlation of an image with a kernel.
    Conv2d(op),
    /// A matrix times a vector.
    Dense(op),
    /// The greatest number of each window of an image, channel by channel.
    MaxPool(op),
    /// `max(0, x)`, number by number.
    Relu,
    /// The same numbers in row-major order along one axis.
    Flatten,
    /// A vector divided by its Euclidean norm; the zero vector stays zero. `IR.md` defines the rounding.
    Normalize(op),
    /// Integers at another scale, nearest to what they were and clamped.
    Requantize(op),
    /// The index of the greatest number along an axis, the lowest of several.
    Argmax(op),
    /// The sum of tensors of one shape, number by number.
    Add,
    /// A tensor with zeros around and between its elements.
    Pad(op),
    /// The absolute value, number by number.
    Abs,
    /// The same numbers in row-major order under another shape.
    Reshape(op),
    /// A tensor with its axes in another order.
    Transpose(op),
    /// Chosen indices of an axis, each as often as it is listed.
    Gather(op),
    /// Tensors end to end along an axis.
    Concat(op),
    /// A factor and an offset for each channel.
    Affine(op),
    /// The product of two tensors of one shape, number by number.
    Multiply,
    /// The greatest of tensors of one shape, number by number.
    Maximum,
    /// Real numbers held between two ends.
    Clip(op),
    /// The indices of the greatest numbers along an axis.
    TopK(op),
    /// Real numbers brought to the multiples of a scale.
    Quantize(op),
}

impl Op {
    /// The same operation with its weights laid out row by row, which evaluation wants.
    pub(crate) fn into_standard_layout(mut self) -> Self {
        let Ok(()) = self.attributes(&mut StandardLayout);
        self
    }
}

#[cfg(test)]
mod pointwise_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod view_tests;
