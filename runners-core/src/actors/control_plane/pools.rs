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
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What is known of pools, beside what the schedule knows of their lanes.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    known: BTreeMap<(TenantId, String), PoolId>,
    /// Grows whenever they are to be read again.
    turn: u64,
}

impl Pools {
    /// A name may lead elsewhere now.
    pub(crate) fn forget_names(&self) {
        let mut names = lock(&self.names);
        names.known.clear();
        names.turn += 1;
    }

    /// The pool of a name, or else in which turn it is to be read.
    fn named(&self, at: &(TenantId, String)) -> Result<PoolId, u64> {
        let names = lock(&self.names);
        names.known.get(at).copied().ok_or(names.turn)
    }

    /// Remembers what was read, unless it may have changed meanwhile.
    fn learn(&self, at: (TenantId, String), pool: PoolId, turn: u64) {
        let mut names = lock(&self.names);
        if names.turn == turn {
            names.known.insert(at, pool);
        }
    }
}

impl Plane {
    /// The id of a pool by its name.
    pub(crate) async fn pool_by_name(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<PoolId>, StoreError> {
        let at = (tenant, name.to_owned());
        let turn = match self.pools.named(&at) {
            Ok(pool) => return Ok(Some(pool)),
            Err(turn) => turn,
        };
        let key = UniqueRecord::pool_name(tenant, name);
        let found = self.records.load::<UniqueRecord>(key).await?;
        let pool = found.and_then(|found| found.record.taken_by.parse().ok());
        if let Some(pool) = pool {
            self.pools.learn(at, pool, turn);
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
        self.read_pool(tenant, pool).await.map(drop)
    }

    /// Reads what is asked of a pool. Whether it is there.
    pub(crate) async fn read_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<bool, StoreError> {
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        if let Some(found) = &found {
            let placement = found.record.spec.placement;
            lock(&self.schedule).place(tenant, pool, found.version, placement);
        }
        Ok(found.is_some())
    }

    /// Goes by a pool as it is stored now. Whether it is there.
    pub(super) async fn heed_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<bool, StoreError> {
        self.forget_pools();
        let is_there = self.read_pool(tenant, pool).await?;
        self.doubt_sessions(|_, of| of == pool);
        if !is_there {
            self.give_up_pool(tenant, pool).await?;
        }
        Ok(is_there)
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
