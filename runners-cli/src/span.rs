//! Spans of time as people write them: a number and a unit, such as `90s` or `30d`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr, time::Duration};

/// The units, the longest first, with their milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 24 * 3600 * 1000), ("h", 3600 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// The longest span that anything may be given: a hundred years.
const SPAN_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || format!("{text:?} is not a time: write a number and ms, s, m, h or d, such as 90s");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let number: u64 = text[..digits].parse().map_err(|_| malformed())?;
        let unit = UNITS.iter().find(|(name, _)| *name == &text[digits..]);
        let (_, millis) = unit.ok_or_else(malformed)?;
        let span = number.checked_mul(*millis).map(Duration::from_millis);
        match span.filter(|span| !span.is_zero() && *span <= SPAN_MAX) {
            Some(span) => Ok(Self(span)),
            None => Err(format!("{text:?} is not between 1ms and 36500d, which is the limit")),
        }
    }
}

impl fmt::Display for Span {
    /// In the longest unit that leaves no rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, length) = UNITS.iter().find(|(_, length)| millis % length == 0).unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", millis / length)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_as_it_is_read() {
        for text in ["90s", "500ms", "3h", "30d", "1m", "36500d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("120s".parse::<Span>().unwrap().to_string(), "2m");
        for bad in ["", "90", "s", "-1s", "1.5s", "0s", "36501d", "99999999999999999999h", "1w"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
