//! The benchmark model: one matrix-vector product with random coefficients.
//!
//! It is a graph like any other, of an input and a dense layer, so that what it costs is what every model costs.
//! [`NaiveMatVec`] proves the same product the plain way, for comparison.

use crate::circuit::NaiveMatVec;
use crate::plan::Cost;
use miette::Diagnostic;
use ndarray::{ArcArray2, Array1, ArrayD};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use zknn_ir::{Graph, InferError, MAX_MAGNITUDE, Number, Op, Weights, op};

/// The most weights that a matrix may have: as many as the IR lets a tensor have elements.
pub const MAX_WEIGHTS: usize = zknn_ir::MAX_ELEMENTS;

/// The most bits that a coefficient may have.
pub const MAX_COEFFICIENT_BITS: u32 = 32;

/// How large a product is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Elements of the vector.
    pub inputs: usize,
    /// Elements of the product.
    pub outputs: usize,
    /// Bits of each coefficient, of the matrix and of the vector: they lie in `0 .. 2^bits`.
    pub bits: u32,
}

/// What the product is proved with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The compiler: IR, plan and gates.
    Compiled,
    /// One multiplication gadget of the proof system for each weight.
    Naive,
}

/// A matrix and a vector.
#[derive(Clone, Debug)]
pub struct MatVec {
    size: Size,
    weights: ArcArray2<i64>,
    input: Array1<i64>,
}

impl Size {
    /// Whether the product can be worked on in `available` bytes of memory. Nothing large is allocated to find out.
    ///
    /// The estimate is a lower bound where the circuit depends on more than the size; [`fits`] is the closer look.
    ///
    /// # Errors
    /// The size is zero, out of bounds, or past the memory.
    pub fn check(self, method: Method, available: Option<u64>) -> Result<(), SizeError> {
        let Self { inputs, outputs, bits } = self;
        if inputs == 0 || outputs == 0 {
            return Err(SizeError::Empty { inputs, outputs });
        }
        if !(1..=MAX_COEFFICIENT_BITS).contains(&bits) {
            return Err(SizeError::Bits { bits });
        }
        let weights = inputs.checked_mul(outputs).filter(|&weights| weights <= MAX_WEIGHTS);
        let Some(weights) = weights else {
            return Err(SizeError::TooManyWeights { inputs, outputs });
        };
        let greatest = (1_u128 << bits) - 1;
        // At most 28 bits and twice 32.
        if inputs as u128 * greatest * greatest > MAX_MAGNITUDE as u128 {
            return Err(SizeError::Overflow { inputs, bits });
        }
        let needed = match method {
            Method::Compiled => weights as u64 * WEIGHT_BYTES,
            Method::Naive => NaiveMatVec::memory(inputs, outputs, bits),
        };
        fits(self, needed, available)
    }
}

/// The least that a weight takes: the integer itself, and its column's values, coefficients and codeword, the latter
/// once more in the leaves of the Merkle tree.
const WEIGHT_BYTES: u64 = 8 * (1 + 1 + 1 + 8 + 8);

/// Whether `needed` bytes of memory are among the `available` ones. Where those are not known, they suffice.
///
/// # Errors
/// They are not.
pub fn fits(size: Size, needed: u64, available: Option<u64>) -> Result<(), SizeError> {
    match available {
        Some(available) if needed > available => {
            Err(SizeError::Memory { inputs: size.inputs, outputs: size.outputs, needed, available })
        }
        _ => Ok(()),
    }
}

impl MatVec {
    /// The matrix and the vector that `seed` stands for.
    ///
    /// # Errors
    /// The size is zero or out of bounds.
    pub fn random(size: Size, seed: u64) -> Result<Self, SizeError> {
        size.check(Method::Compiled, None)?;
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let mut coefficient = || i64::from(random.next_u32() >> (u32::BITS - size.bits));
        let input = Array1::from_shape_simple_fn(size.inputs, &mut coefficient);
        let weights = ArcArray2::from_shape_simple_fn((size.outputs, size.inputs), coefficient);
        Ok(Self { size, weights, input })
    }

    /// How large it is.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The matrix.
    pub fn weights(&self) -> &ArcArray2<i64> {
        &self.weights
    }

    /// The vector.
    pub fn input(&self) -> &Array1<i64> {
        &self.input
    }

    /// The vector as a tensor to prove with.
    pub fn tensor(&self) -> ArrayD<f64> {
        // Coefficients have far fewer bits than a float's 53.
        self.input.mapv(|x| x as f64).into_dyn()
    }

    /// The product, as a plain program computes it.
    pub fn product(&self) -> Array1<i64> {
        self.weights.dot(&self.input)
    }

    /// The product as an integer program.
    ///
    /// # Errors
    /// The IR refuses it, which [`Size::check`] leaves no reason for.
    pub fn graph(&self) -> Result<Graph, SizeError> {
        let Size { inputs, bits, .. } = self.size;
        let number = Number::Fixed { scale: 1.0, lo: 0, hi: (1 << bits) - 1 };
        let weights = Weights::Fixed { data: self.weights.clone().into_dyn(), scale: 1.0 };
        let mut graph = Graph::new();
        let input = graph.add(Op::Input(op::Input { shape: vec![inputs], number, rounds: false }), &[], None)?;
        let product = graph.add(Op::Dense(op::Dense { weights, bias: None }), &[input], None)?;
        graph.set_output(product);
        Ok(graph)
    }
}

