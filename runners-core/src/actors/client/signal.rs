//! Signals: a command that is sent to one runner, or to one attempt, and answered by it.

use super::Client;
use crate::{
    actors::error::Error,
    seams::random::id,
    values::{
        command::Command,
        id::{RunnerId, SignalId},
        reply::{Answered, Reply},
        request::{AnswerRequest, Request, SignalRequest},
        signal::{CollectDiagnostics, Diagnostics, Ping, Pong, SignalTarget},
        sync::SignalOutcome,
    },
};
use std::time::Duration;

/// How long one question for an answer is held back by the control plane.
const ANSWER_PARK: Duration = Duration::from_secs(20);
/// How long a ping, and diagnostics, are waited for.
const PING_WITHIN: Duration = Duration::from_secs(30);

impl Client {
    /// Sends a command to a runner, or to the attempt of a job that runs now, and waits for its
    /// answer, `expires_in` at most (up to [`SignalRequest::EXPIRES_IN_MAX`]).
    ///
    /// # Errors
    /// [`Error::Unanswered`] when none came in time, [`Error::SignalFault`] when it could not be
    /// carried out (with the code `attempt_ended` when the attempt ended first), [`Error::Refused`]
    /// when there is no such runner or job (`not_found`), or no attempt of it runs (`not_running`),
    /// or as [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the signal sent or not; its answer is lost.
    pub async fn signal<C: Command>(
        &self,
        to: impl Into<SignalTarget> + Send,
        command: &C,
        expires_in: Duration,
    ) -> Result<C::Result, Error> {
        let to = to.into();
        let malformed = |what, error: serde_json::Error| Error::Malformed { what, source: error.into() };
        let payload = serde_json::to_vec(command).map_err(|error| malformed("command", error))?;
        if payload.len() > SignalRequest::PAYLOAD_BYTES_MAX {
            let limit = SignalRequest::PAYLOAD_BYTES_MAX;
            let problem = format!("has {} bytes; the limit of a signal is {limit}", payload.len());
            return Err(Error::Invalid { field: "command", problem });
        }
        let signal = id(&*self.random, self.clock.wall(), SignalId::new);
        let request =
            SignalRequest { id: signal, to, kind: C::KIND.to_owned(), payload: payload.into(), expires_in };
        let Reply::Signalled(_) = self.ask(Request::Signal(request)).await? else {
            return Err(Error::Unexpected("signal"));
        };
        let answer = self.answer(signal).await?;
        serde_json::from_slice(&answer).map_err(|error| malformed("answer", error))
    }

    /// Asks a runner for a sign of life, and waits for half a minute at most.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    ///
    /// # Cancel safety
    /// Dropping the future leaves the ping sent or not.
    pub async fn ping(&self, runner: RunnerId) -> Result<Pong, Error> {
        self.signal(runner, &Ping::default(), PING_WITHIN).await
    }

    /// Asks a runner what it is, what it is at, and what has happened there lately. Waits for half a
    /// minute at most.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    ///
    /// # Cancel safety
    /// Dropping the future leaves the question sent or not.
    pub async fn diagnostics(&self, runner: RunnerId) -> Result<Diagnostics, Error> {
        self.signal(runner, &CollectDiagnostics::default(), PING_WITHIN).await
    }

    /// The control plane tells when the signal has expired, so this ends.
    async fn answer(&self, signal: SignalId) -> Result<bytes::Bytes, Error> {
        loop {
            let request = AnswerRequest { signal, park_for: ANSWER_PARK };
            match self.ask(Request::Answer(request)).await? {
                Reply::Answered(Answered::Waiting) => {}
                Reply::Answered(Answered::Outcome(SignalOutcome::Result(result))) => {
                    return Ok(result.into_bytes());
                }
                Reply::Answered(Answered::Outcome(SignalOutcome::Fault(fault))) => {
                    return Err(Error::SignalFault(fault));
                }
                Reply::Answered(Answered::Expired) => return Err(Error::Unanswered { signal }),
                _ => return Err(Error::Unexpected("answer")),
            }
        }
    }
}
