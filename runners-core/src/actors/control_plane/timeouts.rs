//! Runs that take too long, or are cancelled: all their jobs are stopped.
//!
//! That its time is over is written into a run first. Whoever adds a job to it meanwhile has read it before,
//! and has to read it again: so whatever is not stopped at its submit is found among its jobs.

use super::{Plane, effects::Change, sync::RELEASES_PER_BATCH};
use crate::{
    actors::records::{Batch, Pages, Versioned, read},
    rules::{
        job::{JobRecord, StopReason},
        keys,
        record::{Record as _, RunRecord},
    },
    seams::store::StoreError,
    values::{
        id::{RunId, TenantId},
        key::Index,
        time::Timestamp,
    },
};
use std::sync::Arc;

/// How many jobs are stopped in one batch: each is up to twelve writes.
const JOBS_PER_BATCH: u32 = RELEASES_PER_BATCH as u32;
/// How often a run is read again that others change meanwhile.
const ROUNDS_MAX: usize = 16;

impl Plane {
    /// Ends the time of a run, and has its jobs stopped beside everything else.
    pub(super) async fn time_out_run(
        self: &Arc<Self>,
        run: Versioned<RunRecord>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Versioned { version, mut record } = run;
        if record.timed_out_at.is_none() {
            record.timed_out_at = Some(now);
            let mut batch = Batch::new();
            batch.put(version, &record);
            self.records.commit(batch).await?;
        }
        let (tenant, run) = (record.tenant, record.id);
        self.do_beside(record.key(), |plane| async move {
            plane.stop_run(tenant, run, StopReason::RunDeadline).await?;
            plane.note_stopped(tenant, run).await
        });
        Ok(())
    }

    /// Has every job of a run stopped, page by page. How many had not ended.
    pub(super) async fn stop_run(
        self: &Arc<Self>,
        tenant: TenantId,
        run: RunId,
        reason: StopReason,
    ) -> Result<u32, StoreError> {
        let prefix = keys::parent_prefix(tenant, &keys::jobs_of(run));
        let mut pages = Pages::of(Index::Parent, prefix).rows(JOBS_PER_BATCH);
        let (mut stopped, mut failed) = (0, None);
        loop {
            let turn = self.beside.turn().await;
            let Some(rows) = pages.next(&self.records).await? else { break };
            let mut jobs = Vec::with_capacity(rows.len());
            for (_, row) in &rows {
                match read(row) {
                    Ok(job) => jobs.push(job),
                    // The others are stopped all the same.
                    Err(error) => drop(failed.get_or_insert(error)),
                }
            }
            stopped += self.stop_all(jobs, reason).await?;
            drop(turn);
        }
        failed.map_or(Ok(stopped), Err)
    }

    /// Has jobs stopped: those that nobody holds in one batch. How many had not ended.
    async fn stop_all(
        self: &Arc<Self>,
        jobs: Vec<Versioned<JobRecord>>,
        reason: StopReason,
    ) -> Result<u32, StoreError> {
        let open = jobs.into_iter().filter(|job| job.record.conclusion().is_none());
        let (mut one_by_one, free): (Vec<_>, Vec<_>) = open.partition(|job| job.record.holder().is_some());
        let mut stopped = 0;
        match self.stop_free(&free, reason).await {
            Ok(()) => stopped += u32::try_from(free.len()).unwrap_or(u32::MAX),
            // Somebody was faster with one of them, or they are too much for one.
            Err(StoreError::Conflict(_) | StoreError::Broken(_)) => one_by_one.extend(free),
            Err(error) => return Err(error),
        }
        for job in one_by_one {
            stopped += u32::from(self.stop_job(job, reason).await?);
        }
        Ok(stopped)
    }

    async fn stop_free(
        self: &Arc<Self>,
        jobs: &[Versioned<JobRecord>],
        reason: StopReason,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let stop = |job: &Versioned<JobRecord>| {
            let mut after = job.record.clone();
            after.stop(reason, now, self.spans.start_within).then(|| Change::of(job, after))
        };
        let mut changes: Vec<Change> = jobs.iter().filter_map(stop).collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.commit(Batch::new(), &mut changes, now).await.map(drop)
    }

    /// Notes that nothing is left to do of a run whose time is over.
    async fn note_stopped(&self, tenant: TenantId, run: RunId) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            let found = self.records.load::<RunRecord>(RunRecord::key_of(tenant, run)).await?;
            let Some(Versioned { version, mut record }) = found else { return Ok(()) };
            record.is_stopped = true;
            let mut batch = Batch::new();
            batch.put(version, &record);
            match self.records.commit(batch).await {
                // It was closed, say.
                Err(StoreError::Conflict(_)) => {}
                done => return done.map(drop),
            }
        }
        Err(StoreError::Unavailable("the run changes faster than it can be stopped".into()))
    }
}
