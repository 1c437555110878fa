//! Runs: jobs that were submitted together, and what became of them.

use super::{
    caller::Caller,
    jobs::{Cancelled, WireConclusion, WireState, cancel},
    page::{Page, PageQuery, Paged},
};
use crate::wire::{json::Json, path::Path, problem::Problem, text, time};
use runners_core::{JobState, RunId, RunLine, Timestamp, protocol::CancelTarget};
use serde::Serialize;

/// A run, with how many of its jobs are how.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    #[schema(value_type = text::Run)]
    id: RunId,
    /// What its first job is called, or the kind of it.
    title: Option<String>,
    /// How many of its jobs were counted.
    jobs: u32,
    /// Whether it has more than were counted.
    has_more: bool,
    /// How many of those have not ended.
    open: u32,
    /// How many of them are in each state that one is in.
    states: Vec<StateCount>,
    /// How many of them ended in each way that one did.
    conclusions: Vec<ConclusionCount>,
    #[serde(rename = "submittedAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    submitted_at: Timestamp,
    /// When whatever has not ended is stopped.
    #[serde(rename = "deadlineUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    deadline: Option<Timestamp>,
}

/// How many jobs are in a state.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct StateCount {
    state: WireState,
    jobs: u32,
}

/// How many jobs ended in a way.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ConclusionCount {
    conclusion: WireConclusion,
    jobs: u32,
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "Runs", params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Run>)))]
pub(super) async fn list_runs(caller: Caller, Paged(paging): Paged) -> Result<Json<Page<Run>>, Problem> {
    Ok(caller.management.runs(&paging).await?.into())
}

/// Shows a run. Its jobs are listed with `runId`.
#[utoipa::path(get, path = "/runs/{id}", tag = "Runs",
    params(("id" = inline(text::Run), Path, description = "The run.")),
    responses((status = 200, description = "The run.", body = Run)))]
pub(super) async fn get_run(caller: Caller, Path(run): Path<RunId>) -> Result<Json<Run>, Problem> {
    Ok(Json(caller.management.run(run).await?.into()))
}

/// Cancels every job of a run that has not ended.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "Runs",
    params(("id" = inline(text::Run), Path, description = "The run.")),
    responses((status = 202, description = "They are told to stop.", body = Cancelled)))]
pub(super) async fn cancel_run(
    caller: Caller,
    Path(run): Path<RunId>,
) -> Result<(http::StatusCode, Json<Cancelled>), Problem> {
    cancel(&caller, CancelTarget::Run(run)).await
}

impl From<RunLine> for Run {
    fn from(line: RunLine) -> Self {
        let open = line.open();
        let states = line.states.into_iter();
        let conclusions = line.conclusions.into_iter();
        Self {
            id: line.run,
            title: line.title,
            jobs: line.jobs,
            has_more: line.has_more,
            open,
            states: states.map(|(state, jobs)| StateCount { state: state.into(), jobs }).collect(),
            conclusions: conclusions
                .map(|(conclusion, jobs)| ConclusionCount { conclusion: conclusion.into(), jobs })
                .collect(),
            submitted_at: line.submitted_at,
            deadline: line.deadline,
        }
    }
}

impl From<JobState> for WireState {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Scheduled => Self::Scheduled,
            JobState::Blocked => Self::Blocked,
            JobState::Ready => Self::Ready,
            JobState::Offered => Self::Offered,
            JobState::Running => Self::Running,
            JobState::Concluded => Self::Concluded,
        }
    }
}
