//! A control plane whose store fails after a number of commits, as if it had crashed there; store,
//! artifacts and time outlive it.

use async_trait::async_trait;
use runners_core::{
    ControlPlane, ControlPlaneBuilder, Key, MemoryArtifacts, MemoryStore,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
    testing::clock::SimClock,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// More commits than a test makes.
pub(crate) const PLENTY: usize = 1_000_000;
/// How many commits a start takes.
pub(crate) const STARTS: usize = 3;

/// A store whose caller crashes after a number of commits.
#[derive(Clone, Debug)]
struct CrashingStore {
    inner: MemoryStore,
    left: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for CrashingStore {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let take = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) => self.inner.commit(writes).await,
            Err(_) => Err(StoreError::Unavailable("crashed".into())),
        }
    }
}

pub(crate) struct World {
    pub(crate) clock: SimClock,
    pub(crate) store: MemoryStore,
    pub(crate) artifacts: MemoryArtifacts,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { clock: SimClock::new(), store: MemoryStore::default(), artifacts: MemoryArtifacts::default() }
    }

    pub(crate) async fn start(&self, commits: usize) -> ControlPlane {
        self.builder(commits).start().await.unwrap()
    }

    pub(crate) fn builder(&self, commits: usize) -> ControlPlaneBuilder {
        let store = CrashingStore { inner: self.store.clone(), left: Arc::new(AtomicUsize::new(commits)) };
        ControlPlane::builder(store).clock(self.clock.clone()).artifacts(self.artifacts.clone())
    }
}
