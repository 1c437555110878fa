//! What holds for every exchange: an id, a bound on its headers, an answer whatever happens, and
//! the headers that every answer carries.

use super::{
    credential::API_KEY,
    problem::{Code, Problem},
};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{self, Next},
    response::Response,
};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use runners_core::Random;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tracing::Instrument as _;

/// The id of a request, given by the client or else drawn.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The largest number of bytes in the names and values of the headers of one request.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// The largest number of bytes in the id of a request that a client gives.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// How a face answers a problem.
pub(crate) type Refuse = fn(Problem) -> Response;

/// Puts it around every route, and around what leads nowhere.
pub(crate) fn around<S>(routes: Router<S>, random: Arc<dyn Random>, refuse: Refuse) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let nothing = move || {
        let problem = Problem::new(Code::NotFound, "there is nothing at this path: docs lists the calls");
        std::future::ready(refuse(problem))
    };
    let not_allowed = move || {
        let problem =
            Problem::new(Code::MethodNotAllowed, "the method is not allowed here: docs lists the calls");
        std::future::ready(refuse(problem))
    };
    routes.fallback(nothing).method_not_allowed_fallback(not_allowed).layer(middleware::from_fn(
        move |request: Request, next: Next| answer(Arc::clone(&random), refuse, request, next),
    ))
}

async fn answer(random: Arc<dyn Random>, refuse: Refuse, mut request: Request, next: Next) -> Response {
    for name in [header::AUTHORIZATION, API_KEY] {
        if let Some(value) = request.headers_mut().get_mut(name) {
            value.set_sensitive(true);
        }
    }
    let id = request_id(&*random, request.headers());
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let span = tracing::debug_span!("exchange", id = id.to_str().unwrap_or_default(), path);
    let mut response = match check_header_bytes(request.headers()) {
        Err(problem) => refuse(problem),
        Ok(()) => {
            let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
            answered.instrument(span.clone()).await.unwrap_or_else(|_| {
                // The panic's own message went to the panic hook of the process.
                span.in_scope(|| tracing::error!("panicked"));
                let detail = "the server has a fault, and what was asked for may have been done or not";
                refuse(Problem::new(Code::Internal, detail))
            })
        }
    };
    span.in_scope(|| tracing::debug!(code = response.status().as_u16(), "answered"));
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn check_header_bytes(headers: &HeaderMap) -> Result<(), Problem> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes <= HEADER_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("the headers have {bytes} bytes, over the limit of {HEADER_BYTES_MAX}: send fewer");
    Err(Problem::new(Code::HeadersTooLarge, detail).limit(HEADER_BYTES_MAX as u64))
}

/// The client's id of a request if it is short and plain, or else a new one.
fn request_id(random: &dyn Random, headers: &HeaderMap) -> HeaderValue {
    let plain = |value: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(plain).cloned().unwrap_or_else(|| {
        let mut drawn = [0; 8];
        random.fill(&mut drawn);
        let digits = format!("{:016x}", u64::from_be_bytes(drawn));
        HeaderValue::try_from(digits).expect("invariant: hex digits are good in a header")
    })
}
