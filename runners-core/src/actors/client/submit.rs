//! Submitting: jobs become specifications and payloads, and travel in as few requests as fit.

use super::{Client, JobHandle};
use crate::{
    actors::error::Error,
    values::{
        command::Command,
        id::{JobId, made_at},
        job::{Job, JobSpec},
        opaque::Opaque,
        reply::{Acceptance, Refused, Reply},
        request::{Request, RunSpec, Submission, SubmitRequest},
        time::Timestamp,
    },
};
use bytes::Bytes;
use tracing::Span;

type ResultOf<J> = <<J as Job>::Command as Command>::Result;

/// What became of one of several jobs: its handle, or why it was not queued.
type Handled<J> = Result<JobHandle<ResultOf<J>>, Refused>;

impl Client {
    /// Queues a job: a command, a command with [`JobOptions`](crate::JobOptions), or a [`Job`] of
    /// your own.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not accepted, [`Error::Artifact`] when a large payload could
    /// not be put, or as [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the job queued or not.
    pub async fn submit<J: Job>(&self, job: &J) -> Result<JobHandle<ResultOf<J>>, Error> {
        let mut handles = self.submit_all(std::slice::from_ref(job)).await?;
        handles.pop().ok_or(Error::Unexpected("submit"))?.map_err(Error::Refused)
    }

    /// Queues jobs, each accepted or refused by itself, and answers in their order.
    ///
    /// # Errors
    /// As [`Error`] says; some of the jobs may be queued then.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of the jobs queued.
    pub async fn submit_all<J: Job>(&self, jobs: &[J]) -> Result<Vec<Handled<J>>, Error> {
        self.submit_jobs(jobs, None).await
    }

    /// Queues jobs as a run, which is opened if it is not open. The options' own run is not used.
    ///
    /// # Errors
    /// As [`Error`] says; some of the jobs may be queued then.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of the jobs queued.
    pub async fn submit_run<J: Job>(&self, run: RunSpec, jobs: &[J]) -> Result<Vec<Handled<J>>, Error> {
        self.submit_jobs(jobs, Some(run)).await
    }

    /// Queues a job whose kind is known only at run time. `payload` must be what the digest in
    /// `spec` is of.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not accepted, [`Error::Artifact`] when a large payload could
    /// not be put, or as [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the job queued or not.
    pub async fn submit_spec(&self, spec: &JobSpec, payload: impl Into<Bytes>) -> Result<JobId, Error> {
        let submission = self.submission(spec, payload.into()).await?;
        let mut accepted = self.send(vec![submission], None).await?;
        match accepted.pop().ok_or(Error::Unexpected("submit"))? {
            Acceptance::Accepted(job) | Acceptance::Repeated(job) => Ok(job),
            Acceptance::Refused(refused) => Err(Error::Refused(refused)),
        }
    }

    /// Queues jobs under ids that were chosen before, so that a repeat is the same jobs. One that cannot be
    /// sent has its own error, in its place.
    #[cfg(feature = "orchestrator")]
    pub(crate) async fn submit_specs(
        &self,
        run: RunSpec,
        jobs: Vec<(JobSpec, Bytes)>,
    ) -> Result<Vec<Result<Acceptance, Error>>, Error> {
        let (mut submissions, mut places) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
        for (spec, payload) in jobs {
            let made = self.submission(&spec, payload).await;
            places.push(made.map(|submission| submissions.push(submission)));
        }
        let mut accepted = self.send(submissions, Some(run)).await?.into_iter();
        let mut answered = |()| accepted.next().ok_or(Error::Unexpected("submit"));
        Ok(places.into_iter().map(|place| place.and_then(&mut answered)).collect())
    }

    async fn submit_jobs<J: Job>(&self, jobs: &[J], run: Option<RunSpec>) -> Result<Vec<Handled<J>>, Error> {
        let mut submissions = Vec::with_capacity(jobs.len());
        // Each ends when it is known whether its job was accepted.
        let mut spans = Vec::with_capacity(jobs.len());
        for job in jobs {
            let payload = serde_json::to_vec(job.command())
                .map_err(|error| Error::Malformed { what: "command", source: error.into() })?;
            let mut options = job.options();
            if let Some(run) = &run {
                options.run = Some(run.run);
            }
            let mut spec = JobSpec::new(self.new_job(), J::Command::KIND, &payload, options);
            spans.push(self.traced(&mut spec));
            submissions.push(self.submission(&spec, payload.into()).await?);
        }
        let accepted = self.send(submissions, run).await?;
        drop(spans);
        let handle = |acceptance| match acceptance {
            Acceptance::Accepted(job) | Acceptance::Repeated(job) => Ok(JobHandle::new(self.clone(), job)),
            Acceptance::Refused(refused) => Err(refused),
        };
        Ok(accepted.into_iter().map(handle).collect())
    }

