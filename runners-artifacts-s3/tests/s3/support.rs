//! What the tests share: artifacts by their bytes, and a clock that no test waits for.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use runners_artifacts_s3::{S3Artifacts, testing::TestStorage};
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore as _, BootTime, ByteStream, Clock, Digest, SystemClock,
    TenantId, Timestamp,
};
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(crate) fn key(bytes: &[u8]) -> ArtifactKey {
    ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(bytes) }
}

pub(crate) fn once(bytes: &'static [u8]) -> ByteStream {
    stream::iter([Ok(Bytes::from_static(bytes))]).boxed()
}

pub(crate) async fn put(store: &S3Artifacts, bytes: &'static [u8]) -> Result<(), ArtifactError> {
    store.put(key(bytes), bytes.len() as u64, once(bytes)).await
}

pub(crate) async fn read(store: &S3Artifacts, key: ArtifactKey) -> Vec<u8> {
    let pieces: Vec<Bytes> = store.get(key, None).await.unwrap().try_collect().await.unwrap();
    pieces.concat()
}

pub(crate) async fn opened(storage: &TestStorage) -> S3Artifacts {
    storage.options().open().await.unwrap()
}

/// The machine's time, which a test moves. Waits before another try take no time; deadlines never come,
/// or all at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandClock {
    ahead: Arc<AtomicU64>,
    waits: Arc<Mutex<Vec<Duration>>>,
    is_late: bool,
}

/// Deadlines are longer than this, and waits before another try are not.
const WAIT_MAX: Duration = Duration::from_millis(9000);

impl HandClock {
    pub(crate) fn late() -> Self {
        Self { is_late: true, ..Self::default() }
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.ahead.fetch_add(span.as_secs(), Ordering::SeqCst);
    }

    /// How long was waited before another try, each time.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Clock for HandClock {
    fn wall(&self) -> Timestamp {
        SystemClock::default().wall() + self.ahead()
    }

    /// It stands still unless it is moved, so that what is waited for is exact.
    fn boot(&self) -> BootTime {
        BootTime::from_duration(Duration::from_secs(1000) + self.ahead())
    }

    async fn sleep_until(&self, deadline: BootTime) {
        let span = deadline.since(self.boot());
        if span <= WAIT_MAX {
            self.waits.lock().unwrap().push(span);
        } else if !self.is_late {
            pending::<()>().await;
        }
    }
}
