//! Artifacts over HTTP: streamed both ways, never held whole.

use crate::{
    server::{
        Inner, authorise,
        body::{self, RequestBody, Stalled},
        pieces,
        range::{Wanted, wanted},
        refusal::Refusal,
        reply::ReplyBody,
    },
    wire::{ARTIFACT_BYTES_MAX, DIRECT, OCTETS, STALL_MAX, TENANT, problem::Code},
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore, Digest, Principal, Scope, TenantId, TokenKind,
    protocol::{ReadAs, ReadGrant},
};
use std::sync::Arc;

/// Carries one request about one artifact out.
pub(super) async fn answer(
    face: &Inner,
    digest: Digest,
    head: &Parts,
    body: RequestBody,
) -> Result<Response<ReplyBody>, Refusal> {
    let (store, tenant) = admitted(face, head).await?;
    let key = ArtifactKey { tenant, digest };
    let answered = match head.method {
        Method::PATCH => pieces::append(face, &**store, key, &head.headers, body).await,
        Method::PUT => put(face, &**store, key, &head.headers, body).await,
        Method::DELETE => store.delete(key).await.map(|()| empty(StatusCode::NO_CONTENT)).map_err(refused),
        _ => read(&**store, key, head).await,
    };
    // Who finds nothing there is about to put it, and learns how large it may be.
    let limit = HeaderValue::from(face.artifact_bytes_max);
    let mut response = answered.unwrap_or_else(Refusal::into_response);
    response.headers_mut().insert(ARTIFACT_BYTES_MAX, limit);
    Ok(response)
}

/// The store, and whose artifacts there a request reaches.
pub(super) async fn admitted<'f>(
    face: &'f Inner,
    head: &Parts,
) -> Result<(&'f Arc<dyn ArtifactStore>, TenantId), Refusal> {
    let token = authorise::token(&head.headers)?;
    authorise::check_kind(&token, &[TokenKind::Runner, TokenKind::Api], "an artifact")?;
    let principal = authorise::principal(face, &token, head.extensions.get().copied()).await?;
    drop(token);
    let tenant = reached(face, principal, head).await?;
    let store = face.artifacts.as_ref().ok_or_else(|| {
        Refusal::new(Code::NoArtifacts, "give the server an artifact store, or use another one")
    })?;
    Ok((store, tenant))
}

/// Whose artifacts a request reaches: the principal's own, those of a tenant for which it hosts a job, or
/// those of whom the operator names. Anybody else's own it stays, whoever is named: clients name the tenant
/// that they take themselves to be of. A header that names nobody is malformed for everybody.
async fn reached(face: &Inner, principal: Principal, head: &Parts) -> Result<TenantId, Refusal> {
    let own = tenant(&principal, &head.method)?;
    let Some(named) = authorise::tenant(&head.headers)? else { return Ok(own) };
    match principal {
        Principal::Operator => {
            let (tenant, _) = authorise::within(&*(face.callers)(principal), named).await?;
            return Ok(tenant);
        }
        Principal::Runner { tenant: TenantId::OPERATOR, .. } => {}
        _ => return Ok(own),
    }
    let malformed =
        |_| Refusal::new(Code::Invalid, format!("the header `{TENANT}` is not the id of a tenant"));
    let named: TenantId = named.parse().map_err(malformed)?;
    if named == own || (face.callers)(principal).hosts(named).await? {
        return Ok(named);
    }
    Err(Refusal::new(Code::Forbidden, format!("the runner holds no job of {named}: its lease is over")))
}

/// Whose artifacts a principal owns, if it may do this with them.
fn tenant(principal: &Principal, method: &Method) -> Result<TenantId, Refusal> {
    let wanted = match *method {
        Method::PUT | Method::PATCH | Method::POST => Scope::Submit,
        Method::DELETE => Scope::Admin,
        _ => Scope::Read,
    };
    match principal {
        Principal::Operator => Ok(TenantId::OPERATOR),
        Principal::Runner { tenant, .. } if wanted != Scope::Admin => Ok(*tenant),
        Principal::Api { tenant, scopes } if scopes.contains(&wanted) => Ok(*tenant),
        _ => {
            let detail = format!("the token does not allow {method} of artifacts: it lacks {wanted:?}");
            Err(Refusal::new(Code::Forbidden, detail))
        }
    }
}

