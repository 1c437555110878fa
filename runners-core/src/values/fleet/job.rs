//! Jobs as they are listed.

use crate::values::{
    id::{JobId, RunId},
    outcome::Conclusion,
    reply::StateView,
    time::Timestamp,
};

/// Which jobs are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `JobFilter { state, ..Default::default() }`")]
pub struct JobFilter {
    /// Those in this state.
    pub state: Option<JobState>,
    /// Those that ended like this.
    pub conclusion: Option<Conclusion>,
    /// Those that target the pool of this name.
    pub pool: Option<String>,
    /// Those of this kind.
    pub kind: Option<String>,
    /// Those of this run.
    pub run: Option<RunId>,
}

/// The state of a job, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are no other states, here or on the wire")]
pub enum JobState {
    /// Not yet due, a wait before another attempt included.
    Scheduled,
    /// Waiting for other jobs.
    Blocked,
    /// Waiting for a runner.
    Ready,
    /// Granted to a runner that has not started it.
    Offered,
    /// Being executed.
    Running,
    /// Ended.
    Concluded,
}

impl JobState {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Blocked, Self::Ready, Self::Offered, Self::Running, Self::Concluded];
}

/// A job as it stands in a listing: without its result and what it left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobLine {
    /// The job.
    pub job: JobId,
    /// The kind of its command.
    pub kind: String,
    /// What its submitter calls it.
    pub title: Option<String>,
    /// The pool that it targets.
    pub pool: String,
    /// The run that it belongs to.
    pub run: Option<RunId>,
    /// The job that it is another try of, by somebody's wish.
    pub retry_of: Option<JobId>,
    /// How it is.
    pub state: StateView,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Higher goes first.
    pub priority: u8,
    /// How many attempts have ended.
    pub attempts: u32,
}
