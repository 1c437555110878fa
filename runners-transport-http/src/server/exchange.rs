//! One exchange from its first to its last byte: where a path leads, what holds for every
//! request, and what every answer carries.

#[cfg(feature = "openapi")]
use crate::server::description;
use crate::{
    server::{Inner, artifacts, body::RequestBody, call, refusal::Refusal, reply::ReplyBody},
    wire::{PROTOCOL, PROTOCOL_MAX, PROTOCOL_MIN, REQUEST_ID, problem::Code, route::Route},
};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header, request::Parts};
use runners_core::Digest;
use std::panic::AssertUnwindSafe;
use tracing::Instrument as _;

/// The largest number of bytes in the names and values of the headers of one request.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// The largest number of bytes in the id of a request that a client gives.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Where a path leads.
enum Place {
    Health,
    Call(Route),
    Artifact(Digest),
    #[cfg(feature = "openapi")]
    File(runners_core::openapi::DocumentationFile),
}

/// Answers a request, whatever comes of it.
pub(super) async fn answer(face: &Inner, request: Request<RequestBody>) -> Response<ReplyBody> {
    let (mut head, body) = request.into_parts();
    for (name, value) in &mut head.headers {
        if name == header::AUTHORIZATION {
            value.set_sensitive(true);
        }
    }
    let id = request_id(face, &head.headers);
    let span = tracing::debug_span!("exchange", id = id.to_str().unwrap_or_default(), path = head.uri.path());
    let exchange = AssertUnwindSafe(carry_out(face, head, body)).catch_unwind().instrument(span.clone());
    let mut response = match exchange.await {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => {
            span.in_scope(|| tracing::debug!(?refusal, "refused"));
            refusal.into_response()
        }
        Err(_) => {
            // The panic's own message went to the panic hook of the process.
            span.in_scope(|| tracing::error!("panicked"));
            let detail = "the server has a fault, and what was asked for may have been done or not";
            Refusal::new(Code::Internal, detail).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(PROTOCOL, HeaderValue::from(PROTOCOL_MAX));
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

async fn carry_out(face: &Inner, head: Parts, body: RequestBody) -> Result<Response<ReplyBody>, Refusal> {
    check_header_bytes(&head.headers)?;
    let place = place(face, head.uri.path())?;
    check_method(&place, &head.method)?;
    match place {
        Place::Health => Ok(healthy()),
        #[cfg(feature = "openapi")]
        Place::File(file) => Ok(description::answer(file)),
        Place::Call(route) => {
            check_protocol(&head.headers)?;
            let peer = head.extensions.get().copied();
            call::answer(face, route, headers_of(head), peer, body).await
        }
        Place::Artifact(digest) => {
            check_protocol(&head.headers)?;
            // In a box of its own, so that a parked call is not as large as an upload.
            Box::pin(artifacts::answer(face, digest, &head, body)).await
        }
    }
}

/// The headers alone: the path shares the buffer that the whole request was read into, and would
/// keep it for as long as the call is parked.
fn headers_of(head: Parts) -> HeaderMap {
    head.headers
}

fn place(face: &Inner, path: &str) -> Result<Place, Refusal> {
    let unknown = || {
        // A router in front may have stripped a prefix, so the path is not repeated as if it were whole.
        let detail = format!("there is nothing at this path: calls are at {}/v1/", face.prefix);
        Refusal::new(Code::NotFound, detail)
    };
    let rest = path.strip_prefix(&*face.prefix).ok_or_else(unknown)?;
    if rest == "/healthz" {
        return Ok(Place::Health);
    }
    #[cfg(feature = "openapi")]
    if let Some(file) = face.documentation.as_ref().and_then(|files| files.file(rest)) {
        return Ok(Place::File(file));
    }
    let rest = rest.strip_prefix("/v1/").ok_or_else(unknown)?;
    if let Some(digest) = rest.strip_prefix("artifacts/") {
        let malformed = |error| Refusal::new(Code::NotFound, format!("this is not an artifact: {error}"));
        return digest.parse().map(Place::Artifact).map_err(malformed);
    }
    Route::at(rest).map(Place::Call).ok_or_else(unknown)
}

fn check_method(place: &Place, method: &Method) -> Result<(), Refusal> {
    let allowed: (&[Method], &'static str) = match place {
        Place::Health => (&[Method::GET, Method::HEAD], "GET, HEAD"),
        #[cfg(feature = "openapi")]
        Place::File(_) => (&[Method::GET, Method::HEAD], "GET, HEAD"),
        Place::Call(_) => (&[Method::POST], "POST"),
        Place::Artifact(_) => {
            (&[Method::GET, Method::HEAD, Method::PUT, Method::DELETE], "GET, HEAD, PUT, DELETE")
        }
    };
    if allowed.0.contains(method) {
        return Ok(());
    }
    let refusal = Refusal::new(Code::MethodNotAllowed, format!("allowed here: {}", allowed.1));
    Err(refusal.header(header::ALLOW, HeaderValue::from_static(allowed.1)))
}

fn check_header_bytes(headers: &HeaderMap) -> Result<(), Refusal> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes <= HEADER_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("the headers have {bytes} bytes, over the limit of {HEADER_BYTES_MAX}: send fewer");
    Err(Refusal::new(Code::HeadersTooLarge, detail).limit(HEADER_BYTES_MAX as u64))
}

fn check_protocol(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(PROTOCOL).map(|value| value.to_str().unwrap_or("?"));
    let version = given.and_then(|text| text.parse().ok());
    if version.is_some_and(|version: u32| (PROTOCOL_MIN..=PROTOCOL_MAX).contains(&version)) {
        return Ok(());
    }
    let given = given.map_or("none was given".into(), |given| format!("{given:?} was given"));
    let detail = format!(
        "this server speaks versions {PROTOCOL_MIN} to {PROTOCOL_MAX}, named in the header \
         `Runners-Protocol`, and {given}: upgrade the older side"
    );
    Err(Refusal::new(Code::UnsupportedProtocol, detail))
}

/// The client's id of a request if it is short and plain, or else a new one.
fn request_id(face: &Inner, headers: &HeaderMap) -> HeaderValue {
    let plain = |value: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let given = headers.get(REQUEST_ID).filter(plain);
    // A copy: a clone would hold on to the buffer that the whole request was read into.
    given.and_then(|given| HeaderValue::from_bytes(given.as_bytes()).ok()).unwrap_or_else(|| {
        let mut drawn = [0; 8];
        face.random.fill(&mut drawn);
        let digits = format!("{:016x}", u64::from_be_bytes(drawn));
        HeaderValue::try_from(digits).expect("invariant: hex digits are good in a header")
    })
}

fn healthy() -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::bytes("ok\n"));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
