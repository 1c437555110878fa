//! Metrics as Prometheus reads them: text, and a service that answers it.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use prometheus::{Encoder as _, Registry, TextEncoder};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};
use tower_service::Service;

/// The metrics of one [`Telemetry`](crate::Telemetry) as Prometheus text. Clones read the same.
///
/// As a [`Service`] it answers `GET /metrics`, for any server that a host has. There is no
/// authentication: it belongs on an address that only the scraper reaches.
#[derive(Clone, Debug)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Where the text is.
    pub const PATH: &'static str = "/metrics";
    /// The media type of the text.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    pub(crate) const fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// Everything that was recorded so far, as Prometheus text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        if let Err(error) = encoded {
            tracing::warn!(%error, "metrics could not be written as text");
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let (code, media_type, text) = match (method, path) {
            (&Method::GET | &Method::HEAD, Self::PATH) => (StatusCode::OK, Self::MEDIA_TYPE, self.text()),
            (_, Self::PATH) => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "text/plain", format!("there is only {}\n", Self::PATH)),
        };
        let body = Full::new(Bytes::from(text));
        let response = Response::builder().status(code).header(header::CONTENT_TYPE, media_type).body(body);
        response.expect("a code and one header make a response")
    }
}

impl<B> Service<Request<B>> for Exposition {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().path())))
    }
}
