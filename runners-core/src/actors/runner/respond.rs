//! How a signal is carried out: by the runner's responder to its kind, or by the executor of the
//! attempt that it is for. Which signals are, and that each is answered once, is the session's.

use super::{discretion::Discretion, serve::Shared};
use crate::{
    seams::{executor::RawSignal, responder::Responders},
    values::{
        command::Command as _,
        id::SignalId,
        lease::FencingToken,
        opaque::Opaque,
        result::Fault,
        sync::{SignalOutcome, SyncRequest},
        time::BootTime,
        view::OpenStream,
    },
};
use futures::{FutureExt as _, future::BoxFuture};
use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{mpsc, oneshot};

/// A signal that is to be carried out.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) signal: SignalId,
    pub(super) kind: String,
    pub(super) payload: Opaque,
    /// The attempt it is for, if it is not for the runner itself.
    pub(super) attempt: Option<FencingToken>,
    /// From when nobody waits for an answer.
    pub(super) expires_at: BootTime,
}

/// Where the executors of live attempts receive signals, by attempt and kind.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    boxes: Mutex<BTreeMap<(FencingToken, String), Mailbox>>,
}

/// Where an executor receives signals of one kind, and what its answers may not tell.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    pub(super) into: mpsc::Sender<RawSignal>,
    pub(super) discretion: Discretion,
}

impl Mailboxes {
    /// Has signals of `kind` to an attempt put into `into`.
    pub(super) fn open(&self, token: FencingToken, kind: &str, into: Mailbox) {
        self.lock().insert((token, kind.to_owned()), into);
    }

    /// An attempt is over.
    pub(super) fn close(&self, token: FencingToken) {
        self.lock().retain(|(of, _), _| *of != token);
    }

    fn find(&self, token: FencingToken, kind: &str) -> Option<Mailbox> {
        self.lock().get(&(token, kind.to_owned())).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(FencingToken, String), Mailbox>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries a signal out, and has the session tell what came of it.
pub(super) async fn respond(ask: Ask, shared: Arc<Shared>, responders: Responders) {
    let (signal, expires_at) = (ask.signal, ask.expires_at);
    let clock = shared.clock.clone();
    let mut afterwards = None;
    let outcome = tokio::select! {
        biased;
        outcome = outcome(ask, &shared, &responders, &mut afterwards) => Some(outcome),
        () = clock.sleep_until(expires_at) => None,
    };
    shared.with(|session, now| session.responded(signal, outcome, now));
    if let Some(afterwards) = afterwards {
        afterwards.await;
    }
}

/// What comes of a signal. Something may be left to do `afterwards`, when it was answered.
async fn outcome(
    ask: Ask,
    shared: &Shared,
    responders: &Responders,
    afterwards: &mut Option<BoxFuture<'static, ()>>,
) -> SignalOutcome {
    match ask.attempt {
        Some(token) if ask.kind == OpenStream::KIND => {
            match shared.shows.open(token, ask.payload.into_bytes()).await {
                Ok((answer, carried)) => {
                    *afterwards = Some(carried);
                    SignalOutcome::Result(answer)
                }
                Err(fault) => SignalOutcome::Fault(fault),
            }
        }
        Some(token) => by_attempt(token, ask, shared).await,
        None => by_runner(ask, responders).await,
    }
}

async fn by_runner(ask: Ask, responders: &Responders) -> SignalOutcome {
    let kind = &ask.kind;
    let Some(responder) = responders.get(kind) else {
        let message = format!("this runner answers no signals of the kind {kind:?}");
        return SignalOutcome::Fault(Fault::permanent("no_responder", message));
    };
    let answer = AssertUnwindSafe(responder.respond(ask.payload.into_bytes())).catch_unwind().await;
    let panicked = |_| Err(Fault::permanent("panicked", format!("the responder to {kind:?} panicked")));
    match answer.unwrap_or_else(panicked) {
        Ok(result) => fitting(SignalOutcome::Result(result)),
        Err(fault) => SignalOutcome::Fault(fault),
    }
}

async fn by_attempt(token: FencingToken, ask: Ask, shared: &Shared) -> SignalOutcome {
    let kind = ask.kind;
    let none = || {
        let message = format!("{token} receives no signals of the kind {kind:?}, or not yet");
        SignalOutcome::Fault(Fault::retryable("no_receiver", message))
    };
    let Some(Mailbox { into, discretion }) = shared.mailboxes.find(token, &kind) else { return none() };
    let (answer, answered) = oneshot::channel();
    match into.try_send(RawSignal { id: ask.signal, payload: ask.payload, answer }) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Closed(_)) => return none(),
        Err(mpsc::error::TrySendError::Full(_)) => {
            let message = format!("{token} has as many signals to answer as it may: try again later");
            return SignalOutcome::Fault(Fault::retryable("busy", message));
        }
    }
    drop(into);
    let answer = answered.await.unwrap_or_else(|_| {
        let message = format!("{token} has ended, or let the signal go without an answer");
        SignalOutcome::Fault(Fault::permanent("unanswered", message))
    });
    fitting(discretion.answer(answer))
}

/// An answer travels in a sync, like a small result.
fn fitting(outcome: SignalOutcome) -> SignalOutcome {
    let limit = SyncRequest::RESULT_BYTES_MAX;
    match outcome {
        SignalOutcome::Result(result) if result.len() > limit => {
            let message = format!("the answer has {} bytes, and the limit is {limit}", result.len());
            SignalOutcome::Fault(Fault::permanent("answer_too_large", message))
        }
        outcome => outcome,
    }
}
