//! The option `--input-range`.

use std::str::FromStr;

use zknn::front::is_input_range;

/// The option, for the commands that have it.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// The least and the greatest integer that the input may hold, both inclusive, for example -5..4.
    ///
    /// Goes before the model's own `input_range`; where neither is given, the range is -128..127.
    #[arg(long, value_name = "LO..HI", allow_hyphen_values = true)]
    input_range: Option<InputRange>,
}

/// Two integers, in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InputRange {
    lo: i64,
    hi: i64,
}

impl InputRange {
    /// The least and the greatest integer.
    pub(super) fn ends(self) -> (i64, i64) {
        (self.lo, self.hi)
    }
}

impl Args {
    /// The range that was given.
    pub(super) fn given(&self) -> Option<(i64, i64)> {
        self.input_range.map(InputRange::ends)
    }
}

impl FromStr for InputRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<InputRange, &'static str> {
        const FORM: &str = "a range is two integers and two dots between them, such as -5..4";
        let (lo, hi) = text.split_once("..").ok_or(FORM)?;
        let (Ok(lo), Ok(hi)) = (lo.parse(), hi.parse()) else {
            return Err(FORM);
        };
        if lo > hi {
            return Err("the first number must not be above the second");
        }
        if !is_input_range(lo, hi) {
            return Err("both numbers must lie within ±2^31");
        }
        Ok(InputRange { lo, hi })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let read = |text: &str| text.parse::<InputRange>().map(|range| (range.lo, range.hi));
        assert_eq!(read("-5..4"), Ok((-5, 4)));
        assert_eq!(read("7..7"), Ok((7, 7)));
        assert_eq!(read("-2147483648..2147483648"), Ok((-2147483648, 2147483648)));
        let wrong = [
            "",
            "..",
            "5",
            "1..",
            "..1",
            "1..=2",
            "1...2",
            "1.5..2",
            "a..b",
            "2..1",
            " 1..2",
            "0..2147483649",
            "-9223372036854775808..0",
            "0..99999999999999999999",
        ];
        for text in wrong {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
