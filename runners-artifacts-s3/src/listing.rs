//! What lies in a bucket, by name.

use crate::{
    act::Act,
    artifacts::S3Artifacts,
    error::{Trouble, What},
    place::digest_of,
};
use jiff::Timestamp;
use runners_core::{ArtifactKey, Digest, StoredArtifact, TenantId};
use rusty_s3::actions::ListObjectsV2;
use std::time::Duration;

/// How many names are asked for at once: more, no storage tells.
const NAMES_MAX: usize = 1000;

/// How long what was uploaded lies there before it is taken for left behind: grants are good for ten
/// minutes, and nobody's clock is a quarter of an hour away.
const UPLOAD_KEPT: Duration = Duration::from_secs(3600);

/// An object as a listing has it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) length: u64,
    /// When it was put, by the storage's clock.
    pub(crate) put: Timestamp,
}

impl Listed {
    /// Changes with every put, as far as the storage tells times apart.
    pub(crate) fn stamp(&self) -> u64 {
        u64::try_from(self.put.as_millisecond()).unwrap_or(0)
    }
}

impl S3Artifacts {
    /// Objects whose names begin with `prefix` and come after `after`, and whether there are more.
    pub(crate) async fn names(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Listed>, bool), Trouble> {
        let list = Act::List { prefix, after, limit: limit.min(NAMES_MAX) };
        let text = self.storage.ask_for_text(&list).await?;
        let strange = |cause: String| Trouble::new(What::Strange).because(cause);
        let page = ListObjectsV2::parse_response(&text).map_err(|error| strange(error.to_string()))?;
        let has_more = page.next_continuation_token.is_some();
        let listed = page.contents.into_iter().map(|object| {
            let put = object.last_modified.as_deref().and_then(|at| at.parse().ok());
            match (object.size, put) {
                (Some(length), Some(put)) => Ok(Listed { name: object.key, length, put }),
                _ => Err(strange(format!("length or time of {} is not told", object.key))),
            }
        });
        Ok((listed.collect::<Result<_, _>>()?, has_more))
    }

    /// Up to `limit` artifacts of a tenant whose digests come after `after`.
    pub(crate) async fn stored(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredArtifact>, Trouble> {
        if after.is_none() {
            self.sweep(tenant).await?;
        }
        let prefix = self.place.tenant(tenant);
        let mut last = after.map(|digest| self.place.artifact(ArtifactKey { tenant, digest }));
        let mut found = Vec::new();
        while found.len() < limit {
            let (page, has_more) = self.names(&prefix, last.as_deref(), limit - found.len()).await?;
            found.extend(page.iter().filter_map(|object| {
                let key = ArtifactKey { tenant, digest: digest_of(&object.name)? };
                // What somebody else has put there is not ours to remove.
                let is_ours = self.place.artifact(key) == object.name;
                is_ours.then(|| StoredArtifact { key, length: object.length, stamp: object.stamp() })
            }));
            match page.into_iter().next_back() {
                Some(object) if has_more => last = Some(object.name),
                _ => break,
            }
        }
        Ok(found)
    }

    /// Removes what was uploaded and never taken over, a page each time.
    async fn sweep(&self, tenant: TenantId) -> Result<(), Trouble> {
        let (uploads, _) = self.names(&self.place.incoming(tenant), None, NAMES_MAX).await?;
        let now = self.storage.now();
        for upload in uploads {
            let age = Duration::try_from(now.duration_since(upload.put)).unwrap_or_default();
            if age > UPLOAD_KEPT {
                self.storage.ask(&Act::Remove { name: &upload.name }).await?;
            }
        }
        Ok(())
    }
}
