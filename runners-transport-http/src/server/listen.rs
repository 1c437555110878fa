//! Serving a face, or anything around it, on a listener: cheap idle connections, named limits,
//! and a stop that joins what was started.

#[cfg(feature = "tls")]
use crate::server::tls::TlsIdentity;
use crate::{
    server::{carry::Carrier, peer::FromPeer},
    wire::deadline::within,
};
use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use runners_core::{Clock, SystemClock, sleep};
use std::{convert::Infallible, error::Error, io, pin::pin, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

/// The wait after the system had no connection to give, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP/1 and HTTP/2 on a listener, plain unless it is given a certificate (feature `tls`).
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    connections_max: usize,
    stop_within: Duration,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "tls")]
    identity: Option<Arc<TlsIdentity>>,
}

/// Serves `service` on `listener` until `shutdown` completes, with the limits of [`Server::new`].
///
/// # Errors
/// The listener is broken. Trouble with one connection ends that connection only.
///
/// # Cancel safety
/// Dropping the future cuts every connection.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    Server::new(listener).serve(service, shutdown).await
}

impl Server {
    /// At most 16,384 connections, and 10 s for a stop.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        let (connections_max, stop_within) = (1 << 14, Duration::from_secs(10));
        Self {
            listener,
            connections_max,
            stop_within,
            clock: Arc::new(SystemClock::default()),
            #[cfg(feature = "tls")]
            identity: None,
        }
    }

    /// Speaks TLS, and nothing else, with this certificate.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, identity: TlsIdentity) -> Self {
        self.identity = Some(Arc::new(identity));
        self
    }

    /// The largest number of connections at once; more wait to be accepted. 16,384 unless said
    /// otherwise. Each needs a file descriptor.
    #[must_use]
    pub fn connections_max(mut self, connections_max: usize) -> Self {
        self.connections_max = connections_max.min(Semaphore::MAX_PERMITS);
        self
    }

    /// How long requests that are under way may take after a stop; then they are cut. 10 s unless
    /// said otherwise. A control plane that is stopped answers its parked calls by itself.
    #[must_use]
    pub fn stop_within(mut self, stop_within: Duration) -> Self {
        self.stop_within = stop_within;
        self
    }

    /// Waits on `clock`, not on that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Serves until `shutdown` completes. All that was started has ended when this returns.
    ///
    /// # Errors
    /// As [`serve`].
    ///
    /// # Cancel safety
    /// Dropping the future cuts every connection.
    pub async fn serve<S, B>(self, service: S, shutdown: impl Future<Output = ()>) -> io::Result<()>
    where
        S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (streams, stop) = (TaskTracker::new(), CancellationToken::new());
        let carrier = Carrier::new(streams.clone(), stop.clone(), self.clock.clone());
        #[cfg(feature = "tls")]
        let carrier = carrier.secured_by(self.identity.clone());
        let carrier = Arc::new(carrier);
        let places = Arc::new(Semaphore::new(self.connections_max));
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accept = async {
                let place = places.clone().acquire_owned().await.expect("invariant: nobody closes it");
                (place, self.listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                // Once it is told to stop, it accepts nothing more.
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let service = FromPeer::new(service.clone(), address.ip());
                    connections.spawn(carrier.clone().carry(stream, service, place));
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "cannot accept connections now");
                    sleep(&*self.clock, ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        stop.cancel();
        let ended = async { while connections.join_next().await.is_some() {} };
        if within(&*self.clock, self.stop_within, ended).await.is_none() {
            tracing::warn!(connections = connections.len(), "cut requests that did not end in time");
            connections.shutdown().await;
        }
        streams.close();
        streams.wait().await;
        Ok(())
    }
}

/// Whether accepting failed for reasons of the one who connects.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
