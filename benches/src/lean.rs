//! A client that does as little as HTTP asks for: no retries, no pool, no limits. What is measured
//! with it is the server.

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request as HttpRequest, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use runners_core::{
    Transport, TransportError,
    protocol::{Reply, Request},
};
use std::{io::Write as _, mem, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Mutex,
};

/// A transport over one connection. Clones share it: over HTTP/1 one call after the other, over
/// HTTP/2 at once.
#[derive(Clone, Debug)]
pub struct Lean {
    connection: Connection,
    token: String,
}

#[derive(Clone, Debug)]
enum Connection {
    Http1(Arc<Mutex<Http1>>),
    Http2 { sender: http2::SendRequest<Full<Bytes>>, _driver: Arc<tokio::task::JoinSet<()>> },
}

impl Lean {
    /// A connection over HTTP/1.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let http1 = Http1 { stream: stream(address).await?, buffer: Vec::new(), busy: false };
        Ok(Self { connection: Connection::Http1(Arc::new(Mutex::new(http1))), token: String::new() })
    }

    /// A connection over HTTP/2.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn connect_http2(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TokioIo::new(stream(address).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        let mut driver = tokio::task::JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        let connection = Connection::Http2 { sender, _driver: Arc::new(driver) };
        Ok(Self { connection, token: String::new() })
    }

    /// The same connection, speaking for the owner of a token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    async fn exchange(&self, name: &str, body: Vec<u8>) -> anyhow::Result<Reply> {
        let sender = match &self.connection {
            Connection::Http1(http1) => return http1.lock().await.exchange(name, &self.token, &body).await,
            Connection::Http2 { sender, .. } => sender,
        };
        let request = HttpRequest::post(format!("http://localhost/v1/{name}"))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .header("runners-protocol", "1")
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.clone().send_request(request).await?;
        let body = response.into_body().collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    }
}

#[async_trait]
impl Transport for Lean {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let encoded = match &request {
            Request::Submit(fields) => serde_json::to_vec(fields).map(|body| ("submit", body)),
            Request::Sync(fields) => serde_json::to_vec(fields).map(|body| ("sync", body)),
            Request::Inspect(fields) => serde_json::to_vec(fields).map(|body| ("inspect", body)),
            other => return Err(TransportError::Unreachable(format!("not measured: {other:?}").into())),
        };
        let (name, body) = encoded.map_err(|error| TransportError::Unreachable(error.into()))?;
        self.exchange(name, body).await.map_err(|error| TransportError::Unreachable(error.into()))
    }
}

/// How many headers an answer has at most.
const HEADERS_MAX: usize = 32;

/// How many bytes there is room for in one read.
const READ_BYTES: usize = 4 << 10;

/// A connection over HTTP/1: each request is one write, each answer has a known length.
#[derive(Debug)]
struct Http1 {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// A request was begun whose answer was not read.
    busy: bool,
}

impl Http1 {
    async fn exchange(&mut self, name: &str, token: &str, body: &[u8]) -> anyhow::Result<Reply> {
        anyhow::ensure!(!mem::replace(&mut self.busy, true), "an earlier call was given up");
        self.buffer.clear();
        write!(
            self.buffer,
            "POST /v1/{name} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             authorization: Bearer {token}\r\nrunners-protocol: 1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )?;
        self.buffer.extend_from_slice(body);
        self.stream.write_all(&self.buffer).await?;
        self.buffer.clear();
        loop {
            self.buffer.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.buffer).await?;
            anyhow::ensure!(read > 0, "the server closed the connection");
            if let Some((begin, end)) = span_of_body(&self.buffer)?
                && end <= self.buffer.len()
            {
                self.busy = false;
                return Ok(serde_json::from_slice(&self.buffer[begin..end])?);
            }
        }
    }
}

/// From where to where the body of an answer goes, once its head is there.
fn span_of_body(answer: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(answer)?;
    if parsed.is_partial() {
        return Ok(None);
    }
    let (begin, code) = (parsed.unwrap(), head.code.unwrap_or_default());
    anyhow::ensure!(code == 200, "{code}: {}", String::from_utf8_lossy(&answer[begin..]));
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer has no length")?.value;
    let length: usize = std::str::from_utf8(length)?.parse()?;
    Ok(Some((begin, begin + length)))
}

async fn stream(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
