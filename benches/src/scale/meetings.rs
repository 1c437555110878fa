//! How often control planes on one store meet at a job.

use async_trait::async_trait;
use futures::stream::BoxStream;
use runners_core::{
    Clock, Key, Kind,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A store that counts the batches that offer a job, and how many of them were refused.
#[derive(Debug)]
pub(crate) struct Counting {
    store: Arc<dyn Store>,
    claims: AtomicU64,
    conflicts: AtomicU64,
}

impl Counting {
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        Self { store, claims: AtomicU64::new(0), conflicts: AtomicU64::new(0) }
    }

    /// How many batches have offered a job since this was asked last, and how many met another's.
    pub(crate) fn take(&self) -> (u64, u64) {
        (self.claims.swap(0, Ordering::Relaxed), self.conflicts.swap(0, Ordering::Relaxed))
    }
}

#[async_trait]
impl Store for Counting {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.store.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.store.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let is_claim = writes.iter().any(claims);
        let committed = self.store.commit(writes).await;
        if is_claim {
            self.claims.fetch_add(1, Ordering::Relaxed);
            let met = matches!(committed, Err(StoreError::Conflict(_)));
            self.conflicts.fetch_add(u64::from(met), Ordering::Relaxed);
        }
        committed
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        self.store.watch()
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.store.clock()
    }
}

/// Whether a write offers a job that others can offer too: one that was there before.
fn claims(write: &Write) -> bool {
    const WORD: &[u8] = b"\"offered\"";
    matches!(write, Write::Put { key, expected: 1.., body, .. }
        if key.kind == Kind::Job && body.windows(WORD.len()).any(|part| part == WORD))
}
