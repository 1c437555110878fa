//! What one tenant may ask an orchestrator, in process.

use super::{Shared, error::OrchestratorError};
use crate::{
    actors::{control_plane::lock, records::Versioned},
    rules::{
        orchestration::{course::Course, fan_out::fan_out},
        record::{OrchestratedJobsRecord, OrchestrationRecord, Unknown},
    },
    seams::{clock::Clock as _, random::id, store::StoreError},
    values::{
        digest::Digest,
        id::{RunId, TenantId},
        orchestration::{
            InvalidRequest, IssueCode, OrchestrationMode, OrchestrationRequest, RequestIssue, RunProgress,
            RunState, RunSummary,
        },
    },
};
use std::{pin::pin, sync::Arc, time::Duration};

/// How often it is tried to write a run of which it is not known whether it was written.
const CREATE_TRIES: u32 = 3;

/// Asks an orchestrator on behalf of one tenant. Clones are the same client.
#[derive(Clone, Debug)]
pub struct OrchestratorClient {
    pub(super) shared: Arc<Shared>,
    pub(super) tenant: TenantId,
}

impl OrchestratorClient {
    pub(super) const fn new(shared: Arc<Shared>, tenant: TenantId) -> Self {
        Self { shared, tenant }
    }

    /// Begins a run, and answers its name. What was accepted goes on whatever becomes of this process.
    /// The same request under the same [`run_id`](OrchestrationRequest::run_id) is the same run.
    ///
    /// # Errors
    /// [`OrchestratorError::Invalid`], [`OrchestratorError::Taken`],
    /// [`OrchestratorError::TooManyRuns`], [`OrchestratorError::Stopping`] or
    /// [`OrchestratorError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the run begun or not.
    pub async fn submit(&self, request: &OrchestrationRequest) -> Result<String, OrchestratorError> {
        request.check().map_err(OrchestratorError::Invalid)?;
        let shared = &self.shared;
        if request.mode == OrchestrationMode::Local && shared.local.is_none() {
            let message = "is \"local\", and this orchestrator carries nothing out itself: use \"remote\"";
            return Err(invalid(RequestIssue::new(IssueCode::InvalidValue, vec!["mode".into()], message)));
        }
        if shared.stopping.is_cancelled() {
            return Err(OrchestratorError::Stopping);
        }
        let body = serde_json::to_vec(request).expect("a request is plain data");
        if body.len() > OrchestrationRequest::BYTES_MAX {
            let (bytes, max) = (body.len(), OrchestrationRequest::BYTES_MAX);
            let message = format!("has {bytes} bytes, and at most {max} are allowed: split it");
            let mut issue = RequestIssue::new(IssueCode::TooBig, Vec::new(), message);
            issue.maximum = Some(max as u64);
            return Err(invalid(issue));
        }
        let digest = Digest::of(&body);
        if let Some(run) = &request.run_id
            && let Some(found) = shared.find(self.tenant, run).await.map_err(OrchestratorError::Store)?
        {
            return repeated(&found.record, digest);
        }
        self.begin(request, digest).await
    }

    async fn begin(
        &self,
        request: &OrchestrationRequest,
        digest: Digest,
    ) -> Result<String, OrchestratorError> {
        let shared = &self.shared;
        let now = shared.now();
        let seed = id(&*shared.random, now, RunId::new);
        let plan: Arc<[_]> = fan_out(request).into();
        let pieces = OrchestratedJobsRecord::pieces(self.tenant, seed, &plan);
        let record = OrchestrationRecord {
            tenant: self.tenant,
            run: request.run_id.clone().unwrap_or_else(|| seed.to_string()),
            seed,
            request: digest,
            concurrency: request.concurrency,
            timeout: request.timeout,
            tags: request.tags.clone(),
            options: request.options.clone(),
            created_at: now,
            updated_at: now,
            completed_at: None,
            state: RunState::Queued,
            jobs: plan.len() as u64,
            completed: 0,
            failed: 0,
            conclusion: None,
            pieces: u32::try_from(pieces.len()).expect("the number of checks is limited"),
            journal_bytes: 0,
            unknown: Unknown::new(),
        };
        if let Some(other) = self.create(&record, &pieces).await? {
            return repeated(&other, digest);
        }
        let run = record.run.clone();
        let course = Course::new(plan, record.options.clone());
        shared.launch(Versioned { version: 1, record }, course);
        Ok(run)
    }

