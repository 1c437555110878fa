//! One foreign runner, as long as it stays: what waits for its next poll, and who waits for its answers.

use super::wire::{Message, Response};
use runners_core::{Clock, Fault, Random as _, SystemRandom, sleep};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// How long an empty poll is held.
const HOLD: Duration = Duration::from_secs(25);
/// How long a poll waits for further commands once there is one, so that they travel together.
const GATHER: Duration = Duration::from_millis(5);
/// How long a runner may be silent before what it does is given to others.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How many commands may wait for a poll. Slots and signals have bounds of their own, so this is not met.
const WAITING_MAX: usize = 1000;
/// How many answers to one command may wait to be read. The runner waits beyond that.
const HEARD_MAX: usize = 64;

/// One foreign runner. Holds no rule of ours: slots, leases and retries are the embedded runner's.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) session: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Message>,
    asked: BTreeMap<String, mpsc::Sender<Response>>,
    /// Which poll is the newest; earlier ones return empty.
    poll: u64,
    parked: u32,
    /// When it was last heard, since boot.
    heard: Duration,
    /// The tests that it executes.
    tests: BTreeSet<String>,
}

impl Seat {
    pub(crate) fn new(session: String, clock: Arc<dyn Clock>) -> Arc<Self> {
        let seat = Self {
            session,
            clock,
            state: Mutex::default(),
            changed: Notify::new(),
            gone: CancellationToken::new(),
        };
        seat.heard();
        Arc::new(seat)
    }

    /// Has a command handed out with the next poll. Answers its identifier.
    pub(crate) fn send(&self, name: &str, payload: Map<String, Value>) -> String {
        self.push(random_id(), name, payload)
    }

    /// As [`send`](Self::send), and listens for what is answered to it.
    pub(crate) fn ask(self: &Arc<Self>, name: &str, payload: Map<String, Value>) -> Asked {
        let id = random_id();
        let asked = self.listen(id.clone());
        self.push(id, name, payload);
        asked
    }

    /// Listens for what is answered under an identifier.
    pub(crate) fn listen(self: &Arc<Self>, id: String) -> Asked {
        let (sender, responses) = mpsc::channel(HEARD_MAX);
        self.state().asked.insert(id.clone(), sender);
        Asked { seat: Arc::clone(self), id, responses }
    }

    /// Passes an answer on. Whoever asked may be gone: it is dropped then.
    pub(crate) async fn answered(&self, id: &str, response: Response) {
        self.heard();
        let asked = self.state().asked.get(id).cloned();
        if let Some(asked) = asked {
            // Fails when the one that asked is gone.
            drop(asked.send(response).await);
        }
    }

