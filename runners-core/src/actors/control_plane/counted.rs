//! Artifacts whose bytes count: what a tenant keeps may not be more than its quota.
//!
//! What an upload announces is counted before a byte of it is taken, and what is removed is given back.
//! The artifact store alone knows what is there; [`HoldingRecord`] is what was counted. Whoever puts or
//! removes looks afterwards, and goes on looking until the record says what is there: so the last one
//! leaves it right. A control plane that dies in between leaves a time at which another looks.

mod looks;
mod store;

pub(super) use looks::Looks;

use crate::{
    actors::records::{Batch, Records, Versioned},
    rules::{
        keys,
        record::{HoldingRecord, Record as _, TenantRecord},
    },
    seams::{
        artifact::{ArtifactError, ArtifactKey, ArtifactStore, StoredArtifact},
        clock::Clock,
        random::{self, Random},
        store::StoreError,
    },
    values::{
        fleet::tenant::ArtifactUse,
        id::{TenantId, UploadId},
        time::Timestamp,
    },
};
use std::{sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// Keeps count of what is in an artifact store.
#[derive(Clone, Debug)]
pub(crate) struct CountedArtifacts {
    pub(super) inner: Arc<dyn ArtifactStore>,
    pub(super) records: Records,
    pub(super) wall: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    /// What a tenant may keep of which the operator has not said anything else.
    pub(super) quota: Option<u64>,
    /// What is still to be counted when nobody waits for it any more.
    pub(super) duties: TaskTracker,
    /// What is looked at because it was due.
    pub(super) looks: Arc<Looks>,
}

/// How long an upload that was announced counts if it never ends: a day.
const COUNTS_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the pieces of an upload are kept without another: a day.
const PIECES_KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after a removal somebody else looks whether it was counted.
const LOOK_AFTER: Duration = Duration::from_secs(60);
/// How often a count is tried that others change at the same time.
const ROUNDS_MAX: usize = 200;

impl CountedArtifacts {
    /// What a tenant keeps, and how much it may; `own` is what the operator has said of it.
    pub(crate) async fn used(&self, tenant: TenantId, own: Option<u64>) -> Result<ArtifactUse, StoreError> {
        let bytes = self.records.counter(keys::artifact_bytes(tenant)).await?;
        let bytes = u64::try_from(bytes).unwrap_or(0);
        Ok(ArtifactUse { bytes, quota: own.or(self.quota), is_own: own.is_some() })
    }

    async fn quota_of(&self, tenant: TenantId) -> Result<Option<u64>, ArtifactError> {
        let found =
            self.records.load::<TenantRecord>(TenantRecord::key_of(tenant)).await.map_err(unusable)?;
        Ok(found.and_then(|found| found.record.artifact_quota).or(self.quota))
    }

    /// Counts an upload before a byte of it is there.
    async fn announce(
        &self,
        key: ArtifactKey,
        length: u64,
        quota: Option<u64>,
        (upload, until): (UploadId, Timestamp),
    ) -> Result<(), ArtifactError> {
        for _ in 0..ROUNDS_MAX {
            let (version, mut record) = self.holding(key).await?;
            let before = record.bytes();
            if !record.announce(upload, length, until) {
                return Err(unavailable("too many uploads of this artifact are under way: try again later"));
            }
            match self.write(version, &record, before, quota).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict(_)) => {}
                Err(StoreError::Exhausted(_)) => {
                    let ArtifactUse { bytes, .. } = self.used(key.tenant, quota).await.map_err(unusable)?;
                    let limit = quota.unwrap_or(u64::MAX);
                    return Err(ArtifactError::OverQuota { length, used: bytes, limit });
                }
                Err(error) => return Err(unusable(error)),
            }
        }
        Err(contended())
    }

    /// Ends an upload that has come to nothing.
    async fn withdraw(&self, key: ArtifactKey, upload: UploadId, length: u64) -> Result<(), ArtifactError> {
        self.settle(key, Some((upload, length))).await
    }

    /// Counts what the store has of an artifact, whatever anybody else does with it meanwhile; and ends an
    /// upload of it, if one is named.
    async fn settle(&self, key: ArtifactKey, ended: Option<(UploadId, u64)>) -> Result<(), ArtifactError> {
        for _ in 0..ROUNDS_MAX {
            let (version, mut record) = self.holding(key).await?;
            let stored = self.inner.head(key).await?;
            let before = record.bytes();
            let had = record.clone();
            if let Some((upload, length)) = ended {
                record.end(upload, length);
            }
            if had.is_same(&record) && record.is_settled(stored) && (version > 0 || stored.is_none()) {
                return Ok(());
            }
            record.found(stored, self.wall.wall());
            match self.write(version, &record, before, None).await {
                Ok(()) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(unusable(error)),
            }
        }
        Err(contended())
    }

    /// Whether an artifact was removed by `remove`, which is counted whatever becomes of this control plane.
    async fn remove<T>(
        &self,
        key: ArtifactKey,
        remove: impl Future<Output = Result<T, ArtifactError>>,
    ) -> Result<T, ArtifactError> {
        for round in 0.. {
            let (version, mut record) = self.holding(key).await?;
            let before = record.bytes();
            record.doubt(self.wall.wall() + LOOK_AFTER);
            match self.write(version, &record, before, None).await {
                Ok(()) => break,
                Err(StoreError::Conflict(_)) if round < ROUNDS_MAX => {}
                Err(error) => return Err(unusable(error)),
            }
        }
        let removed = remove.await;
        self.settle(key, None).await?;
        removed
    }

    /// Counts what is in the store and was not counted: it was put past this, or before anybody counted.
    pub(super) async fn count_listed(&self, page: &[StoredArtifact]) -> Result<(), ArtifactError> {
        let keys = page.iter().map(|one| HoldingRecord::key_of(one.key.tenant, one.key.digest)).collect();
        let known = self.records.load_all::<HoldingRecord>(keys).await.map_err(unusable)?;
        for (artifact, known) in page.iter().zip(known) {
            if known.is_none_or(|known| known.record.stored != Some(artifact.length)) {
                self.settle(artifact.key, None).await?;
            }
        }
        Ok(())
    }

    /// Does what is due of one record: forgets uploads that nobody goes on with, and looks at the store.
    async fn look(&self, due: Versioned<HoldingRecord>) -> Result<(), ArtifactError> {
        let Versioned { version, mut record } = due;
        let key = ArtifactKey { tenant: record.tenant, digest: record.digest };
        let before = record.bytes();
        let lapsed = record.lapse(self.wall.wall());
        if lapsed.is_over {
            let mut batch = Batch::new();
            batch.delete(record.key(), version);
            return self.records.commit(batch).await.map(drop).map_err(unusable);
        }
        for length in lapsed.pieces {
            self.inner.forget_upload(key, length).await?;
        }
        record.found(self.inner.head(key).await?, self.wall.wall());
        self.write(version, &record, before, None).await.map_err(unusable)?;
        self.settle(key, None).await
    }

    async fn holding(&self, key: ArtifactKey) -> Result<(u64, HoldingRecord), ArtifactError> {
        let at = HoldingRecord::key_of(key.tenant, key.digest);
        let found = self.records.load::<HoldingRecord>(at).await.map_err(unusable)?;
        let new = || (0, HoldingRecord::new(key.tenant, key.digest));
        Ok(found.map_or_else(new, |found| (found.version, found.record)))
    }

    /// Writes a record and counts how it has changed, up to a limit.
    async fn write(
        &self,
        version: u64,
        record: &HoldingRecord,
        before: u64,
        limit: Option<u64>,
    ) -> Result<(), StoreError> {
        let whole = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let delta = whole(record.bytes()) - whole(before);
        let mut batch = Batch::new();
        batch.put(version, record);
        if delta != 0 {
            let limit = limit.filter(|_| delta > 0).map(whole);
            batch.add(keys::artifact_bytes(record.tenant), delta, limit);
        }
        self.records.commit(batch).await.map(drop)
    }

    fn draw(&self) -> UploadId {
        random::id(&*self.random, self.wall.wall(), UploadId::new)
    }
}

fn unusable(error: StoreError) -> ArtifactError {
    ArtifactError::Unavailable(Box::new(error))
}

fn unavailable(problem: &'static str) -> ArtifactError {
    ArtifactError::Unavailable(problem.into())
}

fn contended() -> ArtifactError {
    unavailable("this artifact changes faster than it can be counted: try again")
}
