//! Artifacts kept in memory: for tests, examples and control planes that need not outlive their
//! process.

use crate::seams::artifact::{
    ArtifactError, ArtifactKey, ArtifactStore, ByteStream,
    intake::{ArtifactIntake, BYTES_MAX_DEFAULT, clip},
};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Keeps artifacts in memory. Clones share them.
#[derive(Clone)]
pub struct MemoryArtifacts {
    kept: Arc<Mutex<BTreeMap<ArtifactKey, Bytes>>>,
    bytes_max: u64,
}

impl MemoryArtifacts {
    /// The largest number of bytes in one artifact. 1 GiB unless said otherwise.
    #[must_use]
    pub const fn bytes_max(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<ArtifactKey, Bytes>> {
        // A map is whole between any two of its calls, so a panic elsewhere has not harmed it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryArtifacts {
    fn default() -> Self {
        Self { kept: Arc::default(), bytes_max: BYTES_MAX_DEFAULT }
    }
}

impl fmt::Debug for MemoryArtifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryArtifacts({} kept)", self.kept().len())
    }
}

/// The most that is set aside before the first byte is there, whatever length was announced.
const RESERVED_BYTES_MAX: u64 = 64 << 10;

#[async_trait]
impl ArtifactStore for MemoryArtifacts {
    async fn put(&self, key: ArtifactKey, length: u64, mut bytes: ByteStream) -> Result<(), ArtifactError> {
        let mut intake = ArtifactIntake::new(key, length, self.bytes_max)?;
        let reserved = usize::try_from(length.min(RESERVED_BYTES_MAX)).unwrap_or(0);
        let mut whole = BytesMut::with_capacity(reserved);
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(ArtifactError::Unavailable)?;
            intake.take(&piece)?;
            whole.extend_from_slice(&piece);
        }
        intake.finish()?;
        self.kept().insert(key, whole.freeze());
        Ok(())
    }

    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        let whole = self.kept().get(&key).cloned().ok_or(ArtifactError::Missing(key.digest))?;
        let part = clip(range, whole.len() as u64);
        let at = |offset: u64| usize::try_from(offset).expect("clipped to a length in memory");
        let part = whole.slice(at(part.start)..at(part.end));
        Ok(stream::iter((!part.is_empty()).then_some(Ok(part))).boxed())
    }

    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        Ok(self.kept().get(&key).map(|whole| whole.len() as u64))
    }

    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        self.kept().remove(&key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{digest::Digest, id::TenantId};

    #[cfg(feature = "testing")]
    mod suite {
        async fn make() -> crate::MemoryArtifacts {
            crate::MemoryArtifacts::default()
        }
        crate::artifact_suite!(make);
    }

    #[tokio::test]
    async fn clones_share_what_is_kept() {
        let artifacts = MemoryArtifacts::default();
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(b"abc") };
        let bytes = stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed();
        artifacts.clone().put(key, 3, bytes).await.unwrap();
        assert_eq!(artifacts.head(key).await.unwrap(), Some(3));
    }
}
