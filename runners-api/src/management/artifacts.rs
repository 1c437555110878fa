//! Artifacts: their bytes, or one range of them, streamed.

use super::caller::Caller;
use crate::wire::{
    bytes::{self, Plan},
    path::Path,
    problem::{Code, Problem},
    text,
};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use runners_core::{Digest, protocol::ReadAs};

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
        (status = 307, description = "It is read from where it is kept, if the server was told to send readers there.", headers(("Location" = String, description = "Where, for a minute."))),
        (status = 416, description = "The range begins beyond the end.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read_artifact(
    caller: Caller,
    Path(digest): Path<Digest>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::new(Code::NotFound, format!("artifact: there is no artifact {digest}"));
    let length = caller.management.artifact_length(digest).await?.ok_or_else(missing)?;
    match bytes::plan(digest, length, &headers)? {
        Plan::Known(response) => Ok(response),
        Plan::Send(part) => {
            if let Some(grant) = caller.management.grant_read(digest, &ReadAs::default()).await? {
                return Ok(elsewhere(grant.url));
            }
            let bytes = caller.management.read_artifact(digest, part.clone()).await?;
            Ok(bytes::answer(digest, length, part.as_ref(), bytes))
        }
    }
}

/// Leads to where an artifact is kept.
fn elsewhere(url: String) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url)]).into_response()
}
