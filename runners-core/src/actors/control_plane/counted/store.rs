//! The artifact store that everybody uses: the one that was given, and every byte of it counted.

use super::{COUNTS_FOR, CountedArtifacts, PIECES_KEPT_FOR};
use crate::{
    rules::record::HoldingRecord,
    seams::artifact::{ArtifactError, ArtifactKey, ArtifactStore, ByteStream, StoredArtifact},
    values::{
        digest::Digest,
        download::{ReadAs, ReadGrant},
        id::{TenantId, UploadId},
        upload::UploadGrant,
    },
};
use async_trait::async_trait;
use std::{ops::Range, time::Duration};
use tokio::runtime::Handle;

/// How long after its grant has expired an upload may still be taken over.
const TAKEN_WITHIN: Duration = Duration::from_secs(600);

impl CountedArtifacts {
    /// Stores what is never refused for the quota, such as logs, and counts it.
    pub(in super::super) async fn put_anyway(
        &self,
        key: ArtifactKey,
        length: u64,
        bytes: ByteStream,
    ) -> Result<(), ArtifactError> {
        self.inner.put(key, length, bytes).await?;
        self.settle(key, None).await
    }

    /// An upload in pieces goes on: it counts for a while longer.
    async fn keep_pieces(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
        let quota = self.quota_of(key.tenant).await?;
        let until = self.wall.wall() + PIECES_KEPT_FOR;
        self.announce(key, length, quota, (HoldingRecord::IN_PIECES, until)).await
    }
}

#[async_trait]
impl ArtifactStore for CountedArtifacts {
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
        let Some(quota) = self.quota_of(key.tenant).await? else {
            return self.put_anyway(key, length, bytes).await;
        };
        let upload = self.draw();
        self.announce(key, length, Some(quota), (upload, self.wall.wall() + COUNTS_FOR)).await?;
        let mut dropped = Dropped { artifacts: self, key, upload, length, is_over: false };
        let put = self.inner.put(key, length, bytes).await;
        let counted = self.withdraw(key, upload, length).await;
        dropped.is_over = counted.is_ok();
        put.and(counted)
    }

    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        self.inner.get(key, range).await
    }

    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        self.inner.head(key).await
    }

    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        self.remove(key, self.inner.delete(key)).await
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
        self.remove(key, self.inner.delete_unless_put(key, stamp)).await
    }

    async fn grant_upload(
        &self,
        key: ArtifactKey,
        length: u64,
    ) -> Result<Option<UploadGrant>, ArtifactError> {
        let Some(grant) = self.inner.grant_upload(key, length).await? else { return Ok(None) };
        if let Some(quota) = self.quota_of(key.tenant).await? {
            let until = self.wall.wall() + grant.expires_in + TAKEN_WITHIN;
            self.announce(key, length, Some(quota), (grant.upload, until)).await?;
        }
        Ok(Some(grant))
    }

    async fn take_upload(
        &self,
        key: ArtifactKey,
        length: u64,
        upload: UploadId,
    ) -> Result<(), ArtifactError> {
        match self.inner.take_upload(key, length, upload).await {
            Ok(()) => self.withdraw(key, upload, length).await,
            Err(error @ ArtifactError::Mismatch(_)) => {
                self.withdraw(key, upload, length).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn grant_read(&self, key: ArtifactKey, shown: &ReadAs) -> Result<Option<ReadGrant>, ArtifactError> {
        self.inner.grant_read(key, shown).await
    }

    async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        let offset = self.inner.upload_offset(key, length).await?;
        if offset.is_some() {
            self.keep_pieces(key, length).await?;
        }
        Ok(offset)
    }

    async fn append(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        self.keep_pieces(key, length).await?;
        let appended = self.inner.append(key, length, offset, bytes).await;
        let is_over = match &appended {
            Ok(stands) => *stands == length,
            Err(error) => matches!(error, ArtifactError::Mismatch(_) | ArtifactError::TooLarge { .. }),
        };
        if is_over {
            self.withdraw(key, HoldingRecord::IN_PIECES, length).await?;
        }
        appended
    }

    async fn forget_upload(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
        self.inner.forget_upload(key, length).await?;
        self.withdraw(key, HoldingRecord::IN_PIECES, length).await
    }
}

/// Counts what became of a put that nobody waits for any more.
struct Dropped<'a> {
    artifacts: &'a CountedArtifacts,
    key: ArtifactKey,
    upload: UploadId,
    length: u64,
    is_over: bool,
}

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        // Outside of a runtime it counts until its time is over.
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_over {
            return;
        }
        let (artifacts, key, upload, length) = (self.artifacts.clone(), self.key, self.upload, self.length);
        let withdrawn = async move {
            if let Err(error) = artifacts.withdraw(key, upload, length).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "an upload counts for a day more");
            }
        };
        self.artifacts.duties.spawn_on(withdrawn, &runtime);
    }
}
