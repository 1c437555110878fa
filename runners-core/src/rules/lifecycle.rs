//! The life of a job: pure transitions from one record to the next.
//!
//! Every transition that ends or starts something for a session takes the token and the session
//! that ask for it, and refuses anybody else as [`Fenced`].

use crate::{
    rules::{
        job::{EndedAttempt, JobRecord, Opening, ResultPlace, State, Stop, StopReason},
        record::SessionRef,
        settlement::{Settlement, settle},
    },
    values::{
        digest::Digest,
        id::PoolId,
        lease::FencingToken,
        opaque::Opaque,
        outcome::{Conclusion, Outcome},
        result::Fault,
        sync::Finish,
        time::Timestamp,
    },
};
use std::time::Duration;

/// Another grant, session or outcome stands: nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fenced;

/// What a finish did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// It was recorded before: nothing changes.
    Before,
    /// It is new. A result too large for the job's state is to be kept beside it.
    Now { beside: Option<Opaque> },
}

/// What came of something that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is not due, or no longer.
    Nothing,
    /// The record changed.
    Changed,
    /// An offer was not confirmed in time: the session is suspect.
    Lapsed(SessionRef),
    /// It has ended, and the jobs that wait for it are to be released.
    Release,
}

impl JobRecord {
    /// Grants a ready job to a session. The number of the grant grows with every offer.
    pub(crate) fn offer(
        &mut self,
        to: SessionRef,
        now: Timestamp,
        start_within: Duration,
    ) -> Result<FencingToken, Fenced> {
        let State::Ready { ready_at } = self.state else { return Err(Fenced) };
        self.grant += 1;
        self.state = State::Offered { to, start_by: now + start_within, ready_at };
        Ok(self.token())
    }

    /// As [`offer`](Self::offer), to a session of a runner of `pool`.
    pub(crate) fn offer_in(
        &mut self,
        pool: PoolId,
        to: SessionRef,
        now: Timestamp,
        start_within: Duration,
    ) -> Result<FencingToken, Fenced> {
        let token = self.offer(to, now, start_within)?;
        self.granted_in = (pool != self.terms.pool).then_some(pool);
        Ok(token)
    }

    /// Restates an offer that the runner seems not to have heard of.
    pub(crate) fn offer_again(&mut self, now: Timestamp, start_within: Duration) {
        if let State::Offered { start_by, .. } = &mut self.state {
            *start_by = now + start_within;
        }
    }

    /// The runner has started: the attempt counts, and its clock runs.
    pub(crate) fn confirm(
        &mut self,
        token: FencingToken,
        session: SessionRef,
        now: Timestamp,
        start_within: Duration,
    ) -> Result<(), Fenced> {
        match self.state {
            State::Offered { to, .. } if to == session && token == self.token() => {
                self.state = State::Running {
                    by: to,
                    attempt: self.next_attempt(),
                    started_at: now,
                    deadline: now + self.terms.timeout + start_within,
                    stop: None,
                };
                Ok(())
            }
            _ => Err(Fenced),
        }
    }

    /// The runner does not take the offer: it goes back, at no cost.
    pub(crate) fn decline(&mut self, token: FencingToken, session: SessionRef) -> Result<(), Fenced> {
        match self.state {
            State::Offered { to, ready_at, .. } if to == session && token == self.token() => {
                self.state = State::Ready { ready_at };
                Ok(())
            }
            _ => Err(Fenced),
        }
    }

    /// The attempt ended, as the runner tells. One that was only offered is confirmed by it.
    pub(crate) fn finish(
        &mut self,
        finish: &Finish,
        session: SessionRef,
        now: Timestamp,
        chance: f64,
    ) -> Result<Finished, Fenced> {
        let result_digest = match (&finish.result, finish.result_artifact) {
            (Some(result), _) => Some(Digest::of(result.as_bytes())),
            (None, artifact) => artifact,
        };
        // Every event that follows tells it.
        let outcome = finish.outcome.clone().bounded();
        if let Some(ended) = self.attempts.iter().find(|ended| ended.grant == finish.token.grant) {
            let same = ended.by == session
                && ended.outcome == outcome
                && ended.result_digest == result_digest
                && finish.token.job == self.id;
            return if same { Ok(Finished::Before) } else { Err(Fenced) };
        }
        if finish.token != self.token() {
            return Err(Fenced);
        }
        let (by, number, started_at, stop) = match self.state {
            State::Running { by, attempt, started_at, stop, .. } => (by, attempt, started_at, stop),
            State::Offered { to, .. } => (to, self.next_attempt(), now, None),
            _ => return Err(Fenced),
        };
        if by != session {
            return Err(Fenced);
        }
        if let Some(end) = finish.log_end {
            self.log_ended(finish.token, end);
        }
        let beside = self.keep_result(finish);
        let missing = finish.missing.clone();
        let grant = self.grant;
        let stop = stop.map(|stop| stop.reason);
        let ended = EndedAttempt {
            number,
            grant,
            by,
            outcome,
            result_digest,
            stop,
            started_at,
            ended_at: now,
            missing,
        };
        self.end(ended, now, chance);
        Ok(Finished::Now { beside })
    }

