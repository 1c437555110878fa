//! Bytes that are known by their digest: whole, in part, or not again to those who have them.

use super::{
    problem::{Code, Problem},
    range::{Wanted, wanted},
};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use runners_core::{ByteStream, Digest};
use std::ops::Range;

/// What is to be answered.
pub(crate) enum Plan {
    /// The bytes, or a part of them.
    Send(Option<Range<u64>>),
    /// Whoever asks has them.
    Known(Response),
}

/// What a request wants of bytes of this length.
pub(crate) fn plan(digest: Digest, length: u64, headers: &HeaderMap) -> Result<Plan, Problem> {
    let etag = etag(digest);
    let given = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if given(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag)) {
        return Ok(Plan::Known(described(StatusCode::NOT_MODIFIED, Body::empty(), etag)));
    }
    match wanted(given(header::RANGE), length) {
        Wanted::Whole => Ok(Plan::Send(None)),
        Wanted::Part(part) => Ok(Plan::Send(Some(part))),
        Wanted::Beyond => {
            let detail = format!("the artifact ends after {length} bytes: ask for less");
            let problem = Problem::new(Code::RangeNotSatisfiable, detail).limit(length);
            Err(problem.header(header::CONTENT_RANGE, value(format!("bytes */{length}"))))
        }
    }
}

/// The bytes, or that part of them.
pub(crate) fn answer(digest: Digest, length: u64, part: Option<&Range<u64>>, bytes: ByteStream) -> Response {
    let code = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = described(code, Body::from_stream(bytes), etag(digest));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // A browser never shows it: somebody else's page must not run in the origin of the host.
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    let sent = part.map_or(length, |part| part.end - part.start);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
    if let Some(part) = part {
        headers
            .insert(header::CONTENT_RANGE, value(format!("bytes {}-{}/{length}", part.start, part.end - 1)));
    }
    response
}

fn described(code: StatusCode, body: Body, etag: String) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(etag));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let forever = HeaderValue::from_static("private, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, forever);
    response
}

fn etag(digest: Digest) -> String {
    format!("\"{digest}\"")
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("invariant: digits and ASCII words are good in a header")
}
