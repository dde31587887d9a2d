//! Parts of a hundred, as options.

use std::fmt;
use std::str::FromStr;

/// From 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percent(pub(super) f64);

impl FromStr for Percent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let number = text.strip_suffix('%').unwrap_or(text).parse();
        match number {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent)),
            _ => Err("give percentage points from 0 to 100, such as 0.5%"),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read() {
        assert_eq!("0.5%".parse(), Ok(Percent(0.5)));
        assert_eq!("2".parse(), Ok(Percent(2.0)));
        for wrong in ["", "%", "-1%", "101", "NaN", "0.5 %%"] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
    }
}
