//! Artifacts, by the digest of their bytes: how long one is, and its bytes.

use super::Management;
use crate::{
    actors::error::Error,
    seams::artifact::{ArtifactKey, ByteStream},
    values::{
        digest::Digest,
        download::{ReadAs, ReadGrant},
        principal::Scope,
    },
};
use std::ops::Range;

impl Management {
    /// How many bytes an artifact of the tenant has. `None` if there is none of that digest.
    ///
    /// # Errors
    /// [`Error::Artifact`] when the artifact store cannot be used, or as [`Management`] says.
    pub async fn artifact_length(&self, digest: Digest) -> Result<Option<u64>, Error> {
        let tenant = self.with(Scope::Read)?;
        self.plane.artifacts.head(ArtifactKey { tenant, digest }).await.map_err(Error::Artifact)
    }

    /// What lets a reader have an artifact of the tenant from where it is kept, if the store
    /// [grants](crate::ArtifactStore::grant_read) that. Nothing is said of whether the reader gets there.
    ///
    /// # Errors
    /// [`Error::Artifact`] when the artifact store cannot be used, or as [`Management`] says.
    pub async fn grant_read(&self, digest: Digest, shown: &ReadAs) -> Result<Option<ReadGrant>, Error> {
        let tenant = self.with(Scope::Read)?;
        self.plane.artifacts.grant_read(ArtifactKey { tenant, digest }, shown).await.map_err(Error::Artifact)
    }

    /// The bytes of an artifact of the tenant, or a range of them, as they are read.
    ///
    /// # Errors
    /// [`Error::Artifact`] if there is none of that digest or the artifact store cannot be used, or
    /// as [`Management`] says.
    pub async fn read_artifact(
        &self,
        digest: Digest,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, Error> {
        let tenant = self.with(Scope::Read)?;
        self.plane.artifacts.get(ArtifactKey { tenant, digest }, range).await.map_err(Error::Artifact)
    }
}
