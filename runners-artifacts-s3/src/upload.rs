//! Uploads by somebody else: a URL for one object that is not an artifact yet, and what makes it one.
//!
//! Length and checksum are signed, so the storage itself refuses other bytes. That it does so is not
//! taken on trust: what it says of the object is compared, and where it says nothing the object is read.
//! Its entity tag then holds it still while it is copied to its place.

use crate::{
    act::{Act, CHECKSUM, base64_of},
    artifacts::S3Artifacts,
    error::{Trouble, What},
};
use futures::TryStreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use runners_core::{
    ArtifactError, ArtifactGuard, ArtifactIntake, ArtifactKey, UploadId, protocol::UploadGrant,
};
use std::error::Error;

impl S3Artifacts {
    pub(crate) async fn grant(&self, key: ArtifactKey, length: u64) -> Result<UploadGrant, Trouble> {
        let mut drawn = [0; 10];
        self.random.fill(&mut drawn);
        let upload = UploadId::new(self.storage.clock.wall(), drawn);
        let name = self.place.upload(key.tenant, upload);
        let credentials = self.storage.credentials.current(&*self.storage.clock).await?;
        let act = Act::Write { name: &name, length, digest: key.digest };
        let span = UploadGrant::EXPIRES_IN_MAX;
        let mut signed = act.sign(&self.storage.bucket, &credentials, self.storage.now(), span);
        signed.headers.remove(header::CONTENT_LENGTH);
        let told = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = signed.headers.iter().filter_map(told).collect();
        Ok(UploadGrant { upload, url: signed.url, headers, expires_in: span })
    }

    pub(crate) async fn take(&self, key: ArtifactKey, length: u64, upload: UploadId) -> Result<(), Trouble> {
        let name = self.place.upload(key.tenant, upload);
        let found = self.storage.ask(&Act::Look { name: &name }).await?;
        let taken = self.take_found(key, length, &name, found.headers()).await;
        let is_done = taken.as_ref().err().is_none_or(|trouble| trouble.what == What::Mismatch);
        if is_done && let Err(trouble) = self.storage.ask(&Act::Remove { name: &name }).await {
            tracing::debug!(error = &trouble as &dyn Error, "an upload stays until it is swept up");
        }
        taken
    }

    async fn take_found(
        &self,
        key: ArtifactKey,
        length: u64,
        name: &str,
        found: &HeaderMap,
    ) -> Result<(), Trouble> {
        let text = |name: &str| found.get(name).and_then(|value| value.to_str().ok());
        let is_long: Option<u64> = text(header::CONTENT_LENGTH.as_str()).and_then(|told| told.parse().ok());
        if is_long != Some(length) {
            return Err(Trouble::new(What::Mismatch));
        }
        let Some(tag) = text(header::ETAG.as_str()) else {
            return Err(Trouble::new(What::Strange).because("it tells no entity tag"));
        };
        match text(CHECKSUM) {
            Some(told) if told == base64_of(&key.digest) => {}
            Some(_) => return Err(Trouble::new(What::Mismatch)),
            None => self.read_whole(key, length, name).await?,
        }
        let to = self.place.artifact(key);
        self.storage.ask_for_text(&Act::Copy { from: name, to: &to, tag }).await?;
        self.settle(key, length).await
    }

    /// Reads an object to its end to see whether it is the artifact.
    async fn read_whole(&self, key: ArtifactKey, length: u64, name: &str) -> Result<(), Trouble> {
        let mismatch = |_| Trouble::new(What::Mismatch);
        let intake = ArtifactIntake::new(key, length, u64::MAX).map_err(mismatch)?;
        let response = self.storage.ask(&Act::Read { name, range: None }).await?;
        let (guard, bytes) = ArtifactGuard::over(intake, self.storage.pieces(response));
        match (bytes.try_for_each(|_| async { Ok(()) }).await, guard.spoilt()) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(ArtifactError::Mismatch(_))) => Err(Trouble::new(What::Mismatch)),
            (Err(source), _) => Err(Trouble::new(What::Broken).because(source)),
        }
    }
}
