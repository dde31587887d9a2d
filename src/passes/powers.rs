//! Logarithms that are exact, unlike those of the system's library, whose last bits differ from machine to machine.

/// The greatest `n` such that a positive number, which is not too small to have all its bits, is at least `2^n`.
pub(super) fn floor_log2(number: f64) -> i32 {
    (number.to_bits() >> MANTISSA_BITS) as i32 - (f64::MAX_EXP - 1)
}

/// The least `n` such that the number, a positive one, is at most `2^n`; zero for numbers of at most one.
pub(super) fn ceil_log2(number: f64) -> u32 {
    let mantissa = number.to_bits() & ((1 << MANTISSA_BITS) - 1);
    u32::try_from(floor_log2(number) + i32::from(mantissa > 0)).unwrap_or(0)
}

const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_exact_at_powers_of_two() {
        for n in 0..1023 {
            let power = 2f64.powi(n);
            assert_eq!([power.next_down(), power, power.next_up()].map(ceil_log2), [n, n, n + 1].map(|n| n as u32));
        }
        assert_eq!([0.3, f64::MIN_POSITIVE, 1e-320].map(ceil_log2), [0; 3]);
        assert_eq!(ceil_log2(f64::INFINITY), 1024);
    }
}