/// About how many bytes a process takes that compiles and proves a product of this size at this cost.
pub fn memory(size: Size, cost: &Cost) -> u64 {
    // Committing to columns holds them twice: once by column, and once by row as the leaves of the Merkle tree.
    let weights = size.inputs.saturating_mul(size.outputs) as u64;
    cost.memory.saturating_mul(2).saturating_add(weights.saturating_mul(size_of::<i64>() as u64))
}

/// Why a product is not worked on.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Diagnostic)]
pub enum SizeError {
    /// No elements.
    #[error("a product of {inputs} inputs and {outputs} outputs has nothing to prove")]
    #[diagnostic(code(zknn::matvec::empty), help("both sizes must be at least 1"))]
    Empty {
        /// Elements of the vector.
        inputs: usize,
        /// Elements of the product.
        outputs: usize,
    },
    /// Coefficients that are none, or too wide.
    #[error("coefficients can't have {bits} bits")]
    #[diagnostic(code(zknn::matvec::bits), help("they can have 1 to {MAX_COEFFICIENT_BITS}"))]
    Bits {
        /// What was asked for.
        bits: u32,
    },
    /// More weights than a tensor has.
    #[error("a matrix of {outputs} × {inputs} has more than {MAX_WEIGHTS} coefficients")]
    #[diagnostic(code(zknn::matvec::too_many_weights), help("choose smaller sizes"))]
    TooManyWeights {
        /// Columns.
        inputs: usize,
        /// Rows.
        outputs: usize,
    },
    /// Sums that leave the field's window.
    #[error("sums of {inputs} products of {bits}-bit coefficients can exceed 2^62, and so can't be proved exactly")]
    #[diagnostic(code(zknn::matvec::overflow), help("choose fewer inputs, or fewer `--coefficient-bits`"))]
    Overflow {
        /// Elements of the vector.
        inputs: usize,
        /// Bits of a coefficient.
        bits: u32,
    },
    /// More memory than there is.
    #[error(
        "a product of {inputs} inputs and {outputs} outputs takes about {:.1} GiB of memory, and {:.1} GiB are free",
        gibibytes(*needed),
        gibibytes(*available)
    )]
    #[diagnostic(code(zknn::matvec::memory), help("choose smaller sizes, or a machine with more memory"))]
    Memory {
        /// Elements of the vector.
        inputs: usize,
        /// Elements of the product.
        outputs: usize,
        /// The estimate, in bytes.
        needed: u64,
        /// What there is, in bytes.
        available: u64,
    },
    /// Said by the IR.
    #[error("the product is no valid graph: {0}")]
    #[diagnostic(code(zknn::matvec::graph), help("this is a bug in zknn: please report it with the sizes"))]
    Graph(#[from] InferError),
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zknn_ir::eval::eval_fixed;

    const SMALL: Size = Size { inputs: 20, outputs: 10, bits: 16 };

    #[test]
    fn the_graph_computes_the_product() {
        let product = MatVec::random(SMALL, 1).unwrap();
        let trace = eval_fixed(&product.graph().unwrap(), &product.input().clone().into_dyn()).unwrap();
        assert_eq!(trace.output(), &product.product().into_dyn());
    }

    #[test]
    fn a_seed_stands_for_the_same_numbers() {
        let draw = |seed| MatVec::random(SMALL, seed).unwrap();
        assert_eq!((draw(7).weights(), draw(7).input()), (draw(7).weights(), draw(7).input()));
        assert_ne!(draw(7).weights(), draw(8).weights());
        for bits in [1, 16, 28] {
            let product = MatVec::random(Size { bits, ..SMALL }, 0).unwrap();
            assert!(product.weights().iter().all(|&w| (0..1 << bits).contains(&w)));
            assert!(product.weights().iter().any(|&w| w >= 1 << (bits - 1)));
        }
    }

    #[test]
    fn sizes_are_checked_without_overflow() {
        let check = |inputs, outputs, bits, available| {
            let size = Size { inputs, outputs, bits };
            let results = [Method::Compiled, Method::Naive].map(|method| size.check(method, available));
            assert_eq!(results[0].is_ok(), results[1].is_ok(), "{size:?}");
            results
        };
        const GIBIBYTE: u64 = 1 << 30;
        assert_eq!(check(1000, 1000, 16, Some(16 * GIBIBYTE)), [Ok(()), Ok(())]);
        assert!(matches!(check(1000, 1000, 16, Some(1 << 20))[0], Err(SizeError::Memory { .. })));
        assert!(matches!(check(0, 1, 16, None)[0], Err(SizeError::Empty { .. })));
        assert!(matches!(check(1, 0, 16, None)[1], Err(SizeError::Empty { .. })));
        assert!(matches!(check(1, 1, 0, None)[0], Err(SizeError::Bits { .. })));
        assert!(matches!(check(1, 1, 33, None)[0], Err(SizeError::Bits { .. })));
        assert!(matches!(check(usize::MAX, usize::MAX, 16, None)[1], Err(SizeError::TooManyWeights { .. })));
        assert!(matches!(check(1 << 28, 2, 16, None)[0], Err(SizeError::TooManyWeights { .. })));
        assert!(matches!(check(1, 1, 32, None)[0], Err(SizeError::Overflow { .. })));
        assert!(matches!(check(1, 1, 31, None), [Ok(()), Ok(())]));
        assert!(matches!(check(MAX_WEIGHTS, 1, 16, Some(GIBIBYTE))[0], Err(SizeError::Memory { .. })));
    }
}
