//! Points in time on the wire: RFC 3339, UTC, to the millisecond.

use runners_core::Timestamp;
use serde::Serializer;

pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// A time that may be missing.
pub(crate) mod optional {
    use runners_core::Timestamp;
    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }
}
