//! Removing what need not be kept any longer, in small batches: ended jobs with everything that
//! belongs to them, artifacts that outlived their time, and old events.
//!
//! The record of a job goes last: whatever was cut short before is found again by it.

use super::Plane;
use crate::{
    actors::records::{Batch, PAGE_ROWS, Versioned, read},
    rules::{
        job::{JobRecord, State},
        keys,
        record::{
            ArtifactRecord, AuditRecord, OutcomeRecord, PayloadRecord, Record, RetentionRecord, RunRecord,
        },
        retention::{cutoff, is_prunable},
    },
    seams::store::{Query, StoreError, Stored, Write},
    values::{
        event::NUMBER_BITS,
        fleet::{audit::AuditEntry, retention::Retention},
        id::{RunId, TenantId},
        key::{Index, Key, Kind},
        lease::FencingToken,
        time::Timestamp,
    },
};
use bytes::Bytes;
use std::{collections::BTreeSet, time::Duration};

/// How many jobs or artifacts are removed before it is paused.
const REMOVALS_PER_BATCH: u32 = 64;
/// How many writes a job may add to a batch with others; what is beyond goes before, by itself.
const WRITES_PER_JOB: usize = 12;
/// How many chunks of a stream are read to be dropped at once.
const DROP_BYTES: u32 = 256 << 10;
/// How many chunks are dropped in one batch.
const DROPS_PER_BATCH: usize = 256;
/// How many of the oldest runs are looked at, whether they still have jobs.
const RUNS_PER_ROUND: u32 = 16;
/// How long a run may have no job: its first may be under way.
const EMPTY_RUN_KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// Beyond every offset.
const END: u64 = Write::OFFSET_MAX;

impl Plane {
    /// What a tenant wants to keep.
    pub(crate) async fn retention_of(&self, tenant: TenantId) -> Result<Retention, StoreError> {
        let found = self.records.load::<RetentionRecord>(RetentionRecord::key_of(tenant)).await?;
        Ok(found.map_or(self.retention, |found| found.record.retention))
    }

    /// Every tenant that has anything in a listing.
    pub(super) async fn tenants_listed(&self) -> Result<Vec<TenantId>, StoreError> {
        let (mut tenants, mut after) = (Vec::new(), None);
        loop {
            let query = Query::Range {
                index: Index::Listed,
                prefix: Bytes::new(),
                after,
                until: None,
                newest_first: false,
                limit: 1,
            };
            let (rows, _) = self.records.page(query).await?;
            let Some((entry, row)) = rows.into_iter().next() else { return Ok(tenants) };
            let tenant = row.key.tenant;
            after = Some(if entry.starts_with(tenant.as_bytes()) {
                tenants.push(tenant);
                [&tenant.as_bytes()[..], &[0xff; Key::ID_MAX]].concat().into()
            } else {
                // A host's own, which lists as it likes.
                entry
            });
        }
    }

    /// Removes everything of a tenant that it need not keep at `now`.
    pub(super) async fn prune(&self, tenant: TenantId, now: Timestamp) -> Result<(), StoreError> {
        let retention = self.retention_of(tenant).await?;
        let jobs = keys::listed_prefix(tenant, Kind::Job, Some(State::CONCLUDED));
        let age = cutoff(now, retention.concluded_for);
        if let Some(until) = self.until(&jobs, age, retention.jobs_max).await? {
            self.prune_jobs(tenant, &jobs, &until).await?;
        }
        let artifacts = keys::listed_prefix(tenant, Kind::Artifact, Some(ArtifactRecord::LEFT));
        let age = cutoff(now, retention.artifacts_for);
        if let Some(until) = self.until(&artifacts, age, retention.artifacts_max).await? {
            self.prune_artifacts(tenant, &artifacts, &until).await?;
        }
        self.prune_runs(tenant, now).await?;
        let audit = keys::listed_prefix(tenant, Kind::Audit, Some(AuditRecord::LISTED));
        let age = cutoff(now, Some(AuditEntry::KEPT_FOR));
        if let Some(until) = self.until(&audit, age, Some(AuditEntry::COUNT_MAX)).await? {
            self.prune_audit(&audit, &until).await?;
        }
        let numbers = (now - retention.events_for).as_millis() << NUMBER_BITS;
        self.drop_stream(keys::feed(tenant), numbers).await
    }

