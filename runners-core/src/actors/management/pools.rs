//! Pools: made, listed, changed, and deleted once nothing is left in them.

use super::{Management, ROUNDS_MAX, audit::Deed, not_found, refused, repeat::Begun};
use crate::{
    actors::{
        control_plane::{Plane, Unheeded},
        error::Error,
        records::{Batch, Versioned},
    },
    rules::{
        keys, ownership,
        record::{PoolRecord, Record as _, RunnerRecord, UniqueRecord},
    },
    seams::{
        random,
        store::{Query, StoreError},
    },
    values::{
        fleet::{
            listing::{Listing, Paging},
            pool::{PoolSpec, PoolView},
        },
        id::{PoolId, TenantId},
        key::{Index, Kind},
        principal::Scope,
        reply::RefusalCode,
    },
};
use std::sync::Arc;

impl Management {
    /// Makes a pool.
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if there is one of that name, or as [`Management`] says.
    pub async fn create_pool(&self, spec: PoolSpec) -> Result<PoolView, Error> {
        let tenant = self.with(Scope::Admin)?;
        self.may_host_itself()?;
        ownership::check_pool(&spec, tenant)?;
        let mut once = match self.begin::<PoolRecord>(tenant).await? {
            Begun::Before(pool) => {
                // Whoever made it may not have come to this.
                self.plane.hosting.doubt();
                return Ok(pool.view());
            }
            Begun::Now(once) => once,
        };
        let mut batch = Batch::new();
        let pool = self.plane.new_pool(tenant, spec);
        once.note(&mut batch, &pool);
        add_pool(&mut batch, &pool);
        self.note(&mut batch, tenant, Deed::new("created", "pool").called(&pool.spec.name), pool.id).await;
        let mut made = Unheeded::new(&self.plane, pool.key());
        match made.commit(batch).await {
            Ok(_) => {
                self.plane.hosting.doubt();
                made.heeded();
                Ok(pool.view())
            }
            Err(error) => Err(once.refusal(&error).unwrap_or_else(|| match error {
                StoreError::Conflict(_) => name_taken(),
                error => Error::Store(error),
            })),
        }
    }

