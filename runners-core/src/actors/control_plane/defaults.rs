//! The tenant and the pool `default`, which are there from the first start.

use super::Plane;
use crate::{
    actors::records::Batch,
    rules::record::{PoolRecord, Record, TenantRecord, UniqueRecord},
    seams::store::StoreError,
    values::{
        fleet::pool::PoolSpec,
        id::{PoolId, TenantId},
        key::Key,
        time::Timestamp,
    },
};

impl Plane {
    pub(super) async fn ensure_default(&self) -> Result<(), StoreError> {
        let tenant = TenantRecord::new(TenantId::DEFAULT, "default", self.now());
        self.create(&tenant).await?;
        let pool = PoolRecord::new(TenantId::DEFAULT, PoolId::DEFAULT, PoolSpec::new("default"), self.now());
        self.create(&UniqueRecord::of_pool(&pool)).await?;
        self.create(&pool).await?;
        self.list_old(tenant.key(), |tenant: &mut TenantRecord, now| {
            (tenant.made_at == Timestamp::default()).then(|| tenant.made_at = now).is_some()
        })
        .await?;
        self.list_old(pool.key(), |pool: &mut PoolRecord, now| {
            (pool.made_at == Timestamp::default()).then(|| pool.made_at = now).is_some()
        })
        .await
    }

    /// Has a record of the first release, which stands in no listing, stand in one.
    async fn list_old<R: Record>(
        &self,
        key: Key,
        change: impl Fn(&mut R, Timestamp) -> bool,
    ) -> Result<(), StoreError> {
        let Some(mut found) = self.records.load::<R>(key).await? else { return Ok(()) };
        if !change(&mut found.record, self.now()) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.put(found.version, &found.record);
        match self.records.commit(batch).await {
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
