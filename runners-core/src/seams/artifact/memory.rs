//! Artifacts kept in memory: for tests, examples and control planes that need not outlive their
//! process.

use crate::{
    seams::artifact::{
        ArtifactError, ArtifactKey, ArtifactStore, ByteStream, StoredArtifact,
        intake::{ArtifactIntake, BYTES_MAX_DEFAULT, clip},
    },
    values::{digest::Digest, id::TenantId},
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
    kept: Arc<Mutex<Kept>>,
    bytes_max: u64,
}

#[derive(Default)]
struct Kept {
    artifacts: BTreeMap<ArtifactKey, (Bytes, u64)>,
    /// What came of uploads in pieces, by how long each is to be.
    pieces: BTreeMap<(ArtifactKey, u64), BytesMut>,
    puts: u64,
}

impl Kept {
    fn keep(&mut self, key: ArtifactKey, bytes: Bytes) {
        self.puts += 1;
        self.artifacts.insert(key, (bytes, self.puts));
    }

    /// Adds a piece to those that end at `offset`.
    fn add(&mut self, at: (ArtifactKey, u64), offset: u64, piece: &[u8]) -> Result<u64, ArtifactError> {
        let pieces = self.pieces.entry(at).or_default();
        let stands = pieces.len() as u64;
        if stands != offset {
            return Err(ArtifactError::Offset { stands });
        }
        let after = stands + piece.len() as u64;
        if after > at.1 {
            self.pieces.remove(&at);
            return Err(ArtifactError::Mismatch(at.0.digest));
        }
        pieces.extend_from_slice(piece);
        Ok(after)
    }

    /// Makes an artifact of pieces that are whole.
    fn finish(&mut self, at: (ArtifactKey, u64)) -> Result<(), ArtifactError> {
        let whole = self.pieces.remove(&at).unwrap_or_default().freeze();
        if Digest::of(&whole) != at.0.digest {
            return Err(ArtifactError::Mismatch(at.0.digest));
        }
        self.keep(at.0, whole);
        Ok(())
    }
}

impl MemoryArtifacts {
    /// The largest number of bytes in one artifact. 1 GiB unless said otherwise.
    #[must_use]
    pub const fn bytes_max(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
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
        write!(f, "MemoryArtifacts({} kept)", self.kept().artifacts.len())
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
        self.kept().keep(key, whole.freeze());
        Ok(())
    }

    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        let whole = self.kept().artifacts.get(&key).map(|(whole, _)| whole.clone());
        let whole = whole.ok_or(ArtifactError::Missing(key.digest))?;
        let part = clip(range, whole.len() as u64);
        let at = |offset: u64| usize::try_from(offset).expect("clipped to a length in memory");
        let part = whole.slice(at(part.start)..at(part.end));
        Ok(stream::iter((!part.is_empty()).then_some(Ok(part))).boxed())
    }

    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        Ok(self.kept().artifacts.get(&key).map(|(whole, _)| whole.len() as u64))
    }

    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        self.kept().artifacts.remove(&key);
        Ok(())
    }

    async fn list(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredArtifact>, ArtifactError> {
        let kept = self.kept();
        let mine = kept
            .artifacts
            .iter()
            .filter(|(key, _)| key.tenant == tenant && after.is_none_or(|after| key.digest > after));
        let stored = mine.map(|(key, (whole, stamp))| StoredArtifact {
            key: *key,
            length: whole.len() as u64,
            stamp: *stamp,
        });
        Ok(stored.take(limit).collect())
    }

    async fn delete_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, ArtifactError> {
        let mut kept = self.kept();
        let is_same = kept.artifacts.get(&key).is_some_and(|(_, found)| *found == stamp);
        if is_same {
            kept.artifacts.remove(&key);
        }
        Ok(is_same)
    }

    async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        ArtifactIntake::new(key, length, self.bytes_max)?;
        Ok(Some(self.kept().pieces.get(&(key, length)).map_or(0, |pieces| pieces.len() as u64)))
    }

    async fn append(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        mut bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        ArtifactIntake::new(key, length, self.bytes_max)?;
        let at = (key, length);
        let mut stands = self.kept().add(at, offset, &[])?;
        while let Some(piece) = bytes.next().await {
            stands = self.kept().add(at, stands, &piece.map_err(ArtifactError::Unavailable)?)?;
        }
        if stands == length {
            self.kept().finish(at)?;
        }
        Ok(stands)
    }

    async fn forget_upload(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
        self.kept().pieces.remove(&(key, length));
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
