//! When a session leaves by its own account: after one job, or after it had nothing to do.

use super::{Effect, Session};
use crate::{
    seams::observer::Notice,
    values::{runner::Mode, time::BootTime},
};
use std::time::Duration;

/// How long a session stays.
#[derive(Debug, Default)]
pub(in super::super) struct Tenure {
    /// For one job.
    pub(in super::super) single_use: bool,
    /// Until it had nothing to do for so long.
    pub(in super::super) idle_exit: Option<Duration>,
    /// It is over: nobody can have it serve again.
    pub(in super::super) over: bool,
    idle_since: Option<BootTime>,
}

impl Tenure {
    pub(in super::super) const fn new(single_use: bool, idle_exit: Option<Duration>, used: bool) -> Self {
        Self { single_use, idle_exit, over: single_use && used, idle_since: None }
    }
}

impl Session {
    pub(in super::super) fn with_tenure(mut self, tenure: Tenure) -> Self {
        self.tenure = tenure;
        if self.tenure.over {
            self.mode_changed(Mode::Serve);
        }
        self
    }

    /// A job was taken.
    pub(super) fn used(&mut self, now: BootTime) {
        if self.tenure.single_use {
            self.end_tenure(now);
        }
    }

    /// Leaves if there was nothing to do for as long as was said. A runner that is drained waits for
    /// its operator, and is not idle.
    pub(super) fn idle(&mut self, now: BootTime) {
        let Some(span) = self.tenure.idle_exit else { return };
        let busy = !(self.held.is_empty() && self.winding.is_empty() && self.finishes.is_empty());
        if busy || self.mode() != Mode::Serve {
            self.tenure.idle_since = None;
            return;
        }
        let since = *self.tenure.idle_since.get_or_insert(now);
        if since + span <= now {
            self.effects.push(Effect::Tell(Notice::Idle { span }));
            self.end_tenure(now);
        }
    }

    /// When it will have been idle for too long.
    pub(super) fn idle_until(&self) -> Option<BootTime> {
        Some(self.tenure.idle_since? + self.tenure.idle_exit?)
    }

    fn end_tenure(&mut self, now: BootTime) {
        let before = self.mode();
        if !std::mem::replace(&mut self.tenure.over, true) {
            self.mode_changed(before);
            self.news.get_or_insert(now);
        }
    }
}
