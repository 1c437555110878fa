//! Removing what nobody names, while somebody may be putting it again.
//!
//! A storage has no lock, so there is a mark. Whoever removes marks the artifact, then looks whether it
//! is still the one that was listed, then removes it, then the mark. Whoever puts looks afterwards, in one
//! listing, for the artifact and the mark. If there is no mark, it was either not set yet, and the other
//! will see that the artifact is a new one; or it is gone, and nothing is removed any more, so the
//! artifact is there to stay, or is gone. If there is a mark, or no artifact, it has to be put again.

use crate::{
    act::Act,
    artifacts::S3Artifacts,
    error::{Trouble, What},
};
use bytes::Bytes;
use runners_core::{ArtifactGuard, ArtifactKey, Digest};
use std::{error::Error, time::Duration};

/// How long the signature of a removal is good: a late one is refused by the storage itself.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);

/// How long a mark counts that was left by somebody who was ended in between. It is longer than
/// [`REMOVED_WITHIN`] and a clock that is a quarter of an hour away, beyond which nothing is signed.
const MARK_COUNTS_FOR: Duration = Duration::from_secs(20 * 60);

/// The names that begin as an artifact's: its own, and its mark's.
const NAMES_MAX: usize = 2;

impl S3Artifacts {
    /// Removes an artifact, unless it was put again since it was listed with this stamp.
    pub(crate) async fn remove_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, Trouble> {
        let (name, mark) = (self.place.artifact(key), self.place.removing(key));
        let begun = self.storage.now();
        self.mark(&mark).await?;
        let removed = async {
            let (found, _) = self.names(&name, None, NAMES_MAX).await?;
            if !found.iter().any(|object| object.name == name && object.stamp() == stamp) {
                return Ok(false);
            }
            self.storage.ask_once(&Act::Remove { name: &name }, begun, REMOVED_WITHIN).await.map(|_| true)
        };
        let removed = removed.await?;
        // Where it is not known whether the removal still comes, the mark stays for its time.
        if let Err(trouble) = self.storage.ask(&Act::Remove { name: &mark }).await {
            tracing::debug!(error = &trouble as &dyn Error, "a mark stays in the storage");
        }
        Ok(removed)
    }

    /// Makes sure that what was just put is there to stay.
    pub(crate) async fn settle(&self, key: ArtifactKey, length: u64) -> Result<(), Trouble> {
        let (name, mark) = (self.place.artifact(key), self.place.removing(key));
        let (found, _) = self.names(&name, None, NAMES_MAX).await?;
        let find = |name: &str| found.iter().find(|object| object.name == name);
        let Some(artifact) = find(&name) else { return Err(Trouble::new(What::Removed)) };
        if artifact.length != length {
            let told = format!("it has {} bytes, {length} were put", artifact.length);
            return Err(Trouble::new(What::Strange).because(told));
        }
        let counts = |since: jiff::SignedDuration| {
            Duration::try_from(since).map_or(true, |since| since < MARK_COUNTS_FOR)
        };
        match find(&mark) {
            Some(mark) if counts(artifact.put.duration_since(mark.put)) => Err(Trouble::new(What::Removed)),
            _ => Ok(()),
        }
    }

    async fn mark(&self, mark: &str) -> Result<(), Trouble> {
        let act = Act::Write { name: mark, length: 0, digest: Digest::of(b"") };
        self.storage.send(&act, Bytes::new().into(), &ArtifactGuard::default()).await
    }
}