    /// What waits for the runner: at once if there is something, else when there is, or empty after
    /// a while, or when a later poll has come.
    ///
    /// # Cancel safety
    /// Dropping the future takes nothing, so a poll that was cut loses no command that it did not answer.
    pub(crate) async fn poll(&self) -> Vec<Message> {
        let _parked = Parked::new(self);
        let mine = {
            let mut state = self.state();
            state.poll += 1;
            state.poll
        };
        self.changed.notify_waiters();
        let deadline = self.clock.boot() + HOLD;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.state();
                if state.poll != mine || self.gone.is_cancelled() && state.waiting.is_empty() {
                    return Vec::new();
                }
                if !state.waiting.is_empty() {
                    break;
                }
            }
            tokio::select! {
                () = changed => {}
                () = self.gone.cancelled() => {}
                () = self.clock.sleep_until(deadline) => return Vec::new(),
            }
        }
        sleep(&*self.clock, GATHER).await;
        let mut state = self.state();
        if state.poll == mine { state.waiting.drain(..).collect() } else { Vec::new() }
    }

    /// Waits until nothing was heard for too long.
    pub(crate) async fn silent(&self) {
        loop {
            let (heard, parked) = {
                let state = self.state();
                (state.heard, state.parked)
            };
            let now = self.clock.boot().as_duration();
            let silence = if parked > 0 { Duration::ZERO } else { now.saturating_sub(heard) };
            if silence >= SILENCE_MAX {
                return;
            }
            sleep(&*self.clock, SILENCE_MAX.saturating_sub(silence)).await;
        }
    }

    /// Waits for the turn of a test: the runner tells tests apart by their names, so the same one is not
    /// handed out twice at once.
    pub(crate) async fn turn(self: &Arc<Self>, test: &str) -> Turn {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.state().tests.insert(test.to_owned()) {
                return Turn { seat: Arc::clone(self), test: test.to_owned() };
            }
            changed.await;
        }
    }

    /// The runner is gone: whatever waits for it ends.
    pub(crate) fn leave(&self) {
        self.gone.cancel();
        self.changed.notify_waiters();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Completes when the runner is gone, with what its attempts say then.
    pub(crate) async fn gone(&self) -> Fault {
        self.gone.cancelled().await;
        Fault::retryable(
            "runner_gone",
            "the runner behind the gateway has left, or was not heard for a minute",
        )
    }

    /// How long ago the runner was heard; nothing while it polls.
    pub(crate) fn silence(&self) -> Duration {
        let state = self.state();
        if state.parked > 0 {
            return Duration::ZERO;
        }
        self.clock.boot().as_duration().saturating_sub(state.heard)
    }

    pub(crate) fn heard(&self) {
        let now = self.clock.boot().as_duration();
        self.state().heard = now;
    }

    fn push(&self, id: String, name: &str, payload: Map<String, Value>) -> String {
        let timestamp = self.clock.wall().as_millis();
        let mut state = self.state();
        if state.waiting.len() < WAITING_MAX {
            state.waiting.push_back(Message { id: id.clone(), name: name.to_owned(), timestamp, payload });
        }
        drop(state);
        self.changed.notify_waiters();
        id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that was handed out, or waits to be.
#[derive(Debug)]
pub(crate) struct Asked {
    seat: Arc<Seat>,
    id: String,
    responses: mpsc::Receiver<Response>,
}

impl Asked {
    /// What is answered next, or the fault of an attempt whose runner is gone.
    pub(crate) async fn next(&mut self) -> Result<Response, Fault> {
        tokio::select! {
            biased;
            Some(response) = self.responses.recv() => Ok(response),
            fault = self.seat.gone() => Err(fault),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.seat.state();
        state.asked.remove(&self.id);
        // What nobody waits for any more is not handed out.
        state.waiting.retain(|message| message.id != self.id);
    }
}

/// The right to hand out a test.
#[derive(Debug)]
pub(crate) struct Turn {
    seat: Arc<Seat>,
    test: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.seat.state().tests.remove(&self.test);
        self.seat.changed.notify_waiters();
    }
}

/// A poll that is held.
struct Parked<'a>(&'a Seat);

impl<'a> Parked<'a> {
    fn new(seat: &'a Seat) -> Self {
        seat.state().parked += 1;
        Self(seat)
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.state().parked -= 1;
        self.0.heard();
    }
}

/// A version 4 UUID, as the protocol names messages and sessions.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    SystemRandom::default().fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::testing::clock::SimClock;

    fn seat() -> Arc<Seat> {
        Seat::new("session".to_owned(), Arc::new(SimClock::new()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_poll_is_held_and_ends_empty() {
        let (seat, clock) = (seat(), SimClock::new());
        let before = clock.boot();
        assert!(seat.poll().await.is_empty());
        assert_eq!(clock.boot().since(before), HOLD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_poll_takes_the_place_of_the_one_that_is_held() {
        let seat = seat();
        let (first, second, _) = tokio::join!(seat.poll(), seat.poll(), async {
            seat.send("command:ping", Map::new());
        });
        assert!(first.is_empty());
        assert_eq!(second.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_is_cut_loses_no_command() {
        let seat = seat();
        seat.send("command:ping", Map::new());
        {
            let mut cut = Box::pin(seat.poll());
            assert!(futures::poll!(&mut cut).is_pending(), "it waits for more");
        }
        assert_eq!(seat.poll().await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_runner_is_silent_after_a_minute_but_not_while_it_polls() {
        let (seat, clock) = (seat(), SimClock::new());
        let before = clock.boot();
        tokio::join!(seat.silent(), seat.poll());
        assert_eq!(clock.boot().since(before), HOLD + SILENCE_MAX);
    }
}
