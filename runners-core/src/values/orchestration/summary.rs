//! What became of a run: job by job, result by result, and in numbers.

use super::{RegionResult, ResultArtifact, ResultState, RunState};
use crate::values::{
    id::JobId,
    outcome::Conclusion,
    time::{Timestamp, optional_rfc3339, rfc3339},
};
use serde::{Deserialize, Serialize};

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunSummary {
    /// The run.
    pub run_id: String,
    /// How it is.
    pub state: RunState,
    /// Its jobs, in the order in which the request names their pages and regions.
    pub jobs: Vec<RegionJob>,
    /// Every check that was asked for, counted once.
    pub summary: SummaryCounts,
    /// When it was submitted.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_rfc3339")]
    pub completed_at: Option<Timestamp>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What it came to, by its policy, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl RunSummary {
    /// What its results left, in their order; those of a first try before those of the second.
    pub fn artifacts(&self) -> impl Iterator<Item = RunArtifact> + '_ {
        self.jobs.iter().flat_map(|job| {
            let first = job.first_try.iter().flat_map(|first| first.results.iter().map(|result| (1, result)));
            let last = if job.first_try.is_some() { 2 } else { 1 };
            let tries = first.chain(job.results.iter().map(move |result| (last, result)));
            tries.flat_map(move |(number, result)| {
                result.artifacts.iter().map(move |artifact| RunArtifact {
                    job_id: job.job_id,
                    region: job.region.clone(),
                    url: job.url.clone(),
                    check: result.name.clone(),
                    number,
                    artifact: artifact.clone(),
                })
            })
        })
    }
}

/// An artifact, and which check left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunArtifact {
    /// The job.
    pub job_id: JobId,
    /// Its region; none in local mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The page.
    pub url: String,
    /// The check.
    pub check: String,
    /// In which try at the job: 1, or 2 in the odd region.
    #[serde(rename = "try")]
    pub number: u32,
    /// What it left.
    #[serde(flatten)]
    pub artifact: ResultArtifact,
}

/// How many checks were asked for, and what they found. While a run is under way the last three add
/// up to less than the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SummaryCounts {
    /// How many were asked for.
    pub total: u64,
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many reached no verdict.
    pub errored: u64,
}

/// The checks of one page in one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RegionJob {
    /// The job.
    pub job_id: JobId,
    /// Its region; none in local mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The page.
    pub url: String,
    /// The names of its checks, as they were asked for.
    pub runners: Vec<String>,
    /// How it is.
    pub state: RunState,
    /// One result for each of its checks, in their order, once it has ended.
    pub results: Vec<RegionResult>,
    /// Why the region did not answer as it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was odd about the answer, though it could be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What it waits for while it is under way, if its region tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// When its region was first called.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_rfc3339")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_rfc3339")]
    pub completed_at: Option<Timestamp>,
    /// How long its last try took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What comparing the regions tells about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// How its first try ended, if there was a second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_try: Option<RegionTry>,
}

/// How a try at a job ended that was not its last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RegionTry {
    /// How.
    pub state: RunState,
    /// What it found.
    pub results: Vec<RegionResult>,
    /// Why the region did not answer as it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it began.
    #[serde(with = "rfc3339")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "rfc3339")]
    pub completed_at: Timestamp,
}

/// What comparing the regions of a page tells about one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// It reaches no verdict, in a second try neither, where other regions do.
    RegionDown,
    /// A check fails here, in a second try as well, and passes in other regions.
    BrokenHere,
    /// A check passes in no region.
    BrokenEverywhere,
    /// The second try passed.
    Flaky,
    /// It did not pass, and that was expected.
    ExpectedToFail,
    /// It passed, though it was expected to fail.
    UnexpectedPass,
}

impl Finding {
    /// The words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::RegionDown => "region down",
            Self::BrokenHere => "broken here",
            Self::BrokenEverywhere => "broken everywhere",
            Self::Flaky => "flaky",
            Self::ExpectedToFail => "expected to fail",
            Self::UnexpectedPass => "passed unexpectedly",
        }
    }

    /// Whether it tells of a check of its job that came to this: what is broken is not what passed beside it.
    #[must_use]
    pub const fn tells_of(self, state: ResultState) -> bool {
        let passed = matches!(state, ResultState::Pass);
        matches!(self, Self::Flaky | Self::UnexpectedPass) == passed
    }
}
