//! What one tenant may ask the orchestrator of this process.

use super::Shared;
use crate::{
    actors::{control_plane::lock, records::Versioned},
    rules::{
        orchestration::{
            course::Course,
            fan_out::{PlannedJob, fan_out},
        },
        record::{OrchestratedJobsRecord, OrchestrationRecord, Unknown},
    },
    seams::{
        clock::Clock as _,
        orchestration::{
            ArtifactBytes, OrchestratorCall, OrchestratorError, OrchestratorReply, OrchestratorTransport,
            RunEvents,
        },
        random::id,
        store::StoreError,
    },
    values::{
        digest::Digest,
        event::EventCursor,
        id::{RunId, TenantId},
        orchestration::{
            InvalidRequest, IssueCode, OrchestrationMode, OrchestrationRequest, RequestIssue, RunState,
            RunSummary,
        },
    },
};
use async_trait::async_trait;
use futures::StreamExt as _;
use std::{ops::Range, pin::pin, sync::Arc, time::Duration};

/// How often it is tried to write a run of which it is not known whether it was written.
const CREATE_TRIES: u32 = 3;

/// How long it is waited for the end of a run that is cancelled.
const END_WITHIN: Duration = Duration::from_secs(60);

/// Asks the orchestrator of this process on behalf of one tenant.
#[derive(Clone, Debug)]
pub(super) struct LocalTransport {
    pub(super) shared: Arc<Shared>,
    pub(super) tenant: TenantId,
}

#[async_trait]
impl OrchestratorTransport for LocalTransport {
    async fn call(&self, call: OrchestratorCall) -> Result<OrchestratorReply, OrchestratorError> {
        use OrchestratorReply::{Deleted, History, Listing, Progress, Submitted, Summary};
        match call {
            OrchestratorCall::Submit(request) => self.submit(&request).await.map(|run| Submitted { run }),
            OrchestratorCall::Progress { run } => {
                self.record(&run).await.map(|found| Progress(found.record.progress()))
            }
            OrchestratorCall::Results { run, park_for } => {
                self.wait(&run, park_for).await.map(|summary| Summary(Box::new(summary)))
            }
            OrchestratorCall::PartialResults { run } => {
                let found = self.record(&run).await?.record;
                self.summary(&found).await.map(|summary| Summary(Box::new(summary)))
            }
            OrchestratorCall::Cancel { run } => {
                self.cancel(&run).await?;
                self.record(&run).await.map(|found| Progress(found.record.progress()))
            }
            OrchestratorCall::Delete { run } => self.delete(&run).await.map(|()| Deleted),
            OrchestratorCall::List { filter, paging } => self.list(&filter, &paging).await.map(Listing),
            OrchestratorCall::History(filter) => self.history(&filter).await.map(History),
        }
    }

    async fn read_artifact(
        &self,
        run: &str,
        digest: Digest,
        range: Option<Range<u64>>,
    ) -> Result<ArtifactBytes, OrchestratorError> {
        self.read(run, digest, range).await
    }

    fn follow(&self, run: &str, after: EventCursor) -> RunEvents {
        self.stream(run, after).boxed()
    }
}

