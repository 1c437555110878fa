//! The server side: a `tower::Service` over any caller of a control plane.
//!
//! It knows paths, tokens, limits and media types. What a request means, and who may make it, is
//! decided by the transport that it is given for each principal.

mod artifacts;
mod authorise;
mod body;
mod call;
mod carry;
#[cfg(feature = "openapi")]
mod description;
mod exchange;
pub(crate) mod listen;
mod peer;
mod pieces;
mod range;
mod refusal;
pub(crate) mod reply;
mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
mod uploads;

use crate::server::reply::ReplyBody;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http_body_util::BodyExt as _;
use runners_core::{
    ArtifactStore, Authenticate, Clock, FailedAttempts, Principal, Random, SystemClock, SystemRandom,
    Transport, live::LiveHub, protocol::SyncRequest,
};
use std::{
    convert::Infallible,
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_service::Service;

/// The HTTP face of a control plane: a [`tower_service::Service`] that never fails.
///
/// Clones are the same face. Mount it in a router under any prefix that the router strips, or
/// give it the prefix and serve it alone with [`serve`](crate::serve). Dropping the future of a
/// call, as servers do when the client goes away, drops the parked request.
#[derive(Clone)]
pub struct HttpFace(Arc<Inner>);

struct Inner {
    authenticate: Arc<dyn Authenticate>,
    callers: Box<dyn Fn(Principal) -> Arc<dyn Transport> + Send + Sync>,
    artifacts: Option<Arc<dyn ArtifactStore>>,
    artifact_bytes_max: u64,
    live: Option<LiveHub>,
    attempts: FailedAttempts,
    prefix: String,
    park_max: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    #[cfg(feature = "openapi")]
    documentation: Option<runners_core::openapi::Documentation>,
}

impl HttpFace {
    /// The largest artifact, unless said otherwise: 1 GiB.
    pub const ARTIFACT_BYTES_MAX: u64 = 1 << 30;

    /// Begins a face. `authenticate` tells for whom a token speaks, and `callers` gives the
    /// transport that speaks for a principal: `move |principal| Arc::new(control.caller(principal))`.
    pub fn builder(
        authenticate: impl Authenticate,
        callers: impl Fn(Principal) -> Arc<dyn Transport> + Send + Sync + 'static,
    ) -> HttpFaceBuilder {
        HttpFaceBuilder(Inner {
            authenticate: Arc::new(authenticate),
            callers: Box::new(callers),
            artifacts: None,
            artifact_bytes_max: Self::ARTIFACT_BYTES_MAX,
            live: None,
            attempts: FailedAttempts::default(),
            prefix: String::new(),
            park_max: SyncRequest::PARK_MAX,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
            #[cfg(feature = "openapi")]
            documentation: None,
        })
    }

    /// The description of every call, as an OpenAPI 3.1 document in JSON.
    #[cfg(feature = "openapi")]
    #[must_use]
    pub fn openapi() -> String {
        description::json()
    }

    /// The face as a router, to be merged or nested.
    #[cfg(feature = "axum")]
    pub fn into_router(self) -> axum::Router {
        axum::Router::new().fallback_service(self)
    }
}

impl fmt::Debug for HttpFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFace")
            .field("prefix", &self.0.prefix)
            .field("authenticate", &self.0.authenticate)
            .field("artifacts", &self.0.artifacts)
            .finish_non_exhaustive()
    }
}

impl<B> Service<http::Request<B>> for HttpFace
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = http::Response<ReplyBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let request = request.map(|body| body.map_err(|error| body::BodyError(error.into())).boxed_unsync());
        Box::pin(exchange::answer(&self.0, request).map(Ok))
    }
}

/// Builds an [`HttpFace`].
pub struct HttpFaceBuilder(Inner);

impl HttpFaceBuilder {
    /// Offers `artifacts`: without it, there are none at this face.
    #[must_use]
    pub fn artifacts(mut self, artifacts: impl ArtifactStore) -> Self {
        self.0.artifacts = Some(Arc::new(artifacts));
        self
    }

    /// The largest number of bytes in one artifact. [`HttpFace::ARTIFACT_BYTES_MAX`] unless said
    /// otherwise; the store may have a smaller limit of its own.
    #[must_use]
    pub fn artifact_bytes_max(mut self, bytes_max: u64) -> Self {
        self.0.artifact_bytes_max = bytes_max;
        self
    }

    /// Lets runners show what they do in `live`: without it, nobody can look at what runs over this face.
    ///
    /// Each live view is a WebSocket over HTTP/1.1 at `v1/streams/`, so whoever serves the face, and every proxy in
    /// front, must carry upgrades. [`serve`](crate::serve) does.
    #[must_use]
    pub fn live(mut self, live: LiveHub) -> Self {
        self.0.live = Some(live);
        self
    }

    /// How many attempts with bad tokens one source may make within a minute: 60 unless said
    /// otherwise. It then waits until the minute is over, unless it has a token that is good. Sources are told apart by their [`Peer`](crate::Peer); behind a proxy they are all
    /// one, unless the proxy's host puts that right.
    #[must_use]
    pub fn failed_attempts_max(mut self, failed_max: u32) -> Self {
        self.0.attempts = FailedAttempts::new(failed_max);
        self
    }

    /// The path under which the face stands, such as `/runners`, if no router strips it.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        self.0.prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        self
    }

    /// The longest that an answer is held back, whatever was asked for. At most, and unless said
    /// otherwise, [`SyncRequest::PARK_MAX`]. Make it shorter than the patience of a proxy in front.
    #[must_use]
    pub fn park_max(mut self, park_max: Duration) -> Self {
        self.0.park_max = park_max.min(SyncRequest::PARK_MAX);
        self
    }

    /// Serves what the calls are, too: a page at `docs`, and what it is made from at `openapi.json`.
    /// Neither takes a token. They are not served unless this is said.
    #[cfg(feature = "openapi")]
    #[must_use]
    pub fn documented(mut self) -> Self {
        self.0.documentation = Some(description::files());
        self
    }

    /// Waits on `clock`, not on that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.0.clock = Arc::new(clock);
        self
    }

    /// Draws the ids of requests from `random`, not from the operating system.
    #[must_use]
    pub fn random(mut self, random: impl Random) -> Self {
        self.0.random = Arc::new(random);
        self
    }

    /// Ends building.
    #[must_use]
    pub fn build(self) -> HttpFace {
        HttpFace(Arc::new(self.0))
    }
}

impl fmt::Debug for HttpFaceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFaceBuilder").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}
