//! What is known of pools here: their names, and which lanes each lists. A pool is read when it is first
//! needed; lanes that come and go after that are heard of.

use super::{Plane, lock};
use crate::{
    rules::{
        keys,
        record::{LaneRecord, PoolRecord, UniqueRecord},
    },
    seams::store::StoreError,
    values::{
        id::{PoolId, TenantId},
        key::Index,
    },
};
use std::sync::Arc;

impl Plane {
    /// The id of a pool by its name.
    pub(crate) async fn pool_by_name(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<PoolId>, StoreError> {
        let at = (tenant, name.to_owned());
        if let Some(pool) = lock(&self.pools).get(&at) {
            return Ok(Some(*pool));
        }
        let key = UniqueRecord::pool_name(tenant, name);
        let found = self.records.load::<UniqueRecord>(key).await?;
        let pool = found.and_then(|found| found.record.taken_by.parse().ok());
        if let Some(pool) = pool {
            lock(&self.pools).insert(at, pool);
        }
        Ok(pool)
    }

    /// Reads the lanes of a pool, if that was not done yet.
    pub(crate) async fn ensure_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<(), StoreError> {
        if lock(&self.schedule).knows_pool(pool) {
            return Ok(());
        }
        let lanes = self.lanes_of(tenant, pool).await?;
        if lanes.iter().any(|lane| lane.look_at.is_none()) {
            let plane = Arc::clone(self);
            self.duties.spawn(async move {
                if let Err(error) = plane.date_lanes(tenant, pool).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%pool, error, "lanes of an earlier release are not looked at yet");
                }
            });
        }
        let pages = self.scheduled(|schedule| schedule.add_pool(pool, lanes));
        self.read_pages(pages);
        self.read_pool(tenant, pool).await
    }

    /// Reads what is asked of a pool.
    pub(crate) async fn read_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<(), StoreError> {
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        if let Some(found) = found {
            let placement = found.record.spec.placement;
            lock(&self.schedule).place(tenant, pool, found.version, placement);
        }
        Ok(())
    }

    /// Every lane that a pool lists.
    pub(crate) async fn lanes_of(
        &self,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<Vec<LaneRecord>, StoreError> {
        let prefix = keys::parent_prefix(tenant, &keys::lanes_of(pool));
        let lanes = self.records.tenant(tenant).all(Index::Parent, prefix).await?;
        Ok(lanes.into_iter().map(|lane| lane.record).collect())
    }
}
