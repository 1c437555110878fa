//! What is left of flows that were seen through: `report.json`, which scripts rely on. Its shape
//! is told by `runners submit --help`; later versions only add members.

use crate::exit::Exit;
use runners_core::{
    Conclusion, JobId, Timestamp,
    report::{self, AttemptReport, JobReport, RunReport, StepReport},
};
use runners_exec_webdriver::{CutShort, FlowResult, StepResult, StepState};
use serde::Serialize;
use std::{path::PathBuf, time::Duration};

/// The number of the shape.
pub(crate) const VERSION: u32 = 1;

/// What became of some flows.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) version: u32,
    pub(crate) conclusion: Overall,
    pub(crate) started_at: String,
    pub(crate) duration_ms: u64,
    pub(crate) counts: Counts,
    pub(crate) flows: Vec<FlowReport>,
    #[serde(skip)]
    started: Timestamp,
}

/// What everything together came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Overall {
    Passed,
    Failed,
    CouldNotRun,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) flows: usize,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) could_not_run: usize,
}

/// What became of one flow.
#[derive(Debug, Serialize)]
pub(crate) struct FlowReport {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) title: String,
    pub(crate) conclusion: Conclusion,
    pub(crate) duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<usize>,
    /// How each attempt went; the other reports have it.
    #[serde(skip)]
    pub(crate) tries: Vec<AttemptReport>,
    /// The first failure, or the trouble that was in the way, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    pub(crate) steps: Vec<StepResult>,
    /// What went wrong in the page while no step looked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) page_errors: Vec<String>,
    pub(crate) artifacts: Vec<ArtifactReport>,
    /// Artifacts that could not be kept, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<String>,
}

/// Something that a flow left, and where it is now.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ArtifactReport {
    pub(crate) name: String,
    /// Relative to the report.
    pub(crate) path: PathBuf,
    pub(crate) media_type: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Report {
    /// Folds reports of flows into one.
    pub(crate) fn new(started_at: Timestamp, ended_at: Timestamp, mut flows: Vec<FlowReport>) -> Self {
        let mut counts = Counts { flows: flows.len(), ..Counts::default() };
        for flow in &mut flows {
            flow.artifacts.sort_by(|one, other| one.path.cmp(&other.path));
            match Exit::of([flow.conclusion]) {
                Exit::Passed => counts.passed += 1,
                Exit::Failed => counts.failed += 1,
                Exit::CouldNotRun | Exit::NotRunning => counts.could_not_run += 1,
            }
        }
        let mut report = Self {
            version: VERSION,
            conclusion: Overall::Passed,
            started_at: started_at.to_string(),
            duration_ms: millis(ended_at.since(started_at)),
            counts,
            flows,
            started: started_at,
        };
        report.conclusion = match report.exit() {
            Exit::Passed => Overall::Passed,
            Exit::Failed => Overall::Failed,
            Exit::CouldNotRun | Exit::NotRunning => Overall::CouldNotRun,
        };
        report
    }

    pub(crate) fn exit(&self) -> Exit {
        Exit::of(self.flows.iter().map(|flow| flow.conclusion))
    }

    /// The same in the words of every report.
    pub(crate) fn to_run(&self) -> RunReport {
        let title = match &self.flows[..] {
            [flow] => flow.title.clone(),
            flows => crate::terminal::count(flows.len(), "flow"),
        };
        let mut run = RunReport::new(title, self.started, Duration::from_millis(self.duration_ms));
        run.jobs = self.flows.iter().map(FlowReport::to_job).collect();
        run
    }
}

impl FlowReport {
    /// Takes over what a replay came to.
    pub(crate) fn take(&mut self, result: FlowResult) {
        self.failure = result.failure().map(reason);
        self.title = result.title;
        self.duration_ms = result.duration_ms;
        self.steps = result.steps;
        self.page_errors = result.page_errors;
    }

    /// Takes over how far a replay got that has no verdict. Bytes that do not tell are left alone.
    pub(crate) fn take_cut_short(&mut self, bytes: &[u8]) {
        let Ok(left) = serde_json::from_slice::<CutShort>(bytes) else { return };
        self.duration_ms = left.duration_ms;
        self.steps = left.steps;
        self.page_errors = left.page_errors;
    }

    /// What the step says that was under way when its flow was cut short.
    pub(crate) fn cut_short(&self) -> Option<&str> {
        let step = self.steps.iter().find(|step| step.state == StepState::CutShort)?;
        step.reason.as_deref()
    }

    fn to_job(&self) -> JobReport {
        let mut job = JobReport::new(&*self.name, &*self.title, self.conclusion);
        job.file = Some(self.file.display().to_string());
        job.job = self.job;
        job.duration = self.duration();
        job.failure.clone_from(&self.failure);
        job.attempts.clone_from(&self.tries);
        job.steps = self.steps.iter().map(step).collect();
        job.artifacts = self.artifacts.iter().map(artifact).collect();
        job.missing.clone_from(&self.missing);
        job.page_errors.clone_from(&self.page_errors);
        job
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// How many steps did what they say, of how many.
    pub(crate) fn passed_steps(&self) -> (usize, usize) {
        let passed = self.steps.iter().filter(|step| step.state == StepState::Passed).count();
        (passed, self.steps.len())
    }
}

fn step(step: &StepResult) -> StepReport {
    let mut report = StepReport::new(&*step.description, step.state, Duration::from_millis(step.duration_ms));
    report.reason.clone_from(&step.reason);
    report.artifacts.clone_from(&step.artifacts);
    report.retries = step.retries;
    report
}

fn artifact(artifact: &ArtifactReport) -> report::ArtifactReport {
    let parts: Vec<_> = artifact.path.iter().map(|part| part.to_string_lossy()).collect();
    report::ArtifactReport::new(&*artifact.name, Some(parts.join("/")), &*artifact.media_type, artifact.bytes)
}

/// Why a step failed, in one line.
fn reason(step: &StepResult) -> String {
    let place = || format!("step {} ({})", step.index + 1, step.description);
    step.reason.clone().unwrap_or_else(place)
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
