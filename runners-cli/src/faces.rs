//! The faces of a server under one address: management below `/api`, the dashboard below
//! `/dashboard`, and the protocol of runners and clients everywhere else.

use axum::{Router, body::Body, response::Redirect, routing::get};
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use http_body_util::Either;
use runners_transport_http::{HttpFace, ReplyBody};
use std::{
    convert::Infallible,
    error::Error,
    task::{Context, Poll},
};
use tower_service::Service;

/// Where management is.
pub(crate) const MANAGEMENT: &str = "/api";

/// Where the dashboard is.
pub(crate) const DASHBOARD: &str = "/dashboard";

/// Hands each request to the face that its path leads to. Calls of runners, which are held back by
/// the thousand, pass no router.
#[derive(Clone, Debug)]
pub(crate) struct Faces {
    protocol: HttpFace,
    /// Every face but the protocol.
    others: Router,
    has_dashboard: bool,
}

impl Faces {
    pub(crate) fn new(protocol: HttpFace, management: Router) -> Self {
        Self { protocol, others: Router::new().nest(MANAGEMENT, management), has_dashboard: false }
    }

    /// Adds the dashboard, and leads to it whoever opens the address itself.
    pub(crate) fn with_dashboard(self, dashboard: Router) -> Self {
        let begins = get(async || Redirect::to(DASHBOARD.trim_start_matches('/')));
        let others = self.others.nest_service(DASHBOARD, dashboard).route("/", begins);
        Self { others, has_dashboard: true, ..self }
    }

    /// Whether a path leads to another face than the protocol.
    fn is_other(&self, path: &str) -> bool {
        let below = |prefix| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'))
        };
        below(MANAGEMENT) || (self.has_dashboard && (path == "/" || below(DASHBOARD)))
    }
}

impl<B> Service<Request<B>> for Faces
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Either<ReplyBody, Body>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.is_other(request.uri().path()) {
            let answer = self.others.call(request);
            return answer.map(|answer| answer.map(|answer| answer.map(Either::Right))).boxed();
        }
        let answer = self.protocol.call(request);
        answer.map(|answer| answer.map(|answer| answer.map(Either::Left))).boxed()
    }
}
