//! The kinds of attributes that operations have.

use std::convert::Infallible;

use crate::{Number, Weights};

/// What is done with the attributes of an operation: written, read, encoded. There is one method for each kind; `name` is
/// what the text form calls the attribute.
pub(crate) trait Visitor {
    /// Why the visit ends early.
    type Error;

    /// What an input declares. In text it is the fact at the end of the line, which every node has.
    fn fact(&mut self, shape: &mut Vec<usize>, number: &mut Number) -> Result<(), Self::Error>;

    /// A constant tensor.
    fn weights(&mut self, name: &'static str, weights: &mut Weights) -> Result<(), Self::Error>;

    /// A constant tensor that may be absent.
    fn optional_weights(&mut self, name: &'static str, weights: &mut Option<Weights>) -> Result<(), Self::Error>;

    /// A number of bits.
    fn bits(&mut self, name: &'static str, bits: &mut u32) -> Result<(), Self::Error>;

    /// What is so or is not; in text its name stands there or does not.
    fn flag(&mut self, name: &'static str, flag: &mut bool) -> Result<(), Self::Error>;

    /// A height and a width.
    fn height_and_width(&mut self, name: &'static str, sides: &mut [usize; 2]) -> Result<(), Self::Error>;

    /// A height and a width, which are left out in text where they are the `usual` ones.
    fn sides_unless(
        &mut self,
        name: &'static str,
        sides: &mut [usize; 2],
        usual: [usize; 2],
    ) -> Result<(), Self::Error>;

    /// A number of something, which is left out in text where it is 1.
    fn count_unless_one(&mut self, name: &'static str, count: &mut usize) -> Result<(), Self::Error>;

    /// A length for each axis.
    fn lengths(&mut self, name: &'static str, lengths: &mut Vec<usize>) -> Result<(), Self::Error>;

    /// A length for each axis, which are left out in text where all are zero; there are `axes` of them then.
    fn lengths_unless_zero(
        &mut self,
        name: &'static str,
        lengths: &mut Vec<usize>,
        axes: usize,
    ) -> Result<(), Self::Error>;

    /// Which axis.
    fn axis(&mut self, axis: &mut usize) -> Result<(), Self::Error>;

    /// A list of indices.
    fn indices(&mut self, name: &'static str, indices: &mut Vec<usize>) -> Result<(), Self::Error>;

    /// A list of integers.
    fn integers(&mut self, name: &'static str, integers: &mut Vec<i64>) -> Result<(), Self::Error>;

    /// The least and the greatest integer.
    fn interval(&mut self, name: &'static str, lo: &mut i64, hi: &mut i64) -> Result<(), Self::Error>;

    /// The scale of the result.
    fn scale(&mut self, scale: &mut f64) -> Result<(), Self::Error>;
}

/// Lays constant tensors out row by row.
pub(crate) struct StandardLayout;

impl Visitor for StandardLayout {
    type Error = Infallible;

    fn fact(&mut self, _: &mut Vec<usize>, _: &mut Number) -> Result<(), Infallible> {
        Ok(())
    }

    fn weights(&mut self, _: &'static str, weights: &mut Weights) -> Result<(), Infallible> {
        weights.lay_out_by_rows();
        Ok(())
    }

    fn optional_weights(&mut self, _: &'static str, weights: &mut Option<Weights>) -> Result<(), Infallible> {
        weights.iter_mut().for_each(Weights::lay_out_by_rows);
        Ok(())
    }

    fn bits(&mut self, _: &'static str, _: &mut u32) -> Result<(), Infallible> {
        Ok(())
    }

    fn flag(&mut self, _: &'static str, _: &mut bool) -> Result<(), Infallible> {
        Ok(())
    }

    fn height_and_width(&mut self, _: &'static str, _: &mut [usize; 2]) -> Result<(), Infallible> {
        Ok(())
    }

    fn sides_unless(&mut self, _: &'static str, _: &mut [usize; 2], _: [usize; 2]) -> Result<(), Infallible> {
        Ok(())
    }

    fn count_unless_one(&mut self, _: &'static str, _: &mut usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn lengths(&mut self, _: &'static str, _: &mut Vec<usize>) -> Result<(), Infallible> {
        Ok(())
    }

    fn lengths_unless_zero(&mut self, _: &'static str, _: &mut Vec<usize>, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn axis(&mut self, _: &mut usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn indices(&mut self, _: &'static str, _: &mut Vec<usize>) -> Result<(), Infallible> {
        Ok(())
    }

    fn integers(&mut self, _: &'static str, _: &mut Vec<i64>) -> Result<(), Infallible> {
        Ok(())
    }

    fn interval(&mut self, _: &'static str, _: &mut i64, _: &mut i64) -> Result<(), Infallible> {
        Ok(())
    }

    fn scale(&mut self, _: &mut f64) -> Result<(), Infallible> {
        Ok(())
    }
}
