//! Jobs: submitted in bulk, listed, shown, cancelled and tried again.

use super::{
    caller::Caller,
    page::{Page, paging},
    views::stream_of,
    write::Write,
};
use crate::wire::{
    json::{Asked, Json},
    path::{Path, Query},
    problem::{Code, Problem},
    text, time,
};
use runners_core::{
    Conclusion, JobFilter, JobId, JobLine, JobState, RunId, RunnerId, Timestamp,
    protocol::{CancelTarget, InspectRequest, Reply, Request, StateView},
};
use serde::{Deserialize, Serialize};

mod detail;
mod explain;
pub(super) mod options;
mod refused;
mod submit;

pub(crate) use detail::JobDetail;
pub(crate) use explain::{__path_explain_job, explain_job};
use options::WireOptions;
pub(super) use options::scheduled;
pub(super) use refused::{Place, RefusedJob};
pub(crate) use submit::{__path_submit_jobs, submit_jobs};

/// A job, as it is listed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    #[schema(value_type = text::Job)]
    id: JobId,
    /// The kind of its command.
    kind: String,
    /// What its submitter calls it.
    title: Option<String>,
    /// The name of the pool that it targets.
    pool: String,
    #[schema(value_type = Option<text::Run>)]
    run_id: Option<RunId>,
    /// The job that it is another try of, by somebody's wish.
    #[schema(value_type = Option<text::Job>)]
    retry_of: Option<JobId>,
    state: WireState,
    /// How it ended, once it has.
    conclusion: Option<WireConclusion>,
    /// Higher goes first.
    priority: u8,
    /// How many attempts have ended.
    attempts_ended: u32,
    /// Who holds it, while somebody does.
    #[schema(value_type = Option<text::Runner>)]
    runner_id: Option<RunnerId>,
    /// Whether the attempt that runs was told to stop.
    is_stopping: bool,
    #[serde(rename = "submittedAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    submitted_at: Timestamp,
    /// Since when it is in this state, or until when it is scheduled, where that is known.
    #[serde(rename = "stateAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    state_at: Option<Timestamp>,
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
pub(crate) enum WireState {
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

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Conclusion)]
pub(crate) enum WireConclusion {
    /// It passed.
    Passed,
    /// It passed after a failed verdict.
    Flaky,
    /// Its work did not pass.
    Failed,
    /// Trouble prevented a verdict.
    Errored,
    /// It took longer than it may.
    TimedOut,
    /// Somebody had it stopped.
    Cancelled,
    /// It waited longer than it may.
    Expired,
}

/// Which jobs are listed.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    /// Those in this state.
    state: Option<WireState>,
    /// Those that ended like this.
    conclusion: Option<WireConclusion>,
    /// Those that target the pool of this name.
    pool: Option<String>,
    /// Those of this kind.
    kind: Option<String>,
    /// Those of this run.
    #[param(value_type = Option<text::Run>)]
    run_id: Option<RunId>,
    /// Where the page begins: what the page before named as its `next`.
    #[param(max_length = 400)]
    after: Option<String>,
    /// How many there are at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// How a job is tried again.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// The id of the new job: a repeat with the same one is the same job. Drawn unless given.
    #[schema(value_type = Option<text::Job>)]
    id: Option<JobId>,
}

impl Asked for Retry {
    const OPTIONAL: bool = true;
}

/// What was told to stop.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Cancelled {
    /// How many jobs had not ended before.
    jobs: u32,
}

/// Lists jobs, newest first.
///
/// State and run are looked up, and everything else is sifted: where little of much matches, a page
/// may have fewer items than were asked for, or none, and still lead to the next.
#[utoipa::path(get, path = "/jobs", tag = "Jobs", params(JobsQuery),
    responses((status = 200, description = "A page of them.", body = Page<Job>)))]
pub(super) async fn list_jobs(
    caller: Caller,
    Query(query): Query<JobsQuery>,
) -> Result<Json<Page<Job>>, Problem> {
    let paging = paging(query.after.as_deref(), query.limit)?;
    let filter = JobFilter {
        state: query.state.map(JobState::from),
        conclusion: query.conclusion.map(Conclusion::from),
        pool: query.pool,
        kind: query.kind,
        run: query.run_id,
    };
    Ok(caller.management.jobs(&filter, &paging).await?.into())
}

/// Shows a job, its attempts, its result and what it left.
#[utoipa::path(get, path = "/jobs/{id}", tag = "Jobs",
    params(("id" = inline(text::Job), Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = JobDetail)))]
