//! Bodies of the orchestrator's wire: JSON, plain or in an envelope, and forms that say the same.

use super::{error::Refusal, form};
use crate::wire::body;
use axum::body::Body;
use http::{HeaderMap, header};
use runners_core::Clock;
use serde_json::Value;

/// A body, and whether it came in an envelope: then its answer does, too.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) content: Value,
    pub(crate) wrapped: bool,
}

/// Reads a body of at most `bytes_max` bytes. What is neither JSON nor a form is read as nothing, which
/// then does not fit.
pub(crate) async fn read(
    content: Body,
    headers: &HeaderMap,
    bytes_max: usize,
    clock: &dyn Clock,
) -> Result<Envelope, Refusal> {
    let bytes = body::whole(content, headers, bytes_max, clock).await?;
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => {
            let content = serde_json::from_slice(&bytes)
                .map_err(|error| Refusal::malformed(format!("The body is no JSON: {error}")))?;
            Ok(opened(content))
        }
        "application/x-www-form-urlencoded" => {
            let content = form::read(&bytes).map_err(Refusal::malformed)?;
            Ok(Envelope { content, wrapped: false })
        }
        _ => {
            let detail = "send `Content-Type: application/json`";
            Err(Refusal::malformed(format!("The body must be JSON: {detail}")))
        }
    }
}

/// Takes the envelope away: an object with `json` alone, or with nothing to say about it in `meta`.
fn opened(content: Value) -> Envelope {
    match content {
        Value::Object(mut members) if is_envelope(&members) => {
            Envelope { content: members.remove("json").unwrap_or_default(), wrapped: true }
        }
        content => Envelope { content, wrapped: false },
    }
}

fn is_envelope(members: &serde_json::Map<String, Value>) -> bool {
    let is_empty = |meta: &Value| meta.as_array().is_some_and(Vec::is_empty);
    match members.len() {
        1 => members.contains_key("json"),
        2 => members.contains_key("json") && members.get("meta").is_some_and(is_empty),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_envelope_holds_json_alone_or_with_an_empty_meta() {
        for (content, wrapped) in [
            (json!({ "json": { "a": 1 } }), true),
            (json!({ "json": { "a": 1 }, "meta": [] }), true),
            (json!({ "json": { "a": 1 }, "meta": [[1, "a"]] }), false),
            (json!({ "json": { "a": 1 }, "runners": [] }), false),
            (json!({ "a": 1 }), false),
            (json!([]), false),
        ] {
            let envelope = opened(content.clone());
            assert_eq!(envelope.wrapped, wrapped, "{content}");
            assert_eq!(envelope.content, if wrapped { json!({ "a": 1 }) } else { content });
        }
    }
}
