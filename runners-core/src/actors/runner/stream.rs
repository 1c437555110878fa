//! One live view at the runner: connect out, show while somebody looks, do what they do, connect again when cut.

use super::{camera::Camera, measures::Measures, show::Shown};
use crate::{
    actors::{
        connection::{PING_EVERY, read, write},
        error::with_causes,
    },
    rules::live::Credit,
    seams::{
        clock::{Clock, sleep},
        random::{Random, unit},
        relay::{Incoming, Outgoing, Piece, Relay, RelayError, Socket},
    },
    values::{
        id::StreamId,
        lease::FencingToken,
        live::{FrameWish, Input},
        relay::{FromSource, MESSAGE_BYTES_MAX, ToSource, text},
        result::Fault,
        time::BootTime,
        view::OpenStream,
    },
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, watch};

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The wait before the second try to connect; it doubles with each.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// How often a runner that was asked tries to connect, before it answers that it does not reach the relay.
const FIRST_TRIES_MAX: u32 = 4;
/// The longest wait between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(8);
/// How long a person's input may take to be carried out.
const INPUT_WITHIN: Duration = Duration::from_secs(10);
/// How long the relay may take to say that it is the end.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How many inputs wait to be carried out; the relay keeps to as many.
const INPUTS_MAX: usize = 128;
/// How many messages wait to be sent.
const OUTGOING_MAX: usize = 16;

/// What it takes to show one attempt.
pub(super) struct Streaming {
    pub(super) stream: StreamId,
    pub(super) token: FencingToken,
    pub(super) relay: Arc<dyn Relay>,
    pub(super) source: watch::Receiver<Shown>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) measures: Measures,
}

/// What the parts of one connection share.
pub(super) struct Desk {
    /// What is wanted; nothing while nobody looks.
    pub(super) wish: watch::Sender<Option<FrameWish>>,
    credit: Mutex<Credit>,
    room: Notify,
    /// What is to be sent.
    pub(super) outgoing: mpsc::Sender<Piece>,
}

impl Desk {
    /// Completes once another picture may be sent.
    pub(super) async fn room(&self) {
        loop {
            let changed = self.room.notified();
            if self.credit.lock().unwrap_or_else(PoisonError::into_inner).has_room() {
                return;
            }
            changed.await;
        }
    }

    /// A picture is on its way.
    pub(super) fn sent(&self, number: u64) {
        self.credit.lock().unwrap_or_else(PoisonError::into_inner).sent(number);
    }

    fn shown(&self, number: u64) {
        self.credit.lock().unwrap_or_else(PoisonError::into_inner).shown(number);
        self.room.notify_one();
    }

    /// Sends a message, once there is room for it.
    pub(super) async fn say(&self, message: &FromSource) {
        // It only fails when the connection is over, which ends whoever says it.
        drop(self.outgoing.send(Piece::Text(text(message))).await);
    }
}

impl Streaming {
    /// Connects for the first time, `until` a time at the latest.
    ///
    /// # Errors
    /// What whoever looks is to be told: why there is no connection.
    pub(super) async fn arrive(&self, until: BootTime) -> Result<Socket, Fault> {
        let mut tries = 0;
        loop {
            let error = match self.connect(until).await {
                Ok(socket) => return Ok(socket),
                Err(error) => error,
            };
            tries += 1;
            self.measures.relay_failed();
            let why = with_causes(&error);
            tracing::warn!(stream = %self.stream, token = %self.token, why, "there is no connection to the relay");
            if let RelayError::Refused(_) = error {
                return Err(Fault::permanent(OpenStream::RELAY_REFUSED, format!("the runner came: {why}")));
            }
            let wait = self.wait_after(tries);
            if tries >= FIRST_TRIES_MAX || until <= self.clock.boot() + wait {
                let message = format!("the runner runs the attempt and does not reach the relay: {why}");
                return Err(Fault::retryable(OpenStream::RELAY_UNREACHABLE, message));
            }
            sleep(&*self.clock, wait).await;
        }
    }

    async fn connect(&self, until: BootTime) -> Result<Socket, RelayError> {
        let until = until.min(self.clock.boot() + CONNECT_WITHIN);
        tokio::select! {
            connected = self.relay.connect(self.stream) => connected,
            () = self.clock.sleep_until(until) => Err(RelayError::Unreachable("it took too long".into())),
        }
    }

    fn wait_after(&self, failures: u32) -> Duration {
        let wait = RETRY_AFTER.saturating_mul(1 << failures.min(10)).min(RETRY_AFTER_MAX);
        wait.mul_f64(0.5 + unit(&*self.random) / 2.0)
    }