pub(super) async fn get_job(caller: Caller, Path(job): Path<JobId>) -> Result<Json<JobDetail>, Problem> {
    let line = caller.management.job(job).await?;
    let options = caller.management.job_spec(job).await?.map(WireOptions::from);
    match caller.call(Request::Inspect(InspectRequest { job })).await? {
        Reply::Job(view) => Ok(Json(JobDetail::new(line, options, *view, stream_of(&caller, job).await?))),
        _ => Err(Problem::unexpected()),
    }
}

/// Cancels a job.
///
/// One that runs is told to stop, and ends when its runner says so or its grace is over. A repeat
/// is answered the same.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "Jobs",
    params(("id" = inline(text::Job), Path, description = "The job.")),
    responses((status = 202, description = "It is told to stop.", body = Cancelled)))]
pub(super) async fn cancel_job(
    caller: Caller,
    Path(job): Path<JobId>,
) -> Result<(http::StatusCode, Json<Cancelled>), Problem> {
    cancel(&caller, CancelTarget::Job(job)).await
}

/// Queues a job that has ended once more.
///
/// That is a new job, with the same command and options, that names the old one in `retryOf`. It
/// waits for no other job and for no time.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "Jobs", request_body = Option<Retry>,
    params(("id" = inline(text::Job), Path, description = "The job that has ended.")),
    responses(
        (status = 201, description = "The new job.", body = Job),
        (status = 409, description = "It has not ended, or is signed.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn retry_job(
    Path(job): Path<JobId>,
    write: Write<Retry>,
) -> Result<(http::StatusCode, Json<Job>), Problem> {
    let (caller, asked, mut ids) = write.into_parts();
    let again = asked.id.unwrap_or_else(|| ids.draw(JobId::from_bytes, JobId::new));
    let retried = caller.management.retry_job(job, again).await?;
    Ok((http::StatusCode::CREATED, Json(retried.into())))
}

pub(super) async fn cancel(
    caller: &Caller,
    target: CancelTarget,
) -> Result<(http::StatusCode, Json<Cancelled>), Problem> {
    let jobs = caller.management.cancel(target).await?;
    Ok((http::StatusCode::ACCEPTED, Json(Cancelled { jobs })))
}

impl From<JobLine> for Job {
    fn from(line: JobLine) -> Self {
        let (mut conclusion, mut runner_id, mut is_stopping, mut state_at) = (None, None, false, None);
        let state = WireState::of(&line.state);
        match line.state {
            StateView::Scheduled { ready_at } => state_at = Some(ready_at),
            StateView::Ready { since } => state_at = Some(since),
            StateView::Offered { runner, .. } => runner_id = Some(runner),
            StateView::Running { runner, since, cancelling, .. } => {
                (runner_id, is_stopping, state_at) = (Some(runner), cancelling, Some(since));
            }
            StateView::Concluded { conclusion: how, at } => {
                (conclusion, state_at) = (Some(how.into()), Some(at));
            }
            _ => {}
        }
        Self {
            id: line.job,
            kind: line.kind,
            title: line.title,
            pool: line.pool,
            run_id: line.run,
            retry_of: line.retry_of,
            state,
            conclusion,
            priority: line.priority,
            attempts_ended: line.attempts,
            runner_id,
            is_stopping,
            submitted_at: line.submitted_at,
            state_at,
        }
    }
}

impl WireState {
    const fn of(state: &StateView) -> Self {
        match state {
            StateView::Scheduled { .. } => Self::Scheduled,
            StateView::Blocked { .. } => Self::Blocked,
            StateView::Offered { .. } => Self::Offered,
            StateView::Running { .. } => Self::Running,
            StateView::Concluded { .. } => Self::Concluded,
            // One of a newer core waits for something.
            _ => Self::Ready,
        }
    }
}

impl From<WireState> for JobState {
    fn from(state: WireState) -> Self {
        match state {
            WireState::Scheduled => Self::Scheduled,
            WireState::Blocked => Self::Blocked,
            WireState::Ready => Self::Ready,
            WireState::Offered => Self::Offered,
            WireState::Running => Self::Running,
            WireState::Concluded => Self::Concluded,
        }
    }
}

macro_rules! conclusions {
    ($($name:ident)*) => {
        impl From<WireConclusion> for Conclusion {
            fn from(conclusion: WireConclusion) -> Self {
                match conclusion { $(WireConclusion::$name => Self::$name,)* }
            }
        }

        impl From<Conclusion> for WireConclusion {
            fn from(conclusion: Conclusion) -> Self {
                match conclusion {
                    $(Conclusion::$name => Self::$name,)*
                    // One of a newer core: it ended, and not well.
                    _ => Self::Errored,
                }
            }
        }
    };
}

conclusions!(Passed Flaky Failed Errored TimedOut Cancelled Expired);

/// The problem of an id that is malformed in a body.
pub(super) fn malformed(field: &'static str, problem: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Invalid, format!("{field}: {problem}")).at(field)
}
