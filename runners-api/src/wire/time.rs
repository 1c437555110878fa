//! Points in time on the wire: RFC 3339, UTC, to the millisecond.

use runners_core::Timestamp;
use serde::Serializer;

pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// A time that may be missing.
pub(crate) mod optional {
    use runners_core::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let at = text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
        let problem = "expected a time as of RFC 3339, since 1970, such as 2026-01-31T12:00:00Z";
        at.map(|at| Some(Timestamp::from_millis(at))).ok_or_else(|| D::Error::custom(problem))
    }

    pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }
}
