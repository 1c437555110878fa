//! What attempts show, and who is shown it: an attempt that is asked for its live view connects out, if it shows
//! anything. What is said on the connection is in `stream`.

use super::{measures::Measures, stream::Streaming};
use crate::{
    seams::{
        clock::{Clock, sleep},
        frames::FrameSource,
        random::Random,
        relay::Relay,
        responder::{decode, encode},
    },
    values::{
        lease::FencingToken,
        opaque::Opaque,
        result::Fault,
        view::{OpenStream, StreamOpened},
    },
};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long an attempt that was asked may take until it shows something: a browser has to start.
const SHOW_WITHIN: Duration = Duration::from_secs(15);

/// How long the answer to one who asks may take, the first connection included: whoever asks waits a little longer.
const OPEN_WITHIN: Duration = Duration::from_secs(25);

/// What a source is, to those who wait for it.
pub(super) type Shown = Option<Arc<dyn FrameSource>>;

/// What the attempts of a runner show.
pub(super) struct Shows {
    relay: Option<Arc<dyn Relay>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    measures: Measures,
    attempts: Mutex<BTreeMap<FencingToken, Show>>,
}

/// What one attempt shows.
#[derive(Debug)]
struct Show {
    source: watch::Sender<Shown>,
    /// Ends the stream that was opened last.
    stream: CancellationToken,
}

impl Shows {
    pub(super) fn new(
        relay: Option<Arc<dyn Relay>>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        measures: Measures,
    ) -> Self {
        Self { relay, clock, random, measures, attempts: Mutex::default() }
    }

    /// An attempt begins, and shows nothing yet.
    pub(super) fn begin(&self, token: FencingToken) {
        let show = Show { source: watch::Sender::new(None), stream: CancellationToken::new() };
        self.lock().insert(token, show);
    }

    /// An attempt shows something, in place of what it showed before.
    pub(super) fn show(&self, token: FencingToken, source: Arc<dyn FrameSource>) {
        if let Some(show) = self.lock().get(&token) {
            show.source.send_replace(Some(source));
        }
    }

    /// An attempt is over: whoever looks is told, and the source is let go.
    pub(super) fn end(&self, token: FencingToken) {
        if let Some(show) = self.lock().remove(&token) {
            show.source.send_replace(None);
        }
    }

    /// Answers the signal that asks for a live view once there is a connection, or says why there is none; and gives
    /// what is to be carried on after it was answered.
    pub(super) async fn open(
        &self,
        token: FencingToken,
        payload: Bytes,
    ) -> Result<(Opaque, BoxFuture<'static, ()>), Fault> {
        let until = self.clock.boot() + OPEN_WITHIN;
        let OpenStream { stream, token: asked } = decode::<OpenStream>(&payload)?;
        if asked != token {
            return Err(Fault::permanent(
                "another_attempt",
                format!("{asked} was asked for, and {token} runs"),
            ));
        }
        let none = "this runner was given no relay: it shows nothing";
        let relay = self.relay.clone().ok_or_else(|| Fault::permanent("no_relay", none))?;
        let over = || Fault::permanent("attempt_ended", format!("{token} has ended"));
        let mut source = self.lock().get(&token).map(|show| show.source.subscribe()).ok_or_else(over)?;
        let shown = tokio::select! {
            shown = source.wait_for(Option::is_some) => shown.is_ok(),
            () = sleep(&*self.clock, SHOW_WITHIN) => {
                let message = format!("{token} shows nothing: its executor offers no live view, or not yet");
                return Err(Fault::retryable("shows_nothing", message));
            }
        };
        if !shown {
            return Err(over());
        }
        let stop = CancellationToken::new();
        match self.lock().get_mut(&token) {
            // A stream that is asked for later takes the place of the one before.
            Some(show) => std::mem::replace(&mut show.stream, stop.clone()).cancel(),
            None => return Err(over()),
        }
        tracing::info!(%stream, %token, "open_stream: an attempt is asked for its live view");
        let streaming = Streaming {
            stream,
            token,
            relay,
            source,
            clock: self.clock.clone(),
            random: self.random.clone(),
            measures: self.measures.clone(),
        };
        let connected = tokio::select! {
            arrived = streaming.arrive(until) => arrived?,
            () = stop.cancelled() => return Err(Fault::permanent("replaced", "another stream was asked for")),
        };
        let carried = async move {
            tokio::select! {
                () = streaming.carry(connected) => {}
                () = stop.cancelled() => {}
            }
            tracing::info!(%stream, %token, "the live view is over");
        };
        Ok((encode::<OpenStream>(&StreamOpened {})?, carried.boxed()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FencingToken, Show>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shows")
            .field("relay", &self.relay)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
