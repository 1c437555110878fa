//! Uploads of artifacts straight to where they are kept: who may make one, and what was made. The bytes
//! themselves do not come by here.

use crate::{
    server::{
        Inner,
        artifacts::{admitted, empty, refused},
        body::{self, RequestBody},
        refusal::Refusal,
        reply::ReplyBody,
    },
    wire::{ARTIFACT_BYTES_MAX, JSON, is_media_type, problem::Code},
};
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use runners_core::{ArtifactError, ArtifactKey, Digest, UploadId, protocol::UploadRequest};

/// The largest body of a request about an upload: 1 KiB.
pub(super) const BYTES_MAX: usize = 1 << 10;

/// Grants an upload of an artifact, or takes over the one that is named.
pub(super) async fn answer(
    face: &Inner,
    digest: Digest,
    upload: Option<UploadId>,
    head: &Parts,
    body: RequestBody,
) -> Result<Response<ReplyBody>, Refusal> {
    let (store, tenant) = admitted(face, head).await?;
    if !is_media_type(head.headers.get(header::CONTENT_TYPE), JSON) {
        let problem = format!("send `Content-Type: {JSON}`");
        return Err(Refusal::new(Code::UnsupportedMediaType, problem));
    }
    let bytes = body::whole(body, &head.headers, BYTES_MAX, &*face.clock).await?;
    let malformed = |error| Refusal::new(Code::Invalid, format!("the body is malformed: {error}"));
    let UploadRequest { length } = serde_json::from_slice(&bytes).map_err(malformed)?;
    // What is over the limit is refused before anybody sends a byte of it, anywhere.
    if length > face.artifact_bytes_max {
        return Err(Refusal::too_large("the artifact", face.artifact_bytes_max));
    }
    let key = ArtifactKey { tenant, digest };
    let answered = match upload {
        Some(upload) => match store.take_upload(key, length, upload).await {
            Err(ArtifactError::Missing(_)) => {
                let detail = "there is no such upload: ask for one, and put the bytes where it says";
                return Err(Refusal::new(Code::NotFound, detail));
            }
            taken => taken.map(|()| None),
        },
        None => store.grant_upload(key, length).await,
    };
    let mut response = empty(StatusCode::NO_CONTENT);
    if let Some(grant) = answered.map_err(refused)? {
        let json = serde_json::to_vec(&grant).expect("invariant: a grant is plain data");
        response = Response::new(ReplyBody::bytes(json));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    response.headers_mut().insert(ARTIFACT_BYTES_MAX, HeaderValue::from(face.artifact_bytes_max));
    Ok(response)
}
