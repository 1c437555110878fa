//! One who looks here at what another control plane has: everything is asked of that one, over a connection of their
//! own.

use super::Plane;
use crate::{
    actors::{
        connection::{PING_EVERY, close, read, write},
        error::Error,
    },
    seams::{
        clock::{Clock, sleep},
        relay::{Incoming, Outgoing, Piece, RelayError, Socket},
        transport::TransportError,
    },
    values::{
        relay::{FromViewer, ToViewer, decode, text},
        reply::{RefusalCode, Refused},
        view::{LiveEvent, LivePicture},
    },
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many messages wait to be sent: more than there may be inputs.
const OUTGOING_MAX: usize = 256;
/// How long the other control plane may take to say how the live view is.
const STATE_WITHIN: Duration = Duration::from_secs(5);

/// Who sees what another control plane has.
pub(super) struct Far {
    incoming: Incoming,
    clock: Arc<dyn Clock>,
    hand: FarHand,
    /// What was told when they came.
    first: Option<LiveEvent>,
    is_expired: bool,
}

/// By what they do something.
#[derive(Clone, Debug)]
pub(super) struct FarHand {
    outgoing: mpsc::Sender<FromViewer>,
    /// The connection does not take what is said.
    stuck: CancellationToken,
    address: Arc<str>,
}

impl Far {
    /// Begins to look at another control plane.
    ///
    /// # Errors
    /// [`Error::Refused`] as that one says; [`Error::Unreachable`] if it is not reached.
    pub(super) async fn look(plane: &Arc<Plane>, address: &Arc<str>, grant: &str) -> Result<Self, Error> {
        let unreachable = |source| Error::Unreachable(TransportError::Unreachable(source));
        let Socket { sink, stream: mut incoming } =
            plane.reach(address, grant.to_owned()).await.map_err(|error| match error {
                RelayError::Refused(why) => unreachable(why.into()),
                RelayError::Unreachable(source) => unreachable(source),
            })?;
        let first = tokio::select! {
            first = told(&mut incoming, &*plane.clock) => first,
            () = sleep(&*plane.clock, STATE_WITHIN) => None,
        };
        let first = match first.ok_or_else(|| unreachable("it says nothing".into()))? {
            Told::Event(event) => event,
            Told::Refused { code, detail } => {
                let word = serde_json::Value::String(code);
                let code = serde_json::from_value(word).unwrap_or(RefusalCode::NotFound);
                return Err(Error::Refused(Refused::new(code, detail)));
            }
        };
        tracing::info!(%address, "somebody who looks is led to another control plane");
        let (outgoing, to_send) = mpsc::channel(OUTGOING_MAX);
        let hand = FarHand { outgoing, stuck: CancellationToken::new(), address: Arc::clone(address) };
        plane.duties.spawn(send(Arc::clone(plane), sink, to_send));
        Ok(Self { incoming, clock: Arc::clone(&plane.clock), hand, first: Some(first), is_expired: false })
    }

    pub(super) const fn hand(&self) -> &FarHand {
        &self.hand
    }

    /// Whether the other one has said that the grant is over.
    pub(super) const fn is_expired(&self) -> bool {
        self.is_expired
    }

    /// What is to be told next; `None` when it is over, or the connection was cut.
    pub(super) async fn next(&mut self) -> Option<LiveEvent> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let told = tokio::select! {
            told = told(&mut self.incoming, &*self.clock) => told?,
            () = self.hand.stuck.cancelled() => return None,
        };
        match told {
            Told::Event(event) => Some(event),
            Told::Refused { .. } => {
                self.is_expired = true;
                None
            }
        }
    }
}

impl FarHand {
    pub(super) fn act(&self, what: FromViewer) {
        // Nothing that was done is left out in silence: the connection counts as cut, and they come again.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.outgoing.try_send(what) {
            self.stuck.cancel();
        }
    }
}

/// What the other control plane tells.
enum Told {
    Event(LiveEvent),
    Refused { code: String, detail: String },
}

/// The next thing that is told; `None` when the connection is cut.
async fn told(incoming: &mut Incoming, clock: &dyn Clock) -> Option<Told> {
    loop {
        let text = match read(incoming, clock).await? {
            Piece::Text(text) => text,
            Piece::Bytes(bytes) => {
                let (number, frame) = decode(&bytes)?;
                return Some(Told::Event(LiveEvent::Picture(LivePicture { number, frame })));
            }
            Piece::Ping => continue,
        };
        match serde_json::from_str(&text) {
            Ok(ToViewer::State(state)) => return Some(Told::Event(LiveEvent::State(state))),
            Ok(ToViewer::Done { input, problem }) => {
                return Some(Told::Event(LiveEvent::Done { input, problem }));
            }
            Ok(ToViewer::Refused { code, detail }) => return Some(Told::Refused { code, detail }),
            Ok(ToViewer::Alive) => {}
            // It may be of a later release.
            Err(error) => tracing::debug!(%error, "another control plane is not understood"),
        }
    }
}

/// Sends what there is to send, and a sign of life when there is nothing, until whoever looks looks away.
async fn send(plane: Arc<Plane>, mut sink: Outgoing, mut to_send: mpsc::Receiver<FromViewer>) {
    let clock = &*plane.clock;
    loop {
        let piece = tokio::select! {
            message = to_send.recv() => match message {
                Some(message) => Piece::Text(text(&message)),
                None => break,
            },
            () = sleep(clock, PING_EVERY) => Piece::Ping,
            () = plane.stopping.cancelled() => break,
        };
        if write(&mut sink, piece, clock).await.is_none() {
            return;
        }
    }
    close(&mut sink, clock).await;
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Far").field("hand", &self.hand).finish_non_exhaustive()
    }
}

/// Names it in logs.
impl fmt::Display for FarHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}", self.address)
    }
}
