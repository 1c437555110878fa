//! Signals to a live attempt, as its executor receives and answers them.

use crate::{
    seams::responder::{decode, encode},
    values::{command::Command, id::SignalId, opaque::Opaque, result::Fault, sync::SignalOutcome},
};
use futures::Stream;
use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::{mpsc, oneshot};

/// A signal on its way to an executor.
#[derive(Debug)]
pub(crate) struct RawSignal {
    pub(crate) id: SignalId,
    pub(crate) payload: Opaque,
    pub(crate) answer: oneshot::Sender<SignalOutcome>,
}

/// The signals of one type that are sent to an attempt, in the order in which they came. A payload
/// that is malformed is answered as such, and not seen here.
pub struct Signals<C> {
    raw: mpsc::Receiver<RawSignal>,
    command: PhantomData<fn() -> C>,
}

impl<C: Command> Signals<C> {
    /// How many signals wait here at most. Those beyond it are answered with the fault `busy`.
    pub const WAITING_MAX: usize = 16;

    pub(crate) fn new(raw: mpsc::Receiver<RawSignal>) -> Self {
        Self { raw, command: PhantomData }
    }

    /// The next signal. `None` once the attempt is over, or another call of
    /// [`Attempt::signals`](crate::Attempt::signals) has taken this one's place.
    ///
    /// # Cancel safety
    /// Dropping the future loses no signal.
    pub async fn next(&mut self) -> Option<Received<C>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<C: Command> Stream for Signals<C> {
    type Item = Received<C>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Received<C>>> {
        loop {
            let Poll::Ready(raw) = self.raw.poll_recv(context) else { return Poll::Pending };
            let Some(RawSignal { id, payload, answer }) = raw else { return Poll::Ready(None) };
            match decode(payload.as_bytes()) {
                Ok(command) => return Poll::Ready(Some(Received { id, command, answer })),
                // Whoever waits for the answer may be gone.
                Err(fault) => drop(answer.send(SignalOutcome::Fault(fault))),
            }
        }
    }
}

impl<C> fmt::Debug for Signals<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("waiting", &self.raw.len()).finish_non_exhaustive()
    }
}

/// A signal that an attempt was sent. One that is dropped is answered with the fault `unanswered`.
#[derive(Debug)]
pub struct Received<C: Command> {
    id: SignalId,
    command: C,
    answer: oneshot::Sender<SignalOutcome>,
}

impl<C: Command> Received<C> {
    /// Names the signal.
    #[must_use]
    pub const fn id(&self) -> SignalId {
        self.id
    }

    /// What it asks for.
    #[must_use]
    pub const fn command(&self) -> &C {
        &self.command
    }

    /// Answers it, once. Does not wait until the answer is heard.
    pub fn answer(self, result: Result<C::Result, Fault>) {
        let outcome = match result.and_then(|result| encode::<C>(&result)) {
            Ok(result) => SignalOutcome::Result(result),
            Err(fault) => SignalOutcome::Fault(fault),
        };
        // Whoever waits for it may be gone.
        drop(self.answer.send(outcome));
    }
}
