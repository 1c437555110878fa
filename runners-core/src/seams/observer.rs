//! The observer seam: what a host may want to show or count as it happens.

use crate::values::{
    id::{JobId, RunnerId},
    lease::FencingToken,
    outcome::{Conclusion, Outcome},
};
use std::{fmt::Debug, sync::Arc, time::Duration};

/// Is told what happens, as it happens. Nothing waits for it, and nothing depends on it: the truth
/// is in the store.
pub trait Observer: Debug + Send + Sync + 'static {
    /// Takes note. Must return at once.
    fn observe(&self, notice: &Notice);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, notice: &Notice) {
        (**self).observe(notice);
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// Control plane: a job was accepted.
    JobAccepted {
        /// The job.
        job: JobId,
    },
    /// Control plane: a runner was offered a job.
    JobOffered {
        /// The grant.
        token: FencingToken,
        /// To whom.
        runner: RunnerId,
    },
    /// Control plane: a runner has started a job.
    JobRunning {
        /// The grant.
        token: FencingToken,
        /// By whom.
        runner: RunnerId,
    },
    /// Control plane: an attempt ended, and the job goes back to wait for another.
    JobRequeued {
        /// The grant that ended.
        token: FencingToken,
        /// How, if it had been confirmed.
        outcome: Option<Outcome>,
    },
    /// Control plane: a job ended.
    JobConcluded {
        /// The job.
        job: JobId,
        /// How.
        conclusion: Conclusion,
    },
    /// Control plane: a new start of a runner spoke for the first time.
    RunnerArrived {
        /// The runner.
        runner: RunnerId,
    },
    /// Control plane: nothing was heard of a runner for a whole term, and its leases are lost.
    RunnerLost {
        /// The runner.
        runner: RunnerId,
    },
    /// Control plane: a credential was used that its runner has replaced a while ago. Somebody has
    /// a copy of it.
    RetiredCredentialUsed {
        /// The runner it spoke for.
        runner: RunnerId,
    },
    /// Runner: the first answer came, or the first after an outage.
    Connected,
    /// Runner: an outage begins, since a sync was not answered. It is told once, and is over when it
    /// is [connected](Notice::Connected) again.
    Disconnected {
        /// What went wrong first.
        error: String,
        /// When the next one is sent.
        retry_in: Duration,
    },
    /// Runner: an attempt starts.
    AttemptStarted {
        /// The grant.
        token: FencingToken,
        /// The number of the attempt.
        attempt: u32,
        /// The kind of command.
        kind: String,
    },
    /// Runner: an attempt says how far it is.
    AttemptProgress {
        /// The grant.
        token: FencingToken,
        /// A few words for people.
        text: String,
    },
    /// Runner: an attempt ended.
    AttemptEnded {
        /// The grant.
        token: FencingToken,
        /// How.
        outcome: Outcome,
    },
    /// Runner: what is wanted of it has changed.
    DesiredChanged {
        /// What it is to do.
        mode: crate::values::runner::Mode,
        /// The limit on its slots.
        slots: Option<u32>,
    },
    /// Runner: it had nothing to do for so long that it leaves.
    Idle {
        /// For how long.
        span: Duration,
    },
    /// Runner: it takes nothing new any more, as the control plane has acknowledged.
    Drained,
}

/// Takes no note of anything.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _notice: &Notice) {}
}