    /// Up to where a listing is too old, or has more than `count_max` rows behind it.
    async fn until(
        &self,
        prefix: &Bytes,
        age: Option<Timestamp>,
        count_max: Option<u32>,
    ) -> Result<Option<Bytes>, StoreError> {
        let by_age = age.map(|at| Bytes::from([&prefix[..], &at.as_millis().to_be_bytes()].concat()));
        let Some(count_max) = count_max else { return Ok(by_age) };
        let (mut left, mut after) = (count_max, None);
        while left > 0 {
            let limit = left.min(PAGE_ROWS);
            let (rows, more) = self.newest(prefix, after.take(), limit).await?;
            left -= u32::try_from(rows.len()).unwrap_or(limit);
            after = rows.last().map(|(at, _)| at.clone());
            if !more {
                return Ok(by_age);
            }
            self.pause().await;
        }
        // The last one that is kept, or whatever there is if none is.
        let by_count = after.unwrap_or_else(|| Bytes::from([&prefix[..], &[0xff; Key::ID_MAX]].concat()));
        Ok(Some(by_age.map_or_else(|| by_count.clone(), |by_age| by_age.max(by_count.clone()))))
    }

    async fn newest(
        &self,
        prefix: &Bytes,
        after: Option<Bytes>,
        limit: u32,
    ) -> Result<(Vec<(Bytes, Stored)>, bool), StoreError> {
        let query = Query::Range {
            index: Index::Listed,
            prefix: prefix.clone(),
            after,
            until: None,
            newest_first: true,
            limit,
        };
        self.records.page(query).await
    }

    async fn oldest<R: Record>(
        &self,
        prefix: &Bytes,
        after: Option<Bytes>,
        until: &Bytes,
    ) -> Result<(Vec<Versioned<R>>, Option<Bytes>), StoreError> {
        let query = Query::Range {
            index: Index::Listed,
            prefix: prefix.clone(),
            after,
            until: Some(until.clone()),
            newest_first: false,
            limit: REMOVALS_PER_BATCH,
        };
        let (rows, more) = self.records.page(query).await?;
        let next = rows.last().filter(|_| more).map(|(at, _)| at.clone());
        Ok((rows.iter().map(|(_, row)| read(row)).collect::<Result<_, _>>()?, next))
    }

