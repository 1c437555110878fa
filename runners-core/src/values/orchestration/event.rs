//! What a run tells on its way.

use super::{RegionResult, RunState, SummaryCounts};
use crate::values::{
    event::EventCursor,
    id::JobId,
    outcome::Conclusion,
    time::{Timestamp, rfc3339},
};
use serde::{Deserialize, Serialize};

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunEvent {
    /// When it happened.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: RunHappening,
}

impl RunEvent {
    pub(crate) const fn new(at: Timestamp, what: RunHappening) -> Self {
        Self { at, what }
    }
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum RunHappening {
    /// A region is called for a job.
    JobStarted {
        /// Where the job stands among those of the run, from 0.
        index: usize,
        /// The job.
        job_id: JobId,
        /// Its region, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// The page.
        url: String,
        /// Which try it is: 1, or 2 in the odd region.
        #[serde(rename = "try")]
        number: u32,
    },
    /// A try at a job is under way, and waits for something, or for nothing any more.
    JobWaits {
        /// Where the job stands among those of the run, from 0.
        index: usize,
        /// The job.
        job_id: JobId,
        /// Its region, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// Which try it is.
        #[serde(rename = "try")]
        number: u32,
        /// For what, or what would help; nothing once it goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A try at a job ended.
    JobEnded {
        /// Where the job stands among those of the run, from 0.
        index: usize,
        /// The job.
        job_id: JobId,
        /// Its region, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// Which try it was.
        #[serde(rename = "try")]
        number: u32,
        /// How it ended.
        state: RunState,
        /// One result for each check, in their order.
        results: Vec<RegionResult>,
        /// Why the region did not answer as it should.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// What was odd about the answer, though it could be used.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
        /// When it began.
        #[serde(with = "rfc3339")]
        started_at: Timestamp,
    },
    /// The run ended. Nothing comes after it.
    RunEnded {
        /// How.
        state: RunState,
        /// What it came to, by its policy.
        conclusion: Conclusion,
        /// Every check, counted once.
        summary: SummaryCounts,
        /// Why jobs that had not ended were stopped, if any were. They have the state of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// Some events of a run, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunPage {
    /// Each event, and where to go on after it.
    pub(crate) events: Vec<(EventCursor, RunEvent)>,
    /// Where to go on: after the last of them.
    pub(crate) next: EventCursor,
    /// Whether the run has ended and nothing more will come.
    pub(crate) ended: bool,
}
