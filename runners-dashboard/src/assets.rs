//! What pages load, all of it from here: one style, three scripts, one picture. And what every answer
//! says to the browser: that nothing else may be loaded, run or framed.

use crate::{failure::Failure, layout, visitor::Place};
use axum::{Router, body::Body, extract::Request, middleware::Next, response::Response, routing::get};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use runners_core::Digest;
use std::panic::AssertUnwindSafe;

const STYLE: &str = include_str!("../assets/dashboard.css");
const SCRIPT: &str = include_str!("../assets/dashboard.js");
const LIVE: &str = include_str!("../assets/live.js");
const FILM: &str = include_str!("../assets/film.js");
const RECORD: &str = include_str!("../assets/record.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// What a page may load: what this site serves, and nothing written into it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Routes to each of them.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let asset = |text: &'static str, media: &'static str| {
        get(move |headers: HeaderMap| std::future::ready(answer(&headers, text, media)))
    };
    Router::new()
        .route("/assets/dashboard.css", asset(STYLE, "text/css; charset=utf-8"))
        .route("/assets/dashboard.js", asset(SCRIPT, "text/javascript; charset=utf-8"))
        .route("/assets/live.js", asset(LIVE, "text/javascript; charset=utf-8"))
        .route("/assets/film.js", asset(FILM, "text/javascript; charset=utf-8"))
        .route("/assets/record.js", asset(RECORD, "text/javascript; charset=utf-8"))
        .route("/assets/icon.svg", asset(ICON, "image/svg+xml"))
}

/// Says to the browser what holds for every answer.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(path, "a page panicked");
        let detail = "The dashboard has a defect: the log of the server says where. Everything else goes on.";
        let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "This page failed", detail);
        layout::bare(&Place::new(&path, None, false), &failure)
    });
    let headers = response.headers_mut();
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn answer(headers: &HeaderMap, text: &'static str, media: &'static str) -> Response {
    let tag = format!("\"{}\"", Digest::of(text.as_bytes()));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| tags.as_bytes() == tag.as_bytes());
    let mut response = if known { Response::new(Body::empty()) } else { Response::new(text.into()) };
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(
        header::ETAG,
        HeaderValue::try_from(tag).expect("invariant: hex digits are good in a header"),
    );
    response
}