    /// Shows over a connection, and over others when it is cut, until the relay wants no more, or the attempt is over.
    pub(super) async fn carry(mut self, first: Socket) {
        let (mut pictures, mut failures, mut first) = (0, 0, Some(first));
        loop {
            let connecting = match first.take() {
                Some(socket) => Ok(socket),
                None => self.connect(self.clock.boot() + CONNECT_WITHIN).await,
            };
            match connecting {
                Ok(socket) => {
                    tracing::info!(stream = %self.stream, token = %self.token, "connected to the relay");
                    let before = pictures;
                    if self.converse(socket, &mut pictures).await {
                        return;
                    }
                    tracing::info!(stream = %self.stream, token = %self.token, "the connection to the relay was cut");
                    failures = if pictures > before { 0 } else { failures + 1 };
                }
                Err(RelayError::Refused(why)) => {
                    tracing::info!(stream = %self.stream, token = %self.token, why, "the relay wants no more");
                    return;
                }
                Err(RelayError::Unreachable(error)) => {
                    tracing::warn!(stream = %self.stream, token = %self.token, error = &*error, "the relay is not reached");
                    failures += 1;
                }
            }
            self.measures.relay_failed();
            if self.is_over() {
                return;
            }
            sleep(&*self.clock, self.wait_after(failures)).await;
        }
    }

    /// Whether the attempt is over, so that nothing is shown any more.
    fn is_over(&self) -> bool {
        self.source.has_changed().is_err()
    }

    /// Says and hears what there is on one connection. Answers whether it was told that this is the end.
    async fn converse(&mut self, socket: Socket, pictures: &mut u64) -> bool {
        let Socket { mut sink, stream: mut incoming } = socket;
        let (outgoing, to_send) = mpsc::channel(OUTGOING_MAX);
        let (asked, inputs) = mpsc::channel(INPUTS_MAX);
        let desk =
            Desk { wish: watch::Sender::new(None), credit: Mutex::default(), room: Notify::new(), outgoing };
        let takes_input = self.source.borrow().as_ref().is_some_and(|source| source.takes_input());
        desk.say(&FromSource::Hello { token: self.token, takes_input }).await;
        let clock = self.clock.clone();
        let camera = Camera::new(self.source.clone(), clock.clone(), &desk, pictures);
        let over = async {
            camera.film().await;
            desk.say(&FromSource::Over).await;
            sleep(&*clock, END_WITHIN).await;
        };
        tokio::select! {
            told = hear(&mut incoming, &*clock, &desk, &asked) => told,
            () = send(&mut sink, &*clock, to_send) => false,
            () = carry_out(self.source.clone(), &*clock, inputs, &desk) => false,
            () = over => true,
        }
    }
}

/// Takes what the relay says. Answers whether it was told that this is the end, or else the connection is cut.
async fn hear(
    incoming: &mut Incoming,
    clock: &dyn Clock,
    desk: &Desk,
    asked: &mpsc::Sender<(u64, Input)>,
) -> bool {
    while let Some(Piece::Text(text)) = read(incoming, clock).await {
        if text.len() > MESSAGE_BYTES_MAX {
            return false;
        }
        match serde_json::from_str(&text) {
            Ok(ToSource::Play { wish }) => {
                desk.wish.send_replace(Some(wish));
            }
            Ok(ToSource::Pause) => {
                desk.wish.send_replace(None);
            }
            Ok(ToSource::Shown { number }) => desk.shown(number),
            Ok(ToSource::Input { number, input }) => {
                // The relay keeps to the limit; one that does not is told.
                if asked.try_send((number, input)).is_err() {
                    let problem = Some("too many inputs wait at the runner".to_owned());
                    desk.say(&FromSource::Done { input: number, problem }).await;
                }
            }
            Ok(ToSource::End { reason }) => {
                tracing::debug!(reason, "the relay ends the live view");
                return true;
            }
            // It may be of a later release.
            Err(error) => tracing::debug!(%error, "the relay is not understood"),
        }
    }
    false
}

/// Sends what there is to send, and a sign of life when there is nothing. Completes when the connection is cut.
async fn send(outgoing: &mut Outgoing, clock: &dyn Clock, mut to_send: mpsc::Receiver<Piece>) {
    loop {
        let piece = tokio::select! {
            Some(piece) = to_send.recv() => piece,
            () = sleep(clock, PING_EVERY) => Piece::Ping,
        };
        if write(outgoing, piece, clock).await.is_none() {
            return;
        }
    }
}

/// Does what people do, one thing after the other.
async fn carry_out(
    source: watch::Receiver<Shown>,
    clock: &dyn Clock,
    mut inputs: mpsc::Receiver<(u64, Input)>,
    desk: &Desk,
) {
    while let Some((input, what)) = inputs.recv().await {
        let shown = source.borrow().clone();
        let problem = match shown {
            None => Some("the attempt shows nothing any more".to_owned()),
            Some(source) => tokio::select! {
                done = source.input(what) => done.err().map(|error| error.to_string()),
                () = sleep(clock, INPUT_WITHIN) => Some("it took too long, and may be done yet".to_owned()),
            },
        };
        desk.say(&FromSource::Done { input, problem }).await;
    }
}
