//! Artifacts as objects of a bucket: what the seam asks for, said to the storage.

use crate::{
    OpenError, S3Options,
    act::Act,
    error::{Trouble, What},
    exchange::Storage,
    place::Place,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{StatusCode, header};
use reqwest::Body;
use runners_core::{
    ArtifactError, ArtifactGuard, ArtifactIntake, ArtifactKey, ArtifactStore, ByteStream, Digest, Random,
    StoredArtifact, TenantId, UploadId,
    protocol::{ReadAs, ReadGrant, UploadGrant},
};
use std::{fmt, ops::Range, sync::Arc};

/// Keeps artifacts in a bucket. Clones, and other processes, may share it.
///
/// Bytes are streamed both ways. They are digested as they pass, and the last piece is held back until
/// all are known to be right, so an object is there whole or not at all; the storage is told length and
/// checksum too, and checks them for itself.
#[derive(Clone)]
pub struct S3Artifacts {
    pub(crate) storage: Arc<Storage>,
    pub(crate) place: Place,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) bytes_max: u64,
    pub(crate) grants_uploads: bool,
    pub(crate) grants_reads: bool,
}

impl S3Artifacts {
    /// Opens `s3://bucket/prefix` at AWS, in the region that `AWS_REGION` names, under the key that
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are. [`S3Options`] says more.
    ///
    /// # Errors
    /// See [`OpenError`]; its variants say what to do.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn open(url: impl Into<String>) -> Result<Self, OpenError> {
        S3Options::new(url).open().await
    }
}

#[async_trait]
impl ArtifactStore for S3Artifacts {
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
        let intake = ArtifactIntake::new(key, length, self.bytes_max)?;
        let (guard, mut bytes) = ArtifactGuard::over(intake, bytes);
        let body = if length == 0 {
            // Nobody would look at a body of no bytes.
            while let Ok(Some(_)) = bytes.try_next().await {}
            if let Some(error) = guard.spoilt() {
                return Err(error);
            }
            Body::from(Bytes::new())
        } else {
            Body::wrap_stream(bytes)
        };
        let name = self.place.artifact(key);
        let write = Act::Write { name: &name, length, digest: key.digest };
        let sent = self.storage.send(&write, body, &guard).await;
        // What was wrong with the bytes themselves says more than that the request was given up.
        if let Some(error) = guard.spoilt() {
            return Err(error);
        }
        sent.map_err(|trouble| trouble.about_put(key.digest))?;
        self.settle(key, length).await.map_err(|trouble| trouble.about_put(key.digest))
    }

    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            // HTTP has no empty ranges.
            self.head(key).await?.ok_or(ArtifactError::Missing(key.digest))?;
            return Ok(stream::empty().boxed());
        }
        let (name, is_whole) = (self.place.artifact(key), range.is_none());
        let response = match self.storage.ask(&Act::Read { name: &name, range }).await {
            Err(trouble) if trouble.what == What::Beyond => return Ok(stream::empty().boxed()),
            answered => answered.map_err(|trouble| trouble.about(key.digest))?,
        };
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        match (is_whole, is_part, response.content_length()) {
            (true, false, Some(length)) => {
                let intake = ArtifactIntake::new(key, length, u64::MAX)?;
                Ok(ArtifactGuard::over(intake, self.storage.pieces(response)).1)
            }
            (false, true, _) => Ok(self.storage.pieces(response)),
            _ => Err(Trouble::new(What::Strange).about(key.digest)),
        }
    }

    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        let name = self.place.artifact(key);
        let found = match self.storage.ask(&Act::Look { name: &name }).await {
            Err(trouble) if trouble.what == What::Missing => return Ok(None),
            answered => answered.map_err(|trouble| trouble.about(key.digest))?,
        };
        let length = found.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        length.map(Some).ok_or_else(|| Trouble::new(What::Strange).about(key.digest))
    }

    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        let name = self.place.artifact(key);
        match self.storage.ask(&Act::Remove { name: &name }).await {
            Err(trouble) if trouble.what != What::Missing => Err(trouble.about(key.digest)),
            _ => Ok(()),
        }
    }

    async fn list(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredArtifact>, ArtifactError> {
        let stored = self.stored(tenant, after, limit).await;
        stored.map_err(|trouble| ArtifactError::Unavailable(trouble.into()))
    }

    async fn delete_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, ArtifactError> {
        self.remove_unless_put(key, stamp).await.map_err(|trouble| trouble.about_put(key.digest))
    }

    async fn grant_upload(
        &self,
        key: ArtifactKey,
        length: u64,
    ) -> Result<Option<UploadGrant>, ArtifactError> {
        ArtifactIntake::new(key, length, self.bytes_max)?;
        if !self.grants_uploads {
            return Ok(None);
        }
        self.grant(key, length).await.map(Some).map_err(|trouble| trouble.about_put(key.digest))
    }

    async fn grant_read(&self, key: ArtifactKey, shown: &ReadAs) -> Result<Option<ReadGrant>, ArtifactError> {
        if !self.grants_reads {
            return Ok(None);
        }
        self.show(key, shown).await.map(Some).map_err(|trouble| trouble.about(key.digest))
    }

    async fn take_upload(
        &self,
        key: ArtifactKey,
        length: u64,
        upload: UploadId,
    ) -> Result<(), ArtifactError> {
        ArtifactIntake::new(key, length, self.bytes_max)?;
        self.take(key, length, upload).await.map_err(|trouble| trouble.about(key.digest))
    }
}

impl fmt::Debug for S3Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Artifacts")
            .field("bucket", &self.storage.bucket.base_url().as_str())
            .field("prefix", &self.place.prefix())
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}
