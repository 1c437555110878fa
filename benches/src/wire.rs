//! The same control plane over HTTP on loopback: served on a thread of its own, and called either
//! by the client that users have or by a lean one that leaves the processor to the server.

use crate::{bed, lean::Lean, stopwatch::now};
use anyhow::Context as _;
use async_trait::async_trait;
use runners_core::{
    Authenticate, AuthenticateError, ControlPlane, Principal, Token, Transport, protocol::Request,
};
use runners_transport_http::{HttpFace, HttpTransport};
use std::{
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{net::TcpListener, sync::oneshot};

/// A control plane that is served on loopback.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Wire {
    /// Starts a control plane on an empty store, and serves it, on a thread of its own.
    ///
    /// # Errors
    /// If the store or the listener cannot be opened.
    pub async fn start(kept: bed::Kept) -> anyhow::Result<Self> {
        let (told, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("wire-server".into()).spawn(move || {
            bed::runtime()?.block_on(async {
                let bed = bed::Bed::start(kept).await?;
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                told.send(listener.local_addr()?).ok().context("nobody waits for the address")?;
                let face = face(bed.control.clone());
                runners_transport_http::serve(listener, face, async { drop(stopped.await) }).await?;
                Ok(())
            })
        })?;
        Ok(Self { address: address.await.context("the server did not start")?, stop, thread })
    }

    /// The transport that users have, for one principal.
    ///
    /// # Errors
    /// If the client cannot be built.
    pub fn client(&self, token: &str) -> anyhow::Result<HttpTransport> {
        let url = format!("http://{}", self.address);
        Ok(HttpTransport::builder(url).token(Token::from_text(token)).build()?)
    }

    /// A lean transport on a connection of its own.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn lean(&self) -> anyhow::Result<Lean> {
        Lean::connect(self.address).await
    }

    /// Stops the server and waits for its end.
    ///
    /// # Errors
    /// Whatever has ended it early.
    pub fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.thread.join().ok().context("the server has panicked")?
    }
}

/// What is served, here and in processes of their own.
pub(crate) fn face(control: ControlPlane) -> HttpFace {
    let callers = move |principal| Arc::new(control.caller(principal)) as Arc<dyn Transport>;
    HttpFace::builder(ByNumber, callers).build()
}

/// The token of the user who submits.
pub const USER_TOKEN: &str = "user";

/// The token of the runner with this number.
#[must_use]
pub fn runner_token(number: usize) -> String {
    format!("runner-{number}")
}

/// Knows one user, and as many runners as there are numbers.
#[derive(Debug)]
struct ByNumber;

#[async_trait]
impl Authenticate for ByNumber {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        if token == USER_TOKEN {
            return Ok(bed::user());
        }
        let number = token.strip_prefix("runner-").and_then(|number| number.parse().ok());
        number.map(bed::runner).ok_or(AuthenticateError::Unknown)
    }
}

/// How long a call takes that changes nothing, one after the other.
///
/// # Errors
/// If a call fails.
pub async fn round_trips(user: &impl Transport, count: usize) -> anyhow::Result<Vec<Duration>> {
    let request = Request::Inspect(runners_core::protocol::InspectRequest {
        job: runners_core::JobId::from_bytes([9; 16]),
    });
    let mut spans = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = now();
        user.call(request.clone()).await?;
        spans.push(now().since(begun));
    }
    Ok(spans)
}
