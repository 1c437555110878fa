//! Jobs that are pinned to a runner that was removed: nobody else may take them, so they end at once
//! with that reason, instead of when their time in the queue is over.

use super::{Plane, effects::Change, sync::RELEASES_PER_BATCH};
use crate::{
    actors::records::{Batch, Pages, Versioned, read},
    rules::{job::JobRecord, record::RunnerRecord},
    seams::store::StoreError,
    values::{
        id::{LaneId, PoolId, RunnerId, TenantId},
        job::JobSpec,
        key::Index,
        reply::{RefusalCode, Refused},
        result::Fault,
    },
};
use bytes::Bytes;
use std::sync::Arc;

/// How many ready jobs are ended in one batch: each is up to eight writes.
const JOBS_PER_BATCH: u32 = RELEASES_PER_BATCH as u32;

impl Plane {
    /// Whether a runner of the tenant was removed. One that nobody has heard of may yet come.
    pub(super) async fn is_removed(&self, tenant: TenantId, runner: RunnerId) -> Result<bool, StoreError> {
        let found = self.records.load::<RunnerRecord>(RunnerRecord::key_of(tenant, runner)).await?;
        Ok(found.is_some_and(|found| found.record.removed))
    }

    /// Refuses a job that is pinned to a runner that was removed.
    pub(super) async fn may_pin(
        &self,
        tenant: TenantId,
        spec: &JobSpec,
    ) -> Result<Result<(), Refused>, StoreError> {
        let Some(runner) = spec.runner else { return Ok(Ok(())) };
        if !self.is_removed(tenant, runner).await? {
            return Ok(Ok(()));
        }
        let problem = format!("spec.runner: {runner} was removed: pin the job to another one, or to none");
        Ok(Err(Refused::new(RefusalCode::NotFound, problem)))
    }

    /// Looks, beside everything else, whether a job that has become ready can be taken at all: its runner may
    /// have been removed, and the pool of one that was submitted earlier deleted.
    pub(super) fn look_at_target(self: &Arc<Self>, change: &Change) {
        let was_there = change.before.is_some();
        if change.after.terms.runner.is_none() && !was_there {
            return;
        }
        let job = Versioned { version: change.version() + 1, record: change.after.clone() };
        let plane = Arc::clone(self);
        self.duties.spawn(async move {
            let id = job.record.id;
            if let Err(error) = plane.give_up_if_nobody_may(job, was_there).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(job = %id, error, "a job may wait for a runner or a pool that is gone");
            }
        });
    }

    async fn give_up_if_nobody_may(
        self: &Arc<Self>,
        job: Versioned<JobRecord>,
        was_there: bool,
    ) -> Result<(), StoreError> {
        if let Some(runner) = job.record.terms.runner
            && self.is_removed(job.record.host(), runner).await?
        {
            return self.give_up_one(&job, &runner_removed(runner)).await;
        }
        if was_there { self.give_up_those_without_a_pool(vec![job]).await } else { Ok(()) }
    }

    /// Ends the ready jobs of a pool that are pinned to a runner that was removed. Those that become
    /// ready later end then.
    pub(super) async fn give_up_pinned(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
        runner: RunnerId,
    ) -> Result<(), StoreError> {
        let lanes = self.lanes_of(tenant, pool).await?;
        for lane in lanes.iter().filter(|lane| lane.runner == Some(runner)) {
            let mut pages = ready_jobs(lane.id);
            while let Some(rows) = pages.next(&self.records).await? {
                let jobs = rows.iter().map(|(_, row)| read(row)).collect::<Result<Vec<_>, _>>()?;
                self.give_up_each(&jobs, &runner_removed(runner)).await?;
            }
        }
        Ok(())
    }

    /// Ends jobs that are ready and that nobody may take. Those that have changed meanwhile are left alone.
    pub(super) async fn give_up_each(
        self: &Arc<Self>,
        jobs: &[Versioned<JobRecord>],
        fault: &Fault,
    ) -> Result<(), StoreError> {
        match self.give_up(jobs, fault).await {
            // Somebody was faster with one of them.
            Err(StoreError::Conflict(_)) => {
                for job in jobs {
                    self.give_up_one(job, fault).await?;
                }
                Ok(())
            }
            done => done,
        }
    }

    /// What has changed meanwhile is not ready any more, or is looked at when it becomes so.
    async fn give_up_one(
        self: &Arc<Self>,
        job: &Versioned<JobRecord>,
        fault: &Fault,
    ) -> Result<(), StoreError> {
        match self.give_up(std::slice::from_ref(job), fault).await {
            Err(StoreError::Conflict(_)) => Ok(()),
            done => done,
        }
    }

    async fn give_up(
        self: &Arc<Self>,
        jobs: &[Versioned<JobRecord>],
        fault: &Fault,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let ended = |job: &Versioned<JobRecord>| {
            let mut after = job.record.clone();
            after.give_up(fault.clone(), now).then(|| Change::of(job, after))
        };
        let mut changes: Vec<Change> = jobs.iter().filter_map(ended).collect();
        self.commit(Batch::new(), &mut changes, now).await.map(drop)
    }
}

/// The jobs that are ready in a lane, in pages that are ended in one batch each.
pub(super) fn ready_jobs(lane: LaneId) -> Pages {
    Pages::of(Index::Ready, Bytes::copy_from_slice(lane.as_bytes())).rows(JOBS_PER_BATCH)
}

fn runner_removed(runner: RunnerId) -> Fault {
    let problem = format!("the job is pinned to {runner}, which was removed: submit it without the pin");
    Fault::permanent("runner_removed", problem)
}
