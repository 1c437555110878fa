//! What a tenant keeps, and for how long.

use super::{Management, ROUNDS_MAX, audit::Deed};
use crate::{
    actors::{error::Error, records::Batch},
    rules::{
        record::{RetentionRecord, Unknown},
        retention,
    },
    seams::store::StoreError,
    values::{
        digest::Digest,
        fleet::retention::{Retention, UnnamedArtifacts},
        principal::Scope,
    },
};

impl Management {
    /// What the tenant keeps: what was set for it, or else what the control plane was told.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn retention(&self) -> Result<Retention, Error> {
        let tenant = self.with(Scope::Read)?;
        self.plane.retention_of(tenant).await.map_err(Error::Store)
    }

    /// Says what the tenant keeps from now on. What is beyond it is removed within minutes, and
    /// for good.
    ///
    /// # Errors
    /// [`Error::Refused`] (`invalid`) for a span that is too short, or as [`Management`] says.
    pub async fn set_retention(&self, wanted: Retention) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        retention::check(&wanted)?;
        for _ in 0..ROUNDS_MAX {
            let key = RetentionRecord::key_of(tenant);
            let found = self.plane.records.load::<RetentionRecord>(key).await.map_err(Error::Store)?;
            let version = found.as_ref().map_or(0, |found| found.version);
            let unknown = found.map_or_else(Unknown::new, |found| found.record.unknown);
            let mut batch = Batch::new();
            batch.put(version, &RetentionRecord { tenant, retention: wanted, unknown });
            self.note(&mut batch, tenant, Deed::new("changed", "retention"), "").await;
            match self.plane.records.commit(batch).await {
                Ok(_) => {
                    self.plane.upkeep.retention.notify_one();
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the retention changes faster than it can be set".into())))
    }

    /// Looks for artifacts of the tenant that nothing names, some at a time from `after` on, and
    /// removes none: what the next looks of the control plane will find.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn unnamed_artifacts(&self, after: Option<Digest>) -> Result<UnnamedArtifacts, Error> {
        let tenant = self.with(Scope::Read)?;
        self.plane.unnamed_artifacts(tenant, after).await.map_err(Error::Store)
    }
}
