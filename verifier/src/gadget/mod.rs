//! Gadgets, reusable sub-circuits that rows are made of, and the constraint language that they are written in.
//!
//! A gadget has input and output wires, which are routed (other rows can be tied to them), advice wires, which are
//! not, digit wires, and possibly row constants. That digit wires hold digits, integers below [`DIGIT_RADIX`], is stated
//! for the wires of a row together, whatever gadgets they belong to: a gadget takes it for granted. Its contract: given its
//! inputs and constants, exactly one assignment of outputs, advice and digits satisfies its constraints.
//! [`Gadget::assign`] computes that one.

mod add;
mod argmax;
pub mod arith;
mod constants;
mod conv;
mod dense;
mod digits;
pub mod field;
mod filter;
#[cfg(feature = "prover")]
pub mod halves;
mod input;
mod kernel;
mod max;
mod normalize;
mod product;
mod requantize;
mod strike;

pub use add::Add;
pub use argmax::Argmax;
pub use constants::Constants;
pub use conv::Conv;
pub use dense::DenseTile;
pub use digits::{DIGIT_RADIX, Digits, constrain_columns};
pub use filter::Filter;
pub use input::PackInput;
pub use kernel::Kernel;
pub use max::Max;
pub use normalize::{FRACTION_BITS, MAX_ELEMENTS, NormRound, NormSquare, NormTotal};
pub use product::Product;
pub use requantize::Requantize;
pub use strike::Strike;

use arith::Arith;
use digits::DigitWires;
use field::F;
use plonky2::field::types::Field;
use serde::{Deserialize, Serialize};

/// How many wires of each sort a gadget has, and what its constraints cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Routed wires whose values come from elsewhere.
    pub inputs: usize,
    /// Routed wires that the gadget determines.
    pub outputs: usize,
    /// Wires of the gadget's own that hold anything.
    pub advice: usize,
    /// Wires of its own that hold digits.
    pub digits: usize,
    /// Row constants.
    pub constants: usize,
    /// Constraints, not counting those of the digit wires.
    pub constraints: usize,
    /// The highest degree among these constraints.
    pub degree: usize,
}

impl Shape {
    /// Inputs and outputs.
    pub fn routed(&self) -> usize {
        self.inputs + self.outputs
    }

    /// Wires of the gadget's own: advice, then digits.
    pub fn own(&self) -> usize {
        self.advice + self.digits
    }

    /// All wires.
    pub fn wires(&self) -> usize {
        self.routed() + self.own()
    }
}

/// Where in a row a gadget lies: the first column of its routed wires, of its advice, of its digits, and its first constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// First routed column.
    pub routed: usize,
    /// First advice column.
    pub advice: usize,
    /// First column of digits.
    pub digits: usize,
    /// First row constant.
    pub constant: usize,
}

impl Place {
    /// The place of a gadget of `shape` in a row of its own: inputs, outputs, advice, digits.
    pub fn alone(shape: Shape) -> Self {
        Self { routed: 0, advice: shape.routed(), digits: shape.routed() + shape.advice, constant: 0 }
    }
}

/// The wires and constants of one gadget, seen through an [`Arith`].
pub struct Cells<'a, A: Arith> {
    /// The arithmetic that constraints are stated in.
    pub arith: &'a mut A,
    place: Place,
    inputs: usize,
    digits: usize,
}

impl<'a, A: Arith> Cells<'a, A> {
    /// The cells of a gadget of `shape` at `place`.
    pub fn new(arith: &'a mut A, place: Place, shape: Shape) -> Self {
        Self { arith, place, inputs: shape.inputs, digits: 0 }
    }

    /// The `i`-th input wire.
    pub fn input(&mut self, i: usize) -> A::V {
        self.arith.wire(self.place.routed + i)
    }

    /// The `i`-th output wire.
    pub fn output(&mut self, i: usize) -> A::V {
        self.arith.wire(self.place.routed + self.inputs + i)
    }

    /// The `i`-th advice wire.
    pub fn advice(&mut self, i: usize) -> A::V {
        self.arith.wire(self.place.advice + i)
    }

    /// The first digit wire that was not taken yet.
    fn next_digit(&mut self) -> A::V {
        self.digits += 1;
        self.arith.wire(self.place.digits + self.digits - 1)
    }

    /// The `i`-th row constant.
    pub fn constant(&mut self, i: usize) -> A::V {
        self.arith.row_constant(self.place.constant + i)
    }
}

/// The most elements that a gadget read from a file may have of anything.
const MAX_SIZE: usize = 1 << 16;

