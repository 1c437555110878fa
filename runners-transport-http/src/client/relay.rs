//! The relay at a control plane's server: a WebSocket for each live view, opened by the runner.

use crate::{
    client::{Connection, HttpTransport, exchange::Failure},
    wire::deadline::within,
};
use async_trait::async_trait;
use http::{Method, StatusCode};
use runners_core::{
    TransportError,
    live::{Relay, RelayError, Socket, StreamId},
    websocket,
};
use std::{fmt, sync::Arc, time::Duration};

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A runner's way to the relay of its control plane, by the URL, the token, the proxies and the certificates of its
/// transport.
///
/// It opens a WebSocket over HTTP/1.1. Over https, a transport with a client that the
/// [host has made](crate::HttpTransportBuilder::client) must be able to speak that: a client that insists on HTTP/2
/// opens none.
#[derive(Clone)]
pub struct HttpRelay {
    connection: Arc<Connection>,
}

impl HttpRelay {
    /// Takes the server and the token of `transport`.
    #[must_use]
    pub fn new(transport: &HttpTransport) -> Self {
        Self { connection: transport.0.clone() }
    }

    async fn open(&self, path: &str) -> Result<Socket, Failure> {
        let shared = &*self.connection;
        let mut drawn = [0; websocket::KEY_BYTES];
        shared.random.fill(&mut drawn);
        let (request, id) = shared.upgrading(Method::GET, path)?;
        let request = request.headers(websocket::asking(drawn)).version(http::Version::HTTP_11);
        let unreachable = |source| TransportError::Unreachable(source);
        let response = request.send().await.map_err(|error| unreachable(error.without_url().into()))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(shared.failure(&id, response).await);
        }
        if !websocket::is_accepted(drawn, response.headers()) {
            return Err(unreachable("something that is not a control plane has answered".into()).into());
        }
        let upgraded = response.upgrade().await.map_err(|error| unreachable(error.without_url().into()))?;
        Ok(websocket::connected(upgraded).await)
    }

    /// Connects to what stands at a path.
    pub(super) async fn reach(&self, path: &str) -> Result<Socket, RelayError> {
        let opened = within(&*self.connection.clock, CONNECT_WITHIN, self.open(path)).await;
        let late = || RelayError::Unreachable("the relay did not answer in time".into());
        opened.ok_or_else(late)?.map_err(|failure| match failure.error {
            TransportError::Rejected { detail, .. }
            | TransportError::Unauthorized(detail)
            | TransportError::Unsupported(detail) => RelayError::Refused(detail),
            error => RelayError::Unreachable(error.into()),
        })
    }
}

#[async_trait]
impl Relay for HttpRelay {
    async fn connect(&self, stream: StreamId) -> Result<Socket, RelayError> {
        self.reach(&format!("streams/{stream}")).await
    }
}

impl fmt::Debug for HttpRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRelay").field("url", &self.connection.base.as_str()).finish_non_exhaustive()
    }
}