impl LocalTransport {
    async fn submit(&self, request: &OrchestrationRequest) -> Result<String, OrchestratorError> {
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
            return self.repeated(&found.record, digest);
        }
        let (record, plan) = self.drawn_up(request, digest);
        // Whoever asked may hang up at any moment: what is written is driven all the same.
        let this = self.clone();
        let begun = shared.duties.spawn(async move { this.begin(record, plan).await });
        begun.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(OrchestratorError::Stopping),
        })
    }

    /// A run as it is to be written, and its jobs.
    fn drawn_up(
        &self,
        request: &OrchestrationRequest,
        digest: Digest,
    ) -> (OrchestrationRecord, Arc<[PlannedJob]>) {
        let shared = &self.shared;
        let now = shared.now();
        let seed = id(&*shared.random, now, RunId::new);
        let plan: Arc<[_]> = fan_out(request).into();
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
            pieces: 0,
            journal_bytes: 0,
            unknown: Unknown::new(),
        };
        (record, plan)
    }

    /// Writes a run and drives it.
    async fn begin(
        &self,
        mut record: OrchestrationRecord,
        plan: Arc<[PlannedJob]>,
    ) -> Result<String, OrchestratorError> {
        let shared = &self.shared;
        let pieces = OrchestratedJobsRecord::pieces(self.tenant, record.seed, &plan);
        record.pieces = u32::try_from(pieces.len()).expect("the number of checks is limited");
        let driving = shared.claim(record.journal()).expect("a seed is drawn once");
        let run = record.run.clone();
        let mut in_doubt = false;
        match self.create(&record, &pieces, &mut in_doubt).await {
            Ok(None) => {
                shared.measures.submitted();
                let course = Course::new(plan, record.options.clone());
                shared.launch(driving, Versioned { version: 1, record }, course);
                Ok(run)
            }
            Ok(Some(other)) => self.repeated(&other, record.request),
            Err(error) => {
                // It may stand there, and then it was not for nothing.
                if in_doubt {
                    shared.seek(driving, self.tenant, run);
                }
                Err(error)
            }
        }
    }

    /// What whoever asks for a run again is told. That it is driven is seen to.
    fn repeated(&self, found: &OrchestrationRecord, request: Digest) -> Result<String, OrchestratorError> {
        if found.request != request {
            return Err(OrchestratorError::Taken { run: found.run.clone() });
        }
        self.shared.adopt(found);
        Ok(found.run.clone())
    }

    /// Writes a run. Answers the one that stands there already, if it is another one. Says whether it is
    /// `in_doubt` that it was written, if it could not be.
    async fn create(
        &self,
        record: &OrchestrationRecord,
        pieces: &[OrchestratedJobsRecord],
        in_doubt: &mut bool,
    ) -> Result<Option<OrchestrationRecord>, OrchestratorError> {
        let mut tries = 1;
        loop {
            let error = match self.shared.create(record, pieces).await {
                Ok(()) => return Ok(None),
                Err(StoreError::Exhausted(_)) => {
                    return Err(OrchestratorError::TooManyRuns { limit: self.shared.open_runs_max });
                }
                Err(error) if self.shared.ends_tenure(&error) => return Err(OrchestratorError::Stopping),
                Err(error @ (StoreError::Conflict(_) | StoreError::Unknown(_))) => error,
                Err(error) => return Err(OrchestratorError::Store(error)),
            };
            *in_doubt |= matches!(error, StoreError::Unknown(_));
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

    async fn summary(&self, found: &OrchestrationRecord) -> Result<RunSummary, OrchestratorError> {
        self.shared.summary(found).await.map_err(OrchestratorError::Store)
    }

    /// What became of a run, once it has ended within `timeout`.
    pub(super) async fn wait(&self, run: &str, timeout: Duration) -> Result<RunSummary, OrchestratorError> {
        let shared = &self.shared;
        let unfinished = |state| Err(OrchestratorError::Unfinished { run: run.to_owned(), state });
        let found = self.record(run).await?.record;
        if found.completed_at.is_some() {
            return self.summary(&found).await;
        }
        if timeout.is_zero() {
            return unfinished(found.state);
        }
        let until = shared.clock.boot() + timeout;
        let subject = shared.subjects.wait_for(found.journal());
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            let found = self.record(run).await?.record;
            if found.completed_at.is_some() {
                return self.summary(&found).await;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = shared.stopping.cancelled() => return Err(OrchestratorError::Stopping),
                () = shared.clock.sleep_until(until) => return unfinished(found.state),
            }
        }
    }

    async fn cancel(&self, run: &str) -> Result<(), OrchestratorError> {
        let found = self.record(run).await?.record;
        if found.completed_at.is_some() {
            return Ok(());
        }
        self.shared.adopt(&found);
        let cancelled = lock(&self.shared.live).get(&found.journal()).cloned();
        cancelled.iter().for_each(tokio_util::sync::CancellationToken::cancel);
        self.wait(run, END_WITHIN).await.map(drop)
    }

    async fn delete(&self, run: &str) -> Result<(), OrchestratorError> {
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
