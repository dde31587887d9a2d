//! Selecting one element of a vector.

/// The position of the greatest element, the lowest of several; numbers that are not comparable are passed over.
pub(super) fn argmax<T: Copy + PartialOrd>(x: &[T]) -> usize {
    let mut greatest = 0;
    for (at, &value) in x.iter().enumerate() {
        if value > x[greatest] {
            greatest = at;
        }
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index() {
        assert_eq!(argmax(&[-3, -1, -1, -2]), 1);
        assert_eq!(argmax(&[0.0, -0.0]), 0);
        assert_eq!(argmax(&[7]), 0);
    }
}