    /// Nothing more is heard of the session that holds it. An offer goes back at no cost; an
    /// attempt is lost.
    pub(crate) fn lose(&mut self, session: SessionRef, now: Timestamp, chance: f64) -> Result<(), Fenced> {
        match self.state {
            State::Offered { to, ready_at, .. } if to == session => {
                self.state = State::Ready { ready_at };
                Ok(())
            }
            State::Running { by, attempt, started_at, stop, .. } if by == session => {
                let ended = EndedAttempt {
                    number: attempt,
                    grant: self.grant,
                    by,
                    outcome: Outcome::Lost,
                    result_digest: None,
                    stop: stop.map(|stop| stop.reason),
                    started_at,
                    ended_at: now,
                    missing: Vec::new(),
                };
                self.end(ended, now, chance);
                Ok(())
            }
            _ => Err(Fenced),
        }
    }

    /// Has the job stopped, in whatever state it is. Whether anything changed. What a drained
    /// runner does not run is none of its business.
    pub(crate) fn stop(&mut self, reason: StopReason, now: Timestamp, slack: Duration) -> bool {
        match &mut self.state {
            State::Concluded { .. } => false,
            State::Running { stop: Some(stop), .. } if !stop.reason.yields_to(reason) => false,
            State::Running { stop, deadline, .. } => {
                // A job that goes on elsewhere is given up no sooner than its runner stops by itself:
                // one that cannot be reached still trusts its lease.
                let from = if reason == StopReason::Drained { now.max(*deadline) } else { now };
                *stop = Some(Stop { reason, until: from + self.terms.grace + slack });
                true
            }
            _ if reason == StopReason::Drained => false,
            State::Scheduled { .. } | State::Blocked { .. } | State::Ready { .. } | State::Offered { .. } => {
                self.conclude(reason.conclusion(), now);
                true
            }
        }
    }

    /// Ends a ready job that nobody can take any more. Whether it was one.
    pub(crate) fn give_up(&mut self, fault: Fault, now: Timestamp) -> bool {
        let is_ready = matches!(self.state, State::Ready { .. });
        if is_ready {
            self.fault = Some(fault);
            self.conclude(Conclusion::Errored, now);
        }
        is_ready
    }

    /// One of the jobs that it waits for has ended.
    pub(crate) fn release(&mut self, passed: bool, now: Timestamp) -> bool {
        let State::Blocked { on, ready_at } = &mut self.state else { return false };
        if !passed {
            self.conclude(Conclusion::Cancelled, now);
        } else if *on > 1 {
            *on -= 1;
        } else {
            let ready_at = (*ready_at).max(now);
            self.state =
                if ready_at > now { State::Scheduled { ready_at } } else { State::Ready { ready_at } };
        }
        true
    }

    /// Does what is due at `now`.
    pub(crate) fn due(&mut self, now: Timestamp, slack: Duration, chance: f64) -> Due {
        if self.due_at().is_none_or(|at| at > now) {
            return Due::Nothing;
        }
        match self.state {
            State::Scheduled { .. } | State::Blocked { .. } | State::Ready { .. }
                if self.has_expired(now) =>
            {
                self.conclude(Conclusion::Expired, now);
                Due::Changed
            }
            State::Scheduled { ready_at } => {
                self.state = State::Ready { ready_at };
                Due::Changed
            }
            State::Ready { ready_at } => {
                let open = |next: &&Opening| ready_at + next.after <= now;
                self.fallen = self.terms.fallbacks.iter().take_while(open).count();
                Due::Changed
            }
            State::Offered { to, ready_at, .. } => {
                self.state = State::Ready { ready_at };
                Due::Lapsed(to)
            }
            State::Running { by, stop: Some(_), .. } => {
                self.lose(by, now, chance).expect("it is held by that very session");
                Due::Changed
            }
            State::Running { .. } => {
                self.stop(StopReason::Deadline, now, slack);
                Due::Changed
            }
            State::Concluded { .. } => Due::Release,
            State::Blocked { .. } => Due::Nothing,
        }
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.attempts.is_empty() && self.terms.queue_until.is_some_and(|until| until <= now)
    }

    fn keep_result(&mut self, finish: &Finish) -> Option<Opaque> {
        match (&finish.result, finish.result_artifact) {
            (Some(result), _) if result.len() <= ResultPlace::INLINE_BYTES_MAX => {
                self.result = Some(ResultPlace::Inline(result.clone()));
                None
            }
            (Some(result), _) => {
                self.result = Some(ResultPlace::Record(self.grant));
                Some(result.clone())
            }
            (None, Some(artifact)) => {
                self.result = Some(ResultPlace::Artifact(artifact));
                None
            }
            (None, None) => {
                self.result = None;
                None
            }
        }
    }

    fn end(&mut self, ended: EndedAttempt, now: Timestamp, chance: f64) {
        self.attempts.push(ended);
        self.fallen = self.terms.open_at_once();
        match settle(&self.terms.retry, &self.attempts, chance) {
            Settlement::Conclude(conclusion) => self.conclude(conclusion, now),
            Settlement::Again(wait) if wait.is_zero() => self.state = State::Ready { ready_at: now },
            Settlement::Again(wait) => self.state = State::Scheduled { ready_at: now + wait },
        }
    }

    const fn conclude(&mut self, conclusion: Conclusion, at: Timestamp) {
        self.state = State::Concluded { conclusion, at };
    }
}

#[cfg(test)]
mod tests;
