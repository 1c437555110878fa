//! Pools that were deleted: no runner comes to them any more, so a job that is ready there ends with that
//! reason. A pool is only deleted while nothing is ready in it, so this is for what was being submitted at
//! that moment, here or at another control plane that had not heard of it, and for what becomes ready later.
//! Submits look at no pool for it.

use super::{Plane, pins::ready_jobs};
use crate::{
    actors::records::{Versioned, read},
    rules::{
        job::JobRecord,
        record::{PoolRecord, Record as _},
    },
    seams::store::StoreError,
    values::{
        id::{LaneId, PoolId, TenantId},
        key::Key,
        result::Fault,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl Plane {
    /// Ends what is ready in a pool that was deleted.
    pub(super) async fn give_up_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<(), StoreError> {
        for lane in self.lanes_of(tenant, pool).await? {
            self.give_up_homeless(lane.id).await?;
        }
        Ok(())
    }

    /// Whether a pool was not deleted.
    pub(super) async fn is_there(&self, tenant: TenantId, pool: PoolId) -> Result<bool, StoreError> {
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        Ok(found.is_some())
    }

    /// Ends the ready jobs of a lane that no pool is there for.
    pub(super) async fn give_up_homeless(self: &Arc<Self>, lane: LaneId) -> Result<(), StoreError> {
        let mut pages = ready_jobs(lane);
        while let Some(rows) = pages.next(&self.records).await? {
            let jobs = rows.iter().map(|(_, row)| read(row)).collect::<Result<Vec<_>, _>>()?;
            self.give_up_those_without_a_pool(jobs).await?;
        }
        Ok(())
    }

    /// Ends those of some ready jobs that no pool is there for.
    pub(super) async fn give_up_those_without_a_pool(
        self: &Arc<Self>,
        jobs: Vec<Versioned<JobRecord>>,
    ) -> Result<(), StoreError> {
        let there = self.pools_there(&jobs).await?;
        let is_homeless = |job: &Versioned<JobRecord>| pools_of(&job.record).all(|key| !there.contains(&key));
        let mut by_pool: BTreeMap<PoolId, Vec<Versioned<JobRecord>>> = BTreeMap::new();
        for job in jobs.into_iter().filter(is_homeless) {
            by_pool.entry(job.record.terms.pool).or_default().push(job);
        }
        for (pool, jobs) in by_pool {
            let problem = format!("{pool} was deleted, and the job names no other: submit it to another");
            self.give_up_each(&jobs, &Fault::permanent("pool_deleted", problem)).await?;
        }
        Ok(())
    }

    /// Which of the pools that some jobs name are there.
    async fn pools_there(&self, jobs: &[Versioned<JobRecord>]) -> Result<BTreeSet<Key>, StoreError> {
        let named: BTreeSet<Key> = jobs.iter().flat_map(|job| pools_of(&job.record)).collect();
        let found = self.records.load_all::<PoolRecord>(named.into_iter().collect()).await?;
        Ok(found.into_iter().flatten().map(|pool| pool.record.key()).collect())
    }
}

/// Every pool that a job may run in, now or later.
fn pools_of(job: &JobRecord) -> impl Iterator<Item = Key> + '_ {
    let further = job.terms.fallbacks.iter().map(|opening| opening.pool);
    std::iter::once(job.terms.pool).chain(further).map(|pool| PoolRecord::key_of(job.host(), pool))
}
