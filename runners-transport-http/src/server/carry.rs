//! Carrying one connection to its end, over HTTP/1 or HTTP/2, plain or in TLS: cheap while it is
//! idle, and bounded in everything it may take.

#[cfg(feature = "tls")]
use crate::server::tls::{self, TlsIdentity};
use crate::wire::deadline::within;
use bytes::Bytes;
use futures::FutureExt as _;
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
use runners_core::{Clock, sleep};
use std::{
    convert::Infallible,
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;
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

/// What every connection needs.
pub(super) struct Carrier {
    http1: http1::Builder,
    http2: http2::Builder<Tracked>,
    stop: CancellationToken,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "tls")]
    identity: Option<Arc<TlsIdentity>>,
}

/// A connection that is ready for its first request.
enum Opened {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Secured(Box<TlsStream<TcpStream>>),
}

impl Carrier {
    pub(super) fn new(streams: TaskTracker, stop: CancellationToken, clock: Arc<dyn Clock>) -> Self {
        Self {
            http1: http1_builder(),
            http2: http2_builder(streams),
            stop,
            clock,
            #[cfg(feature = "tls")]
            identity: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn secured_by(self, identity: Option<Arc<TlsIdentity>>) -> Self {
        Self { identity, ..self }
    }

    /// Carries one connection to its end, and holds its place for as long. What speaks with it is in a
    /// box of its own: most connections are idle, and each is to take what its own kind needs. An `async fn`
    /// would hold each of its arguments twice.
    pub(super) fn carry<S, B>(
        self: Arc<Self>,
        stream: TcpStream,
        service: S,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send
    where
        S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // Answers are small and whole: waiting to fill a packet only delays them.
        drop(stream.set_nodelay(true));
        let carrier = Arc::clone(&self);
        let opening = async move { within(&*carrier.clock, HEADERS_WITHIN, carrier.open(stream)).await };
        let opening = opening.boxed();
        async move {
            let opened = tokio::select! {
                opened = opening => opened,
                () = self.stop.cancelled() => return,
            };
            let ended = match opened {
                Some(Ok((Opened::Plain(stream), false))) => self.carry_http1(stream, service).await,
                Some(Ok((Opened::Plain(stream), true))) => Box::pin(self.carry_http2(stream, service)).await,
                #[cfg(feature = "tls")]
                Some(Ok((Opened::Secured(stream), false))) => self.carry_http1(stream, service).await,
                #[cfg(feature = "tls")]
                Some(Ok((Opened::Secured(stream), true))) => {
                    Box::pin(self.carry_http2(stream, service)).await
                }
                Some(Err(error)) => {
                    tracing::debug!(error = &error as &dyn Error, "connection was not opened");
                    return;
                }
                None => return,
            };
            if let Err(error) = ended {
                tracing::debug!(error = &error as &dyn Error, "connection ended early");
            }
            drop(place);
        }
    }

    /// Readies a connection, and tells whether it speaks HTTP/2.
    async fn open(&self, stream: TcpStream) -> io::Result<(Opened, bool)> {
        #[cfg(feature = "tls")]
        if let Some(identity) = &self.identity {
            let acceptor = identity.acceptor(&*self.clock).await;
            let stream = Box::new(Box::pin(acceptor.accept(stream)).await?);
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2);
            return Ok((Opened::Secured(stream), is_http2));
        }
        let is_http2 = begins_as_http2(&stream, &*self.clock).await?;
        Ok((Opened::Plain(stream), is_http2))
    }

    async fn carry_http2<I, S, B>(&self, stream: I, service: S) -> hyper::Result<()>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let spoken = Arc::new(AtomicBool::new(false));
        let service = TowerToHyperService::new(Noting { service, spoken: spoken.clone() });
        let connection = self.end(Box::pin(self.http2.serve_connection(TokioIo::new(stream), service)));
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

    /// Speaks HTTP/1 until the connection has ended by itself, has become a WebSocket, or after a stop.
    fn carry_http1<I, S, B>(&self, stream: I, service: S) -> impl Future<Output = hyper::Result<()>> + Send
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let service = TowerToHyperService::new(service);
        let connection = self.http1.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut connection = Box::pin(connection);
        async move {
            tokio::select! {
                ended = connection.as_mut() => return ended,
                () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            connection.await
        }
    }

    /// Waits until a connection has ended by itself, or after a stop.
    async fn end<C: GracefulConnection>(&self, mut connection: Pin<Box<C>>) -> Result<(), C::Error> {
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

/// Spawns the streams of HTTP/2 connections where the server joins them.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        // As it is: a future around it would hold it twice.
        self.0.spawn(stream);
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
