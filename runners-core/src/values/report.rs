//! What became of jobs, in the words that every report shares. How a report looks is for those who
//! write one; where the bytes of an artifact are is for those who keep them.

use crate::values::{
    id::JobId,
    outcome::{Conclusion, Outcome},
    time::{Timestamp, millis, rfc3339},
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What became of a run: some jobs that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunReport {
    /// What it is called, for people.
    pub title: String,
    /// When the first of it started.
    #[serde(with = "rfc3339")]
    pub started_at: Timestamp,
    /// From then to the end of the last.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// Every job, in the order of the submit.
    pub jobs: Vec<JobReport>,
    /// What was asked for in more than one region, side by side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparison: Vec<ComparisonReport>,
}

/// The same, as it went in more than one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparisonReport {
    /// What it is called, for people.
    pub title: String,
    /// Whether all regions came to the same.
    pub agree: bool,
    /// Which jobs of the run it is about, by their places there. A region that was asked twice has two.
    pub jobs: Vec<usize>,
}

/// What became of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobReport {
    /// Names it within its run: unique, and fit to be a file.
    pub name: String,
    /// What it is called, for people.
    pub title: String,
    /// Where its command was read from, if from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its id, if it was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// How it ended.
    pub conclusion: Conclusion,
    /// How long its last attempt took.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// The first failure, or the trouble that was in the way, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Every attempt, the first one first; none if it was not queued, or never started.
    #[serde(default)]
    pub attempts: Vec<AttemptReport>,
    /// The steps of the last attempt, if it has any.
    #[serde(default)]
    pub steps: Vec<StepReport>,
    /// What its attempts left.
    #[serde(default)]
    pub artifacts: Vec<ArtifactReport>,
    /// What could not be kept, and why.
    #[serde(default)]
    pub missing: Vec<String>,
    /// What went wrong in the page while no step looked, a line each: uncaught errors, errors of the
    /// console, requests that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub page_errors: Vec<String>,
    /// Where it ran, if the run was spread over regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Why it does not count for its run, if it does not: such as a region that was excused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excused: Option<String>,
    /// What comparing the regions tells about it beyond its conclusion, if the run was spread over regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// How one attempt went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptReport {
    /// Which it was, from 1.
    pub number: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
}

/// How one step of an attempt went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepReport {
    /// What it does, in one line.
    pub title: String,
    /// How it ended.
    pub state: StepState,
    /// How long it took.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// Why it failed or was skipped, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The names of the artifacts that it left.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// How often it was tried again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepState {
    /// It did what it says.
    Passed,
    /// It did not, and the attempt ended there.
    Failed,
    /// It did not, but it is optional, and the attempt went on.
    Excused,
    /// It is of a type that nothing here understands, and was left out.
    Skipped,
    /// The attempt ended before it.
    NotRun,
    /// It was under way when the attempt was stopped, or lost what it needs.
    CutShort,
}

/// Named bytes that an attempt left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArtifactReport {
    /// Its name, such as `steps/03-failed.png`.
    pub name: String,
    /// Where it is, relative to the report of the run, with `/` between its parts; absent if it is
    /// not at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the bytes are.
    pub media_type: String,
    /// How many bytes it has.
    pub bytes: u64,
}

/// How many jobs came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Passed at once.
    pub passed: usize,
    /// Passed after an attempt with a failed verdict.
    pub flaky: usize,
    /// Failed, or timed out.
    pub failed: usize,
    /// Ended without a verdict: errored, cancelled or expired.
    pub could_not_run: usize,
    /// Did not pass, but do not count.
    pub excused: usize,
}

impl RunReport {
    /// A report without jobs.
    #[must_use]
    pub fn new(title: impl Into<String>, started_at: Timestamp, duration: Duration) -> Self {
        Self { title: title.into(), started_at, duration, jobs: Vec::new(), comparison: Vec::new() }
    }

    /// How many jobs came to what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for job in &self.jobs {
            *match job.conclusion {
                _ if job.excused.is_some() && !job.conclusion.is_passed() => &mut counts.excused,
                Conclusion::Passed => &mut counts.passed,
                Conclusion::Flaky => &mut counts.flaky,
                Conclusion::Failed | Conclusion::TimedOut => &mut counts.failed,
                Conclusion::Errored | Conclusion::Cancelled | Conclusion::Expired => {
                    &mut counts.could_not_run
                }
            } += 1;
        }
        counts
    }
}

impl ComparisonReport {
    /// Compares these jobs of a run.
    #[must_use]
    pub fn new(title: impl Into<String>, agree: bool, jobs: Vec<usize>) -> Self {
        Self { title: title.into(), agree, jobs }
    }
}

impl JobReport {
    /// A report of a job of which no more is known than how it ended.
    #[must_use]
    pub fn new(name: impl Into<String>, title: impl Into<String>, conclusion: Conclusion) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            file: None,
            job: None,
            conclusion,
            duration: Duration::ZERO,
            failure: None,
            attempts: Vec::new(),
            steps: Vec::new(),
            artifacts: Vec::new(),
            missing: Vec::new(),
            page_errors: Vec::new(),
            region: None,
            excused: None,
            finding: None,
        }
    }
}

impl AttemptReport {
    /// Takes what is known of an attempt.
    #[must_use]
    pub const fn new(number: u32, outcome: Outcome, duration: Duration) -> Self {
        Self { number, outcome, duration }
    }
}

impl StepReport {
    /// A step that gave no reason and left nothing.
    #[must_use]
    pub fn new(title: impl Into<String>, state: StepState, duration: Duration) -> Self {
        Self { title: title.into(), state, duration, reason: None, artifacts: Vec::new(), retries: 0 }
    }
}

impl StepState {
    /// The words for people: `not run`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Excused => "excused",
            Self::Skipped => "skipped",
            Self::NotRun => "not run",
            Self::CutShort => "cut short",
        }
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

impl ArtifactReport {
    /// Takes what is known of an artifact.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        path: Option<String>,
        media_type: impl Into<String>,
        bytes: u64,
    ) -> Self {
        Self { name: name.into(), path, media_type: media_type.into(), bytes }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_excused_is_counted_apart_unless_it_passed() {
        let mut run = RunReport::new("regions", Timestamp::from_millis(0), Duration::ZERO);
        run.jobs.extend([Conclusion::Passed, Conclusion::Failed].map(|conclusion| {
            let mut job = JobReport::new("job", "job", conclusion);
            job.excused = Some("the region is optional".to_owned());
            job
        }));
        assert_eq!(run.counts(), Counts { passed: 1, excused: 1, ..Counts::default() });
    }

    #[test]
    fn every_conclusion_is_counted_once() {
        let mut run = RunReport::new("all", Timestamp::from_millis(0), Duration::ZERO);
        let all = [
            Conclusion::Passed,
            Conclusion::Flaky,
            Conclusion::Failed,
            Conclusion::TimedOut,
            Conclusion::Errored,
            Conclusion::Cancelled,
            Conclusion::Expired,
        ];
        run.jobs.extend(all.map(|conclusion| JobReport::new("job", "job", conclusion)));
        assert_eq!(run.counts(), Counts { passed: 1, flaky: 1, failed: 2, could_not_run: 3, excused: 0 });
        let text = serde_json::to_string(&run).unwrap();
        assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), run);
    }
}
