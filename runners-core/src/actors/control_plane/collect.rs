//! Collecting artifacts that nothing names.
//!
//! An artifact is removed only if nothing has named it at two looks, the grace apart, and its bytes
//! were not put again in between: somebody who puts bytes has the whole grace to name them.

use super::{Plane, lock};
use crate::{
    rules::keys,
    seams::{
        artifact::{ArtifactError, ArtifactKey, StoredArtifact},
        store::{Query, StoreError},
    },
    values::{digest::Digest, fleet::retention::UnnamedArtifacts, id::TenantId, key::Index, time::BootTime},
};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

/// What was seen that nothing names.
#[derive(Debug)]
pub(crate) struct Unnamed {
    pub(super) grace: Duration,
    seen: Mutex<BTreeMap<ArtifactKey, Sight>>,
    next_look: Mutex<Option<BootTime>>,
}

#[derive(Clone, Copy, Debug)]
struct Sight {
    first: BootTime,
    stamp: u64,
}

/// How many artifacts are remembered. Others are looked at again once there is room.
const SEEN_MAX: usize = 100_000;
/// How many artifacts are listed before it is paused.
const LISTED_PER_BATCH: usize = 128;
/// How many looks there are in a grace.
const LOOKS_PER_GRACE: u32 = 4;

impl Unnamed {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, seen: Mutex::default(), next_look: Mutex::default() }
    }

    /// Whether an artifact that nothing names now has had no name for long enough.
    fn is_due(&self, key: ArtifactKey, stamp: u64, now: BootTime) -> bool {
        let mut seen = lock(&self.seen);
        match seen.get(&key) {
            Some(sight) if sight.stamp == stamp => now.since(sight.first) >= self.grace,
            Some(_) => {
                seen.insert(key, Sight { first: now, stamp });
                false
            }
            None => {
                if seen.len() < SEEN_MAX {
                    seen.insert(key, Sight { first: now, stamp });
                }
                false
            }
        }
    }

    fn forget(&self, key: &ArtifactKey) {
        lock(&self.seen).remove(key);
    }

    /// Whether it is time to look, which it then is not for a while.
    pub(super) fn is_time(&self, now: BootTime) -> bool {
        let mut next = lock(&self.next_look);
        let is_time = next.is_none_or(|at| at <= now);
        if is_time {
            *next = Some(now + self.grace / LOOKS_PER_GRACE);
        }
        is_time
    }
}

impl Plane {
    /// Removes the artifacts of a tenant that nothing has named for the grace.
    pub(super) async fn collect(&self, tenant: TenantId) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.list_artifacts(tenant, after).await?;
            self.counted.count_listed(&page).await.map_err(unusable)?;
            for artifact in &page {
                self.collect_one(*artifact).await?;
            }
            match page.last() {
                Some(last) => after = Some(last.key.digest),
                None => return Ok(()),
            }
            self.pause().await;
        }
    }

    async fn collect_one(&self, artifact: StoredArtifact) -> Result<(), StoreError> {
        let StoredArtifact { key, stamp, .. } = artifact;
        if self.is_named(key).await? {
            self.unnamed.forget(&key);
            return Ok(());
        }
        if self.unnamed.is_due(key, stamp, self.clock.boot()) {
            self.unnamed.forget(&key);
            let removed = self.artifacts.delete_unless_put(key, stamp).await.map_err(unusable)?;
            tracing::debug!(digest = %key.digest, removed, "nothing names this artifact");
        }
        Ok(())
    }

    async fn is_named(&self, key: ArtifactKey) -> Result<bool, StoreError> {
        let prefix = keys::names_prefix(key.tenant, key.digest);
        let (rows, _) = self.records.page(Query::range(Index::Mark, prefix, 1)).await?;
        Ok(!rows.is_empty())
    }

    async fn list_artifacts(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
    ) -> Result<Vec<StoredArtifact>, StoreError> {
        self.artifacts.list(tenant, after, LISTED_PER_BATCH).await.map_err(unusable)
    }

    /// Looks at some artifacts of a tenant, and removes nothing.
    pub(crate) async fn unnamed_artifacts(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
    ) -> Result<UnnamedArtifacts, StoreError> {
        let page = self.list_artifacts(tenant, after).await?;
        let mut report = UnnamedArtifacts { looked_at: page.len() as u64, ..UnnamedArtifacts::default() };
        report.next = page.last().map(|last| last.key.digest);
        for artifact in page {
            if !self.is_named(artifact.key).await? {
                report.unnamed.push((artifact.key.digest, artifact.length));
            }
        }
        Ok(report)
    }
}

fn unusable(error: ArtifactError) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
