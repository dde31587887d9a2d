//! Two outputs beside each other, sample by sample.

use ndarray::ArrayViewD;

/// How far the outputs of integers are from those of real numbers, over all samples so far.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// How many samples get the same class.
    pub(crate) same_class: usize,
    greatest_difference: f64,
    /// Of all differences.
    squares: f64,
    numbers: usize,
    /// The least and the greatest number of each output, in floating point.
    extents: Vec<(f64, f64)>,
}

impl Comparison {
    pub(crate) fn add(&mut self, reals: ArrayViewD<f64>, rounded: ArrayViewD<f64>) {
        self.extents.resize(reals.len(), (f64::INFINITY, f64::NEG_INFINITY));
        for ((&real, &rounded), (lo, hi)) in reals.iter().zip(&rounded).zip(&mut self.extents) {
            let difference = (real - rounded).abs();
            // Infinite numbers of a network that overflows are as far off as can be.
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            self.greatest_difference = self.greatest_difference.max(difference);
            self.squares += difference * difference;
            self.numbers += 1;
            (*lo, *hi) = (lo.min(real), hi.max(real));
        }
        self.same_class += usize::from(class(reals) == class(rounded));
    }

    /// The greatest difference, relative to the spread.
    pub(crate) fn greatest(&self) -> f64 {
        self.relative(self.greatest_difference)
    }

    /// The root of the mean square of the differences, relative to the spread.
    pub(crate) fn error(&self) -> f64 {
        self.relative((self.squares / self.numbers.max(1) as f64).sqrt())
    }

    /// A difference relative to the greatest extent of an output. Where all inputs have the same outputs, these are compared with
    /// each other; and where there is only one, with zero.
    fn relative(&self, difference: f64) -> f64 {
        let of_one = self.extents.iter().map(|(lo, hi)| hi - lo).fold(0.0, f64::max);
        let lo = self.extents.iter().map(|extent| extent.0).fold(f64::INFINITY, f64::min);
        let hi = self.extents.iter().map(|extent| extent.1).fold(f64::NEG_INFINITY, f64::max);
        let spread = [of_one, hi - lo, hi.abs()].into_iter().find(|&spread| spread > 0.0);
        match spread {
            // Even where nothing has any spread, or that is infinite too.
            _ if [0.0, f64::INFINITY].contains(&difference) => difference,
            Some(spread) => difference / spread,
            None => f64::INFINITY,
        }
    }
}

/// The index of the greatest number, the lowest of several.
pub(crate) fn class(scores: ArrayViewD<f64>) -> usize {
    let mut greatest = (0, f64::NEG_INFINITY);
    for (index, &score) in scores.iter().enumerate() {
        if score > greatest.1 {
            greatest = (index, score);
        }
    }
    greatest.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::IxDyn;

    fn compared(samples: &[(&[f64], &[f64])]) -> Comparison {
        let mut comparison = Comparison::default();
        for (reals, rounded) in samples {
            let view = |numbers| ArrayViewD::from_shape(IxDyn(&[reals.len()]), numbers).unwrap();
            comparison.add(view(reals), view(rounded));
        }
        comparison
    }

    #[test]
    fn errors_are_relative_to_what_inputs_change() {
        // Far apart from each other, and hardly any different from input to input.
        let comparison = compared(&[(&[100.0, 0.0], &[100.0, 1.0]), (&[102.0, 0.0], &[102.0, 0.0])]);
        assert_eq!((comparison.same_class, comparison.greatest()), (2, 0.5));
        let alike = [([3.0, 7.0], [7.0, 3.0]); 2];
        let comparison = compared(&alike.each_ref().map(|(reals, rounded)| (&reals[..], &rounded[..])));
        assert_eq!((comparison.same_class, comparison.greatest()), (0, 1.0));
        assert_eq!(compared(&[(&[-4.0], &[-3.0])]).error(), 0.25);
    }

    #[test]
    fn nothing_is_far_from_itself_and_infinitely_far_from_zero() {
        assert_eq!(compared(&[(&[0.0], &[0.0])]).error(), 0.0);
        assert_eq!(compared(&[(&[0.0], &[0.5])]).error(), f64::INFINITY);
        assert_eq!(compared(&[(&[f64::INFINITY, 0.0], &[f64::INFINITY, 0.0])]).error(), f64::INFINITY);
    }
}