async fn put(
    face: &Inner,
    store: &dyn ArtifactStore,
    key: ArtifactKey,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Response<ReplyBody>, Refusal> {
    let missing = || Refusal::new(Code::LengthRequired, "send the header `Content-Length`");
    let length = body::announced(headers).ok_or_else(missing)?;
    if length > face.artifact_bytes_max {
        return Err(Refusal::too_large("the artifact", face.artifact_bytes_max));
    }
    store.put(key, length, body::pieces(body, face.clock.clone())).await.map_err(refused)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Answers GET and HEAD.
async fn read(
    store: &dyn ArtifactStore,
    key: ArtifactKey,
    head: &Parts,
) -> Result<Response<ReplyBody>, Refusal> {
    let length = store.head(key).await.map_err(refused)?;
    let length = length.ok_or_else(|| refused(ArtifactError::Missing(key.digest)))?;
    let etag = format!("\"{}\"", key.digest);
    if unchanged(&head.headers, &etag) {
        return Ok(described(StatusCode::NOT_MODIFIED, ReplyBody::bytes(""), &etag));
    }
    // A range means something to GET only, and only of the artifact it was meant for.
    let meant = head.headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = head.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let part = match wanted(range.filter(|_| meant && head.method == Method::GET), length) {
        Wanted::Whole => None,
        Wanted::Part(part) => Some(part),
        Wanted::Beyond => {
            let detail = format!("the artifact ends after {length} bytes: ask for less");
            let refusal = Refusal::new(Code::RangeNotSatisfiable, detail).limit(length);
            return Err(refusal.header(header::CONTENT_RANGE, text(format!("bytes */{length}"))));
        }
    };
    if head.method == Method::GET
        && head.headers.contains_key(DIRECT)
        && let Some(grant) = store.grant_read(key, &ReadAs::default()).await.map_err(refused)?
    {
        return elsewhere(&grant);
    }
    let body = if head.method == Method::HEAD {
        ReplyBody::bytes("")
    } else {
        ReplyBody::stream(store.get(key, part.clone()).await.map_err(refused)?)
    };
    let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = described(status, body, &etag);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    let sent = part.as_ref().map_or(length, |part| part.end - part.start);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
    if let Some(part) = part {
        let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        headers.insert(header::CONTENT_RANGE, text(range));
    }
    Ok(response)
}

/// Leads to where the artifact is kept. The signature in the address is good for a moment, and for nobody
/// else to keep.
fn elsewhere(grant: &ReadGrant) -> Result<Response<ReplyBody>, Refusal> {
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    let url = HeaderValue::try_from(&grant.url);
    let mut url = url.map_err(|_| Refusal::unavailable("the artifact store has named no address"))?;
    url.set_sensitive(true);
    response.headers_mut().insert(header::LOCATION, url);
    Ok(response)
}

/// Whether the client has it already: `If-None-Match` names its digest.
fn unchanged(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn described(status: StatusCode, body: ReplyBody, etag: &str) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, text(etag.to_owned()));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let forever = HeaderValue::from_static("private, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, forever);
    response
}

pub(super) fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::bytes(""));
    *response.status_mut() = status;
    response
}

pub(super) fn refused(error: ArtifactError) -> Refusal {
    match error {
        ArtifactError::Missing(_) => Refusal::new(Code::NotFound, format!("{error}: put it first")),
        ArtifactError::Mismatch(_) => Refusal::new(Code::Mismatch, format!("{error}: send the right ones")),
        ArtifactError::TooLarge { limit, .. } => Refusal::too_large("the artifact", limit),
        ArtifactError::OverQuota { used, limit, .. } => {
            Refusal::new(Code::OverQuota, error.to_string()).limit(limit).used(used)
        }
        ArtifactError::Full(_) => Refusal::new(Code::Full, "the artifact store is full: make room"),
        ArtifactError::Unavailable(source) if source.is::<Stalled>() => {
            let detail = format!("no byte of the artifact came for {} s: send it again", STALL_MAX.as_secs());
            Refusal::new(Code::TooSlow, detail)
        }
        error => {
            tracing::warn!(error = &error as &dyn std::error::Error, "artifact store did not answer");
            Refusal::unavailable("the artifact store cannot answer now: try again later")
        }
    }
}

fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).expect("invariant: digits and ASCII words are good in a header")
}
