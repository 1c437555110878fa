//! An artifact store with the troubles that storage has: it is full, or does not answer.

use super::crashing::World;
use async_trait::async_trait;
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore, ByteStream, Digest, MemoryArtifacts, StoredArtifact, TenantId,
};
use std::{
    future::pending,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The artifacts of a world. Clones have the same troubles.
#[derive(Clone, Debug)]
pub(crate) struct Troubled {
    inner: MemoryArtifacts,
    is_full: Arc<AtomicBool>,
    is_silent: Arc<AtomicBool>,
}

impl Troubled {
    pub(crate) fn of(world: &World) -> Self {
        Self { inner: world.artifacts.clone(), is_full: Arc::default(), is_silent: Arc::default() }
    }

    /// Whether nothing more can be put.
    pub(crate) fn fill(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Whether nobody who asks for an artifact is answered.
    pub(crate) fn silence(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::Relaxed);
    }
}

#[async_trait]
impl ArtifactStore for Troubled {
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(ArtifactError::Full("there is no room".into()));
        }
        self.inner.put(key, length, bytes).await
    }
    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        self.inner.get(key, range).await
    }
    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        if self.is_silent.load(Ordering::Relaxed) {
            return pending().await;
        }
        self.inner.head(key).await
    }
    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        self.inner.delete(key).await
    }
    async fn list(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredArtifact>, ArtifactError> {
        self.inner.list(tenant, after, limit).await
    }
    async fn delete_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, ArtifactError> {
        self.inner.delete_unless_put(key, stamp).await
    }
    async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        self.inner.upload_offset(key, length).await
    }
    async fn forget_upload(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
        self.inner.forget_upload(key, length).await
    }
}