    /// Lists the pools of the tenant, oldest first.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn pools(&self, paging: &Paging) -> Result<Listing<PoolView>, Error> {
        let tenant = self.with(Scope::Read)?;
        let prefix = keys::listed_prefix(tenant, Kind::Pool, None);
        let page = self.list::<PoolRecord>(Index::Listed, prefix, &["pools"], paging).await?;
        Ok(page.map(|pool| pool.record.view()))
    }

    /// One pool of the tenant.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn pool(&self, pool: PoolId) -> Result<PoolView, Error> {
        let tenant = self.with(Scope::Read)?;
        self.pool_record(tenant, pool).await.map(|found| found.record.view())
    }

    /// Changes the settings of a pool. `change` is applied to the current ones, and again whenever somebody
    /// else has changed them meanwhile, so it may be called several times.
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if the new name is taken, or as [`Management`] says.
    pub async fn update_pool(
        &self,
        pool: PoolId,
        change: impl Fn(&mut PoolSpec) + Send,
    ) -> Result<PoolView, Error> {
        let tenant = self.with(Scope::Admin)?;
        for _ in 0..ROUNDS_MAX {
            let Versioned { version, mut record } = self.pool_record(tenant, pool).await?;
            let old_name = UniqueRecord::of_pool(&record).key();
            change(&mut record.spec);
            ownership::check_pool(&record.spec, tenant)?;
            let new_name = UniqueRecord::of_pool(&record);
            let mut batch = Batch::new();
            batch.put(version, &record);
            if new_name.key() != old_name {
                let found = self.plane.records.load::<UniqueRecord>(old_name.clone()).await;
                let found = found.map_err(Error::Store)?;
                batch.put(0, &new_name);
                found.iter().for_each(|found| batch.delete(old_name.clone(), found.version));
            }
            let deed = Deed::new("changed", "pool").called(&record.spec.name);
            self.note(&mut batch, tenant, deed, pool).await;
            let mut changed = Unheeded::new(&self.plane, record.key());
            match changed.commit(batch).await {
                Ok(_) => {
                    self.plane.forget_pools();
                    self.plane.take_pool(version + 1, &record);
                    self.plane.doubt_sessions(|_, of| of == pool);
                    changed.heeded();
                    return Ok(record.view());
                }
                Err(StoreError::Conflict(key)) if key == new_name.key() => return Err(name_taken()),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the pool changes faster than it can be told".into())))
    }

    /// Deletes a pool that has no runner and no job that is ready. A job that is scheduled for
    /// later, or waits for another, stays; it ends with the fault `pool_deleted` once it is ready, unless it names a
    /// further pool. So does one that is being submitted at that moment.
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if it is not empty, or as [`Management`] says.
    pub async fn delete_pool(&self, pool: PoolId) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        let Versioned { version, record } = self.pool_record(tenant, pool).await?;
        let runners = keys::parent_kind_prefix(tenant, pool.as_bytes(), RunnerRecord::KIND);
        if self.plane.any(Index::Parent, runners).await.map_err(Error::Store)? {
            return Err(refused(RefusalCode::Conflict, "pool: has runners: remove them first"));
        }
        for lane in self.plane.lanes_of(tenant, pool).await.map_err(Error::Store)? {
            let ready = bytes::Bytes::copy_from_slice(lane.id.as_bytes());
            if self.plane.any(Index::Ready, ready).await.map_err(Error::Store)? {
                let problem = "pool: has jobs that are ready: wait for them, or cancel them";
                return Err(refused(RefusalCode::Conflict, problem));
            }
        }
        let name = UniqueRecord::of_pool(&record).key();
        let found = self.plane.records.load::<UniqueRecord>(name.clone()).await.map_err(Error::Store)?;
        let mut batch = Batch::new();
        batch.delete(record.key(), version);
        found.iter().for_each(|found| batch.delete(name.clone(), found.version));
        let deed = Deed::new("deleted", "pool").called(&record.spec.name);
        self.note(&mut batch, tenant, deed, pool).await;
        let mut deleted = Unheeded::new(&self.plane, record.key());
        match deleted.commit(batch).await {
            Ok(_) => {
                self.plane.forget_pools();
                // What was being submitted to it is ended: at once, and when the last of it must have arrived.
                drop(deleted);
                Ok(())
            }
            Err(StoreError::Conflict(_)) => {
                Err(refused(RefusalCode::Conflict, "pool: was changed meanwhile: look at it again"))
            }
            Err(error) => Err(Error::Store(error)),
        }
    }

    /// The record of a pool of the tenant.
    pub(crate) async fn pool_record(
        &self,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<Versioned<PoolRecord>, Error> {
        let found = self.plane.records.load(PoolRecord::key_of(tenant, pool)).await;
        found.map_err(Error::Store)?.ok_or_else(|| not_found("pool", pool))
    }
}

impl Plane {
    /// Makes a pool whose specification was checked.
    pub(crate) async fn create_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        spec: PoolSpec,
    ) -> Result<PoolRecord, StoreError> {
        let pool = self.new_pool(tenant, spec);
        let mut batch = Batch::new();
        add_pool(&mut batch, &pool);
        let mut made = Unheeded::new(self, pool.key());
        made.commit(batch).await?;
        self.hosting.doubt();
        made.heeded();
        Ok(pool)
    }

    fn new_pool(&self, tenant: TenantId, spec: PoolSpec) -> PoolRecord {
        let now = self.now();
        PoolRecord::new(tenant, random::id(&*self.random, now, PoolId::new), spec, now)
    }

    /// Has the names of pools read again: one may lead elsewhere now.
    pub(crate) fn forget_pools(&self) {
        self.pools.forget_names();
        self.hosting.doubt();
    }

    /// Whether there is anything below a prefix of an index.
    async fn any(&self, index: Index, prefix: bytes::Bytes) -> Result<bool, StoreError> {
        let query = Query::Range { index, prefix, after: None, until: None, newest_first: false, limit: 1 };
        self.records.page(query).await.map(|(rows, _)| !rows.is_empty())
    }
}

/// A new pool takes its name.
fn add_pool(batch: &mut Batch, pool: &PoolRecord) {
    batch.put(0, &UniqueRecord::of_pool(pool));
    batch.put(0, pool);
}

fn name_taken() -> Error {
    refused(RefusalCode::Conflict, "name: there is a pool of that name: choose another")
}
