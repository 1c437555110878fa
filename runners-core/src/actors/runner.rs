//! The runner: a process, or a part of one, that executes jobs and only ever connects out. This
//! file is its handle; the loop behind it is in `serve`, the protocol in `session`.

mod builder;
mod camera;
mod deregister;
mod diagnostics;
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
    /// It was told to leave, or had nothing to do for as long as it was to wait, and nothing was left
    /// to do.
    Left,
    /// It was for a single use, and is not registered any more: its credential is good for nothing.
    Deregistered,
    /// It was stopped. What it could not tell is in its spool.
    Stopped,
    /// A later start of the same runner has taken its place.
    Displaced,
    /// The control plane does not take it, or not any more.
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
    /// What it means to do: the stricter of what its host and its operator want.
    pub mode: Mode,
    /// How many jobs it may execute at once.
    pub slots: u32,
    /// How many more it would start now.
    pub free: u32,
    /// What it executes, under leases that are not known to be lost.
    pub held: Vec<FencingToken>,
    /// How many finishes the control plane has not acknowledged.
    pub unrecorded: usize,
    /// What went wrong with the last request, until one is answered.
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
    /// Dropping the future leaves the runner leaving.
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

    /// Takes jobs again after [`pause`](Self::pause), unless its operator wants otherwise. It also
    /// calls a [`drain`](Self::drain) back that has not completed, but neither the end of a single use
    /// nor an idle exit.
    pub fn resume(&self) {
        self.shared.with(|session, now| session.intend(Mode::Serve, now));
    }

    /// Cancels what runs, gives it `grace` to return, and ends the runner. What could not be told
    /// within a few seconds more stays in the spool for the next start. Jobs that did not return
    /// are not cancelled by it: they are tried again elsewhere.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the runner stopping.
    pub async fn stop(&self, grace: Duration) -> ExitReason {
        self.shared.with(|session, now| session.stop(grace, now));
        self.stopped().await
    }

    /// Ends the runner at once, as if its process had been killed: nothing is told, what runs is
    /// dropped, and what was not recorded stays in the spool.
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

    /// Changes what the runner says of itself, such as its labels or browsers; its kinds and slots
    /// stay as they are. It is told at once if it differs.
    pub fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        self.shared.with(|session, now| session.change_facts(change, now));
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
