//! Submitting jobs: what is asked of each, and what becomes of it.

use super::{
    options::{OnDisconnect, WireConcurrency, WireFairness, WireFallback},
    refused::RefusedJob,
};
use crate::{
    management::write::Write,
    wire::{
        json::{Asked, Json},
        problem::Problem,
        text, time,
    },
};
use runners_core::traces::TraceParent;
use runners_core::{
    Concurrency, DisconnectPolicy, Fairness, Fallback, JobId, JobOptions, JobSpec, RunId, RunnerId,
    Timestamp,
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

/// A job to queue. It is not signed: who signs jobs submits them over the protocol.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewJob {
    /// Chosen by the submitter, so that a repeat is the same job. Drawn unless given.
    #[schema(value_type = Option<text::Job>)]
    id: Option<JobId>,
    /// The kind of command, such as `browser_flow`.
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
    /// Further pools whose runners may take it once it has waited, in that order.
    #[serde(default)]
    #[schema(max_items = 8)]
    fallbacks: Vec<WireFallback>,
    /// The key by which it shares runners fairly with jobs of other keys and of the same priority.
    fairness: Option<WireFairness>,
    /// Limits on how many jobs with the same key are granted at once; each key stands once.
    #[serde(default)]
    #[schema(max_items = 8)]
    concurrency: Vec<WireConcurrency>,
    /// What no other job of the tenant can have until it has ended: the same job is answered as a repeat, and
    /// another one is refused.
    #[schema(value_type = Option<text::Name>)]
    unique: Option<String>,
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
    /// How long an attempt may still take after it was told to stop: ten seconds unless said otherwise.
    #[schema(maximum = 600_000)]
    grace_ms: Option<u64>,
    /// How many attempts it may have whose trouble prevented a verdict: three unless said otherwise.
    #[schema(minimum = 1, maximum = 100)]
    attempts_max: Option<u32>,
    /// How many attempts may be lost with their runner beside those: three unless said otherwise.
    #[schema(maximum = 100)]
    losses_max: Option<u32>,
    /// Whether a failed verdict is tried again too.
    #[serde(default)]
    retry_failed: bool,
    /// The wait before the second attempt, which doubles with each one after: a second unless said otherwise.
    #[schema(maximum = 604_800_000)]
    backoff_ms: Option<u64>,
    /// The longest wait before another attempt: five minutes unless said otherwise.
    #[schema(maximum = 604_800_000)]
    backoff_max_ms: Option<u64>,
    /// How long it may wait for its first start before it expires. For ever unless given.
    queue_ttl_ms: Option<u64>,
    /// Not before this time.
    #[serde(default, rename = "startAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    start_at: Option<Timestamp>,
    /// What an attempt does when its lease is no longer trusted: it stops unless said otherwise.
    on_disconnect: Option<OnDisconnect>,
    /// Jobs of the same run that must have passed before.
    #[serde(default)]
    #[schema(value_type = Vec<text::Job>, max_items = 64)]
    after: Vec<JobId>,
    /// What is to be kept beside what is kept anyway. Runners with a browser know `frames` (what the screen showed),
    /// `bodies` (of requests and responses) and `video`.
    #[serde(default)]
    #[schema(max_items = 8)]
    capture: BTreeSet<String>,
    /// The names of secrets that its runner gives to it.
    #[serde(default)]
    #[schema(max_items = 16)]
    secrets: BTreeSet<String>,
    /// The trace that it belongs to.
    #[schema(value_type = Option<text::Trace>)]
    traceparent: Option<TraceParent>,
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
        /// Where in the request it is, such as `jobs[0].concurrency[1].limit`, if it is in one place.
        path: Option<String>,
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
    let drawn: Vec<bool> = asked.jobs.iter().map(|job| job.id.is_none()).collect();
    let jobs = asked.jobs.into_iter().map(|job| {
        let id = job.id.unwrap_or_else(|| ids.draw(JobId::from_bytes, JobId::new));
        job.submission(id, run.map(|run| run.id))
    });
    let request = SubmitRequest {
        jobs: jobs.collect(),
        run: run.map(|run| RunSpec { run: run.id, timeout: run.timeout_ms.map(Duration::from_millis) }),
    };
    let submitted = caller.management.submit(request).await?;
    let jobs = submitted.jobs.into_iter().zip(drawn).enumerate();
    let jobs = jobs.map(|(at, (acceptance, is_drawn))| SubmittedJob::new(at, is_drawn, acceptance));
    Ok(Json(SubmittedJobs { jobs: jobs.collect() }))
}

impl NewJob {
    fn submission(self, id: JobId, run: Option<RunId>) -> Submission {
        let usual = JobOptions::default();
        let mut retry = usual.retry;
        retry.attempts_max = self.attempts_max.unwrap_or(retry.attempts_max);
        retry.losses_max = self.losses_max.unwrap_or(retry.losses_max);
        retry.failed = self.retry_failed;
        retry.backoff = self.backoff_ms.map_or(retry.backoff, Duration::from_millis);
        retry.backoff_max = self.backoff_max_ms.map_or(retry.backoff_max, Duration::from_millis);
        let options = JobOptions {
            pool: self.pool.unwrap_or(usual.pool),
            fallbacks: self.fallbacks.into_iter().map(Fallback::from).collect(),
            fairness: self.fairness.map(Fairness::from),
            concurrency: self.concurrency.into_iter().map(Concurrency::from).collect(),
            environment: self.environment,
            priority: self.priority.unwrap_or(usual.priority),
            wanted: self.wanted,
            refused: self.refused,
            runner: self.runner_id,
            timeout: self.timeout_ms.map_or(usual.timeout, Duration::from_millis),
            grace: self.grace_ms.map_or(usual.grace, Duration::from_millis),
            retry,
            start_at: self.start_at,
            queue_ttl: self.queue_ttl_ms.map(Duration::from_millis),
            on_disconnect: self.on_disconnect.map_or(usual.on_disconnect, DisconnectPolicy::from),
            after: self.after,
            run,
            trace: self.traceparent,
            secrets: self.secrets,
            unique: self.unique,
            title: self.title,
            capture: self.capture,
            // What is not signed is for nobody in particular.
            audience: usual.audience,
            not_after: None,
        };
        let payload = self.payload.get().as_bytes();
        let spec = JobSpec::new(id, self.kind, payload, options);
        let spec = serde_json::to_vec(&spec).expect("invariant: specifications are plain data").into();
        let payload = Some(payload.to_vec().into());
        Submission { spec, signature: None, payload, payload_artifact: None }
    }
}

impl SubmittedJob {
    fn new(at: usize, is_drawn: bool, acceptance: Acceptance) -> Self {
        match acceptance {
            Acceptance::Accepted(id) => Self::Accepted { id },
            Acceptance::Repeated(id) => Self::Repeated { id },
            Acceptance::Refused(refused) => {
                let RefusedJob { code, path, detail } = RefusedJob::new(at, is_drawn, refused);
                Self::Refused { code, path, detail }
            }
            _ => {
                let detail = "the server answers in newer words".into();
                Self::Refused { code: "unknown".into(), path: None, detail }
            }
        }
    }
}
