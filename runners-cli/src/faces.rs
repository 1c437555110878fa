//! The two faces of a server under one address: management below `/api`, and the protocol of
//! runners and clients everywhere else.

use axum::{Router, body::Body};
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

/// Hands each request to the face that its path leads to. Calls of runners, which are held back by
/// the thousand, pass no router.
#[derive(Clone, Debug)]
pub(crate) struct Faces {
    protocol: HttpFace,
    management: Router,
}

impl Faces {
    pub(crate) fn new(protocol: HttpFace, management: Router) -> Self {
        Self { protocol, management: Router::new().nest(MANAGEMENT, management) }
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
        let below = request.uri().path().strip_prefix(MANAGEMENT);
        if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            let answer = self.management.call(request);
            return answer.map(|answer| answer.map(|answer| answer.map(Either::Right))).boxed();
        }
        let answer = self.protocol.call(request);
        answer.map(|answer| answer.map(|answer| answer.map(Either::Left))).boxed()
    }
}
