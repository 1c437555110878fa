//! Where an upload of an artifact goes: straight to where artifacts are kept, and then it is taken over from
//! there; or here, from where an earlier one was cut. The bytes themselves do not come by here.

use crate::{
    server::{
        Inner,
        artifacts::{admitted, empty, refused},
        body::{self, RequestBody},
        refusal::Refusal,
        reply::ReplyBody,
    },
    wire::{ARTIFACT_BYTES_MAX, JSON, UPLOAD_OFFSET, is_media_type, problem::Code},
};
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use runners_core::{ArtifactError, ArtifactKey, ArtifactStore, Digest, UploadId, protocol::UploadRequest};

/// The largest body of a request about an upload: 64 KiB.
pub(super) const BYTES_MAX: usize = 64 << 10;

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
    let UploadRequest { length, direct } = serde_json::from_slice(&bytes).map_err(malformed)?;
    // What is over the limit is refused before anybody sends a byte of it, anywhere.
    let limit = face.artifact_bytes_max;
    if length > limit {
        let detail = format!("length: an artifact has at most {limit} bytes: send less");
        return Err(Refusal::new(Code::Invalid, detail).path("length").limit(limit));
    }
    let key = ArtifactKey { tenant, digest };
    let mut response = match upload {
        Some(upload) => match store.take_upload(key, length, upload).await {
            Err(ArtifactError::Missing(_)) => {
                let detail = "there is no such upload: ask for one, and put the bytes where it says";
                return Err(Refusal::new(Code::NotFound, detail));
            }
            taken => taken.map(|()| empty(StatusCode::NO_CONTENT)).map_err(refused)?,
        },
        None => begun(&**store, key, length, direct).await.map_err(refused)?,
    };
    response.headers_mut().insert(ARTIFACT_BYTES_MAX, HeaderValue::from(limit));
    Ok(response)
}

/// Where an upload is to go: to another place, or here, and from which byte on.
async fn begun(
    store: &dyn ArtifactStore,
    key: ArtifactKey,
    length: u64,
    direct: bool,
) -> Result<Response<ReplyBody>, ArtifactError> {
    let grant = if direct { store.grant_upload(key, length).await? } else { None };
    if let Some(grant) = grant {
        let json = serde_json::to_vec(&grant).expect("invariant: a grant is plain data");
        let mut response = Response::new(ReplyBody::bytes(json));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        return Ok(response);
    }
    let mut response = empty(StatusCode::NO_CONTENT);
    if let Some(offset) = store.upload_offset(key, length).await? {
        response.headers_mut().insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    }
    Ok(response)
}