    async fn prune_jobs(&self, tenant: TenantId, prefix: &Bytes, until: &Bytes) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (jobs, next) = self.oldest::<JobRecord>(prefix, after.take(), until).await?;
            let mut batch = Batch::new();
            let mut runs = BTreeSet::new();
            for job in jobs.iter().filter(|job| is_prunable(&job.record, self.seals)) {
                self.remove_job(job, &mut batch).await?;
                runs.extend(job.record.terms.run);
            }
            self.carry_out(batch).await?;
            for run in runs {
                self.remove_run(tenant, run).await?;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
            self.pause().await;
        }
    }

    /// Adds to a batch what removes a job, and removes before whatever is too much for one.
    async fn remove_job(&self, job: &Versioned<JobRecord>, batch: &mut Batch) -> Result<(), StoreError> {
        let Versioned { version, record } = job;
        let tenant = record.tenant;
        let prefix = keys::parent_prefix(tenant, &keys::artifacts_of(record.id));
        let named = self.records.tenant(tenant).all::<ArtifactRecord>(Index::Parent, prefix).await?;
        let outcomes = record.attempts.iter().filter(|ended| ended.result_digest.is_some());
        let outcomes = outcomes.map(|ended| FencingToken { job: record.id, grant: ended.grant });
        let outcomes = outcomes.map(|token| OutcomeRecord::key_of(tenant, token)).collect();
        let outcomes = self.records.load_all::<OutcomeRecord>(outcomes).await?;
        let mut pieces: Vec<(Key, u64)> =
            named.iter().map(|found| (found.record.key(), found.version)).collect();
        pieces.extend(outcomes.iter().flatten().map(|found| (found.record.key(), found.version)));
        while pieces.len() > WRITES_PER_JOB {
            let mut before = Batch::new();
            let rest = pieces.split_off(pieces.len().saturating_sub(REMOVALS_PER_BATCH as usize));
            rest.into_iter().for_each(|(key, version)| before.delete(key, version));
            if !self.carry_out(before).await? {
                // Without its job, nobody would find what is left.
                return Ok(());
            }
        }
        let payload = PayloadRecord::key_of(tenant, record.id);
        let payload = self.records.load::<PayloadRecord>(payload).await?;
        pieces.extend(payload.map(|found| (found.record.key(), found.version)));
        for log in record.logs.iter().filter(|log| log.sealed.is_none_or(|sealed| !sealed.dropped)) {
            let token = FencingToken { job: record.id, grant: log.grant };
            self.drop_stream(keys::log(tenant, token), END).await?;
        }
        batch.drop_chunks(keys::events(tenant, record.id), END);
        pieces.into_iter().for_each(|(key, version)| batch.delete(key, version));
        batch.delete(record.key(), *version);
        Ok(())
    }

    /// Removes a run that has no job any more.
    async fn remove_run(&self, tenant: TenantId, run: RunId) -> Result<(), StoreError> {
        let Some(found) = self.records.load::<RunRecord>(RunRecord::key_of(tenant, run)).await? else {
            return Ok(());
        };
        let prefix = keys::parent_prefix(tenant, &keys::jobs_of(run));
        let (rows, _) = self.records.page(Query::range(Index::Parent, prefix, 1)).await?;
        if !rows.is_empty() {
            return Ok(());
        }
        self.drop_stream(keys::run_feed(tenant, run), END).await?;
        let mut batch = Batch::new();
        batch.delete(found.record.key(), found.version);
        // A job that was submitted meanwhile keeps it.
        batch.add(keys::open_jobs(tenant, run), 0, Some(0));
        self.carry_out(batch).await.map(drop)
    }

    /// Removes runs that a removal which was cut short has left without jobs.
    async fn prune_runs(&self, tenant: TenantId, now: Timestamp) -> Result<(), StoreError> {
        let prefix = keys::listed_prefix(tenant, Kind::Run, None);
        let query = Query::range(Index::Listed, prefix, RUNS_PER_ROUND);
        let (rows, _) = self.records.page(query).await?;
        for (_, row) in &rows {
            let run: Versioned<RunRecord> = read(row)?;
            if run.record.submitted_at + EMPTY_RUN_KEPT_FOR < now {
                self.remove_run(tenant, run.record.id).await?;
            }
        }
        Ok(())
    }

    async fn prune_artifacts(
        &self,
        tenant: TenantId,
        prefix: &Bytes,
        until: &Bytes,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (artifacts, next) = self.oldest::<ArtifactRecord>(prefix, after.take(), until).await?;
            let jobs = artifacts.iter().map(|found| JobRecord::key_of(tenant, found.record.token.job));
            let jobs = self.records.load_all::<JobRecord>(jobs.collect()).await?;
            let mut batch = Batch::new();
            for (artifact, job) in artifacts.iter().zip(jobs) {
                if job.is_none_or(|job| job.record.conclusion().is_some()) {
                    batch.delete(artifact.record.key(), artifact.version);
                }
            }
            self.carry_out(batch).await?;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
            self.pause().await;
        }
    }

    async fn prune_audit(&self, prefix: &Bytes, until: &Bytes) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (entries, next) = self.oldest::<AuditRecord>(prefix, after.take(), until).await?;
            let mut batch = Batch::new();
            entries.iter().for_each(|entry| batch.delete(entry.record.key(), entry.version));
            self.carry_out(batch).await?;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
            self.pause().await;
        }
    }

    /// Drops the chunks of a stream that begin before a place, some at a time.
    pub(super) async fn drop_stream(&self, stream: Key, before: u64) -> Result<(), StoreError> {
        loop {
            let (chunks, more) = self.records.chunks(stream.clone(), 0, DROP_BYTES).await?;
            let some = chunks.iter().take(DROPS_PER_BATCH);
            let Some((last, _)) = some.rev().find(|(at, _)| *at < before) else { return Ok(()) };
            let mut batch = Batch::new();
            batch.drop_chunks(stream.clone(), last + 1);
            self.records.commit(batch).await?;
            if !more && chunks.len() <= DROPS_PER_BATCH {
                return Ok(());
            }
            self.pause().await;
        }
    }

    /// Commits a removal. What has changed meanwhile is looked at again in the next round. Whether nothing has.
    async fn carry_out(&self, batch: Batch) -> Result<bool, StoreError> {
        match self.records.commit(batch).await {
            Err(StoreError::Conflict(_) | StoreError::Exhausted(_)) => Ok(false),
            done => done.map(|_| true),
        }
    }
}
