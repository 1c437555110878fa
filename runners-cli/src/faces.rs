//! The faces of a server under one address: management below `/api`, others where they are mounted, and
//! the protocol of runners and clients everywhere else.

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
/// Where it tells whether it is ready, there and below it.
const READY: &str = "/readyz";
/// Where the orchestrator is.
pub(crate) const ORCHESTRATOR: &str = "/api/orchestrator";
/// Where the runner endpoint is.
pub(crate) const ENDPOINT: &str = "/api/runner";
/// Where the dashboard is.
pub(crate) const DASHBOARD: &str = "/dashboard";

/// Hands each request to the face that its path leads to. Calls of runners, which are held back by
/// the thousand, pass no router.
#[derive(Clone, Debug)]
pub(crate) struct Faces {
    protocol: HttpFace,
    /// The longest prefix first.
    mounted: Vec<(&'static str, Router)>,
}

impl Faces {
    /// Whether it is ready is also told where supervisors ask for that, beside the protocol's own `/healthz`.
    pub(crate) fn new(protocol: HttpFace, management: Router) -> Self {
        let faces = Self { protocol, mounted: Vec::new() }.lead(READY, management.clone());
        faces.mount(MANAGEMENT, management)
    }

    /// Mounts another face under a prefix, which goes before shorter ones.
    pub(crate) fn mount(self, prefix: &'static str, face: Router) -> Self {
        self.lead(prefix, Router::new().nest_service(prefix, face))
    }

    /// Adds the dashboard, and leads to it whoever opens the address itself.
    pub(crate) fn with_dashboard(self, dashboard: Router) -> Self {
        let begins = get(async || Redirect::to(DASHBOARD.trim_start_matches('/')));
        self.mount(DASHBOARD, dashboard).lead("/", Router::new().route("/", begins))
    }

    fn lead(mut self, prefix: &'static str, router: Router) -> Self {
        self.mounted.push((prefix, router));
        self.mounted.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }

    fn at(&mut self, path: &str) -> Option<&mut Router> {
        let leads_there = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.mounted.iter_mut().find(|(prefix, _)| leads_there(prefix));
        found.map(|(_, router)| router)
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
        if let Some(router) = self.at(request.uri().path()) {
            let answer = router.call(request);
            return answer.map(|answer| answer.map(|answer| answer.map(Either::Right))).boxed();
        }
        let answer = self.protocol.call(request);
        answer.map(|answer| answer.map(|answer| answer.map(Either::Left))).boxed()
    }
}
