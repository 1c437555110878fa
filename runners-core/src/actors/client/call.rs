//! One question and its answer, over a transport that may fail: bounded in time, and tried again.

use super::Client;
use crate::{
    actors::error::Error,
    seams::{clock::sleep, random::unit, transport::TransportError},
    values::{reply::Reply, request::Request},
};
use std::time::Duration;

/// The longest wait before the second try; it doubles with each one after.
const BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait before any try.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// What a reply may take beyond the time that it may be held back on purpose.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

impl Client {
    /// Asks until an answer comes or patience is over. Refusals are errors.
    pub(super) async fn ask(&self, request: Request) -> Result<Reply, Error> {
        let give_up_at = self.clock.boot() + self.patience + request.park_for();
        let mut failures = 0;
        loop {
            let error = match self.ask_once(request.clone()).await {
                Ok(Reply::Refused(refused)) => return Err(Error::Refused(refused)),
                Ok(reply) => return Ok(reply),
                Err(error) if !error.is_transient() => return Err(Error::Rejected(error)),
                Err(error) if self.transport.retries() => return Err(Error::Unreachable(error)),
                Err(error) => error,
            };
            let wait = self.backoff(failures, &error);
            failures += 1;
            if self.clock.boot() + wait >= give_up_at {
                return Err(Error::Unreachable(error));
            }
            sleep(&*self.clock, wait).await;
        }
    }

    async fn ask_once(&self, request: Request) -> Result<Reply, TransportError> {
        // One that tries again itself may take as long as this client would.
        let answer_within = if self.transport.retries() { self.patience } else { ANSWER_WITHIN };
        let late = self.clock.boot() + request.park_for() + answer_within;
        tokio::select! {
            biased;
            reply = self.transport.call(request) => reply,
            () = self.clock.sleep_until(late) => Err(TransportError::Unreachable("no answer in time".into())),
        }
    }

    /// Full jitter over a doubling span, and what a busy control plane asks for at least.
    fn backoff(&self, failures: u32, error: &TransportError) -> Duration {
        let span = BACKOFF.saturating_mul(1 << failures.min(16)).min(BACKOFF_MAX);
        let wait = span.mul_f64(unit(&*self.random));
        match error {
            TransportError::Busy { retry_after } => *retry_after + wait,
            _ => wait,
        }
    }
}
