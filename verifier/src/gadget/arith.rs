//! The language that constraints are written in.
//!
//! A gadget states its constraints once, over an [`Arith`]. plonky2 wants every gate three times: over the
//! extension field (the verifier), over batches of base field points (the prover's quotient) and as a circuit
//! (recursion). Each is a back end here, so the three can't drift apart; plonky2's own gate tests compare them.

#[cfg(feature = "prover")]
mod batch;
mod extension;
mod recursive;

#[cfg(feature = "prover")]
pub use batch::{Batch, Column, Points, Sink};
pub use extension::Extension;
pub use recursive::Recursive;

use super::field::{F, from_signed};
use super::kernel::Kernel;
use plonky2::field::types::Field;

/// The number of points evaluated together in the base field: enough that the products of one do not wait for each other.
/// plonky2's prover, which the tests hold ours against, has batches this large.
pub const BATCH: usize = 64;

/// Where constraints are evaluated: a source of wires and constants, arithmetic, and a sink.
pub trait Arith {
    /// A value: the evaluation of some polynomial in the wires and constants of a row.
    type V: Copy;

    /// The wire in column `index` of the row.
    fn wire(&mut self, index: usize) -> Self::V;
    /// The `index`-th constant of the row, selectors not counted.
    fn row_constant(&mut self, index: usize) -> Self::V;
    /// A fixed field element.
    fn fixed(&mut self, value: F) -> Self::V;
    /// `a + b`.
    fn add(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`.
    fn mul(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// States the constraint `value = 0`.
    fn assert_zero(&mut self, value: Self::V);

    /// `Σ weights[i] · values[i]`
    fn dot(&mut self, weights: &[i64], values: &[Self::V]) -> Self::V {
        let mut sum = self.fixed(F::ZERO);
        for (&weight, &value) in weights.iter().zip(values).filter(|(weight, _)| **weight != 0) {
            let product = self.scale(value, from_signed(weight));
            sum = self.add(sum, product);
        }
        sum
    }

    /// What `kernel` gives of a patch: see [`Kernel::convolve`].
    fn convolve(&mut self, kernel: &Kernel, patch: &[Self::V]) -> Vec<Self::V> {
        kernel.convolve(patch, |weights, values| self.dot(weights, values))
    }

    /// `a · c` for a fixed `c`.
    fn scale(&mut self, a: Self::V, c: F) -> Self::V {
        let c = self.fixed(c);
        self.mul(a, c)
    }

    /// `a + c` for a fixed `c`.
    fn offset(&mut self, a: Self::V, c: F) -> Self::V {
        if c.is_zero() {
            return a;
        }
        let c = self.fixed(c);
        self.add(a, c)
    }

    /// `a - b · c` for a fixed `c`.
    fn sub_scaled(&mut self, a: Self::V, b: Self::V, c: F) -> Self::V {
        let scaled = self.scale(b, c);
        self.sub(a, scaled)
    }

    /// States the constraint `a = b`.
    fn assert_equal(&mut self, a: Self::V, b: Self::V) {
        let difference = self.sub(a, b);
        self.assert_zero(difference);
    }

    /// States that `value` is one of `0, 1, …, radix - 1`: a constraint of degree `radix` in `value`.
    fn assert_digit(&mut self, value: Self::V, radix: u8) {
        if radix == 8 {
            return self.assert_octal(value);
        }
        self.assert_small(value, radix);
    }

    /// States that `value` is one of `0, 1, …, 7`, in four products: with `u = v (v - 7)` it is `u (u + 6) (u + 10) (u + 12)`.
    fn assert_octal(&mut self, value: Self::V) {
        self.assert_small(value, 8);
    }

    /// As [`Arith::assert_digit`]. The factors are paired as `u = v (v - (radix - 1))`.
    fn assert_small(&mut self, value: Self::V, radix: u8) {
        let top = u64::from(radix) - 1;
        let mirrored = self.offset(value, -F::from_canonical_u64(top));
        let paired = self.mul(value, mirrored);
        let mut product = if radix == 1 { value } else { paired };
        for k in 1..u64::from(radix) / 2 {
            let factor = self.offset(paired, F::from_canonical_u64(k * (top - k)));
            product = self.mul(product, factor);
        }
        if radix % 2 == 1 && radix > 1 {
            let middle = self.offset(value, -F::from_canonical_u64(top / 2));
            product = self.mul(product, middle);
        }
        self.assert_zero(product);
    }
}
