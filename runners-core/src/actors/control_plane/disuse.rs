//! Lanes that nobody uses any more are deleted, so that ten thousand mixtures of keys do not use up
//! a pool for ever.
//!
//! A lane in which nothing was ready at two looks, a day apart, is deleted. After the first it is
//! *idle*, and whoever makes a job ready in it wakes it before: that changes its version, so it is
//! not deleted by somebody who looked before. A job that waits for its time, or is being executed,
//! keeps no lane: when it becomes ready, its lane is woken, or made again from its specification.

use super::{Plane, effects::Change, lock};
use crate::{
    actors::records::{Batch, Versioned, read},
    rules::{
        job::JobRecord,
        keys,
        record::{LaneRecord, PayloadRecord, Preference, Record as _},
    },
    seams::store::{Query, StoreError},
    values::{
        id::{LaneId, PoolId, TenantId},
        job::JobSpec,
        key::{Index, Key},
        time::Timestamp,
    },
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// How often a lane is woken that others change at the same time.
const ROUNDS_MAX: usize = 8;
/// How many lanes of an earlier release are given a time to be looked at in one batch.
const LANES_PER_BATCH: usize = 64;

impl Plane {
    /// Looks at whether anybody still uses a lane.
    pub(super) async fn due_lane(
        self: &Arc<Self>,
        lane: Versioned<LaneRecord>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Versioned { version, mut record } = lane;
        if record.look_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let (id, pool, key) = (record.id, record.pool, record.key());
        let has_ready_jobs = self.first_ready_job(id).await?.is_some();
        if has_ready_jobs && !self.is_there(key.tenant, pool).await? {
            // It was deleted by a control plane that could not see to them.
            self.give_up_homeless(id).await?;
        }
        let unused = record.look(now, has_ready_jobs, self.chance());
        // Who has not heard that it is idle may be making a job ready in it.
        let mut batch = Batch::new();
        if unused && !lock(&self.schedule).is_awake(id, pool) {
            self.scheduled(|schedule| schedule.remove_lane(id, pool));
            batch.delete(key.clone(), version);
            let deleted = self.records.commit(batch).await;
            // Whether it is gone or not, and whoever was using it at that moment.
            self.heed_lane(&key).await?;
            return deleted.map(drop);
        }
        batch.put(version, &record);
        self.records.commit(batch).await?;
        self.scheduled(|schedule| schedule.note_lane(id, pool, version + 1, record.idle));
        record.look_at.into_iter().for_each(|at| self.due.hint(at));
        Ok(())
    }

    async fn first_ready_job(&self, lane: LaneId) -> Result<Option<JobRecord>, StoreError> {
        let prefix = Bytes::copy_from_slice(lane.as_bytes());
        let (rows, _) = self.records.page(Query::range(Index::Ready, prefix, 1)).await?;
        rows.first().map(|(_, row)| Ok(read::<JobRecord>(row)?.record)).transpose()
    }

    /// Sees to it that no job is made ready in a lane that is idle, or is not there.
    pub(super) async fn wake_lanes(self: &Arc<Self>, changes: &[Change]) -> Result<(), StoreError> {
        let asleep: Vec<(&JobRecord, PoolId)> = {
            let readied = changes.iter().filter(|change| {
                let before = change.before.as_ref().and_then(|before| before.record.ready_key());
                let after = change.after.ready_key();
                after.is_some() && after != before
            });
            let schedule = lock(&self.schedule);
            let places = readied.flat_map(|change| {
                let job = &change.after;
                job.open_pools().map(move |pool| (job, pool))
            });
            places.filter(|(job, pool)| !schedule.is_awake(job.lane(), *pool)).collect()
        };
        for (job, pool) in asleep {
            let key = LaneRecord::key_of(job.host(), job.lane(), pool);
            let wanted = match self.records.load::<LaneRecord>(key).await? {
                Some(found) => Some(found.record),
                None => self.lane_of(job, pool).await?,
            };
            if let Some(wanted) = wanted {
                self.wake_lane(wanted).await?;
            }
        }
        Ok(())
    }

    /// Has a lane be there and not idle, and known if its pool is.
    pub(super) async fn wake_lane(self: &Arc<Self>, wanted: LaneRecord) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            let found = self.records.load::<LaneRecord>(wanted.key()).await?;
            let (version, mut record) = match found {
                Some(found) if !found.record.idle => {
                    self.know(found);
                    return Ok(());
                }
                Some(found) => (found.version, found.record),
                None => (0, wanted.clone()),
            };
            record.wake(self.now(), self.chance());
            let mut batch = Batch::new();
            batch.put(version, &record);
            match self.records.commit(batch).await {
                Ok(_) => {
                    record.look_at.into_iter().for_each(|at| self.due.hint(at));
                    self.know(Versioned { version: version + 1, record });
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("the lane changes faster than it can be woken".into()))
    }

    /// Takes note of a lane as it is stored.
    fn know(self: &Arc<Self>, found: Versioned<LaneRecord>) {
        let Versioned { version, record } = found;
        let (id, pool, idle) = (record.id, record.pool, record.idle);
        self.listings.heard(pool);
        let pages = self.scheduled(|schedule| {
            let is_new = schedule.knows_pool(pool) && !schedule.knows_lane(id, pool);
            let pages = if is_new { schedule.add_pool(pool, vec![record]) } else { Vec::new() };
            schedule.note_lane(id, pool, version, idle);
            pages
        });
        self.read_pages(pages);
    }

    /// Takes note of a lane that was changed, by another control plane or in a way that is not known.
    pub(super) async fn heed_lane(self: &Arc<Self>, key: &Key) -> Result<(), StoreError> {
        match self.records.load::<LaneRecord>(key.clone()).await? {
            Some(found) => self.know(found),
            None => {
                let halves = key.id.split_at_checked(16);
                let ids =
                    halves.and_then(|(lane, pool)| Some((lane.try_into().ok()?, pool.try_into().ok()?)));
                if let Some((lane, pool)) = ids {
                    let (lane, pool) = (LaneId::from_bytes(lane), PoolId::from_bytes(pool));
                    self.scheduled(|schedule| schedule.remove_lane(lane, pool));
                    self.remake_lane(lane, pool).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes a lane again that was deleted while somebody made a job ready in it.
    async fn remake_lane(self: &Arc<Self>, lane: LaneId, pool: PoolId) -> Result<(), StoreError> {
        let Some(job) = self.first_ready_job(lane).await? else { return Ok(()) };
        match self.lane_of(&job, pool).await? {
            Some(wanted) => self.wake_lane(wanted).await,
            None => Ok(()),
        }
    }

    /// The lane that a job is in, as its specification has it.
    async fn lane_of(&self, job: &JobRecord, pool: PoolId) -> Result<Option<LaneRecord>, StoreError> {
        let key = PayloadRecord::key_of(job.tenant, job.id);
        let Some(payload) = self.records.load::<PayloadRecord>(key).await? else { return Ok(None) };
        let Ok(spec) = serde_json::from_slice::<JobSpec>(payload.record.spec.as_bytes()) else {
            return Ok(None);
        };
        let further = job.terms.fallbacks.iter().map(|opening| (opening.pool, opening.after));
        let pools = std::iter::once((job.terms.pool, Duration::ZERO)).chain(further).collect();
        let preference = Preference { owner: job.host(), pools };
        let lanes = LaneRecord::of(job.tenant, &preference, &spec).into_iter().flatten();
        Ok(lanes.into_iter().find(|lane| lane.id == job.lane() && lane.pool == pool))
    }

    /// Gives the lanes of a pool that an earlier release made a time at which they are looked at.
    pub(super) async fn date_lanes(&self, tenant: TenantId, pool: PoolId) -> Result<(), StoreError> {
        let prefix = keys::parent_prefix(tenant, &keys::lanes_of(pool));
        let lanes = self.records.tenant(tenant).all::<LaneRecord>(Index::Parent, prefix).await?;
        let undated: Vec<_> = lanes.into_iter().filter(|lane| lane.record.look_at.is_none()).collect();
        for some in undated.chunks(LANES_PER_BATCH) {
            let mut batch = Batch::new();
            for lane in some {
                let mut record = lane.record.clone();
                record.wake(self.now(), self.chance());
                batch.put(lane.version, &record);
            }
            match self.records.commit(batch).await {
                // Another control plane does the same.
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            self.pause().await;
        }
        Ok(())
    }
}
