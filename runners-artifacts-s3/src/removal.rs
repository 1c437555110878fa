//! Removing what nobody names, while somebody may be putting it again.
//!
//! A storage has no lock, so there are marks. Whoever removes marks the artifact, then looks whether it
//! is still the one that was listed, then removes it, then its own mark. Whoever puts looks afterwards, in one
//! listing, for the artifact and marks. If there is no mark, it was either not set yet, and the other
//! will see that the artifact is a new one; or it is gone, and nothing is removed any more, so the
//! artifact is there to stay, or is gone. If there is a mark, or no artifact, it has to be put again.

use crate::{
    act::Act,
    artifacts::S3Artifacts,
    error::{Trouble, What},
    listing::Listed,
    place::is_mark,
};
use bytes::Bytes;
use runners_core::{ArtifactGuard, ArtifactKey, Digest};
use std::{error::Error, time::Duration};

/// How long the signature of a removal is good: a late one is refused by the storage itself.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);

/// How long a mark counts that was left by somebody who was ended in between. It is longer than
/// [`REMOVED_WITHIN`] and a clock that is a quarter of an hour away, beyond which nothing is signed.
const MARK_COUNTS_FOR: Duration = Duration::from_secs(20 * 60);

/// How old a mark is that is removed by whoever comes across it: whoever has left it was ended in between.
const MARK_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The names that begin as an artifact's: its own, and those of its marks.
const NAMES_MAX: usize = 100;

impl S3Artifacts {
    /// Removes an artifact, unless it was put again since it was listed with this stamp.
    pub(crate) async fn remove_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, Trouble> {
        let mut drawn = [0; 8];
        self.random.fill(&mut drawn);
        let (name, mark) = (self.place.artifact(key), self.place.removing(key, drawn));
        let begun = self.storage.now();
        self.mark(&mark).await?;
        let found = self.names(&name, None, NAMES_MAX).await.map(|(found, _)| found);
        let is_it = |object: &Listed| object.name == name && object.stamp() == stamp;
        let (removed, may_come) = match &found {
            Ok(found) if found.iter().any(is_it) => {
                let remove = Act::Remove { name: &name };
                let sent = self.storage.ask_once(&remove, begun, REMOVED_WITHIN).await;
                let may_come = sent.as_ref().is_err_and(Trouble::may_still_come);
                (sent.map(|_| true), may_come)
            }
            _ => (Ok(false), false),
        };
        // Where it is not known whether the removal still comes, the mark stays for its time.
        if !may_come {
            self.unmark(&mark).await;
        }
        for left in found?.iter().filter(|object| is_mark(&object.name, &name)) {
            let age = Duration::try_from(begun.duration_since(left.put)).unwrap_or_default();
            if age > MARK_KEPT {
                self.unmark(&left.name).await;
            }
        }
        removed
    }

    /// Makes sure that what was just put is there to stay.
    pub(crate) async fn settle(&self, key: ArtifactKey, length: u64) -> Result<(), Trouble> {
        let name = self.place.artifact(key);
        let (found, _) = self.names(&name, None, NAMES_MAX).await?;
        let Some(artifact) = found.iter().find(|object| object.name == name) else {
            return Err(Trouble::new(What::Removed));
        };
        if artifact.length != length {
            let told = format!("it has {} bytes, {length} were put", artifact.length);
            return Err(Trouble::new(What::Strange).because(told));
        }
        let counts = |since: jiff::SignedDuration| {
            Duration::try_from(since).map_or(true, |since| since < MARK_COUNTS_FOR)
        };
        let mut marks = found.iter().filter(|object| is_mark(&object.name, &name));
        if marks.any(|mark| counts(artifact.put.duration_since(mark.put))) {
            return Err(Trouble::new(What::Removed));
        }
        Ok(())
    }

    async fn mark(&self, mark: &str) -> Result<(), Trouble> {
        let act = Act::Write { name: mark, length: 0, digest: Digest::of(b"") };
        self.storage.send(&act, Bytes::new().into(), &ArtifactGuard::default()).await
    }

    async fn unmark(&self, mark: &str) {
        if let Err(trouble) = self.storage.ask(&Act::Remove { name: mark }).await {
            tracing::debug!(error = &trouble as &dyn Error, "a mark stays in the storage");
        }
    }
}
