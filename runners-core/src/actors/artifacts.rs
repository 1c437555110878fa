//! How bytes get to the artifact store and back: with a limit, and with bounded retries. Shared by
//! runners and clients.

use crate::{
    seams::{
        artifact::{ArtifactError, ArtifactKey, ArtifactStore},
        clock::{Clock, sleep},
    },
    values::{digest::Digest, id::TenantId},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{sync::Arc, time::Duration};

/// The largest payload or result that is fetched: 64 MiB.
const FETCH_BYTES_MAX: usize = 64 << 20;
/// How often a put or a fetch is tried.
const TRIES_MAX: u32 = 5;
/// The wait before the second try; it doubles with each one after.
const BACKOFF: Duration = Duration::from_millis(200);

/// The artifact store as one tenant sees it.
#[derive(Clone, Debug)]
pub(super) struct TenantArtifacts {
    pub(super) tenant: TenantId,
    pub(super) store: Arc<dyn ArtifactStore>,
}

impl TenantArtifacts {
    /// The same store as the tenant sees it that a job is of, if it is of another one.
    pub(super) fn of(&self, tenant: Option<TenantId>) -> Self {
        Self { tenant: tenant.unwrap_or(self.tenant), store: Arc::clone(&self.store) }
    }

    /// Puts bytes and answers their digest.
    pub(super) async fn put(&self, bytes: &Bytes, clock: &dyn Clock) -> Result<Digest, ArtifactError> {
        let key = ArtifactKey { tenant: self.tenant, digest: Digest::of(bytes) };
        let mut tries = 1;
        loop {
            let piece = Ok(bytes.clone());
            let put = self.store.put(key, bytes.len() as u64, stream::iter([piece]).boxed()).await;
            match put {
                Ok(()) => return Ok(key.digest),
                Err(ArtifactError::Unavailable(_)) if tries < TRIES_MAX => pause(clock, &mut tries).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Fetches bytes, and checks that they are the ones.
    pub(super) async fn get(&self, digest: Digest, clock: &dyn Clock) -> Result<Bytes, ArtifactError> {
        let mut tries = 1;
        loop {
            match self.get_once(digest).await {
                Err(ArtifactError::Unavailable(_)) if tries < TRIES_MAX => pause(clock, &mut tries).await,
                gotten => return gotten,
            }
        }
    }

    async fn get_once(&self, digest: Digest) -> Result<Bytes, ArtifactError> {
        let key = ArtifactKey { tenant: self.tenant, digest };
        let mut pieces = self.store.get(key, None).await?;
        let mut bytes = BytesMut::new();
        while let Some(piece) = pieces.try_next().await.map_err(ArtifactError::Unavailable)? {
            let length = bytes.len() + piece.len();
            if length > FETCH_BYTES_MAX {
                return Err(ArtifactError::TooLarge { length: length as u64, limit: FETCH_BYTES_MAX as u64 });
            }
            bytes.extend_from_slice(&piece);
        }
        if Digest::of(&bytes) == digest { Ok(bytes.freeze()) } else { Err(ArtifactError::Mismatch(digest)) }
    }
}

async fn pause(clock: &dyn Clock, tries: &mut u32) {
    sleep(clock, BACKOFF * (1 << (*tries - 1))).await;
    *tries += 1;
}
