//! A store whose calls are measured: how long commits take, how large they are, what fails.

use crate::{
    seams::{
        clock::Clock,
        metrics::{Metrics, control_plane as instruments},
        store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    },
    values::key::Key,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use std::sync::Arc;

/// Passes every call on, and measures it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<dyn Metrics>,
}

impl Measured {
    fn look_at<T>(&self, called: Result<T, StoreError>) -> Result<T, StoreError> {
        let reason = match &called {
            Ok(_) => return called,
            Err(StoreError::Conflict(_) | StoreError::Exhausted(_) | StoreError::Below { .. }) => {
                self.metrics.record(&instruments::STORE_CONFLICTS, 1.0, &[]);
                return called;
            }
            Err(StoreError::Unknown(_)) => "unknown",
            Err(StoreError::Unavailable(_)) => "unavailable",
            Err(StoreError::Full(_)) => "full",
            Err(_) => "broken",
        };
        self.metrics.record(&instruments::STORE_FAILURES, 1.0, &[("reason", reason)]);
        called
    }
}

#[async_trait]
impl Store for Measured {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.look_at(self.store.load(keys).await)
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.look_at(self.store.scan(query).await)
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch is limited to a few megabytes")]
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let began = self.clock.boot();
        let (count, bytes) = (writes.len(), writes.iter().map(size_of).sum::<usize>());
        let committed = self.look_at(self.store.commit(writes).await);
        if committed.is_ok() {
            let span = self.clock.boot().since(began);
            self.metrics.record(&instruments::COMMIT_DURATION, span.as_secs_f64(), &[]);
            self.metrics.record(&instruments::COMMIT_WRITES, count as f64, &[]);
            self.metrics.record(&instruments::COMMIT_SIZE, bytes as f64, &[]);
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

fn size_of(write: &Write) -> usize {
    match write {
        Write::Put { body, .. } => body.len(),
        Write::Append { bytes, .. } | Write::AppendLines { bytes, .. } => bytes.len(),
        _ => 0,
    }
}
