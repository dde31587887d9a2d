//! The serde form of weights: integers of as few bytes as the largest needs, the same number for each, in one piece. A network
//! has millions of them, and they are read and digested as fast as they are copied.

use ndarray::{ArcArray, Array, Ix4};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// Integers of `width` bytes each, in two's complement, the lowest byte first, of a tensor with these extents.
#[derive(Serialize, Deserialize)]
struct Form<'a> {
    extents: [usize; 4],
    width: u8,
    #[serde(borrow, with = "serde_bytes")]
    bytes: Cow<'a, [u8]>,
}

pub fn serialize<S: Serializer>(weights: &ArcArray<i64, Ix4>, serializer: S) -> Result<S::Ok, S::Error> {
    let in_rows = weights.as_standard_layout();
    let integers = in_rows.as_slice().unwrap_or_default();
    // How far the numbers reach from zero or from minus one: each has this and a sign.
    let reach = integers.iter().fold(0, |reach, &n| reach | (n ^ (n >> 63)).cast_unsigned());
    let width = (u64::BITS - reach.leading_zeros()) as usize / 8 + 1;
    let bytes = match width {
        1 => integers.iter().map(|&n| n as u8).collect(),
        2 => integers.iter().flat_map(|&n| (n as i16).to_le_bytes()).collect(),
        _ => integers.iter().flat_map(|n| n.to_le_bytes().into_iter().take(width)).collect(),
    };
    let (outputs, height, breadth, inputs) = weights.dim();
    // At most eight.
    let form = Form { extents: [outputs, height, breadth, inputs], width: width as u8, bytes: Cow::Owned(bytes) };
    form.serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ArcArray<i64, Ix4>, D::Error> {
    let Form { extents, width, bytes } = Form::deserialize(deserializer)?;
    let width = usize::from(width);
    if !(1..=8).contains(&width) || !bytes.len().is_multiple_of(width) {
        return Err(D::Error::custom(format!("{} bytes are no integers of {width} bytes", bytes.len())));
    }
    let integers = match width {
        1 => bytes.iter().map(|&byte| i64::from(byte.cast_signed())).collect(),
        2 => bytes.as_chunks().0.iter().map(|&pair| i64::from(i16::from_le_bytes(pair))).collect(),
        _ => bytes.chunks_exact(width).map(integer).collect(),
    };
    Array::from_shape_vec(extents, integers).map(Array::into_shared).map_err(D::Error::custom)
}

fn integer(bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_le_bytes(word) >> (64 - 8 * bytes.len())
}

#[cfg(test)]
mod tests {
    use crate::gadget::Kernel;
    use ndarray::{Array4, s};

    #[test]
    fn weights_of_any_width_are_read_as_they_were_written() {
        let config = bincode::config::standard();
        for (reach, width) in [(0i64, 1), (127, 1), (128, 2), (32_767, 2), (32_768, 3), (1 << 40, 6), (i64::MAX, 8)] {
            for least in [-reach, -reach - 1] {
                let weights =
                    Array4::from_shape_fn((2, 1, 2, 3), |(o, _, x, c)| if o + x + c == 0 { reach } else { least });
                // Those of a part lie apart.
                for weights in [weights.clone().into_shared(), weights.into_shared().slice_move(s![.., .., .., 1..])] {
                    let bytes = bincode::serde::encode_to_vec(Kernel::new(weights.clone()), config).expect("a form");
                    let (read, used) =
                        bincode::serde::borrow_decode_from_slice::<Kernel, _>(&bytes, config).expect("as written");
                    assert_eq!((read.weights, used), (weights.clone(), bytes.len()));
                    assert!(bytes.len() <= 20 + width * weights.len());
                }
            }
        }
    }

    #[test]
    fn a_form_that_does_not_fit_is_refused() {
        let config = bincode::config::standard();
        let honest =
            bincode::serde::encode_to_vec(Kernel::new(Array4::from_elem((1, 1, 1, 2), 300)), config).expect("a form");
        // Extents, the width, the number of bytes.
        for (at, value) in [(0, 2), (3, 1), (4, 0), (4, 3), (4, 9), (5, 3)] {
            let mut bytes = honest.clone();
            bytes[at] = value;
            assert!(bincode::serde::borrow_decode_from_slice::<Kernel, _>(&bytes, config).is_err(), "{at} {value}");
        }
    }
}
