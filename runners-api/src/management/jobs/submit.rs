//! Submitting jobs: what is asked of each, and what becomes of it.

use super::malformed;
use crate::{
    management::write::Write,
    wire::{
        json::{Asked, Json},
        problem::Problem,
        text,
    },
};
use runners_core::{
    JobId, JobOptions, JobSpec, RunId, RunnerId, Timestamp,
    protocol::{Acceptance, RunSpec, Submission, SubmitRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{collections::BTreeSet, time::Duration};

/// Jobs to queue.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewJobs {
    #[schema(min_items = 1, max_items = 1000)]
    jobs: Vec<NewJob>,
    /// The run that they belong to. It is opened if it is not.
    run: Option<NewRun>,
}

impl Asked for NewJobs {
    const BYTES_MAX: usize = SubmitRequest::BYTES_MAX;
}

/// A run of jobs.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRun {
    /// Chosen by the submitter: jobs can be added later.
    #[schema(value_type = text::Run)]
    id: RunId,
    /// How long all its jobs together may take. For ever unless given.
    timeout_ms: Option<u64>,
}

/// A job to queue.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewJob {
    /// Chosen by the submitter, so that a repeat is the same job. Drawn unless given.
    #[schema(value_type = Option<text::Job>)]
    id: Option<JobId>,
    /// The kind of command, such as `flow`.
    #[schema(value_type = text::Name)]
    kind: String,
    /// The command. It reaches the runner as the very bytes that stand here.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// What it is called where jobs are listed, on one line.
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    /// The name of the pool whose runners may take it: `default` unless said otherwise.
    #[schema(value_type = Option<text::Name>)]
    pool: Option<String>,
    /// The name of the environment whose route tells where it goes. The pool is then not looked at.
    #[schema(min_length = 1, max_length = 100)]
    environment: Option<String>,
    /// Higher goes first: 100 unless said otherwise.
    #[schema(maximum = 255)]
    priority: Option<u8>,
    /// Labels that a runner must have.
    #[serde(default)]
    wanted: BTreeSet<String>,
    /// Labels that a runner must not have.
    #[serde(default)]
    refused: BTreeSet<String>,
    /// The one runner that may take it.
    #[schema(value_type = Option<text::Runner>)]
    runner_id: Option<RunnerId>,
    /// How long one attempt may take: five minutes unless said otherwise.
    #[schema(minimum = 1, maximum = 604_800_000)]
    timeout_ms: Option<u64>,
    /// How many attempts it may have whose trouble prevented a verdict: three unless said otherwise.
    #[schema(minimum = 1, maximum = 100)]
    attempts_max: Option<u32>,
    /// Whether a failed verdict is tried again too.
    #[serde(default)]
    retry_failed: bool,
    /// How long it may wait for its first start before it expires. For ever unless given.
    queue_ttl_ms: Option<u64>,
    /// Not before this time.
    #[schema(value_type = Option<text::Time>)]
    start_at_utc: Option<String>,
    /// Jobs of the same run that must have passed before.
    #[serde(default)]
    #[schema(value_type = Vec<text::Job>, max_items = 64)]
    after: Vec<JobId>,
    /// What is to be kept beside what is kept anyway. Runners with a browser know `frames` (what the screen showed),
    /// `bodies` (of requests and responses) and `video`.
    #[serde(default)]
    #[schema(max_items = 8)]
    capture: BTreeSet<String>,
}

/// What became of each job, in the order in which they were given.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SubmittedJobs {
    jobs: Vec<SubmittedJob>,
}

/// What became of a job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum SubmittedJob {
    /// It is queued.
    Accepted {
        #[schema(value_type = text::Job)]
        id: JobId,
    },
    /// It was there before, and is the same.
    Repeated {
        #[schema(value_type = text::Job)]
        id: JobId,
    },
    /// It is not queued.
    Refused {
        /// For machines. Stable.
        code: String,
        /// What is wrong, and what to do.
        detail: String,
    },
}

/// Queues jobs.
///
/// Each is accepted or refused by itself. With ids of their own, a repeat queues nothing twice.
#[utoipa::path(post, path = "/jobs", tag = "Jobs", request_body = NewJobs,
    responses((status = 200, description = "What became of each.", body = SubmittedJobs)))]
pub(crate) async fn submit_jobs(write: Write<NewJobs>) -> Result<Json<SubmittedJobs>, Problem> {
    let (caller, asked, mut ids) = write.into_parts();
    let run = asked.run;
    let jobs = asked.jobs.into_iter().enumerate();
    let jobs = jobs.map(|(at, job)| {
        let id = job.id.unwrap_or_else(|| ids.draw(JobId::from_bytes, JobId::new));
        job.submission(id, run.map(|run| run.id))
            .map_err(|problem| malformed("startAtUtc", format!("jobs[{at}]: {problem}")))
    });
    let request = SubmitRequest {
        jobs: jobs.collect::<Result<_, _>>()?,
        run: run.map(|run| RunSpec { run: run.id, timeout: run.timeout_ms.map(Duration::from_millis) }),
    };
    let submitted = caller.management.submit(request).await?;
    Ok(Json(SubmittedJobs { jobs: submitted.jobs.into_iter().map(SubmittedJob::from).collect() }))
}

impl NewJob {
    fn submission(self, id: JobId, run: Option<RunId>) -> Result<Submission, &'static str> {
        let usual = JobOptions::default();
        let mut retry = usual.retry;
        retry.attempts_max = self.attempts_max.unwrap_or(retry.attempts_max);
        retry.failed = self.retry_failed;
        let options = JobOptions {
            pool: self.pool.unwrap_or(usual.pool),
            environment: self.environment,
            priority: self.priority.unwrap_or(usual.priority),
            wanted: self.wanted,
            refused: self.refused,
            runner: self.runner_id,
            timeout: self.timeout_ms.map_or(usual.timeout, Duration::from_millis),
            retry,
            start_at: self.start_at_utc.as_deref().map(parse_time).transpose()?,
            queue_ttl: self.queue_ttl_ms.map(Duration::from_millis),
            after: self.after,
            title: self.title,
            capture: self.capture,
            run,
            ..JobOptions::default()
        };
        let payload = self.payload.get().as_bytes();
        let spec = JobSpec::new(id, self.kind, payload, options);
        let spec = serde_json::to_vec(&spec).expect("invariant: specifications are plain data").into();
        let payload = Some(payload.to_vec().into());
        Ok(Submission { spec, signature: None, payload, payload_artifact: None })
    }
}

fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    let at = text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
    at.map(Timestamp::from_millis).ok_or("expected a time as of RFC 3339, since 1970")
}

impl From<Acceptance> for SubmittedJob {
    fn from(acceptance: Acceptance) -> Self {
        match acceptance {
            Acceptance::Accepted(id) => Self::Accepted { id },
            Acceptance::Repeated(id) => Self::Repeated { id },
            Acceptance::Refused(refused) => {
                Self::Refused { code: refused.code.to_string(), detail: refused.detail }
            }
            _ => Self::Refused { code: "unknown".into(), detail: "the server answers in newer words".into() },
        }
    }
}
