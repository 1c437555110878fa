//! Sizes as people write them: bytes, or a number and a unit, such as `512m`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// The units, the largest first, with how far they shift.
const UNITS: [(char, u32); 4] = [('t', 40), ('g', 30), ('m', 20), ('k', 10)];

/// Reads a size, such as `512m`, as bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: write bytes, or a number with k, m, g or t, such as 512m");
    let lower = text.to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(unit, shift)| Some((lower.strip_suffix(*unit)?, *shift)));
    let (digits, shift) = unit.unwrap_or((&*lower, 0));
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// About how much it is: `1.2g`.
pub(crate) fn rough(bytes: u64) -> String {
    match UNITS.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) if bytes.is_multiple_of(1 << shift) => format!("{}{unit}", bytes >> shift),
        Some((unit, shift)) => {
            let tenths = (bytes >> (shift - 10)).saturating_mul(10) >> 10;
            format!("{}.{}{unit}", tenths / 10, tenths % 10)
        }
        None => bytes.to_string(),
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bytes(text).map(Self)
    }
}

impl fmt::Display for Size {
    /// In the largest unit that leaves no rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, shift)| self.0.is_multiple_of(1 << shift)) {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_and_written_in_the_largest_unit_that_leaves_no_rest() {
        for (text, size, again) in [
            ("10", 10, "10"),
            ("2k", 2048, "2k"),
            ("1024k", 1 << 20, "1m"),
            ("50G", 50 << 30, "50g"),
            ("3t", 3 << 40, "3t"),
        ] {
            assert_eq!(text.parse(), Ok(Size(size)));
            assert_eq!(Size(size).to_string(), again);
        }
        for (bytes, text) in
            [(0, "0"), (900, "900"), (1500, "1.4k"), (50 << 30, "50g"), (u64::MAX, "16777215.9t")]
        {
            assert_eq!(rough(bytes), text);
        }
        for bad in ["", "m", "-1", "0", "1.5g", "99999999999999t"] {
            assert!(bad.parse::<Size>().unwrap_err().contains("is no size"), "{bad:?}");
        }
    }
}
