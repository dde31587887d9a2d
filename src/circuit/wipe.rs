//! Overwriting what is secret before its memory is given back.

use crate::gadget::field::F;
use rayon::prelude::*;
use zeroize::Zeroize;

/// Elements that one task overwrites.
const RUN: usize = 1 << 16;

/// Makes all elements zero, in a way that the compiler does not leave out although nobody reads them any more.
pub fn wipe(elements: &mut [F]) {
    elements.par_chunks_mut(RUN).for_each(|run| run.iter_mut().for_each(|element| element.0.zeroize()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonky2::field::types::{Field, Sample};

    #[test]
    fn nothing_is_left() {
        let mut elements = F::rand_vec(3 * RUN + 7);
        wipe(&mut elements);
        assert!(elements.iter().all(|&element| element == F::ZERO));
    }
}
