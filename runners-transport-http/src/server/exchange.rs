//! One exchange from its first to its last byte: where a path leads, what holds for every
//! request, and what every answer carries.

#[cfg(feature = "openapi")]
use crate::server::description;
use crate::{
    server::{
        Inner, artifacts, body::RequestBody, call, refusal::Refusal, reply::ReplyBody, stream, uploads,
    },
    wire::{PROTOCOL, PROTOCOL_MAX, PROTOCOL_MIN, RELAY, REQUEST_ID, problem::Code, route::Route},
};
use futures::{
    FutureExt as _,
    future::{self, BoxFuture},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header, request::Parts};
use runners_core::{Digest, UploadId, live::StreamId};
use std::{
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::Arc,
};
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
    /// The uploads of an artifact, or the one that is named.
    Upload(Digest, Option<UploadId>),
    Stream(StreamId),
    /// What another control plane leads here.
    Relay,
    #[cfg(feature = "openapi")]
    File(runners_core::openapi::DocumentationFile),
}

/// Answers a request, whatever comes of it. What can be said of its head is found out at once, so
/// that a parked call is a small future and holds nothing of the head.
pub(super) fn answer(
    face: &Arc<Inner>,
    request: Request<RequestBody>,
) -> impl Future<Output = Response<ReplyBody>> + Send + use<> {
    let (mut head, body) = request.into_parts();
    for (name, value) in &mut head.headers {
        if name == header::AUTHORIZATION {
            value.set_sensitive(true);
        }
    }
    let id = request_id(face, &head.headers);
    let span = tracing::debug_span!("exchange", id = id.to_str().unwrap_or_default(), path = head.uri.path());
    let begun = span.in_scope(|| panic::catch_unwind(AssertUnwindSafe(|| begin(face, head, body))));
    let exchange = match begun {
        Ok(Ok(exchange)) => exchange,
        Ok(Err(refusal)) => future::ready(Err(refusal)).boxed(),
        Err(panic) => async { panic::resume_unwind(panic) }.boxed(),
    };
    let mut exchange = AssertUnwindSafe(exchange).catch_unwind().instrument(span);
    async move {
        let ended = Pin::new(&mut exchange).await;
        let span = exchange.span();
        let mut response = match ended {
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
}

type Exchange = BoxFuture<'static, Result<Response<ReplyBody>, Refusal>>;

/// Checks the head of a request, and tells what carries it out.
fn begin(face: &Arc<Inner>, head: Parts, body: RequestBody) -> Result<Exchange, Refusal> {
    check_header_bytes(&head.headers)?;
    let place = place(face, head.uri.path())?;
    check_method(&place, &head.method)?;
    let face = face.clone();
    Ok(match place {
        Place::Health => future::ready(Ok(healthy())).boxed(),
        #[cfg(feature = "openapi")]
        Place::File(file) => future::ready(Ok(description::answer(file))).boxed(),
        Place::Call(route) => {
            check_protocol(&head.headers)?;
            let peer = head.extensions.get().copied();
            call::answer(face, route, headers_of(head), peer, body).boxed()
        }
        Place::Stream(stream) => {
            check_protocol(&head.headers)?;
            async move { stream::answer(&face, stream, head).await }.boxed()
        }
        Place::Relay => {
            check_protocol(&head.headers)?;
            async move { stream::lead(&face, head).await }.boxed()
        }
        Place::Artifact(digest) => {
            check_protocol(&head.headers)?;
            async move { artifacts::answer(&face, digest, &head, body).await }.boxed()
        }
        Place::Upload(digest, upload) => {
            check_protocol(&head.headers)?;
            async move { uploads::answer(&face, digest, upload, &head, body).await }.boxed()
        }
    })
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
    if let Some((digest, below)) = rest.strip_prefix("artifacts/").and_then(|rest| rest.split_once('/')) {
        return upload_at(digest, below).ok_or_else(unknown);
    }
    if let Some(digest) = rest.strip_prefix("artifacts/") {
        let malformed = |error| Refusal::new(Code::NotFound, format!("this is not an artifact: {error}"));
        return digest.parse().map(Place::Artifact).map_err(malformed);
    }
    if let Some(stream) = rest.strip_prefix("streams/") {
        let malformed = |error| Refusal::new(Code::NotFound, format!("this is not a stream: {error}"));
        return stream.parse().map(Place::Stream).map_err(malformed);
    }
    if rest == RELAY {
        return Ok(Place::Relay);
    }
    Route::at(rest).map(Place::Call).ok_or_else(unknown)
}

/// What stands below an artifact: `uploads`, or one of them.
fn upload_at(digest: &str, below: &str) -> Option<Place> {
    let digest = digest.parse().ok()?;
    let upload = match below.strip_prefix("uploads")? {
        "" => None,
        named => Some(named.strip_prefix('/')?.parse().ok()?),
    };
    Some(Place::Upload(digest, upload))
}

fn check_method(place: &Place, method: &Method) -> Result<(), Refusal> {
    let allowed: (&[Method], &'static str) = match place {
        Place::Health => (&[Method::GET, Method::HEAD], "GET, HEAD"),
        #[cfg(feature = "openapi")]
        Place::File(_) => (&[Method::GET, Method::HEAD], "GET, HEAD"),
        Place::Call(_) | Place::Upload(..) => (&[Method::POST], "POST"),
        Place::Stream(_) | Place::Relay => (&[Method::GET], "GET"),
        Place::Artifact(_) => (
            &[Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE],
            "GET, HEAD, PUT, PATCH, DELETE",
        ),
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
