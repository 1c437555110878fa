//! Live views over several control planes on one store: which of them has the streams of a runner, and how a
//! connection that arrives elsewhere gets there.
//!
//! Nothing is stored for that. Each control plane computes a hash (a *lot*) of the runner and of each control
//! plane it knows; the one with the greatest has the runner's streams. While they do not agree, because one has
//! just started or gone, the others are tried too.

use super::{AdmittedSource, LiveHub, Plane};
use crate::{
    actors::{
        connection::{PING_EVERY, SILENCE_MAX, close, write},
        error::Error,
    },
    rules::{
        precedence::lot,
        view_grant::{Claims, SourcePass},
    },
    seams::{
        clock::{Clock, sleep},
        relay::{Incoming, Neighbours, Outgoing, Piece, RelayError, Socket, SocketError},
    },
    values::{
        id::{RunnerId, StreamId, TenantId},
        reply::{RefusalCode, Refused},
        token::Token,
    },
};
use futures::StreamExt as _;
use std::{cmp::Reverse, sync::Arc, time::Duration};

/// How long another control plane may take until it is connected to.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How many others are tried for a runner that comes in here.
const TRIES_MAX: usize = 8;
/// How long a pass is good for: it is shown at once.
const PASS_LIFE: Duration = Duration::from_secs(60);

/// How other control planes reach this one, and this one them.
#[derive(Debug)]
pub(crate) struct Neighbourhood {
    /// Where the others reach this one.
    pub(crate) address: String,
    pub(crate) way: Arc<dyn Neighbours>,
}

/// A connection that another control plane on the same store has passed on to this one.
#[derive(Debug)]
#[must_use = "nobody sees anything until it is served"]
pub struct Passage(Led);

#[derive(Debug)]
enum Led {
    Source(AdmittedSource),
    Viewer { hub: LiveHub, grant: String },
}

impl LiveHub {
    /// Admits a connection that another control plane on the same store passes on, by its `pass`: that of a
    /// runner with pictures, or of a viewer. It is not passed on again.
    ///
    /// # Errors
    /// [`Error::Refused`]: `forbidden` if the pass is not of a control plane on this store, or has expired;
    /// `not_found` if nobody wants the stream here. [`Error::Store`].
    pub async fn pass(&self, pass: &Token) -> Result<Passage, Error> {
        let plane = &self.plane;
        let key = plane.live_key().await.map_err(Error::Store)?;
        if Claims::verify(pass.expose(), key, plane.now()).is_ok() {
            let grant = pass.expose().to_owned();
            return Ok(Passage(Led::Viewer { hub: self.clone(), grant }));
        }
        let pass = SourcePass::verify(pass.expose(), key, plane.now());
        let refused = || {
            let detail = "pass: is none of a control plane on this store, or over";
            Error::Refused(Refused::new(RefusalCode::Forbidden, detail))
        };
        let SourcePass { stream, host, runner, .. } = pass.ok_or_else(refused)?;
        let source = self.find(host, runner, stream).ok_or_else(|| Error::Refused(unwanted(stream)))?;
        Ok(Passage(Led::Source(source)))
    }
}

impl Passage {
    /// Serves the connection until either side ends it. The control plane joins it when it stops.
    pub fn serve(self, socket: impl Future<Output = Result<Socket, SocketError>> + Send + 'static) {
        match self.0 {
            Led::Source(source) => source.serve(socket),
            Led::Viewer { hub, grant } => hub.serve_led(grant, socket),
        }
    }
}

impl Plane {
    /// The control planes that may have the streams of a runner, the one first that should; `None` is this one.
    fn ways(&self, runner: RunnerId) -> Vec<Option<Arc<str>>> {
        if self.live.neighbourhood.is_none() {
            return vec![None];
        }
        let others = self.reached().into_iter().map(|(member, address)| (member, Some(address)));
        let mut all: Vec<_> = std::iter::once((self.me, None)).chain(others).collect();
        all.sort_by_key(|(member, _)| Reverse(lot(runner.as_bytes(), *member)));
        all.into_iter().map(|(_, address)| address).collect()
    }

