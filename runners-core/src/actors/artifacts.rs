//! How bytes get to the artifact store and back: with a limit, and with bounded retries. Shared by
//! runners and clients.

use crate::{
    seams::{
        artifact::{ArtifactError, ArtifactKey, ArtifactStore},
        clock::{Clock, sleep},
    },
    values::{digest::Digest, id::TenantId, sync::Attachment},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{sync::Arc, time::Duration};

/// The largest payload or result that is fetched: 64 MiB.
const FETCH_BYTES_MAX: usize = 64 << 20;
/// In pieces of how many bytes a put is sent.
const PIECE_BYTES: usize = 64 << 10;
/// How many bytes of a put that was cut must have arrived more, so that its tries begin again: 256 KiB.
const PROGRESS_BYTES_MIN: u64 = 256 << 10;
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
        let (key, length) =
            (ArtifactKey { tenant: self.tenant, digest: Digest::of(bytes) }, bytes.len() as u64);
        let (mut tries, mut stood) = (1, 0);
        loop {
            let pieces: Vec<_> = (0..bytes.len())
                .step_by(PIECE_BYTES)
                .map(|at| Ok(bytes.slice(at..bytes.len().min(at + PIECE_BYTES))))
                .collect();
            match self.store.put(key, length, stream::iter(pieces).boxed()).await {
                Ok(()) => return Ok(key.digest),
                // It was cut, or somebody else has just sent a piece.
                Err(ArtifactError::Unavailable(_) | ArtifactError::Offset { .. }) if tries < TRIES_MAX => {
                    pause(clock, &mut tries).await;
                }
                Err(error) => return Err(error),
            }
            // As long as enough arrives each time, it goes on.
            if length > PROGRESS_BYTES_MIN
                && let Ok(Some(stands)) = self.store.upload_offset(key, length).await
                && stands >= stood + PROGRESS_BYTES_MIN
            {
                (tries, stood) = (1, stands);
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

/// Checks what an attempt calls an artifact that it leaves, and of which kind it says that is.
pub(super) fn check_names(name: &str, media_type: &str) -> Result<(), ArtifactError> {
    check_name(name)?;
    check_media_type(media_type)
}

fn check_name(name: &str) -> Result<(), ArtifactError> {
    if Attachment::is_name(name) {
        return Ok(());
    }
    let problem = format!("is not a relative path of 1 to {} bytes", Attachment::NAME_BYTES_MAX);
    Err(ArtifactError::Invalid { field: "name", problem })
}

fn check_media_type(media_type: &str) -> Result<(), ArtifactError> {
    let good = media_type.len() <= Attachment::NAME_BYTES_MAX
        && media_type.is_ascii()
        && media_type.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    let problem = "is not of the form `type/subtype`".to_owned();
    if good { Ok(()) } else { Err(ArtifactError::Invalid { field: "media type", problem }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seams::artifact::{ByteStream, memory::MemoryArtifacts},
        testing::clock::SimClock,
    };
    use async_trait::async_trait;
    use std::{
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// Takes so many bytes of each put, then it is cut.
    #[derive(Debug)]
    struct Cutting {
        kept: MemoryArtifacts,
        takes: usize,
        puts: AtomicUsize,
    }

    #[async_trait]
    impl ArtifactStore for Cutting {
        async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
            self.puts.fetch_add(1, Ordering::SeqCst);
            let whole: Vec<Bytes> = bytes.try_collect().await.map_err(ArtifactError::Unavailable)?;
            let whole = Bytes::from(whole.concat());
            let offset = self.upload_offset(key, length).await?.expect("it is kept in pieces");
            let at = usize::try_from(offset).expect("it is small");
            let piece = whole.slice(at..whole.len().min(at + self.takes));
            let stands = self.kept.append(key, length, offset, stream::iter([Ok(piece)]).boxed()).await?;
            if stands == length { Ok(()) } else { Err(ArtifactError::Unavailable("cut".into())) }
        }
        async fn get(
            &self,
            key: ArtifactKey,
            range: Option<Range<u64>>,
        ) -> Result<ByteStream, ArtifactError> {
            self.kept.get(key, range).await
        }
        async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
            self.kept.head(key).await
        }
        async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
            self.kept.delete(key).await
        }
        async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
            self.kept.upload_offset(key, length).await
        }
    }

    async fn put(takes: usize) -> (Result<Digest, ArtifactError>, usize) {
        let store = Arc::new(Cutting { kept: MemoryArtifacts::default(), takes, puts: AtomicUsize::new(0) });
        let artifacts = TenantArtifacts { tenant: TenantId::DEFAULT, store: store.clone() };
        let put = artifacts.put(&vec![7; 4 << 20].into(), &SimClock::new()).await;
        (put, store.puts.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn a_put_that_is_cut_goes_on_as_long_as_enough_arrives_each_time() {
        let (put, puts) = super::tests::put(300 << 10).await;
        assert!(put.is_ok() && puts == 14, "{put:?} after {puts}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_put_of_which_next_to_nothing_arrives_is_given_up() {
        let (put, puts) = super::tests::put(0).await;
        assert!(matches!(put, Err(ArtifactError::Unavailable(_))) && puts == 5, "{put:?} after {puts}");
    }
}
