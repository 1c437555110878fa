//! When a session speaks, and what it makes of silence.

use super::{Effect, ExitReason, Next, Session};
use crate::{
    seams::observer::Notice,
    values::{lease::FencingToken, time::BootTime},
};
use std::time::Duration;

/// News that arrives while a call is under way travels in the next one, at most this much later.
const LINGER: Duration = Duration::from_millis(10);
/// Logs, progress and artifacts are gathered for this long.
const GATHER: Duration = Duration::from_millis(200);
/// A call whose answer is not held back is repeated when it takes longer than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// What a parked call may take beyond its park.
const PARK_SLACK: Duration = Duration::from_secs(10);
/// The largest number of calls under way. The oldest is given up for a newer one.
pub(super) const CALLS_MAX: usize = 16;

/// A request that is under way.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) asked: BootTime,
    pub(super) park_for: Duration,
    /// It holds what is answered at once.
    pub(super) urgent: bool,
    pub(super) given_up: bool,
    pub(super) facts: bool,
    pub(super) listed: Vec<FencingToken>,
    pub(super) progress: Vec<(FencingToken, u64)>,
}

impl Sent {
    fn deadline(&self) -> BootTime {
        self.asked + if self.urgent { ANSWER_WITHIN } else { self.park_for + PARK_SLACK }
    }
}

impl Session {
    /// What to do next.
    pub(in super::super) fn next(&self, now: BootTime) -> Next {
        let mut wake = self.calls.values().filter(|call| !call.given_up).map(Sent::deadline).min();
        let mut at = |time: BootTime| wake = Some(wake.map_or(time, |wake| wake.min(time)));
        if self.exit.is_some() {
            return Next::Wait(None);
        }
        self.stop_by.into_iter().chain(self.idle_until()).for_each(&mut at);
        if let Some(not_before) = self.pacing.not_before()
            && now < not_before
        {
            at(not_before);
            return Next::Wait(wake);
        }
        // Calls that are answered already, or overtaken by one that is, bring nothing any more.
        let mut live = self.calls.range(self.newest + 1..).filter(|(_, call)| !call.given_up).peekable();
        if live.peek().is_none() {
            return Next::Send;
        }
        let under_way = live.any(|(_, call)| call.urgent);
        for (since, wait_under_way, wait) in
            [(self.news, LINGER, Duration::ZERO), (self.murmur, ANSWER_WITHIN, GATHER)]
        {
            let Some(since) = since else { continue };
            let due = since + if under_way { wait_under_way } else { wait };
            if due <= now {
                return Next::Send;
            }
            at(due);
        }
        Next::Wait(wake)
    }

    /// Gives up calls that took too long, and a stop that did.
    pub(in super::super) fn overdue(&mut self, now: BootTime, chance: &dyn Fn() -> f64) {
        let late: Vec<u64> =
            self.calls.iter().filter(|(_, c)| c.deadline() <= now).map(|(s, _)| *s).collect();
        for seq in late {
            let Some(call) = self.calls.get_mut(&seq) else { continue };
            let first = !std::mem::replace(&mut call.given_up, true);
            if call.asked + call.park_for + PARK_SLACK <= now {
                self.calls.remove(&seq);
                self.effects.push(Effect::Abandon(seq));
            }
            if first && seq == self.seq {
                self.failed("no answer in time".to_owned(), Duration::ZERO, now, chance);
            }
        }
        self.idle(now);
        if self.stop_by.is_some_and(|stop_by| stop_by <= now) {
            self.exit.get_or_insert(ExitReason::Stopped);
        }
    }

    /// Nothing is known of what the newest request did.
    pub(super) fn failed(
        &mut self,
        error: String,
        retry_after: Duration,
        now: BootTime,
        chance: &dyn Fn() -> f64,
    ) {
        self.connected = false;
        let retry_in = self.pacing.failed(now, retry_after, chance());
        // One outage is told once, however its errors differ.
        if self.last_error.is_none() {
            self.effects.push(Effect::Tell(Notice::Disconnected { error: error.clone(), retry_in }));
        }
        self.last_error = Some(error);
        self.news.get_or_insert(now);
    }
}
