//! A transport of one's own: JSON lines over a Unix socket, for two processes on one machine.
//!
//! `cargo run -p runners-examples --example custom_transport`; it passes `transport_suite!`:
//! `cargo test -p runners-examples --example custom_transport`

use async_trait::async_trait;
use runners_core::{
    Principal, Scope, SystemClock, TenantId, Transport, TransportError,
    prelude::*,
    protocol::{Reply, Request},
    sleep,
};
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

/// The longest line: a large submit, escaped.
const LINE_BYTES_MAX: u64 = 8 << 20;

/// How long it is waited after a connection that could not be accepted.
const ACCEPT_AFTER: Duration = Duration::from_millis(100);

/// What a line of the server says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Reply(Box<Reply>),
    Unreachable(String),
    Busy { retry_after_ms: u64 },
    Unauthorized(String),
    Unsupported(String),
    Rejected { code: String, detail: String },
}

impl From<Result<Reply, TransportError>> for Line {
    fn from(answer: Result<Reply, TransportError>) -> Self {
        match answer {
            Ok(reply) => Self::Reply(Box::new(reply)),
            Err(TransportError::Busy { retry_after }) => {
                Self::Busy { retry_after_ms: u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX) }
            }
            Err(TransportError::Unauthorized(detail)) => Self::Unauthorized(detail),
            Err(TransportError::Unsupported(detail)) => Self::Unsupported(detail),
            Err(TransportError::Rejected { code, detail }) => Self::Rejected { code, detail },
            Err(error) => Self::Unreachable(error.to_string()),
        }
    }
}

impl From<Line> for Result<Reply, TransportError> {
    fn from(line: Line) -> Self {
        Err(match line {
            Line::Reply(reply) => return Ok(*reply),
            Line::Unreachable(cause) => TransportError::Unreachable(cause.into()),
            Line::Busy { retry_after_ms } => {
                TransportError::Busy { retry_after: Duration::from_millis(retry_after_ms) }
            }
            Line::Unauthorized(detail) => TransportError::Unauthorized(detail),
            Line::Unsupported(detail) => TransportError::Unsupported(detail),
            Line::Rejected { code, detail } => TransportError::Rejected { code, detail },
        })
    }
}

/// The near end. Each call has a connection of its own, so calls cannot mix, and a call that is
/// dropped hangs up.
#[derive(Clone, Debug)]
struct SocketTransport {
    path: PathBuf,
}

impl SocketTransport {
    async fn exchange(&self, request: &Request) -> io::Result<Line> {
        let mut stream = BufReader::new(UnixStream::connect(&self.path).await?);
        write_line(stream.get_mut(), request).await?;
        read_line(&mut stream).await
    }
}

#[async_trait]
impl Transport for SocketTransport {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        match self.exchange(&request).await {
            Ok(line) => line.into(),
            Err(error) => Err(TransportError::Unreachable(Box::new(error))),
        }
    }
}

/// The far end: answers every connection with what `far` answers, until it is dropped.
async fn serve(listener: UnixListener, far: Arc<dyn Transport>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let far = Arc::clone(&far);
                    connections.spawn(async move { answer(BufReader::new(stream), far).await });
                }
                // It hung up already, or there are too many: others are answered all the same.
                Err(error) => {
                    eprintln!("accept: {error}");
                    sleep(&SystemClock::default(), ACCEPT_AFTER).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Ok(Err(error)) = ended {
                    eprintln!("connection: {error}");
                }
            }
        }
    }
}

async fn answer(mut stream: BufReader<UnixStream>, far: Arc<dyn Transport>) -> io::Result<()> {
    let request: Request = read_line(&mut stream).await?;
    // A caller that hangs up is not answered, and what it waits for is dropped.
    let line = tokio::select! {
        answer = far.call(request) => Line::from(answer),
        _ = stream.read_u8() => return Ok(()),
    };
    write_line(stream.get_mut(), &line).await
}

async fn write_line(stream: &mut UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

async fn read_line<T: for<'de> Deserialize<'de>>(stream: &mut BufReader<UnixStream>) -> io::Result<T> {
    let mut line = Vec::new();
    stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the line is cut or too long"));
    }
    Ok(serde_json::from_slice(&line)?)
}

fn listen(folder: &Path) -> io::Result<(UnixListener, SocketTransport)> {
    let path = folder.join("runners.sock");
    Ok((UnixListener::bind(&path)?, SocketTransport { path }))
}

#[derive(Serialize, Deserialize)]
struct Reverse(String);

impl Command for Reverse {
    const KIND: &'static str = "example.reverse";
    type Result = String;
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let runner = control
        .local_runner("default")
        .executor(async |Reverse(text): Reverse, _: Attempt| Ok(text.chars().rev().collect::<String>()))
        .start();

    // Whoever may open the socket is this user: the file's mode is the authentication here.
    let user = Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Submit, Scope::Read].into() };
    let (listener, near) = listen(folder.path())?;
    let mut server = JoinSet::new();
    server.spawn(serve(listener, Arc::new(control.caller(user))));

    let reversed = Client::new(near).submit(&Reverse("stressed".into())).await?.result().await?;
    println!("stressed -> {reversed}");
    assert_eq!(reversed, "desserts");
    runner.drain().await?;
    control.stop().await?;
    server.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod suite {
    use super::*;

    /// The near end, with what must live as long as it.
    #[derive(Debug)]
    struct Near {
        near: SocketTransport,
        _server: JoinSet<()>,
        _folder: tempfile::TempDir,
    }

    #[async_trait]
    impl Transport for Near {
        async fn call(&self, request: Request) -> Result<Reply, TransportError> {
            self.near.call(request).await
        }
    }

    async fn make(far: Arc<dyn Transport>) -> Near {
        let folder = tempfile::tempdir().unwrap();
        let (listener, near) = listen(folder.path()).unwrap();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, far));
        Near { near, _server: server, _folder: folder }
    }

    runners_core::transport_suite!(make);
}