    /// Which other control plane whoever looks at a runner's attempt is led to; `None` if they are right here.
    pub(super) fn home_of(&self, runner: RunnerId) -> Option<Arc<str>> {
        self.ways(runner).into_iter().next().flatten()
    }

    /// Connects to another control plane.
    pub(super) async fn reach(&self, address: &str, pass: String) -> Result<Socket, RelayError> {
        let pass = Token::from_text(pass);
        let none = || RelayError::Unreachable("there is no way to other control planes".into());
        let way = &self.live.neighbourhood.as_ref().ok_or_else(none)?.way;
        tokio::select! {
            connected = way.connect(address, &pass) => connected,
            () = sleep(&*self.clock, CONNECT_WITHIN) => Err(RelayError::Unreachable("it took too long".into())),
        }
    }

    /// Leads a runner whose stream is not here to where it is.
    ///
    /// # Errors
    /// [`Error::Refused`] (`not_found`): nobody else wants it either. [`Error::Store`].
    pub(super) async fn lead(
        &self,
        host: TenantId,
        runner: RunnerId,
        stream: StreamId,
    ) -> Result<Socket, Error> {
        for address in self.ways(runner).into_iter().flatten().take(TRIES_MAX) {
            let key = self.live_key().await.map_err(Error::Store)?;
            let pass = SourcePass { stream, host, runner, until: self.now() + PASS_LIFE }.sign(key);
            match self.reach(&address, pass).await {
                Ok(socket) => {
                    tracing::info!(%stream, %runner, %address, "a runner is led to another control plane");
                    return Ok(socket);
                }
                Err(RelayError::Refused(why)) => tracing::debug!(%stream, %address, why, "it is not there"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%stream, %address, error, "another control plane is not reached");
                }
            }
        }
        tracing::info!(%stream, %runner, "a runner connects to a live view that nobody wants of it");
        Err(Error::Refused(unwanted(stream)))
    }
}

/// Nobody wants a stream of this runner.
pub(super) fn unwanted(stream: StreamId) -> Refused {
    let detail = format!(
        "stream: nobody wants {stream} of this runner here; of several control planes on one store, each has to say \
         where the others reach it, or whoever looks must be led to the one that the runner connects to"
    );
    Refused::new(RefusalCode::NotFound, detail)
}

/// Carries everything between two connections until either is over.
pub(super) async fn join(one: Socket, other: Socket, clock: &dyn Clock) {
    let Socket { sink: mut to_one, stream: mut from_one } = one;
    let Socket { sink: mut to_other, stream: mut from_other } = other;
    tokio::select! {
        () = forward(&mut from_one, &mut to_other, clock) => {}
        () = forward(&mut from_other, &mut to_one, clock) => {}
    }
    tokio::join!(close(&mut to_one, clock), close(&mut to_other, clock));
}

/// Signs of life are of one hop: they are not carried on, but made.
async fn forward(from: &mut Incoming, to: &mut Outgoing, clock: &dyn Clock) {
    let (mut heard_at, mut said_at) = (clock.boot(), clock.boot());
    loop {
        let piece = tokio::select! {
            piece = from.next() => match piece {
                Some(Ok(piece)) => piece,
                Some(Err(_)) | None => return,
            },
            () = clock.sleep_until(said_at + PING_EVERY) => {
                if clock.boot().since(heard_at) >= SILENCE_MAX || write(to, Piece::Ping, clock).await.is_none() {
                    return;
                }
                said_at = clock.boot();
                continue;
            }
        };
        heard_at = clock.boot();
        if piece == Piece::Ping {
            continue;
        }
        if write(to, piece, clock).await.is_none() {
            return;
        }
        said_at = clock.boot();
    }
}
