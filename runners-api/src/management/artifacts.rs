//! Artifacts: their bytes, or one range of them, streamed.

use super::caller::Caller;
use crate::wire::{
    path::Path,
    problem::{Code, Problem},
    range::{Wanted, wanted},
    text,
};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use runners_core::Digest;

/// Reads an artifact, or one range of it.
///
/// A job shows the artifacts of its attempts with their digests. The bytes of a digest never
/// change, so what was read once need not be read again.
#[utoipa::path(get, path = "/artifacts/{sha256}", tag = "Jobs",
    params(("sha256" = inline(text::Sha256), Path, description = "The digest of its bytes.")),
    responses(
        (status = 200, description = "Its bytes.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range that was asked for.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The client has it."),
        (status = 416, description = "The range begins beyond the end.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read_artifact(
    caller: Caller,
    Path(digest): Path<Digest>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::new(Code::NotFound, format!("artifact: there is no artifact {digest}"));
    let length = caller.management.artifact_length(digest).await?.ok_or_else(missing)?;
    let etag = format!("\"{digest}\"");
    let given = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if given(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag)) {
        return Ok(described(StatusCode::NOT_MODIFIED, Body::empty(), &etag));
    }
    let part = match wanted(given(header::RANGE), length) {
        Wanted::Whole => None,
        Wanted::Part(part) => Some(part),
        Wanted::Beyond => {
            let detail = format!("the artifact ends after {length} bytes: ask for less");
            let problem = Problem::new(Code::RangeNotSatisfiable, detail).limit(length);
            return Err(problem.header(header::CONTENT_RANGE, value(format!("bytes */{length}"))));
        }
    };
    let bytes = caller.management.read_artifact(digest, part.clone()).await?;
    let code = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = described(code, Body::from_stream(bytes), &etag);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // A browser never shows it: somebody else's page must not run in the origin of the host.
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    let sent = part.as_ref().map_or(length, |part| part.end - part.start);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
    if let Some(part) = part {
        headers
            .insert(header::CONTENT_RANGE, value(format!("bytes {}-{}/{length}", part.start, part.end - 1)));
    }
    Ok(response)
}

fn described(code: StatusCode, body: Body, etag: &str) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(etag.to_owned()));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let forever = HeaderValue::from_static("private, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, forever);
    response
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("invariant: digits and ASCII words are good in a header")
}