/// What every gadget provides.
trait Statement {
    /// Its wires and cost.
    fn shape(&self) -> Shape;
    /// States its constraints.
    fn constrain<A: Arith>(&self, cells: &mut Cells<'_, A>);
    /// Whether its parts fit together, which those of a gadget read from a file may not. The other methods may panic
    /// on one that is not consistent.
    fn is_consistent(&self) -> bool {
        true
    }
    /// Whether all of its constraints are linear in its routed wires, with factors that are the same in all rows.
    fn is_linear(&self) -> bool {
        false
    }
    /// `Σ first · step^i · c_i` over its constraints `c_i`, if they are linear, as a sum of its routed wires: adds each wire's
    /// factor to that of `factors` in its place, and returns what is added to that sum.
    #[cfg(feature = "prover")]
    fn combine(&self, _first: F, _step: F, _factors: &mut [F]) -> F {
        F::ZERO
    }
    /// Inputs that an instance nobody uses may have; all zero unless the gadget forbids it.
    fn idle_inputs(&self) -> Vec<F> {
        vec![F::ZERO; self.shape().inputs]
    }
    /// Computes outputs, advice and digits from inputs and constants; digits in the order in which
    /// [`Statement::constrain`] takes them. Out-of-range inputs give an assignment that violates a constraint; nothing
    /// panics.
    fn assign(&self, constants: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F], digits: &mut DigitWires<'_>);
}

macro_rules! gadgets {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The closed set of gadgets.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[allow(clippy::large_enum_variant, reason = "gadgets are few, and shared")]
        pub enum Gadget {
            $($(#[$doc])* $name($name)),*
        }

        $(impl From<$name> for Gadget {
            fn from(gadget: $name) -> Self {
                Gadget::$name(gadget)
            }
        })*

        impl Gadget {
            /// The names of all gadgets.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// Its wires and cost.
            pub fn shape(&self) -> Shape {
                match self { $(Gadget::$name(g) => g.shape()),* }
            }

            /// States its constraints over `arith`, its cells lying at `place`; not that its digit wires hold digits.
            pub fn constrain<A: Arith>(&self, arith: &mut A, place: Place) {
                let mut cells = Cells::new(arith, place, self.shape());
                match self { $(Gadget::$name(g) => g.constrain(&mut cells)),* }
            }

            /// As [`Gadget::constrain`], and then that each digit wire holds a digit: all that holds for the gadget.
            pub fn constrain_with_digits<A: Arith>(&self, arith: &mut A, place: Place) {
                self.constrain(arith, place);
                constrain_columns(arith, place.digits..place.digits + self.shape().digits);
            }

            /// Whether all of its constraints are linear in its routed wires, with factors that are the same in all rows.
            pub fn is_linear(&self) -> bool {
                match self { $(Gadget::$name(g) => g.is_linear()),* }
            }

            /// `Σ first · step^i · c_i` over the constraints `c_i` of a linear gadget, as a sum of its routed wires: adds each
            /// wire's factor to that of `factors` in its place, and returns what is added to that sum. Of other gadgets nothing.
            #[cfg(feature = "prover")]
            pub fn combine(&self, first: F, step: F, factors: &mut [F]) -> F {
                match self { $(Gadget::$name(g) => g.combine(first, step, factors)),* }
            }

            /// Computes the other wires from `inputs` and `constants`: outputs, and the gadget's own, advice before
            /// digits. Each slice is as long as the shape says.
            pub fn assign(&self, constants: &[F], inputs: &[F], outputs: &mut [F], own: [&mut [F]; 2]) {
                let [advice, digits] = own;
                let digits = &mut DigitWires::new(digits);
                match self { $(Gadget::$name(g) => g.assign(constants, inputs, outputs, advice, digits)),* }
            }

            /// Whether its parts fit together, which those of a gadget read from a file may not. The other methods may
            /// panic on one that is not consistent.
            pub fn is_consistent(&self) -> bool {
                match self { $(Gadget::$name(g) => g.is_consistent()),* }
            }

            /// Inputs that an instance nobody uses may have.
            pub fn idle_inputs(&self) -> Vec<F> {
                match self { $(Gadget::$name(g) => g.idle_inputs()),* }
            }

            /// The gadget's name, as plans and reports print it.
            pub fn name(&self) -> &'static str {
                match self { $(Gadget::$name(_) => stringify!($name)),* }
            }
        }
    };
}

gadgets! {
    /// Known numbers.
    Constants,
    /// Range check and packing of inputs.
    PackInput,
    /// A convolution at one place, possibly with the pooling and relu after it.
    Conv,
    /// A tile of a matrix-vector product, weights as row constants.
    DenseTile,
    /// Maximum of a few values, possibly with zero.
    Max,
    /// Sign, magnitude and square of one element of a vector to be normalized.
    NormSquare,
    /// The sum of squares, normalized to limbs.
    NormTotal,
    /// One element of the normalized vector.
    NormRound,
    /// An integer at another scale: multiplied, shifted, rounded and clamped.
    Requantize,
    /// The position of the greatest of a few values.
    Argmax,
    /// The sum of a few values.
    Add,
    /// A filter of a convolution at several positions, weights as row constants.
    Filter,
    /// The product of two values.
    Product,
    /// A value that is lowered if it stands at a chosen place.
    Strike,
}
