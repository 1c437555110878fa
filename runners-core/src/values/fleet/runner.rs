//! Runners as an operator sees them.

use crate::values::{
    id::{PoolId, RunnerId},
    runner::{Desired, Facts},
    time::Timestamp,
};
use std::time::Duration;

/// Which runners are listed.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "callers write `RunnerFilter { pool, ..Default::default() }`")]
pub struct RunnerFilter {
    /// Those of this pool; of every pool unless given.
    pub pool: Option<PoolId>,
    /// Those that are so; all of them unless given.
    pub state: Option<RunnerState>,
}

/// How a runner is, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are no other states, here or on the wire")]
pub enum RunnerState {
    /// It is there and takes jobs.
    Online,
    /// It is there and takes nothing new.
    Draining,
    /// It has not spoken for a while.
    Offline,
}

/// A runner, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunnerView {
    /// The runner.
    pub id: RunnerId,
    /// Its pool.
    pub pool: PoolId,
    /// What it is called.
    pub name: String,
    /// What is wanted of it.
    pub desired: Desired,
    /// When it was registered; the beginning of 1970 if an earlier release did it.
    pub made_at: Timestamp,
    /// When what it still holds is taken from it, while it drains.
    pub drain_by: Option<Timestamp>,
    /// Whether it is removed once it is drained.
    pub retiring: bool,
    /// What it last said of itself, also before a restart of the control plane: its system, its
    /// browsers, its versions. `None` if it never spoke.
    pub facts: Option<Facts>,
}

/// How a runner is drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `Drain { note, ..Default::default() }`")]
pub struct Drain {
    /// Why, for people. At most [`Desired::NOTE_BYTES_MAX`] bytes.
    pub note: Option<String>,
    /// When what it still runs is taken from it: its jobs are told to stop, and unless they reach a
    /// verdict within their grace they go on elsewhere, which counts neither as an attempt nor as a
    /// loss. It may take as long as it likes unless given; at most [`Drain::WITHIN_MAX`].
    pub within: Option<Duration>,
}

impl Drain {
    /// The longest time that a drain may be given: 30 days.
    pub const WITHIN_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
}
