//! Artifacts that are uploaded in pieces: whoever was cut off asks where to go on, and sends the rest.

use crate::{
    server::{
        Inner,
        artifacts::{empty, refused},
        body::{self, RequestBody},
        refusal::Refusal,
        reply::ReplyBody,
    },
    wire::{PIECE, UPLOAD_LENGTH, UPLOAD_OFFSET, is_media_type, problem::Code},
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use runners_core::{ArtifactError, ArtifactKey, ArtifactStore};

/// Takes the next piece of an artifact.
pub(super) async fn append(
    face: &Inner,
    store: &dyn ArtifactStore,
    key: ArtifactKey,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Response<ReplyBody>, Refusal> {
    if !is_media_type(headers.get(header::CONTENT_TYPE), PIECE) {
        let problem = format!("send `Content-Type: {PIECE}`");
        return Err(Refusal::new(Code::UnsupportedMediaType, problem));
    }
    let (offset, length) = (number(headers, &UPLOAD_OFFSET)?, number(headers, &UPLOAD_LENGTH)?);
    let limit = face.artifact_bytes_max;
    if length > limit {
        return Err(Refusal::too_large("the artifact", limit).path(UPLOAD_LENGTH.as_str()));
    }
    let bytes = body::pieces(body, face.clock.clone());
    match store.append(key, length, offset, bytes).await {
        Ok(stands) => {
            let mut response = empty(StatusCode::NO_CONTENT);
            response.headers_mut().insert(UPLOAD_OFFSET, HeaderValue::from(stands));
            Ok(response)
        }
        Err(ArtifactError::Offset { stands }) => {
            let detail = format!("the pieces that are here end at {stands}: go on from there");
            let refusal = Refusal::new(Code::Conflict, detail);
            Err(refusal.header(UPLOAD_OFFSET, HeaderValue::from(stands)))
        }
        Err(error) => Err(refused(error)),
    }
}

/// A number that a header must tell.
fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Refusal> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()?.parse().ok());
    value.ok_or_else(|| {
        Refusal::new(Code::Invalid, format!("the header `{name}` must be a number of bytes"))
            .path(name.as_str())
    })
}