    /// The span of a submit, whose trace the job carries unless it has one: then the span is part
    /// of that.
    fn traced(&self, spec: &mut JobSpec) -> Span {
        let (job, pool, kind) = (spec.job, spec.pool.as_str(), spec.kind.as_str());
        let span = tracing::info_span!("runners.submit", %job, pool, kind);
        if let Some(parent) = &spec.trace {
            self.traces.adopt(&span, parent);
        }
        spec.trace = self.traces.parent_of(&span).or(spec.trace);
        span
    }

    /// The exact bytes of a specification, and the signature over them.
    fn signed(&self, spec: &JobSpec) -> (Vec<u8>, Option<String>) {
        let serialised = |spec: &JobSpec| serde_json::to_vec(spec).expect("a specification is plain data");
        let Some(signer) = &self.signer else { return (serialised(spec), None) };
        let mut spec = spec.clone();
        spec.tenant.get_or_insert(signer.tenant);
        let made = self.made(spec.job);
        let begins = spec.start_at.map_or(made, |start_at| start_at.max(made));
        spec.not_after.get_or_insert(begins + Self::SIGNED_FOR);
        let bytes = serialised(&spec);
        let signature = signer.key.sign(&bytes);
        (bytes, Some(signature))
    }

    /// When a job was made, by its id: so a repeat is the same to the byte, whenever it comes. An id that says
    /// another time than this week's counts as made now, or its signature would be good for nothing, or for
    /// ever.
    fn made(&self, job: JobId) -> Timestamp {
        let (now, made) = (self.clock.wall(), made_at(job.as_bytes()));
        let apart = now.since(made).max(made.since(now));
        if apart < Self::SIGNED_FOR { made } else { now }
    }

    /// A payload that is too large to travel is put as an artifact first.
    async fn submission(&self, spec: &JobSpec, payload: Bytes) -> Result<Submission, Error> {
        let (bytes, signature) = self.signed(spec);
        if bytes.len() > SubmitRequest::SPEC_BYTES_MAX {
            let limit = SubmitRequest::SPEC_BYTES_MAX;
            let problem = format!("takes {} bytes; the limit is {limit}", bytes.len());
            return Err(Error::Invalid { field: "options", problem });
        }
        let spec = Opaque::from(bytes);
        if payload.len() <= SubmitRequest::PAYLOAD_BYTES_MAX {
            let payload = Some(Opaque::new(payload));
            return Ok(Submission { spec, signature, payload, payload_artifact: None });
        }
        let Some(artifacts) = &self.artifacts else {
            let problem = format!(
                "has {} bytes; over {} it must be put as an artifact, and this client was given no artifact store",
                payload.len(),
                SubmitRequest::PAYLOAD_BYTES_MAX
            );
            return Err(Error::Invalid { field: "command", problem });
        };
        let digest = artifacts.put(&payload, &*self.clock).await.map_err(Error::Artifact)?;
        Ok(Submission { spec, signature, payload: None, payload_artifact: Some(digest) })
    }

    /// Sends submissions in requests that are within the limits.
    async fn send(
        &self,
        submissions: Vec<Submission>,
        run: Option<RunSpec>,
    ) -> Result<Vec<Acceptance>, Error> {
        let mut accepted = Vec::with_capacity(submissions.len());
        for jobs in pages(submissions) {
            let asked = jobs.len();
            let request = SubmitRequest { jobs, run: run.clone() };
            match self.ask(Request::Submit(request)).await? {
                Reply::Submitted(submitted) if submitted.jobs.len() == asked => {
                    accepted.extend(submitted.jobs);
                }
                _ => return Err(Error::Unexpected("submit")),
            }
        }
        Ok(accepted)
    }
}

/// What is left in a request for its fixed fields.
const FIXED_BYTES: usize = 1 << 10;

fn pages(submissions: Vec<Submission>) -> Vec<Vec<Submission>> {
    let mut pages: Vec<Vec<Submission>> = Vec::new();
    let mut room = 0;
    for submission in submissions {
        let length = serde_json::to_vec(&submission).expect("a submission is plain data").len() + 1;
        match pages.last_mut() {
            Some(page) if page.len() < SubmitRequest::JOBS_MAX && length <= room => page.push(submission),
            _ => {
                room = SubmitRequest::BYTES_MAX - FIXED_BYTES;
                pages.push(vec![submission]);
            }
        }
        room = room.saturating_sub(length);
    }
    pages
}
