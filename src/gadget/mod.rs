//! Gadgets: the small statements that rows are made of, and the language their constraints are written in.
//!
//! A gadget has input and output wires, which are routed (other rows can be tied to them), advice wires, which are
//! not, and possibly row constants. Its contract: given its inputs and constants, exactly one assignment of outputs
//! and advice satisfies its constraints. [`Gadget::assign`] computes that one.

mod argmax;
pub mod arith;
mod constants;
mod conv;
mod dense;
mod digits;
pub mod field;
mod input;
mod matrix;
mod max;
mod normalize;
mod requantize;

pub use argmax::Argmax;
pub use constants::Constants;
pub use conv::Conv;
pub use dense::DenseTile;
pub use digits::Digits;
pub use input::PackInput;
pub use max::Max;
pub use normalize::{FRACTION_BITS, MAX_ELEMENTS, NormRound, NormSquare, NormTotal};
pub use requantize::Requantize;

use arith::Arith;
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
    /// Wires of the gadget's own.
    pub advice: usize,
    /// Row constants.
    pub constants: usize,
    /// Constraints.
    pub constraints: usize,
    /// The highest degree among the constraints.
    pub degree: usize,
}

impl Shape {
    /// Inputs and outputs.
    pub fn routed(&self) -> usize {
        self.inputs + self.outputs
    }

    /// All wires.
    pub fn wires(&self) -> usize {
        self.routed() + self.advice
    }
}

/// Where in a row a gadget lies: the first column of its routed wires, of its advice, and its first constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// First routed column.
    pub routed: usize,
    /// First advice column.
    pub advice: usize,
    /// First row constant.
    pub constant: usize,
}

/// The wires and constants of one gadget, seen through an [`Arith`].
pub struct Cells<'a, A: Arith> {
    /// The arithmetic that constraints are stated in.
    pub arith: &'a mut A,
    place: Place,
    inputs: usize,
}

impl<'a, A: Arith> Cells<'a, A> {
    /// The cells of a gadget of `shape` at `place`.
    pub fn new(arith: &'a mut A, place: Place, shape: Shape) -> Self {
        Self { arith, place, inputs: shape.inputs }
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
    /// Inputs that an instance nobody uses may have; all zero unless the gadget forbids it.
    fn idle_inputs(&self) -> Vec<F> {
        vec![F::ZERO; self.shape().inputs]
    }
    /// Computes outputs and advice from inputs and constants. Out-of-range inputs give an assignment that violates a
    /// constraint; nothing panics.
    fn assign(&self, constants: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F]);
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

            /// States its constraints over `arith`, its cells lying at `place`.
            pub fn constrain<A: Arith>(&self, arith: &mut A, place: Place) {
                let mut cells = Cells::new(arith, place, self.shape());
                match self { $(Gadget::$name(g) => g.constrain(&mut cells)),* }
            }

            /// Computes outputs and advice from `inputs` and `constants`, each slice as long as the shape says.
            pub fn assign(&self, constants: &[F], inputs: &[F], outputs: &mut [F], advice: &mut [F]) {
                match self { $(Gadget::$name(g) => g.assign(constants, inputs, outputs, advice)),* }
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
}
