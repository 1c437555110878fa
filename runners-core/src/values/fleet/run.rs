//! Runs, as they are listed: jobs that were submitted together, and what became of them.

use crate::values::{fleet::job::JobState, id::RunId, outcome::Conclusion, time::Timestamp};
use std::collections::BTreeMap;

/// A run, as it stands in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunLine {
    /// The run.
    pub run: RunId,
    /// When it was opened.
    pub submitted_at: Timestamp,
    /// When whatever has not ended is stopped.
    pub deadline: Option<Timestamp>,
    /// What its first job is called, or the kind of it if it has no title.
    pub title: Option<String>,
    /// How many of its jobs were counted.
    pub jobs: u32,
    /// Whether it has more jobs than were counted, which are [`RunLine::COUNTED_MAX`].
    pub has_more: bool,
    /// How many of those are in each state; those that have ended are in `conclusions`, too.
    pub states: BTreeMap<JobState, u32>,
    /// How many of those ended in which way.
    pub conclusions: BTreeMap<Conclusion, u32>,
}

impl RunLine {
    /// How many jobs of a run are counted.
    pub const COUNTED_MAX: u32 = 500;

    /// How many of those that were counted have not ended.
    #[must_use]
    pub fn open(&self) -> u32 {
        self.jobs - self.states.get(&JobState::Concluded).copied().unwrap_or_default()
    }
}
