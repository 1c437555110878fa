//! What is known of pools here: their names, and what is asked of them. Which lanes each has is read by
//! `listings`.

use super::{Plane, lock};
use crate::{
    rules::record::{PoolRecord, UniqueRecord},
    seams::store::StoreError,
    values::id::{PoolId, TenantId},
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

    /// Reads what is asked of a pool. Whether it is there.
    pub(crate) async fn read_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<bool, StoreError> {
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        if let Some(found) = &found {
            self.take_pool(found.version, &found.record);
        }
        Ok(found.is_some())
    }

    /// Goes by what is asked of a pool, as of this version of it.
    pub(crate) fn take_pool(&self, version: u64, pool: &PoolRecord) {
        self.listings.heard(pool.id);
        lock(&self.schedule).place(pool.tenant, pool.id, version, pool.spec.placement);
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
}
