//! Serving a face, or anything around it, on a listener: cheap idle connections, named limits,
//! and a stop that joins what was started.

use crate::wire::deadline::within;
use bytes::Bytes;
use http::Request;
use hyper::{
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
    service::TowerToHyperService,
};
use runners_core::{Clock, SystemClock, sleep};
use std::{
    convert::Infallible,
    error::Error,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

/// The buffer of an HTTP/1 connection: headers must fit into it, and an idle one keeps half.
const BUFFER_BYTES: usize = 16 << 10;

/// The largest number of headers in a request.
const HEADERS_MAX: usize = 64;

/// The largest number of requests at once on an HTTP/2 connection: a proxy may bring the parked
/// calls of many runners over one.
const STREAMS_MAX: u32 = 1024;

/// The longest that a connection may be silent before its first request, or take to send headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);

/// How often the other end of an HTTP/2 connection is asked whether it is there, and how long it
/// may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);

/// The wait after the system had no connection to give, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP/1 and HTTP/2 on a listener. There is no TLS here: put a proxy in front, or let the
/// host's own server carry the face.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    connections_max: usize,
    stop_within: Duration,
    clock: Arc<dyn Clock>,
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
        Self { listener, connections_max, stop_within, clock: Arc::new(SystemClock::default()) }
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
        let carrier = Arc::new(Carrier {
            http1: http1_builder(),
            http2: http2_builder(streams.clone()),
            stop: stop.clone(),
            clock: self.clock.clone(),
        });
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
                Ok((stream, _)) => {
                    let connection = carrier.clone().carry(stream, service.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
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

/// What every connection needs.
struct Carrier {
    http1: http1::Builder,
    http2: http2::Builder<Tracked>,
    stop: CancellationToken,
    clock: Arc<dyn Clock>,
}

impl Carrier {
    /// Carries one connection to its end.
    async fn carry<S, B>(self: Arc<Self>, stream: TcpStream, service: S)
    where
        S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // Answers are small and whole: waiting to fill a packet only delays them.
        drop(stream.set_nodelay(true));
        let first = within(&*self.clock, HEADERS_WITHIN, begins_as_http2(&stream, &*self.clock));
        let first = tokio::select! {
            first = first => first,
            () = self.stop.cancelled() => return,
        };
        let ended = match first {
            Some(Ok(false)) => {
                let service = TowerToHyperService::new(service);
                self.end(self.http1.serve_connection(TokioIo::new(stream), service)).await
            }
            Some(Ok(true)) => Box::pin(self.carry_http2(stream, service)).await,
            Some(Err(_)) | None => return,
        };
        if let Err(error) = ended {
            tracing::debug!(error = &error as &dyn Error, "connection ended early");
        }
    }

    async fn carry_http2<S, B>(&self, stream: TcpStream, service: S) -> hyper::Result<()>
    where
        S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let spoken = Arc::new(AtomicBool::new(false));
        let service = TowerToHyperService::new(Noting { service, spoken: spoken.clone() });
        let connection = self.end(self.http2.serve_connection(TokioIo::new(stream), service));
        // HTTP/1 has a bound on the time for headers; here, there is none until pings begin.
        let silent = async {
            sleep(&*self.clock, HEADERS_WITHIN).await;
            if spoken.load(Ordering::Relaxed) {
                futures::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = connection => ended,
            () = silent => Ok(()),
        }
    }

    /// Waits until a connection has ended by itself, or after a stop.
    async fn end<C: GracefulConnection>(&self, connection: C) -> Result<(), C::Error> {
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// The first bytes of the preface of HTTP/2 (RFC 9113, section 3.4). No method begins like this.
const HTTP2_BEGINS: &[u8] = b"PRI";

/// The wait for the rest of a beginning that came in several packets.
const PEEK_PAUSE: Duration = Duration::from_millis(10);

/// Looks at the first bytes and leaves them where they are: to read them first would cost every
/// HTTP/1 connection a second buffer for as long as it lasts.
async fn begins_as_http2(stream: &TcpStream, clock: &dyn Clock) -> io::Result<bool> {
    let mut first = [0; HTTP2_BEGINS.len()];
    loop {
        let read = stream.peek(&mut first).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if read == first.len() || first[..read] != HTTP2_BEGINS[..read] {
            return Ok(first == HTTP2_BEGINS);
        }
        sleep(clock, PEEK_PAUSE).await;
    }
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES);
    builder
}

fn http2_builder(streams: TaskTracker) -> http2::Builder<Tracked> {
    let mut builder = http2::Builder::new(Tracked(streams));
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .max_header_list_size(BUFFER_BYTES as u32)
        .max_concurrent_streams(STREAMS_MAX);
    builder
}

/// Whether accepting failed for reasons of the one who connects.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Spawns the streams of HTTP/2 connections where the server joins them.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        self.0.spawn(async move {
            stream.await;
        });
    }
}

/// Notes that a request has come.
#[derive(Clone)]
struct Noting<S> {
    service: S,
    spoken: Arc<AtomicBool>,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for Noting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Incoming>) -> S::Future {
        self.spoken.store(true, Ordering::Relaxed);
        self.service.call(request)
    }
}