    /// Writes a run. Answers the one that stands there already, if it is another one.
    async fn create(
        &self,
        record: &OrchestrationRecord,
        pieces: &[OrchestratedJobsRecord],
    ) -> Result<Option<OrchestrationRecord>, OrchestratorError> {
        let mut tries = 1;
        loop {
            let error = match self.shared.create(record, pieces).await {
                Ok(()) => return Ok(None),
                Err(StoreError::Exhausted(_)) => {
                    return Err(OrchestratorError::TooManyRuns { limit: self.shared.open_runs_max });
                }
                Err(error @ (StoreError::Conflict(_) | StoreError::Unknown(_))) => error,
                Err(error) => return Err(OrchestratorError::Store(error)),
            };
            // Nobody knows, or somebody was quicker: what stands there tells. Where nothing stands, it
            // is written again, so that nothing comes to stand there later that nobody drives.
            let found = self.shared.find(self.tenant, &record.run).await.map_err(OrchestratorError::Store)?;
            match found {
                Some(found) => return Ok(Some(found.record).filter(|found| found.seed != record.seed)),
                None if tries < CREATE_TRIES => tries += 1,
                None => return Err(OrchestratorError::Store(error)),
            }
        }
    }

    /// How far a run is.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`] or [`OrchestratorError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn progress(&self, run: &str) -> Result<RunProgress, OrchestratorError> {
        self.record(run).await.map(|found| found.record.progress())
    }

    /// What became of a run that has ended.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`], [`OrchestratorError::Unfinished`] or
    /// [`OrchestratorError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn results(&self, run: &str) -> Result<RunSummary, OrchestratorError> {
        let found = self.record(run).await?.record;
        if found.completed_at.is_none() {
            return Err(OrchestratorError::Unfinished { run: run.to_owned(), state: found.state });
        }
        self.shared.summary(&found).await.map_err(OrchestratorError::Store)
    }

    /// What became of a run so far, whether or not it has ended.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`] or [`OrchestratorError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn partial_results(&self, run: &str) -> Result<RunSummary, OrchestratorError> {
        let found = self.record(run).await?.record;
        self.shared.summary(&found).await.map_err(OrchestratorError::Store)
    }

    /// Waits up to `timeout` until a run has ended, and answers what became of it.
    ///
    /// # Errors
    /// [`OrchestratorError::Unfinished`] once the time is over, [`OrchestratorError::NotFound`],
    /// [`OrchestratorError::Stopping`] or [`OrchestratorError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn wait(&self, run: &str, timeout: Duration) -> Result<RunSummary, OrchestratorError> {
        let shared = &self.shared;
        let until = shared.clock.boot() + timeout;
        let subject = shared.subjects.wait_for(self.record(run).await?.record.journal());
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            let found = self.record(run).await?.record;
            if found.completed_at.is_some() {
                return shared.summary(&found).await.map_err(OrchestratorError::Store);
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = shared.stopping.cancelled() => return Err(OrchestratorError::Stopping),
                () = shared.clock.sleep_until(until) => {
                    return Err(OrchestratorError::Unfinished { run: run.to_owned(), state: found.state });
                }
            }
        }
    }

    /// Has a run stopped: its calls are cancelled, and what came back is kept. Completes when it has
    /// ended, and answers whether it had not before.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`], [`OrchestratorError::Stopping`] or
    /// [`OrchestratorError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the run told to stop or not.
    pub async fn cancel(&self, run: &str) -> Result<bool, OrchestratorError> {
        if self.record(run).await?.record.completed_at.is_some() {
            return Ok(false);
        }
        let cancelled = lock(&self.shared.live).get(&OrchestrationRecord::key_of(self.tenant, run)).cloned();
        cancelled.iter().for_each(tokio_util::sync::CancellationToken::cancel);
        self.wait(run, Self::END_WITHIN).await.map(|_| cancelled.is_some())
    }

    /// How long it is waited for the end of a run that is cancelled.
    const END_WITHIN: Duration = Duration::from_secs(60);

    /// Removes a run that has ended, and everything that is kept of it.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`], [`OrchestratorError::Unfinished`] or
    /// [`OrchestratorError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the run removed, or there without some of its results.
    pub async fn delete(&self, run: &str) -> Result<(), OrchestratorError> {
        let found = self.record(run).await?;
        if found.record.completed_at.is_none() {
            return Err(OrchestratorError::Unfinished { run: run.to_owned(), state: found.record.state });
        }
        self.shared.remove(&found).await.map_err(OrchestratorError::Store)
    }

    pub(super) async fn record(
        &self,
        run: &str,
    ) -> Result<Versioned<OrchestrationRecord>, OrchestratorError> {
        let found = self.shared.find(self.tenant, run).await.map_err(OrchestratorError::Store)?;
        found.ok_or_else(|| OrchestratorError::NotFound { run: run.to_owned() })
    }
}

fn invalid(issue: RequestIssue) -> OrchestratorError {
    OrchestratorError::Invalid(InvalidRequest { issues: vec![issue] })
}

fn repeated(found: &OrchestrationRecord, request: Digest) -> Result<String, OrchestratorError> {
    if found.request == request {
        Ok(found.run.clone())
    } else {
        Err(OrchestratorError::Taken { run: found.run.clone() })
    }
}
