//! What clients ask: how a job is, until it has ended, that it stops, and what it logged.

use super::{
    Plane,
    effects::{Change, job_subject},
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        job::{JobRecord, ResultPlace, State, StopReason},
        keys,
        lifecycle::Due,
        record::{ArtifactRecord, OutcomeRecord},
    },
    seams::store::StoreError,
    values::{
        id::{JobId, TenantId},
        key::Index,
        lease::FencingToken,
        reply::{ArtifactView, AttemptView, Cancelled, JobView, RefusalCode, Refused, Reply, StateView},
        request::{CancelRequest, CancelTarget},
    },
};
use std::{pin::pin, sync::Arc, time::Duration};

/// How often a change that others are faster with is tried.
const ROUNDS_MAX: usize = 16;

pub(super) fn no_job(job: JobId) -> Reply {
    Reply::Refused(Refused::new(RefusalCode::NotFound, format!("job: there is no job {job}")))
}

impl Plane {
    pub(super) async fn job(
        &self,
        tenant: TenantId,
        job: JobId,
    ) -> Result<Option<Versioned<JobRecord>>, StoreError> {
        self.records.tenant(tenant).load(JobRecord::key_of(tenant, job)).await
    }

    pub(super) async fn inspect(&self, tenant: TenantId, job: JobId) -> Result<Reply, StoreError> {
        match self.job(tenant, job).await? {
            Some(found) => self.view(found.record).await,
            None => Ok(no_job(job)),
        }
    }

    /// Answers as [`inspect`](Self::inspect), once the job has ended or the wait is over.
    pub(super) async fn wait(
        &self,
        tenant: TenantId,
        job: JobId,
        park_for: Duration,
    ) -> Result<Reply, StoreError> {
        let until = self.clock.boot() + park_for.min(self.spans.park_max);
        let subject = self.subjects.wait_for(JobRecord::key_of(tenant, job));
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            let Some(found) = self.job(tenant, job).await? else { return Ok(no_job(job)) };
            debug_assert_eq!(job_subject(&found.record), JobRecord::key_of(tenant, job));
            let over = self.clock.boot() >= until || self.stopping.is_cancelled();
            if over || found.record.conclusion().is_some() {
                return self.view(found.record).await;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.stopping.cancelled() => {}
                () = self.clock.sleep_until(until) => {}
            }
        }
    }

    async fn view(&self, job: JobRecord) -> Result<Reply, StoreError> {
        let result = match &job.result {
            Some(ResultPlace::Inline(result)) => Some(result.clone()),
            Some(ResultPlace::Record(grant)) => {
                let token = FencingToken { job: job.id, grant: *grant };
                let found =
                    self.records.load::<OutcomeRecord>(OutcomeRecord::key_of(job.tenant, token)).await?;
                found.map(|found| found.record.result)
            }
            _ => None,
        };
        let result_artifact = match &job.result {
            Some(ResultPlace::Artifact(digest)) => Some(*digest),
            _ => None,
        };
        let prefix = keys::parent_prefix(job.tenant, &keys::artifacts_of(job.id));
        let artifacts = self.records.tenant(job.tenant).all::<ArtifactRecord>(Index::Parent, prefix).await?;
        let left = artifacts.into_iter().filter(|found| found.record.role.is_none());
        let artifacts = left.map(|found| artifact_view(found.record)).collect();
        Ok(Reply::Job(Box::new(JobView {
            job: job.id,
            kind: job.terms.kind.clone(),
            title: job.terms.title.clone(),
            pool: job.terms.pool_name.clone(),
            run: job.terms.run,
            state: state_view(&job),
            submitted_at: job.submitted_at,
            attempts: job.attempts.iter().map(attempt_view).collect(),
            result,
            result_artifact,
            artifacts,
            progress: self.progress_of(&job).await,
            fault: job.fault.clone(),
        })))
    }

    async fn progress_of(&self, job: &JobRecord) -> Option<String> {
        let holder = job.holder()?;
        let session = self.sessions.find(job.host(), holder.runner)?;
        let live = session.live.lock().await;
        live.progress.get(&job.id).map(|(_, text)| text.clone())
    }

    pub(crate) async fn cancel(
        self: &Arc<Self>,
        tenant: TenantId,
        request: CancelRequest,
    ) -> Result<Reply, StoreError> {
        let jobs = match request.target {
            CancelTarget::Job(job) => match self.job(tenant, job).await? {
                Some(found) => u32::from(self.stop_job(found, StopReason::Requested).await?),
                None => return Ok(no_job(job)),
            },
            CancelTarget::Run(run) => self.stop_run(tenant, run, StopReason::Requested).await?,
        };
        Ok(Reply::Cancelled(Cancelled { jobs }))
    }

    /// Has a job stopped, whatever it is doing. Whether it had not ended.
    pub(super) async fn stop_job(
        self: &Arc<Self>,
        mut job: Versioned<JobRecord>,
        reason: StopReason,
    ) -> Result<bool, StoreError> {
        for _ in 0..ROUNDS_MAX {
            if job.record.conclusion().is_some() {
                return Ok(false);
            }
            let slack = self.spans.start_within;
            let now = self.now();
            let done = match job.record.holder() {
                Some(session) => {
                    let stop = move |job: &mut JobRecord, _| match job.stop(reason, now, slack) {
                        true => Due::Changed,
                        false => Due::Nothing,
                    };
                    self.change_held(&job, session.runner, stop).await
                }
                None => {
                    let mut after = job.record.clone();
                    after.stop(reason, now, slack);
                    self.commit(Batch::new(), &mut [Change::of(&job, after)], now).await.map(drop)
                }
            };
            match done {
                Ok(()) => return Ok(true),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            match self.job(job.record.tenant, job.record.id).await? {
                Some(found) => job = found,
                None => return Ok(false),
            }
        }
        Err(StoreError::Unavailable("the job changes faster than it can be stopped".into()))
    }
}

pub(crate) fn state_view(job: &JobRecord) -> StateView {
    match &job.state {
        State::Scheduled { ready_at } => StateView::Scheduled { ready_at: *ready_at },
        State::Blocked { on, .. } => StateView::Blocked { on: *on },
        State::Ready { ready_at } => StateView::Ready { since: *ready_at },
        State::Offered { to, .. } => StateView::Offered { runner: to.runner, token: job.token() },
        State::Running { by, attempt, started_at, stop, .. } => StateView::Running {
            runner: by.runner,
            token: job.token(),
            attempt: *attempt,
            since: *started_at,
            cancelling: stop.is_some(),
        },
        State::Concluded { conclusion, at } => StateView::Concluded { conclusion: *conclusion, at: *at },
    }
}

fn attempt_view(ended: &crate::rules::job::EndedAttempt) -> AttemptView {
    AttemptView {
        number: ended.number,
        grant: ended.grant,
        runner: ended.by.runner,
        outcome: ended.outcome.clone(),
        started_at: ended.started_at,
        ended_at: ended.ended_at,
        missing: ended.missing.clone(),
    }
}

fn artifact_view(artifact: ArtifactRecord) -> ArtifactView {
    ArtifactView {
        grant: artifact.token.grant,
        name: artifact.name,
        digest: artifact.digest,
        length: artifact.length,
        media_type: artifact.media_type,
    }
}
