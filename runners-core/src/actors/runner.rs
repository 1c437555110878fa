//! The runner: a process, or a part of one, that executes jobs and only ever connects out. This
//! file is its handle; the loop behind it is in `serve`, the protocol in `session`.

mod builder;
mod camera;
mod deregister;
mod diagnostics;
mod discretion;
mod drive;
mod execution;
mod hooks;
mod lease;
mod link;
mod log;
mod measures;
mod pacing;
mod respond;
mod serve;
mod session;
mod show;
mod signals;
mod stream;

pub use builder::RunnerBuilder;
pub use hooks::HookError;

use crate::{
    actors::error::Error,
    seams::transport::Transport,
    values::{
        lease::FencingToken,
        reply::Refused,
        runner::{Facts, Incarnation, Mode},
    },
};
use serve::Shared;
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Executes jobs for a control plane that it reaches by a [`Transport`].
///
/// Clones are handles of the same runner. Dropping them does not stop it: it serves until it is
/// told to [`drain`](Self::drain) or [`stop`](Self::stop), by its host or by its operator, or until
/// its runtime ends, which drops what it executes.
#[derive(Clone, Debug)]
pub struct Runner {
    shared: Arc<Shared>,
    exit: watch::Receiver<Option<ExitReason>>,
    kill: CancellationToken,
    tracker: TaskTracker,
}

/// Why a runner is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// It was told to leave, or was idle for as long as it may be, and everything was finished and recorded.
    Left,
    /// It was for a single use, and has deregistered: its credential is revoked.
    Deregistered,
    /// It was stopped. What it could not tell is in its spool.
    Stopped,
    /// A later start of the same runner has taken its place.
    Displaced,
    /// The control plane refuses it, from the start or by now.
    Refused(Refused),
    /// It was dropped at once, by [`Runner::kill`] or by the end of its runtime.
    Killed,
    /// It could not start.
    Unstarted {
        /// What was in its way.
        problem: String,
    },
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("it left"),
            Self::Deregistered => f.write_str("it has deregistered itself"),
            Self::Stopped => f.write_str("it was stopped"),
            Self::Displaced => f.write_str("a later start of the same runner has taken its place"),
            Self::Refused(refused) => write!(f, "it was refused: {refused}"),
            Self::Killed => f.write_str("it was killed"),
            Self::Unstarted { problem } => write!(f, "it could not start: {problem}"),
        }
    }
}

/// How a runner is at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunnerSnapshot {
    /// Which start of the runner it is.
    pub incarnation: Incarnation,
    /// Whether its last request was answered.
    pub connected: bool,
    /// Whether it serves, drains or leaves: the stricter of what its host and its operator want.
    pub mode: Mode,
    /// How many jobs it may execute at once.
    pub slots: u32,
    /// How many more it would start now.
    pub free: u32,
    /// The attempts that it executes, except those whose lease is known to be lost.
    pub held: Vec<FencingToken>,
    /// How many results of attempts the control plane has not acknowledged yet.
    pub unrecorded: usize,
    /// Why the last request failed. `None` once a request was answered.
    pub last_error: Option<String>,
    /// Why it is over, once it is.
    pub exit: Option<ExitReason>,
}

impl Runner {
    /// The largest number of slots: every attempt is named in every request, whose size is limited.
    pub const SLOTS_MAX: u32 = 2000;

    /// Starts to describe a runner that speaks by `transport`.
    pub fn builder(transport: impl Transport) -> RunnerBuilder {
        RunnerBuilder::new(Arc::new(transport))
    }

    /// Takes nothing new, finishes what runs, and leaves: completes once the control plane has
    /// acknowledged that nothing more will come and has recorded everything.
    ///
    /// # Errors
    /// [`Error::Exited`] when the runner ended otherwise, such as by [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the drain.
    pub async fn drain(&self) -> Result<(), Error> {
        self.shared.with(|session, now| session.intend(Mode::Leave, now));
        match self.stopped().await {
            ExitReason::Left | ExitReason::Deregistered => Ok(()),
            reason => Err(Error::Exited(reason)),
        }
    }

    /// Takes nothing new until it is told to [`resume`](Self::resume). What runs goes on.
    pub fn pause(&self) {
        self.shared.with(|session, now| session.intend(Mode::Drain, now));
    }

    /// Takes jobs again after [`pause`](Self::pause), unless its operator wants otherwise. It also ends a
    /// [`drain`](Self::drain) that has not completed, but neither the end of a single use nor an idle exit.
    pub fn resume(&self) {
        self.shared.with(|session, now| session.intend(Mode::Serve, now));
    }

    /// Cancels the running attempts, gives them `grace` to return, and ends the runner. Results that could not
    /// be sent within a few seconds more stay in the spool for the next start. Jobs whose attempts did not
    /// return are tried again elsewhere.
    ///
    /// # Cancel safety
    /// Dropping the future does not call the stop off.
    pub async fn stop(&self, grace: Duration) -> ExitReason {
        self.shared.with(|session, now| session.stop(grace, now));
        self.stopped().await
    }

    /// Ends the runner at once, as if its process had been killed: running attempts are dropped, nothing more
    /// is sent, and what was not recorded stays in the spool.
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// Completes once the runner is over, and tells why.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn stopped(&self) -> ExitReason {
        let mut exit = self.exit.clone();
        let reason = match exit.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None, // Its runtime has ended, and the loop with it.
        };
        self.tracker.wait().await;
        reason.unwrap_or(ExitReason::Killed)
    }

    /// Changes what the runner tells the control plane of itself, such as its labels or browsers. Its kinds and
    /// slots stay as they are. A change is sent at once. One change is made after the other, so `change` makes none
    /// itself; the runner goes on meanwhile.
    pub fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        self.shared.change_facts(change);
    }

    /// How the runner is now.
    #[must_use]
    pub fn snapshot(&self) -> RunnerSnapshot {
        let mut snapshot = self.shared.look(session::Session::snapshot);
        if let Some(reason) = &*self.exit.borrow() {
            snapshot.exit = Some(reason.clone());
        }
        snapshot
    }
}

#[cfg(test)]
mod tests;
