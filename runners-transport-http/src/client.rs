//! The client side: a transport over reqwest that tells its own server's errors from those of
//! whatever stands in between.

pub(crate) mod artifacts;
pub(crate) mod builder;
pub(crate) mod enrol;
pub(crate) mod exchange;
pub(crate) mod neighbours;
mod parking;
pub(crate) mod relay;
pub(crate) mod rotation;
mod uploads;

use crate::{
    client::{builder::HttpTransportBuilder, exchange::Failure, parking::Parking},
    wire::route::Route,
};
use async_trait::async_trait;
use http::HeaderValue;
use reqwest::Url;
use runners_core::{
    Clock, Random, Token, TokenKind, Transport, TransportError,
    protocol::{Reply, Request},
    sleep,
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

/// Carries requests to a control plane over HTTP. Clones share connections.
///
/// Only errors that the control plane's own server has made are final. Whatever a proxy or a
/// broken connection does is [`TransportError::Unreachable`], to be tried again.
///
/// A control plane holds answers back for a while, and some networks do not bear that. After a
/// parked call was cut three times running, shorter parks are asked for, and if there is no length
/// that passes, the transport polls. It says so once, and tries to park again every ten minutes.
#[derive(Clone)]
pub struct HttpTransport(Arc<Connection>);

/// What the clones of a transport share.
struct Connection {
    client: reqwest::Client,
    /// Opens WebSockets where the other client would speak HTTP/2.
    upgrading: OnceLock<reqwest::Client>,
    /// What our own clients trust beside the system; `None` where the host has made the client.
    certificates: Option<Vec<u8>>,
    base: Url,
    bearer: Mutex<HeaderValue>,
    /// About whom is asked, where the token does not say so.
    tenant: Option<HeaderValue>,
    answer_within: Duration,
    poll_interval: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    parking: Mutex<Parking>,
}

impl HttpTransport {
    /// Begins a transport to the control plane at `url`, the prefix of its face.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> HttpTransportBuilder {
        HttpTransportBuilder::new(url.into())
    }

    /// The same control plane over the same connections, spoken to with another token.
    ///
    /// # Errors
    /// [`BuildError::Token`](crate::BuildError::Token).
    pub fn with_token(&self, token: &Token) -> Result<Self, crate::BuildError> {
        let shared = &*self.0;
        Ok(Self(Arc::new(Connection {
            client: shared.client.clone(),
            upgrading: shared.upgrading.clone(),
            certificates: shared.certificates.clone(),
            base: shared.base.clone(),
            bearer: Mutex::new(builder::bearer(token)?),
            tenant: shared.tenant.clone(),
            answer_within: shared.answer_within,
            poll_interval: shared.poll_interval,
            clock: shared.clock.clone(),
            random: shared.random.clone(),
            parking: Mutex::default(),
        })))
    }
}

impl HttpTransport {
    /// Speaks with another token from now on, in every clone and in the artifacts that were made of
    /// this transport. Requests that are under way keep the old one.
    ///
    /// # Errors
    /// [`BuildError::Token`](crate::BuildError::Token).
    pub fn use_token(&self, token: &Token) -> Result<(), crate::BuildError> {
        *self.0.bearer.lock().unwrap_or_else(PoisonError::into_inner) = builder::bearer(token)?;
        Ok(())
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn call(&self, mut request: Request) -> Result<Reply, TransportError> {
        let shared = &*self.0;
        let asked = shared.clock.boot();
        let wanted = request.park_for();
        if let Some(park_max) = shared.parking().park_max(asked) {
            request.limit_park(park_max);
        }
        let (park_for, polled) = (request.park_for(), request.park_for() < wanted);
        let urgent = shared.parking().is_urgent(&request);
        let answered = shared.call(&request).await;
        let (now, taken) = (shared.clock.boot(), shared.clock.boot().since(asked));
        if !park_for.is_zero() {
            match &answered {
                Ok(_) => shared.parking().answered(taken),
                Err(failure) if failure.cut => shared.parking().cut(taken, now, shared.poll_interval),
                Err(_) => {}
            }
        }
        let reply = answered.map_err(|failure| failure.error)?;
        if polled && park_for.is_zero() && !urgent && parking::tells_nothing(&reply) {
            sleep(&*shared.clock, shared.poll_interval.min(wanted)).await;
        }
        Ok(reply)
    }
}

impl Connection {
    fn bearer(&self) -> HeaderValue {
        self.bearer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the token says of itself that it is an API credential.
    fn speaks_for_a_client(&self) -> bool {
        let bearer = self.bearer();
        let token = bearer.as_bytes().strip_prefix(b"Bearer ");
        token.is_some_and(|token| token.starts_with(TokenKind::Api.prefix().as_bytes()))
    }

    fn parking(&self) -> MutexGuard<'_, Parking> {
        // Its state is a few counters, whole between any two calls.
        self.parking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, request: &Request) -> Result<Reply, Failure> {
        let Some((route, body)) = Route::encode(request) else {
            let detail = format!("this client does not know how to send {}: upgrade it", request.name());
            return Err(Failure::rejected("unknown_request", detail));
        };
        if body.len() > route.bytes_max() {
            let (name, length, limit) = (route.name(), body.len(), route.bytes_max());
            let detail = format!("{name} of {length} bytes is over the limit of {limit} bytes: send less");
            return Err(Failure::rejected("too_large", detail));
        }
        self.exchange(route, body, request.park_for()).await
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").field("url", &self.0.base.as_str()).finish_non_exhaustive()
    }
}
