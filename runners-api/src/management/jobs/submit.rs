//! Submitting jobs: what is asked of each, and what becomes of it.

use super::{
    options::scheduled,
    refused::{Place, RefusedJob},
};
use crate::{
    management::write::Write,
    wire::{
        json::{Asked, Json},
        problem::Problem,
        text,
    },
};
use runners_core::{
    JobId, JobSpec, RunId,
    protocol::{Acceptance, RunSpec, Submission, SubmitRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;

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

scheduled! {
    /// A job to queue. It is not signed: who signs jobs submits them over the protocol.
    NewJob {
        /// Chosen by the submitter, so that a repeat is the same job. Drawn unless given.
        #[schema(value_type = Option<text::Job>)]
        id: Option<JobId>,
        /// The kind of command, such as `browser_flow`.
        #[schema(value_type = text::Name)]
        kind: String,
        /// The command. It reaches the runner as the very bytes that stand here.
        #[schema(value_type = Value)]
        payload: Box<RawValue>,
    }
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
    fn submission(mut self, id: JobId, run: Option<RunId>) -> Submission {
        let options = self.options(run);
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
                let RefusedJob { code, path, detail } = RefusedJob::new(Place::Job(at), is_drawn, refused);
                Self::Refused { code: code.to_string(), path, detail }
            }
            _ => {
                let detail = "the server answers in newer words".into();
                Self::Refused { code: "unknown".into(), path: None, detail }
            }
        }
    }
}
