//! What is told to the service manager that has started this process, if one has: that it is ready,
//! how it is, that it is still alive. Where nobody asks for it, nothing is told.

use runners_core::{Notice, SystemClock, sleep};
use std::time::Duration;

/// The service manager, as a runner speaks to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Supervisor;

impl Supervisor {
    /// Tells that the runner serves.
    pub(crate) fn ready(self) {
        imp::tell(&[imp::State::Ready]);
    }

    /// Tells that it is about to end.
    pub(crate) fn stopping(self) {
        imp::tell(&[imp::State::Stopping]);
    }

    /// Tells how it is, in a line for people.
    pub(crate) fn note(self, notice: &Notice) {
        match notice {
            Notice::Connected => imp::tell(&[imp::State::Status("connected")]),
            Notice::Disconnected { error, .. } => {
                imp::tell(&[imp::State::Status(&format!("not connected: {}", error.replace('\n', " ")))]);
            }
            Notice::Drained => imp::tell(&[imp::State::Status("takes nothing new any more")]),
            _ => {}
        }
    }

    /// Tells again and again that it is alive, as often as is wanted, for as long as `look` returns.
    ///
    /// # Cancel safety
    /// Dropping the future ends that.
    pub(crate) async fn keep_alive(self, look: impl Fn()) {
        let Some(within) = imp::watchdog() else { return std::future::pending().await };
        let clock = SystemClock::default();
        loop {
            look();
            imp::tell(&[imp::State::Watchdog]);
            sleep(&clock, (within / 2).max(Duration::from_millis(1))).await;
        }
    }
}

#[cfg(target_os = "linux")]
mod imp {
    pub(super) use sd_notify::NotifyState as State;

    /// Without a service manager this does nothing.
    pub(super) fn tell(states: &[State<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }

    pub(super) fn watchdog() -> Option<std::time::Duration> {
        sd_notify::watchdog_enabled()
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    /// What nobody asks for here.
    pub(super) enum State<'a> {
        Ready,
        Stopping,
        Status(&'a str),
        Watchdog,
    }

    pub(super) fn tell(states: &[State<'_>]) {
        for state in states {
            if let State::Status(text) = state {
                tracing::debug!(text, "there is no service manager to tell");
            }
        }
    }

    pub(super) const fn watchdog() -> Option<std::time::Duration> {
        None
    }
}
