//! What a face of the orchestrator's wire says of itself: a document at `spec.json`, and a page made
//! from it that needs nothing from elsewhere.

use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::any,
};
use bytes::Bytes;
use http::{HeaderValue, header};
use runners_core::openapi::Documentation;
use serde_json::{Value, json};

/// The routes of the page and of what it is made from.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(document: &Value) -> Router<S> {
    let files = Documentation::new(text(document)).expect("invariant: it was just written");
    Documentation::PATHS.iter().fold(Router::new(), |router, path| {
        let file = files.file(path).expect("invariant: it has a file at each of its paths");
        router.route(path, any(async move || answer(file.media_type, file.bytes)))
    })
}

/// The document alone.
pub(crate) fn specification(document: &Value) -> Response {
    answer("application/json", text(document).into())
}

fn text(document: &Value) -> String {
    format!("{document:#}\n")
}

fn answer(media_type: &'static str, bytes: Bytes) -> Response {
    let fixed = HeaderValue::from_static;
    let headers = [
        (header::CONTENT_TYPE, fixed(media_type)),
        (header::CONTENT_SECURITY_POLICY, fixed(Documentation::POLICY)),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (header::CACHE_CONTROL, fixed("no-cache")),
    ];
    (headers, bytes).into_response()
}

/// A document with what all of them have.
pub(crate) fn document(title: &str, description: &str, paths: &Value, schemas: &Value) -> Value {
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": title, "description": description, "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "." }],
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// A body of JSON that a schema describes.
pub(crate) fn json_content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The schema of every error.
pub(crate) fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "Why a request was not carried out; a problem (RFC 9457) at the same time.",
        "required": ["defined", "code", "status", "message", "type", "title", "detail"],
        "properties": {
            "defined": { "type": "boolean", "description": "Whether the call names this code." },
            "code": { "type": "string", "description": "For machines. Stable." },
            "status": { "type": "integer", "description": "The code of the answer." },
            "message": { "type": "string", "description": "What is wrong, and what to do." },
            "data": { "description": "What else is known of it, such as `issues` with their paths." },
            "type": { "type": "string" },
            "title": { "type": "string" },
            "detail": { "type": "string" },
        },
    })
}

/// The answers that tell of errors, by their codes.
pub(crate) fn error_responses(codes: &[(u16, &str)]) -> serde_json::Map<String, Value> {
    let response = |(code, about): &(u16, &str)| {
        let content = json_content(&json!({ "$ref": "#/components/schemas/Error" }));
        (code.to_string(), json!({ "description": about, "content": content }))
    };
    codes.iter().map(response).collect()
}
