//! Server-sent events: an answer that goes on, and can be resumed where it was cut.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::convert::Infallible;

/// Names the last event that a client has, when it comes again.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The media type of events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// What keeps a connection that is silent from being cut by what stands between.
pub(crate) const ALIVE: &str = ": alive\n\n";

/// One event: its place, its name, and JSON of one line.
pub(crate) fn event(id: &str, name: &str, data: &impl serde::Serialize) -> String {
    let data = serde_json::to_string(data).expect("invariant: events are plain data");
    format!("id: {id}\nevent: {name}\ndata: {data}\n\n")
}

/// Answers with events as they come.
pub(crate) fn answer(events: impl Stream<Item = String> + Send + 'static) -> Response {
    let bytes = events.map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
        // A proxy that collects answers would hold events back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}

/// The place that a client has come to, if it comes again.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok().filter(|id| !id.is_empty())
}
