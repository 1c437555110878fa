//! How a run is: in one word, in numbers, and in a listing.

use crate::values::{
    outcome::Conclusion,
    time::{Timestamp, rfc3339},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How a run, or one of its jobs, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the wire knows these five")]
pub enum RunState {
    /// Nothing of it has begun.
    Queued,
    /// Something of it is under way.
    Running,
    /// Its regions answered. What their checks found is in the conclusion.
    Completed,
    /// A region did not answer as it should, or the run was cancelled.
    Failed,
    /// It took longer than it may.
    TimedOut,
}

impl RunState {
    /// Every state, in the order of a run's life.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::TimedOut];

    /// Whether nothing changes it any more.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::TimedOut)
    }

    /// The word that stands for it on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run is queued, running, completed, failed or timed_out")]
#[non_exhaustive]
pub struct RunStateError;

impl FromStr for RunState {
    type Err = RunStateError;
    fn from_str(text: &str) -> Result<Self, RunStateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(RunStateError)
    }
}

/// How far a run is. All members but the last are always there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunProgress {
    /// The run.
    pub run_id: String,
    /// How it is.
    pub state: RunState,
    /// How many jobs it has.
    pub total_jobs: u64,
    /// How many of them are completed.
    pub completed_jobs: u64,
    /// How many of them have failed or timed out.
    pub failed_jobs: u64,
    /// When it was submitted.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// When anything of this last changed.
    #[serde(with = "rfc3339")]
    pub updated_at: Timestamp,
    /// What it came to, by its policy, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
}

impl RunProgress {
    /// `jobs` are all, completed, and failed; `times` when it was submitted, and when it last changed.
    pub(crate) const fn new(
        run_id: String,
        state: RunState,
        jobs: [u64; 3],
        times: [Timestamp; 2],
        conclusion: Option<Conclusion>,
    ) -> Self {
        let [total_jobs, completed_jobs, failed_jobs] = jobs;
        let [created_at, updated_at] = times;
        Self { run_id, state, total_jobs, completed_jobs, failed_jobs, created_at, updated_at, conclusion }
    }
}

/// A run in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunLine {
    /// How far it is.
    #[serde(flatten)]
    pub progress: RunProgress,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Which runs are listed. All of them unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `RunFilter { state, ..Default::default() }`")]
pub struct RunFilter {
    /// Those in this state.
    pub state: Option<RunState>,
    /// Those that have every one of these tags.
    pub tags: Vec<String>,
    /// Those submitted at this time or later.
    pub since: Option<Timestamp>,
    /// Those submitted before this time.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_word_and_nothing_else_is_one() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!("pending".parse::<RunState>(), Err(RunStateError));
    }
}
