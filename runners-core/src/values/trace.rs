//! The trace that a job belongs to, as W3C trace context writes it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Which trace something belongs to, and the span it follows from: the `traceparent` of W3C trace
/// context, version 00.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// A text that is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not 00-, 32 and 16 lowercase hex digits that are not all zeros, and 2 more, joined by dashes")]
#[non_exhaustive]
pub struct TraceParentError;

impl TraceParent {
    /// The trace, the span in it, and the flags, of which the lowest bit says that it is sampled.
    /// `None` if either id is all zeros.
    #[must_use]
    pub fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, flags })
    }

    /// The id of the trace.
    #[must_use]
    pub const fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The id of the span that what comes follows from.
    #[must_use]
    pub const fn span(&self) -> [u8; 8] {
        self.span
    }

    /// The flags.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.flags
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", hex::encode(self.trace), hex::encode(self.span), self.flags)
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        fn digits<const N: usize>(part: Option<&str>) -> Result<[u8; N], TraceParentError> {
            let part = part.filter(|part| !part.contains(|c: char| c.is_ascii_uppercase()));
            let mut bytes = [0; N];
            hex::decode_to_slice(part.ok_or(TraceParentError)?, &mut bytes).map_err(|_| TraceParentError)?;
            Ok(bytes)
        }
        let mut parts = text.split('-');
        let version = digits::<1>(parts.next())?;
        let (trace, span, [flags]) = (digits(parts.next())?, digits(parts.next())?, digits(parts.next())?);
        let whole = version == [0] && parts.next().is_none();
        Self::new(trace, span, flags).filter(|_| whole).ok_or(TraceParentError)
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn it_is_read_as_it_is_written() {
        let parent: TraceParent = TEXT.parse().unwrap();
        assert_eq!((parent.to_string().as_str(), parent.flags()), (TEXT, 1));
        assert_eq!(TraceParent::new(parent.trace(), parent.span(), 1), Some(parent));
    }

    #[test]
    fn what_is_not_one_is_refused() {
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-02",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(TraceParentError), "{bad}");
        }
    }
}
