//! What the texts of values look like in JSON, for descriptions of what they travel in.
//!
//! The shape of messages follows from the messages themselves; here is what their types do not say.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// What a signature is, for who has no [`SigningKey`](crate::values::signature::SigningKey) at hand.
pub(crate) const SIGNATURE: &str = "The submitter's Ed25519 signature (RFC 8032), in base64: of the pre-authentication encoding of DSSE \
     (`DSSEv1`) with the payload type `runners/job/v1`, over the exact bytes of the specification.";

/// The schema of a text of one form.
pub(crate) fn text(pattern: &str, example: &str, description: &str) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": pattern,
        "examples": [example],
        "description": description.trim(),
    })
}

/// A point in time where it is written as text.
pub(crate) enum Time {}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "examples": ["2026-01-31T12:00:00.000Z"],
            "description": "A time, UTC, as of RFC 3339.",
        })
    }
}
