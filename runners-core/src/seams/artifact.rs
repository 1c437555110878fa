//! The artifact seam: bytes addressed by their SHA-256 within a tenant.

#[cfg(feature = "fs")]
pub(crate) mod directory;
pub(crate) mod guard;
pub(crate) mod intake;
pub(crate) mod memory;

use crate::values::{
    digest::Digest,
    download::{ReadAs, ReadGrant},
    id::{TenantId, UploadId},
    upload::UploadGrant,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::{error::Error, fmt::Debug, ops::Range, sync::Arc};

/// The address of an artifact. A digest means nothing outside its tenant: a shared space would
/// tell one tenant what another has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "stores are written outside this crate and read it")]
pub struct ArtifactKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
}

/// Bytes as they come, piece by piece. An error ends the stream.
pub type ByteStream = BoxStream<'static, Result<Bytes, ArtifactSource>>;

/// The cause of trouble with an artifact.
pub type ArtifactSource = Box<dyn Error + Send + Sync>;

/// Keeps bytes by tenant and SHA-256. Every implementation passes [`artifact_suite!`](crate::artifact_suite).
///
/// Four methods are required. With `list` and `delete_unless_put` the control plane can also remove
/// artifacts that no record names any more; with `grant_upload` and `take_upload` runners upload straight to
/// the storage, with `grant_read` readers read from it; with `upload_offset`, `append` and `forget_upload` an
/// upload that was cut goes on where it was.
#[async_trait]
pub trait ArtifactStore: Debug + Send + Sync + 'static {
    /// Stores `length` bytes, checking their digest while they pass. What is stored is durable
    /// when this returns; what failed the check leaves nothing. A repeat succeeds.
    ///
    /// # Errors
    /// [`ArtifactError::Mismatch`], [`ArtifactError::TooLarge`] before the first byte is read,
    /// [`ArtifactError::Full`] or [`ArtifactError::Unavailable`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the artifact stored whole or not at all.
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError>;

    /// Reads an artifact, or the part of it in `range` (clipped to its length).
    ///
    /// # Errors
    /// [`ArtifactError::Missing`] or [`ArtifactError::Unavailable`].
    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError>;

    /// The length of an artifact, if it is stored.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError>;

    /// Removes an artifact. One that is not there is removed already.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError>;

    /// Lists up to `limit` artifacts of a tenant whose digests come after `after`, in order. An
    /// artifact that is put or removed meanwhile may be listed or not.
    ///
    /// The default lists nothing: artifacts that no record names are then kept for ever.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    async fn list(
        &self,
        _tenant: TenantId,
        _after: Option<Digest>,
        _limit: usize,
    ) -> Result<Vec<StoredArtifact>, ArtifactError> {
        Ok(Vec::new())
    }

    /// Removes an artifact, unless it was put again since it was listed with this stamp. Answers whether
    /// it was removed; by default nothing is.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    async fn delete_unless_put(&self, _key: ArtifactKey, _stamp: u64) -> Result<bool, ArtifactError> {
        Ok(false)
    }

    /// Grants that somebody else uploads an artifact of `length` bytes straight to the storage. `None`,
    /// which is the default, if that is not possible: the bytes are then [put](Self::put).
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] or [`ArtifactError::Unavailable`].
    async fn grant_upload(
        &self,
        _key: ArtifactKey,
        _length: u64,
    ) -> Result<Option<UploadGrant>, ArtifactError> {
        Ok(None)
    }

    /// Checks length and digest of what was uploaded under a grant, and makes an artifact of it, as if it
    /// had been put. What fails the check leaves nothing.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`] if nothing was uploaded, or it was taken over already;
    /// [`ArtifactError::Mismatch`], [`ArtifactError::TooLarge`] or [`ArtifactError::Unavailable`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the artifact stored whole or not at all.
    async fn take_upload(
        &self,
        key: ArtifactKey,
        _length: u64,
        _upload: UploadId,
    ) -> Result<(), ArtifactError> {
        Err(ArtifactError::Missing(key.digest))
    }

    /// Grants that somebody else reads an artifact straight from the storage, for
    /// [a moment](ReadGrant::EXPIRES_IN). `None`, which is the default, if that is not possible: the bytes are
    /// then [read](Self::get) here. Whether there is such an artifact is not checked.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    async fn grant_read(
        &self,
        _key: ArtifactKey,
        _shown: &ReadAs,
    ) -> Result<Option<ReadGrant>, ArtifactError> {
        Ok(None)
    }

    /// How many bytes of an artifact of `length` have arrived in pieces: the offset at which the upload goes
    /// on, 0 if none has. `None`, which is the default, if uploads are not taken in pieces, or while somebody
    /// else sends the next piece: the bytes are then [put](Self::put).
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`], [`ArtifactError::OverQuota`] or [`ArtifactError::Unavailable`].
    async fn upload_offset(&self, _key: ArtifactKey, _length: u64) -> Result<Option<u64>, ArtifactError> {
        Ok(None)
    }

    /// Takes the next piece of an artifact of `length`, which begins at `offset`, and answers how many bytes
    /// have arrived in all. With the last one the digest is checked, and it is an artifact as if it had been
    /// put. If the stream of a piece fails, the bytes that came before are kept.
    ///
    /// # Errors
    /// [`ArtifactError::Offset`] if the bytes that have arrived do not end at `offset`;
    /// [`ArtifactError::Mismatch`] at the end, and all pieces are then removed; [`ArtifactError::TooLarge`] before
    /// the first byte is read, [`ArtifactError::OverQuota`], [`ArtifactError::Full`] or
    /// [`ArtifactError::Unavailable`].
    ///
    /// # Cancel safety
    /// Dropping the future keeps the bytes that came, and leaves the artifact stored whole or not at all.
    async fn append(
        &self,
        _key: ArtifactKey,
        _length: u64,
        _offset: u64,
        _bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        Err(ArtifactError::Unavailable("this store takes artifacts whole".into()))
    }

    /// Removes the pieces of an upload that nobody goes on with. The control plane calls it a day after the
    /// last one came.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    async fn forget_upload(&self, _key: ArtifactKey, _length: u64) -> Result<(), ArtifactError> {
        Ok(())
    }
}

/// An artifact as a listing has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores are written outside this crate and build it")]
pub struct StoredArtifact {
    /// Its address.
    pub key: ArtifactKey,
    /// How many bytes it has.
    pub length: u64,
    /// Changes with every put, also of the same bytes.
    pub stamp: u64,
}

#[async_trait]
impl<S: ArtifactStore + ?Sized> ArtifactStore for Arc<S> {
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
        (**self).put(key, length, bytes).await
    }
    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        (**self).get(key, range).await
    }
    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        (**self).head(key).await
    }
    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        (**self).delete(key).await
    }
    async fn list(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredArtifact>, ArtifactError> {
        (**self).list(tenant, after, limit).await
    }
    async fn delete_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, ArtifactError> {
        (**self).delete_unless_put(key, stamp).await
    }
    async fn grant_upload(
        &self,
        key: ArtifactKey,
        length: u64,
    ) -> Result<Option<UploadGrant>, ArtifactError> {
        (**self).grant_upload(key, length).await
    }
    async fn take_upload(
        &self,
        key: ArtifactKey,
        length: u64,
        upload: UploadId,
    ) -> Result<(), ArtifactError> {
        (**self).take_upload(key, length, upload).await
    }
    async fn grant_read(&self, key: ArtifactKey, shown: &ReadAs) -> Result<Option<ReadGrant>, ArtifactError> {
        (**self).grant_read(key, shown).await
    }
    async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        (**self).upload_offset(key, length).await
    }
    async fn append(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        (**self).append(key, length, offset, bytes).await
    }
    async fn forget_upload(&self, key: ArtifactKey, length: u64) -> Result<(), ArtifactError> {
        (**self).forget_upload(key, length).await
    }
}

/// Why an artifact was not stored, read or removed, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// Put it first: there is no such artifact.
    #[error("there is no artifact {0}")]
    Missing(Digest),
    /// Send the right bytes: these have another digest or length.
    #[error("the bytes are not those of artifact {0}")]
    Mismatch(Digest),
    /// Send less: the limit is in bytes.
    #[error("an artifact of {length} bytes is over the limit of {limit}")]
    TooLarge {
        /// What was offered.
        length: u64,
        /// What is allowed.
        limit: u64,
    },
    /// Make room among what the tenant keeps, or have the operator raise its quota. All are bytes.
    #[error(
        "an artifact of {length} bytes is over the tenant's quota of {limit}, of which {used} are used: \
         keep less, or ask the operator for more"
    )]
    OverQuota {
        /// What was announced.
        length: u64,
        /// What is counted already, uploads under way included.
        used: u64,
        /// What the tenant may keep.
        limit: u64,
    },
    /// Go on from where the pieces end that are here.
    #[error("the pieces that are here end at {stands}")]
    Offset {
        /// How many bytes are here.
        stands: u64,
    },
    /// Mend the name or the media type.
    #[error("{field} of the artifact {problem}")]
    Invalid {
        /// Which of them.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Make room.
    #[error("artifact store is full")]
    Full(#[source] ArtifactSource),
    /// Try again later.
    #[error("artifact store is unavailable")]
    Unavailable(#[source] ArtifactSource),
}
